// Findings about a listener that refused packets of handshakes: by which queue, or why else.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "diagnose/capture_rules.h"
#include "diagnose/catalogue.h"
#include "diagnose/routes_back.h"
#include "diagnose/rules.h"
#include "diagnose/unanswered.h"

namespace acceptq::diagnose {
namespace {

using enum facts::LedgerTerm;

// "97 attempts to connect from 57 addresses".
std::string attempts(const Refused& refused) {
  std::string text = "new handshakes";
  if (refused.attempts == 0U) {
    text = "earlier attempts to connect";
  } else if (refused.attempts) {
    text = counted(*refused.attempts, "attempt to connect", "attempts to connect");
  }
  if (refused.addresses) text += " from " + counted(*refused.addresses, "address", "addresses");
  return text;
}

// "21 at SYN, 4 at the final ACK", "at SYN".
std::string steps(const Refused& refused) {
  if (refused.at_ack == 0U) return "at SYN";
  if (refused.at_syn == 0U) return "at the final ACK";
  return fmt::format("{} at SYN, {} at the final ACK", refused.at_syn.value_or(0),
                     refused.at_ack.value_or(0));
}

// What became of those that were refused.
std::string aftermath(const Refused& refused) {
  std::string text;
  const std::uint64_t recovered = refused.recovered.value_or(0);
  const std::uint64_t gave_up = refused.gave_up.value_or(0);
  if (recovered > 0) {
    if (recovered == refused.attempts) {
      text += recovered == 1 ? " The attempt came through later." : " All came through later.";
    } else {
      text += fmt::format(" {} of these attempts came through later.", recovered);
    }
  }
  if (gave_up > 0)
    text += fmt::format(" At least {} {} given up.", gave_up, gave_up == 1 ? "was" : "were");
  return text;
}

// Whether nothing else refused more of its packets.
bool is_main(const Refusals& refusals, std::uint64_t count) {
  return count == std::max({refusals.accept_queue, refusals.by_syn_queue(), refusals.other});
}

// No worse than what became of all that were refused, and no alarm for a small part of them.
Severity severity_of(const ListenerState& state, const Refusals& refusals, std::uint64_t count) {
  constexpr std::uint64_t kSmallPart = 10;
  const Severity severity = refusal_severity(state);
  return count * kSmallPart < refusals.total() ? std::min(severity, Severity::kWarning) : severity;
}

// How many packets were refused for one reason, and how sure it is that they were this listener's.
std::string refused_sentence(const ListenerState& state, const Refusals& refusals,
                             std::uint64_t count) {
  const Refused& refused = state.report.refused;
  const std::string when = in_that_time(state.seconds);
  // Packets show a part of what the counters tell in full.
  const bool at_least = refused.at_least && refused.source != facts::Source::kPackets;
  const std::string packets = (at_least ? "at least " : "") + counted(count, "packet", "packets");
  if (!state.refusals && !state.report.socket_drops_delta) {
    return fmt::format(
        "{} the kernel refused {} of new handshakes in this network namespace, and this listener's "
        "queue alone was seen full",
        when, packets);
  }
  if (!state.refusals) {
    return fmt::format(
        "{} the kernel refused {} of new handshakes in this network namespace, and this "
        "listener's own drop counter, which counts some packets twice, grew by {}",
        when, packets, state.report.socket_drops_delta.value_or(0));
  }
  if (count < refusals.total()) {
    return fmt::format("{} the kernel refused {} of new handshakes for it ({} in all)", when,
                       packets, refusals.total());
  }
  if (state.ledger != nullptr && count == refused.total) {
    return fmt::format("{} the kernel refused {} for it ({}), of {}", when, packets, steps(refused),
                       attempts(refused));
  }
  return fmt::format("{} the kernel refused {} of new handshakes for it", when, packets);
}

// What the counters exclude, as an expert would.
std::string exclusion(const ListenerState& state) {
  std::string text;
  const std::uint64_t overflows = state.ns.grew("TcpExtListenOverflows");
  const std::uint64_t drops = state.ns.grew("TcpExtListenDrops");
  if (drops > 0 && overflows > 0) {
    text += fmt::format(
        " {}ListenOverflows grew by {} and ListenDrops by {}: {}.",
        state.only_listener ? "" : "In this network namespace ", overflows, drops,
        overflows == drops
            ? "every refusal was for a full accept queue"
            : fmt::format("{:.0f} % of the refusals were for a full accept queue",
                          100.0 * static_cast<double>(overflows) / static_cast<double>(drops)));
  }
  if (state.report.cookies && *state.report.cookies != Cookies::kOff) {
    text += " SYN cookies are on, so a full SYN queue does not refuse anything.";
  }
  return text;
}

// What the clients live through, by the step at which they were refused.
std::string for_clients(const ListenerState& state) {
  const Refused& refused = state.report.refused;
  const bool at_syn = refused.at_syn != 0U;
  // Of those that are reset AQ109 tells.
  const bool at_ack =
      refused.at_ack != 0U && sysctl_value(state.ns.after(), facts::kAbortOnOverflow) != 1;
  std::string text;
  if (at_syn) {
    text +=
        " Clients whose first packet (SYN) was refused get no answer and try again, first after "
        "1 s.";
  }
  if (at_ack) {
    text +=
        " Clients refused at the last step (the final ACK) believe that they are connected, but "
        "the server has no connection.";
  }
  return text;
}

// Of all that were refused; said once, where most of them are spoken of.
std::string outcome(const ListenerState& state, const Refusals& refusals, std::uint64_t count) {
  if (!is_main(refusals, count)) return "";
  return aftermath(state.report.refused) + for_clients(state);
}

bool nobody_accepts(const ListenerState& state) {
  return state.report.left_queue == 0U && state.listener->accept_queue_len.value() > 0;
}

void add_overflowing(const ListenerState& state, const Refusals& refusals,
                     std::vector<Finding>& findings) {
  Finding finding = finding_about("AQ101", state);
  finding.severity = severity_of(state, refusals, refusals.accept_queue);
  finding.confidence = state.refusals ? 1.0 : 0.9;
  std::string room = "its limit could not be read";
  if (state.listener->limit) {
    const std::uint64_t capacity = facts::accept_queue_capacity(*state.listener->limit);
    room = fmt::format("the limit is {}, so {} {}", state.listener->limit->value(), capacity,
                       capacity == 1 ? "fits" : "fit");
    // tcp_v4_syn_recv_sock() looks at the length, and inet_csk_reqsk_queue_add() raises it later.
    if (state.report.longest.value() > capacity) {
      room += ", and now and then one more where two handshakes complete at once";
    }
  }
  // A queue that was full for moments only need not have been caught by a sample.
  const std::string seen = was_full(state)
                               ? fmt::format("up to {} waited for accept() ({})",
                                             connections(state.report.longest.value()), room)
                               : fmt::format("{}, and the longest that a sample saw was {}", room,
                                             connections(state.report.longest.value()));
  finding.explanation =
      fmt::format("{}, because its accept queue was full: {}.{}{}{}",
                  refused_sentence(state, refusals, refusals.accept_queue), seen, fullness(state),
                  outcome(state, refusals, refusals.accept_queue), exclusion(state));
  finding.explanation += hung_up(state);
  if (nobody_accepts(state)) {
    finding.explanation += " None of those that wait was taken.";
  }
  if (state.listener->closed) finding.explanation += " It was closed while acceptq watched.";
  add_counter_evidence(state, finding);
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

// What fills a SYN queue: of a request whose SYN-ACK had to be repeated the client has not answered
// for a second or more, unless it waits for the client's first bytes. A sentence, or nothing.
std::string add_what_fills_it(const ListenerState& state, Finding& finding) {
  constexpr std::uint32_t kMany = 10;
  const std::uint32_t all = state.listener->syn_queue_len.value_or(0);
  const std::uint32_t young = std::min(all, state.listener->syn_queue_young.value_or(all));
  const std::uint32_t old = all - young;
  if (old < kMany || old * 2 < all || has_deferred(state)) return "";
  finding.evidence.push_back({.name = kSynQueueUnanswered,
                              .total = old,
                              .unit = "handshakes",
                              .source = state.report.key});
  return fmt::format(
      " Of the {} that are in it now, {} have not answered their SYN-ACK for over a second: "
      "strangers, or clients whom the SYN-ACKs do not reach.",
      counted(all, "handshake", "handshakes"), old);
}

void add_syn_queue_full(const ListenerState& state, const Refusals& refusals,
                        std::vector<Finding>& findings) {
  // The reserve is a part of the queue: where the whole was full, too, it is one thing to say.
  const bool full = refusals.syn_queue > 0;
  Finding finding = finding_about(full ? "AQ201" : "AQ205", state);
  finding.severity = severity_of(state, refusals, refusals.by_syn_queue());
  const std::string clients = outcome(state, refusals, refusals.by_syn_queue());
  const std::string sentence = refused_sentence(state, refusals, refusals.by_syn_queue());
  if (full) {
    std::string room;
    if (const auto& capacity = state.report.syn_queue_capacity) {
      room = fmt::format(": it has room for {}", counted(*capacity, "handshake", "handshakes"));
    }
    finding.explanation = fmt::format(
        "{}, because its SYN queue was full{}. net.ipv4.tcp_syncookies is 0, so the kernel "
        "does not answer with SYN cookies instead.{}{}",
        sentence, room, clients, add_what_fills_it(state, finding));
  } else {
    finding.confidence =
        state.ledger != nullptr ? 1.0 : 0.8;  // no memory and no route look the same
    finding.explanation = fmt::format(
        "{}, as its SYN queue was full but for a reserve: with net.ipv4.tcp_syncookies 0 the "
        "kernel keeps the last quarter of net.ipv4.tcp_max_syn_backlog ({}) for clients that it "
        "already knows.{}{}",
        sentence, sysctl_value(state.ns.after(), facts::kMaxSynBacklog).value_or(0), clients,
        add_what_fills_it(state, finding));
    finding.evidence.push_back(sysctl_evidence(state.ns.after(), facts::kMaxSynBacklog));
  }
  if (!state.refusals) finding.confidence = 0.8;
  finding.evidence.push_back(sysctl_evidence(state.ns.after(), facts::kSyncookies));
  finding.evidence.push_back(counter_evidence(state.ns, "TcpExtTCPReqQFullDrop"));
  finding.evidence.push_back(counter_evidence(state.ns, "TcpExtListenDrops"));
  findings.push_back(std::move(finding));
}

// "3 for want of memory, 2 by a security module"; empty where nothing tells them apart.
std::string known_reasons(const ListenerState& state) {
  std::string text;
  if (state.ledger == nullptr) return text;
  const auto add = [&](facts::LedgerTerm term, std::string_view why) {
    const std::uint64_t count = (*state.ledger)[term].value_or(0);
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, why);
  };
  add(kSynRefusedNoMemory, "for want of memory");
  add(kSynRefusedNoRoute, "for want of a route back to the client");
  add(kSynRefusedSecurity, "by a security module");
  return text;
}

// What is known of why, what was looked up, or else what is left.
std::string other_reasons(const ListenerState& state) {
  std::string text = known_reasons(state);
  const RoutesBack routes = routes_back(state.report.refused.top);
  if (text.empty() && !routes.refuse) {
    text = fmt::format(
        "what is left is {}{}no memory for the request, a security module, or an ICMP "
        "error for a half-open connection",
        knows_syn_queue(state.ns) ? "" : "a full SYN queue with SYN cookies off, ",
        routes.text.empty() ? "no route back to the client, " : "");
  }
  if (routes.text.empty()) return text;
  return fmt::format("{}{}when the watch ended there was {}", text, text.empty() ? "" : "; ",
                     routes.text);
}

void add_other(const ListenerState& state, const Refusals& refusals,
               std::vector<Finding>& findings) {
  Finding finding = finding_about("AQ107", state);
  finding.severity = severity_of(state, refusals, refusals.other);
  if (!state.refusals) finding.confidence = 0.8;
  finding.explanation =
      fmt::format("{}, {}: {}.{}", refused_sentence(state, refusals, refusals.other),
                  knows_syn_queue(state.ns) && !was_full(state) ? "though no queue was full"
                                                                : "but not for a full accept queue",
                  other_reasons(state), outcome(state, refusals, refusals.other));
  add_counter_evidence(state, finding);
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

// A final ACK of a request is answered by a reset (tcp_check_req); one of a SYN cookie, of which
// nothing was kept, is dropped (tcp_get_cookie_sock, every version).
void add_abort(const ListenerState& state, std::vector<Finding>& findings) {
  Finding finding = finding_about("AQ109", state);
  finding.explanation = "net.ipv4.tcp_abort_on_overflow is 1 in this network namespace. ";
  const auto reset = state.ledger != nullptr ? (*state.ledger)[kAckReset] : std::nullopt;
  const std::uint64_t at_ack = state.report.refused.at_ack.value_or(0);
  const std::uint64_t of_cookies =
      state.ledger != nullptr ? (*state.ledger)[kCookieAckRefusedFull].value_or(0) : 0;
  if (reset && at_ack > 0 && !state.report.refused.at_least) {
    finding.explanation += fmt::format(
        "Of {} that {} refused, {} answered by a reset", counted(at_ack, "final ACK", "final ACKs"),
        at_ack == 1 ? "was" : "were", *reset == 0 ? "none was" : counted(*reset, "was", "were"));
    finding.explanation +=
        of_cookies > 0
            ? fmt::format("; {} answered a SYN cookie, and these are dropped silently.", of_cookies)
            : std::string(".");
  } else {
    finding.explanation +=
        "A client whose final ACK is refused is reset, unless that ACK answers a SYN cookie: then "
        "it is dropped silently.";
  }
  finding.evidence.push_back(sysctl_evidence(state.ns.after(), facts::kAbortOnOverflow));
  findings.push_back(std::move(finding));
}

}  // namespace

void add_refusal_findings(const ListenerState& state, const listenpath::KernelRules& rules,
                          std::vector<Finding>& findings) {
  const Refusals refusals = state.refusals ? *state.refusals : refusals_of(state.ns, rules);
  if (state.by_accept_queue && state.report.captured) {
    add_overflowing_in_capture(state, findings);
  } else if (state.by_accept_queue) {
    add_overflowing(state, refusals, findings);
  }
  if (state.by_syn_queue) add_syn_queue_full(state, refusals, findings);
  if (state.by_other) add_other(state, refusals, findings);
  if (state.by_accept_queue && sysctl_value(state.ns.after(), facts::kAbortOnOverflow) == 1) {
    add_abort(state, findings);
  }
}

}  // namespace acceptq::diagnose
