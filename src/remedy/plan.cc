#include "remedy/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "diagnose/deltas.h"
#include "diagnose/findings_of.h"
#include "remedy/cap_advice.h"
#include "remedy/holder_advice.h"
#include "remedy/limit_forms.h"
#include "remedy/live_policy.h"
#include "remedy/somaxconn_forms.h"
#include "remedy/subject.h"

namespace acceptq::remedy {
namespace {

using diagnose::Finding;
using diagnose::LimitSetBy;
using diagnose::Remedy;

// What a longer queue is no part of; each once, though several findings say it.
std::vector<Way> others(const std::vector<const Finding*>& findings, const Subject& subject,
                        std::optional<std::uint32_t> limit) {
  std::vector<Way> ways;
  for (const Finding* finding : findings) {
    for (const Remedy& remedy : finding->remedies) {
      const bool is_new = std::ranges::none_of(ways, [&](const Way& other) {
        return other.remedy.form == remedy.form && other.remedy.summary == remedy.summary;
      });
      if (remedy.lengthens || !is_new) continue;
      const bool is_said = std::ranges::any_of(
          ways, [&](const Way& other) { return other.remedy.content == remedy.content; });
      ways.push_back({.remedy = remedy});
      if (is_said) ways.back().remedy.content.clear();
      const facts::Process* process = without_descriptors(subject);
      if (remedy.form == "limits" && remedy.takes_effect == "now" && process != nullptr) {
        ways.back().descriptors = descriptors_wanted(*process);
      }
      if (remedy.form == "cap") {
        ways.back().connections = is_at_cap(subject) ? limit : number_of_workers(subject);
      }
    }
  }
  return ways;
}

bool asks_for_longer(const std::vector<const Finding*>& findings) {
  return std::ranges::any_of(findings, [](const Finding* finding) {
    return std::ranges::any_of(finding->remedies, [](const Remedy& remedy) {
      return remedy.lengthens || remedy.form == "restart";
    });
  });
}

// No process has ever held it, so nobody called listen().
bool is_kernels(const Subject& subject) {
  return subject.report.limit_set_by == LimitSetBy::kKernel;
}

std::string why_no_change(const Subject& subject, const std::vector<Way>& first) {
  if (is_kernels(subject)) {
    return "the kernel itself listens here, with a limit of its own that no sysctl bounds";
  }
  if (!subject.listener.limit) return "its limit is not known";
  if (is_long_enough(subject)) {
    return fmt::format("the {} places that it has mean a wait of {:.0f} s already",
                       subject.listener.limit->value(),
                       subject.listener.limit->value() / *subject.report.accepts_per_s);
  }
  if (is_full_all_the_time(subject) && subject.accepts == Accepts::kNo) {
    return "nothing is taken from the one that it has";
  }
  if (!first.empty()) return "nothing that was seen asks for one";
  return fmt::format("nothing is wrong with it (at most {} waited where {} fit)",
                     subject.report.longest.value(),
                     facts::accept_queue_capacity(*subject.listener.limit));
}

std::string whose_namespace(const Subject& subject) {
  const facts::Process* inside = subject.holders.first();
  if (subject.ns != nullptr && subject.ns->is_host == true) return "the host";
  const bool pasted = subject.ns != nullptr && subject.ns->pasted.has_value();
  if (pasted && subject.ns->pasted->pod) return "the pod's own network namespace";
  if (pasted && subject.ns->pasted->container) return "the container's own network namespace";
  if (inside != nullptr && inside->pod) return "the pod's own network namespace";
  if (inside != nullptr && inside->container) return "the container's own network namespace";
  return "its network namespace";
}

std::optional<Knob> somaxconn_knob(const Subject& subject) {
  const auto& now = subject.report.somaxconn;
  if (now && std::cmp_greater_equal(*now, subject.wanted)) return std::nullopt;
  return Knob{.name = fmt::format("net.core.somaxconn of {}", whose_namespace(subject)),
              .now = now,
              .wanted = subject.wanted,
              .binds = subject.report.limit_set_by == LimitSetBy::kSomaxconn,
              .ways = somaxconn_ways(subject, Extent::kAll)};
}

// What it passes to listen(), as far as that is known.
std::pair<std::optional<std::int64_t>, bool> backlog_of(const Subject& subject) {
  const Server* server = subject.server.server;
  if (subject.listener.backlog_requested) return {*subject.listener.backlog_requested, false};
  if (subject.report.limit_set_by == LimitSetBy::kApplication) {
    return {subject.listener.limit->value(), false};
  }
  // One that has a higher limit than it usually asks for was told to ask for more.
  const bool own = subject.report.limit_set_by != LimitSetBy::kAcceptq;
  const bool usual = server != nullptr && server->default_backlog &&
                     (!own || *server->default_backlog >= subject.listener.limit->value());
  if (usual) return {*server->default_backlog, true};
  return {std::nullopt, false};
}

std::optional<Knob> backlog_knob(const Subject& subject) {
  std::vector<Remedy> remedies;
  add_application_form(subject, remedies);
  if (remedies.empty()) return std::nullopt;  // it asks for all that somaxconn allows
  const auto [now, by_default] = backlog_of(subject);
  if (now && std::cmp_greater_equal(*now, subject.wanted)) return std::nullopt;
  Knob knob{.name = remedies.front().form == "systemd.socket"
                        ? "Backlog= of the socket unit"
                        : fmt::format("the backlog that {} asks for", server_name(subject)),
            .now = now,
            .by_default = by_default,
            .wanted = subject.wanted,
            .binds = subject.report.limit_set_by == LimitSetBy::kApplication};
  for (Remedy& remedy : remedies) knob.ways.push_back({.remedy = std::move(remedy)});
  return knob;
}

std::vector<Knob> knobs_of(const Subject& subject) {
  std::vector<Knob> knobs;
  if (std::optional<Knob> knob = somaxconn_knob(subject)) knobs.push_back(std::move(*knob));
  if (std::optional<Knob> knob = backlog_knob(subject)) knobs.push_back(std::move(*knob));
  // What comes after one of them is the other, which this plan changes as well.
  for (Knob& knob : knobs) {
    for (Way& way : knob.ways) way.remedy.then.clear();
  }
  return knobs;
}

void add_notes(const Subject& subject, const facts::Observation& observation, Plan& plan) {
  const diagnose::ListenerReport& report = subject.report;
  const double arrivals = report.arrivals_per_s.value_or(0);
  const double accepts = report.accepts_per_s.value_or(0);
  if (report.accepts_per_s && accepts == 0 && arrivals > 0) {
    plan.notes.emplace_back(
        "Nothing was accepted while acceptq watched: as long as that lasts, a longer queue only "
        "fills.");
  } else if (is_slow_to_accept(subject) && arrivals > accepts) {
    std::string note = fmt::format(
        "{:.0f} connections a second come, those that try again included, and accept() takes "
        "{:.3g} of them: a longer queue fills, too.",
        arrivals, accepts);
    const std::string wait = wait_when_full(subject, subject.wanted);
    if (plan.target->given && !wait.empty()) note += " " + wait;
    plan.notes.push_back(std::move(note));
  }
  if (subject.listener.protocol == facts::Protocol::kUnix && is_full_all_the_time(subject)) {
    plan.notes.emplace_back(
        "How many accept() takes a second is not known of a Unix socket: if it is few, clients "
        "that are refused at once now wait in a longer queue until they give up.");
  }
  if (observation.imported) {
    plan.notes.emplace_back(
        "Commands are for the host of what was pasted, and process ids are that host's.");
  }
  const facts::Process* inside = subject.holders.first();
  const facts::Namespace* host = facts::host_namespace(observation.after);
  if (inside != nullptr && inside->pod && subject.ns != nullptr && subject.ns->is_host == false) {
    const auto value = diagnose::sysctl_value(host, facts::kSomaxconn);
    plan.notes.push_back(fmt::format(
        "The node's own net.core.somaxconn{} does not reach the pod, however it is set: a new "
        "network namespace begins with the kernel's default.",
        value ? fmt::format(" ({})", *value) : ""));
  }
  if (inside != nullptr && (inside->pod || inside->container)) {
    plan.notes.emplace_back(
        "What clients send before accept() is charged to no container's memory limit until then.");
  }
  if (report.reuseport_group) {
    plan.notes.emplace_back(
        "Each socket of its SO_REUSEPORT group has a queue of its own, and they share one "
        "setting.");
  }
}

}  // namespace

Plan plan_for(const facts::Observation& observation, const diagnose::Report& report,
              std::size_t listener, std::optional<std::uint32_t> limit) {
  const diagnose::ListenerReport& told = report.listeners[listener];
  const auto causes = causes_by_listener(report);
  const auto cause = causes.find(told.key);
  Subject subject = subject_of(observation, observation.after.listeners[listener], told,
                               cause != causes.end() ? cause->second : nullptr);
  const std::vector<const Finding*> findings = diagnose::findings_of(report, told.key);
  Plan plan{.listener = told.key, .first = others(findings, subject, limit)};
  const auto& present = subject.listener.limit;
  const bool possible = !is_kernels(subject) && present;
  if (!possible || (!limit && !asks_for_longer(findings))) {
    plan.no_change = why_no_change(subject, plan.first);
    return plan;
  }
  const std::string reason = limit ? "as asked" : reason_of_wanted(subject);
  subject.wanted = limit.value_or(subject.wanted);
  // What acceptq has set lasts until the server is restarted.
  const bool lasts = told.limit_set_by != LimitSetBy::kAcceptq;
  if (lasts && subject.wanted <= present->value()) {
    plan.no_change = fmt::format("its limit is {} already", present->value());
    return plan;
  }
  std::vector<Knob> knobs = knobs_of(subject);
  if (knobs.empty() && !limit && lacks_restart(subject)) {
    plan.no_change = "the restart above makes it longer";
    return plan;
  }
  plan.target = Target{.limit = subject.wanted, .given = limit.has_value(), .why = reason};
  plan.knobs = std::move(knobs);
  add_notes(subject, observation, plan);
  plan.live = subject.listener.protocol == facts::Protocol::kTcp &&
              !subject.listener.owners.empty() && !subject.listener.closed &&
              QueueLimit(subject.wanted) > *present &&
              live_objections({.report = report,
                               .told = told,
                               .listener = subject.listener,
                               .to = QueueLimit(subject.wanted)})
                  .empty();
  return plan;
}

}  // namespace acceptq::remedy
