#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "base/text.h"
#include "diagnose/catalogue.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

using facts::Protocol;

std::string connections_wait(std::uint32_t count) {
  return connections(count) + (count == 1 ? " waits" : " wait");
}

// A placeholder that nobody is meant to speak to looks like this (kube-proxy's for node ports), a
// server that hangs at night, too.
bool is_silent(const ListenerState& state) {
  return state.report.full_fraction.value_or(1) >= 1 && is_at_rest(state);
}

// A queue so short is full as soon as somebody waits. Placeholders that nobody accepts from by
// design have such queues.
bool is_full_at_a_glance(const ListenerState& state) {
  constexpr std::uint32_t kShortest = 1;
  return !state.seconds && state.listener->limit->value() <= kShortest;
}

// Such bursts are taken: it did not stay as long as it was.
bool has_drained(const ListenerState& state) {
  return state.seconds &&
         std::uint64_t{state.listener->accept_queue_len.value()} * 2 < state.report.longest.value();
}

void add_full_or_close(const ListenerState& state, std::vector<Finding>& findings) {
  const QueueLimit limit = *state.listener->limit;
  const bool full = is_full_now(state);
  Finding finding = finding_about(full ? "AQ108" : "AQ103", state);
  const std::uint64_t capacity = facts::accept_queue_capacity(limit);
  if (full) {
    finding.explanation = fmt::format("{} for accept() where {} {}.",
                                      connections_wait(state.listener->accept_queue_len.value()),
                                      capacity, capacity == 1 ? "fits" : "fit");
    const std::string_view next = state.listener->accept_queue_len.value() < capacity
                                      ? "those after one more"
                                      : "the next ones";
    if (state.seconds && state.refusals && state.refusals->total() == 0) {
      finding.explanation +=
          fmt::format(" No packet was refused while acceptq watched, but {} will be.", next);
    } else if (state.listener->accept_queue_len.value() < capacity) {
      finding.explanation += " There is room for one more; those after it will be refused.";
    } else {
      finding.explanation += " The next ones will be refused.";
    }
    finding.explanation += fullness(state) + hung_up(state);
    if (is_full_at_a_glance(state)) {
      finding.severity = Severity::kNotice;
      finding.explanation +=
          " A queue as short as this is full whenever a connection waits: one look does not tell "
          "whether any waits for long.";
    }
    if (is_silent(state)) {
      finding.severity = Severity::kNotice;
      finding.explanation +=
          " Nothing arrived and nothing was accepted meanwhile, so no new client suffers.";
    }
  } else {
    finding.explanation = fmt::format("Up to {} waited for accept() where {} fit.",
                                      connections(state.report.longest.value()), capacity);
    if (state.seconds) finding.explanation += " Its accept queue has refused nothing so far.";
    if (has_drained(state)) {
      finding.severity = Severity::kNotice;
      finding.title = "accept queue came close to its limit";
      finding.explanation +=
          fmt::format(" {} there now.", connections_wait(state.listener->accept_queue_len.value()));
    }
  }
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

// AQ104 or AQ105, or the candidates where it cannot be told.
void add_limit(const facts::Observation& observation, const ListenerState& state, Severity at_most,
               std::vector<Finding>& findings) {
  if (!state.listener->limit) return;
  const std::uint32_t limit = state.listener->limit->value();
  const facts::Namespace* ns = state.ns.after();
  const facts::Namespace* host = facts::host_namespace(observation.after);
  const auto host_somaxconn = sysctl_value(host, facts::kSomaxconn);
  const auto& somaxconn = state.report.somaxconn;
  if (state.report.limit_set_by == LimitSetBy::kSomaxconn) {
    Finding finding = finding_about("AQ104", state);
    finding.severity = std::min(finding.severity, at_most);
    finding.explanation = fmt::format(
        "The queue's limit of {} is net.core.somaxconn of its own network namespace.", limit);
    if (somaxconn && *somaxconn != limit) {
      finding.explanation += fmt::format(
          " It has since been changed to {}, but a limit is fixed by listen() and stays.",
          *somaxconn);
    }
    if (ns != nullptr && ns != host && host_somaxconn && *host_somaxconn != limit) {
      finding.explanation += fmt::format(
          " The host's value, {}, does not apply: every network namespace has its own, and a new "
          "one starts with the kernel's default.",
          *host_somaxconn);
    }
    finding.evidence.push_back(sysctl_evidence(ns, facts::kSomaxconn));
    if (host != nullptr && host != ns) {
      finding.evidence.push_back(sysctl_evidence(host, facts::kSomaxconn));
    }
    add_queue_evidence(state, finding);
    findings.push_back(std::move(finding));
  } else if (state.report.limit_set_by == LimitSetBy::kApplication) {
    Finding finding = finding_about("AQ105", state);
    finding.severity = std::min(finding.severity, at_most);
    // Of pasted text it is what the configuration asks for, which may have been changed since.
    const bool traced = state.listener->backlog_requested && state.listener->pasted_at.empty();
    finding.confidence = traced ? 1.0 : 0.95;
    finding.explanation =
        somaxconn
            ? fmt::format(
                  "The queue's limit of {} is what the application itself asked for in listen(): "
                  "net.core.somaxconn of its network namespace is {} and would allow more, so "
                  "raising that changes nothing.",
                  limit, *somaxconn)
            : fmt::format(
                  "The queue's limit of {} is what the application itself asks for in listen(), so "
                  "raising net.core.somaxconn alone changes nothing.",
                  limit);
    finding.evidence.push_back(sysctl_evidence(ns, facts::kSomaxconn));
    add_queue_evidence(state, finding);
    findings.push_back(std::move(finding));
  } else if (!state.limit_candidates.empty() && !state.report.stale && !state.kernel_owned) {
    // The blind spots ask for it.
    if (!somaxconn && !state.listener->pasted_at.empty()) return;
    Finding finding = finding_about("AQ105", state);
    finding.severity = std::min(finding.severity, at_most);
    finding.title = "the queue's limit is the application's own, or an older somaxconn";
    finding.confidence = 0.5;
    finding.explanation = fmt::format(
        "The queue's limit is {}, though net.core.somaxconn of its network namespace is {}. Either "
        "the application asked for {} in listen(), or somaxconn was {} at that time ({}) and has "
        "been raised since.",
        limit, somaxconn ? std::to_string(*somaxconn) : "not known", limit, limit,
        fmt::join(state.limit_candidates, ", "));
    finding.evidence.push_back(sysctl_evidence(ns, facts::kSomaxconn));
    add_queue_evidence(state, finding);
    findings.push_back(std::move(finding));
  }
}

void add_stale(const ListenerState& state, std::vector<Finding>& findings) {
  const bool is_lowered = state.listener->limit->value() > state.report.somaxconn.value_or(0);
  Finding finding = finding_about("AQ106", state);
  finding.explanation = fmt::format(
      "The queue's limit is {}, but net.core.somaxconn of its network namespace is {} now: it was "
      "{} after the application had called listen(), which fixes the limit.",
      state.listener->limit->value(), state.report.somaxconn.value_or(0),
      is_lowered ? "lowered" : "raised");
  if (is_lowered) {
    finding.explanation += fmt::format(
        " When it calls listen() again, as after a restart, {} fit no more: raise somaxconn first.",
        state.listener->limit->value());
  }
  finding.evidence.push_back(sysctl_evidence(state.ns.after(), facts::kSomaxconn));
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

void add_unix(const ListenerState& state, std::vector<Finding>& findings) {
  Finding finding = finding_about("AQ110", state);
  constexpr double kMostly = 0.5;
  const bool is_seldom = !is_full_now(state) && state.report.full_fraction.value_or(0) <= kMostly;
  const std::string endpoint = facts::listener_endpoint(*state.listener);
  const std::uint64_t capacity = facts::accept_queue_capacity(*state.listener->limit);
  const std::uint32_t length = state.listener->accept_queue_len.value();
  if (is_seldom) {
    finding.severity = Severity::kNotice;
    finding.title = "Unix socket's queue was full for moments";
    finding.explanation = fmt::format(
        "The queue of {} holds {} of {} now.{} A connect() waited then, or failed with EAGAIN on a "
        "non-blocking socket; the kernel does not count those that failed.",
        endpoint, length, capacity, fullness(state));
  } else {
    finding.explanation = fmt::format(
        "{} for accept() on {} where {} fit.{} A further connect() waits, or fails with EAGAIN on "
        "a non-blocking socket; the kernel does not count those that fail.",
        connections_wait(length), endpoint, capacity, fullness(state));
  }
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

// One member of a group that is full or stuck, while others have room and are served.
void add_skew(const ListenerState& state, const std::vector<ListenerState>& all, Severity at_most,
              std::vector<Finding>& findings) {
  if (!state.report.reuseport_group) return;
  std::size_t members = 0;
  std::size_t idle = 0;
  bool is_of_same_process = false;
  for (const ListenerState& other : all) {
    if (other.report.reuseport_group != state.report.reuseport_group) continue;
    ++members;
    if (!has_much_room(*other.listener, other.report.longest) || is_stuck(other)) continue;
    ++idle;
    is_of_same_process =
        is_of_same_process || facts::has_common_owner(*other.listener, *state.listener);
  }
  if (idle == 0) return;
  Finding finding = finding_about("AQ111", state);
  finding.severity = std::min(finding.severity, at_most);
  finding.explanation = fmt::format(
      "This is one of {} sockets that share {} (SO_REUSEPORT), and {} never held more than a "
      "quarter of what fits: {}.",
      members, facts::listener_endpoint(*state.listener),
      members == 2 ? "the other one" : fmt::format("{} of the others", idle),
      is_of_same_process ? "its process has one of these as well, and does not accept from this one"
                         : "the process of this one is stuck, no longer accepts, or is gone");
  finding.cause =
      Cause{.kind = CauseKind::kReuseportSkew,
            .share = {},
            .detail = {{"members", std::to_string(members)}, {"with_room", std::to_string(idle)}}};
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

Severity worst_from(std::size_t first, const std::vector<Finding>& findings) {
  Severity severity = Severity::kNotice;
  for (std::size_t i = first; i < findings.size(); ++i) {
    severity = std::max(severity, findings[i].severity);
  }
  return severity;
}

}  // namespace

void add_accept_queue_findings(const facts::Observation& observation,
                               const listenpath::KernelRules& rules, const ListenerState& state,
                               const std::vector<ListenerState>& all,
                               std::vector<Finding>& findings) {
  const Verdict verdict = state.report.verdict;
  if (state.report.stale == true) add_stale(state, findings);
  if (state.listener->protocol == Protocol::kUnix) {
    if (verdict == Verdict::kAtRisk) {
      add_unix(state, findings);
      add_limit(observation, state, findings.back().severity, findings);
    }
    return;
  }
  const std::size_t first = findings.size();
  add_refusal_findings(state, rules, findings);
  // Few refusals do no harm; what comes in waits as long as without them.
  const bool refuses_few =
      verdict == Verdict::kOverflowing && worst_from(first, findings) == Severity::kNotice;
  if (verdict == Verdict::kSlow || (refuses_few && is_slow(state))) {
    add_slow(state, findings);
    if (is_stuck(state)) add_skew(state, all, findings.back().severity, findings);
  }
  // Where its accept queue refuses, that it is full is said.
  if (!state.by_accept_queue && (is_full_now(state) || is_close_to_limit(state))) {
    add_full_or_close(state, findings);
  }
  const bool of_accept_queue = std::any_of(
      findings.begin() + static_cast<std::ptrdiff_t>(first), findings.end(),
      [](const Finding& f) { return f.id == "AQ101" || f.id == "AQ103" || f.id == "AQ108"; });
  if (!of_accept_queue) return;
  // The limit is no worse than what it led to.
  const Severity severity = worst_from(first, findings);
  add_limit(observation, state, std::min(severity, Severity::kWarning), findings);
  add_skew(state, all, severity, findings);
  if (state.kernel_owned) {
    Finding finding = finding_about("AQ112", state);
    finding.explanation =
        "No descriptor of any process refers to this socket: the kernel owns it, it is being "
        "passed between processes, or io_uring holds it.";
    findings.push_back(std::move(finding));
  }
}

}  // namespace acceptq::diagnose
