#include "diagnose/unanswered.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

using enum facts::LedgerTerm;

// Of the handshakes of strangers who never answer, and of clients whose ACKs are lost, at most this
// share is completed.
constexpr double kCompleted = 0.25;
// Fewer SYNs in a second are what scanners send to any address.
constexpr double kManyPerSecond = 1;

// Fewer packets that this host dropped are a stray client's.
constexpr std::uint64_t kFewestDead = 5;

// New requests of the watch, and final ACKs, of requests of any time.
struct Handshakes {
  std::uint64_t begun = 0;
  std::uint64_t completed = 0;
};

// Empty where they were not traced: a SYN queue alone does not tell those that clients have left
// in an overload that is over.
std::optional<Handshakes> handshakes_of(const ListenerState& state) {
  if (state.ledger == nullptr) return std::nullopt;
  // SYNs for which there was no request yet; which of them made one tracepoints do not tell.
  const auto received = (*state.ledger)[kSynReceived];
  const auto refused_syns = facts::refused_at_syn(*state.ledger);
  const auto queued = (*state.ledger)[kAckQueued];
  const auto refused_acks = facts::refused_at_ack(*state.ledger);
  if (!received || !refused_syns || !queued || !refused_acks) return std::nullopt;
  return Handshakes{.begun = *received - std::min(*received, *refused_syns),
                    .completed = *queued + *refused_acks};
}

// Its requests stay in the SYN queue for another reason than that nobody answers.
bool keeps_requests(const ListenerState& state) {
  return state.listener->defer_accept != 0U || state.ns.grew(kDeferDrop) > 0 ||
         state.by_accept_queue || was_full(state);
}

// Its SYN queue is full, which is what is said then.
bool is_crowded(const ListenerState& state) {
  return state.by_syn_queue || answers_by_cookies(state);
}

// Requests that were there for about a second and went with neither an ACK, a reset nor an error.
// The kernel ends one at its first time-out, after a second, where it cannot send the SYN-ACK again
// (reqsk_timer_handler: inet_rtx_syn_ack fails); one that it could send stays for a minute, and one
// that the client resets goes at once.
std::uint64_t unsent_of(const ListenerState& state) {
  constexpr double kShortest = 2;  // seconds
  constexpr double kLived = 0.5;   // of a second
  const auto seen = handshakes_of(state);
  const auto& now = state.listener->syn_queue_len;
  if (!seen || !now || state.before == nullptr || !state.before->syn_queue_len ||
      state.seconds.value_or(0) < kShortest || is_crowded(state)) {
    return 0;
  }
  const facts::Ledger& ledger = *state.ledger;
  if (ledger[kSynackRetransmitted].value_or(0) > 0 || state.listener->syn_queue_young != now)
    return 0;
  if (*now < kLived * static_cast<double>(seen->begun) / *state.seconds) return 0;
  const std::uint64_t known = seen->completed + *now + ledger[kRequestReset].value_or(0) +
                              ledger[kRequestUnreachable].value_or(0) +
                              ledger[kRequestExpired].value_or(0) + ledger[kSynCookie].value_or(0) +
                              ledger[kSynDuplicate].value_or(0);
  const std::uint64_t all = seen->begun + *state.before->syn_queue_len;
  return all - std::min(all, known);
}

// Clients come through, many of them late: what they were sent, or sent, did not arrive at first.
// Requests of strangers stay where they are, and are not fewer than the SYN-ACKs of theirs that are
// repeated in a few seconds.
bool comes_through_late(const ListenerState& state, const Handshakes& seen,
                        const Unanswered& unanswered) {
  constexpr std::uint64_t kOneIn = 5;
  return unanswered.repeated >= kFewestUnanswered && seen.completed > 0 &&
         unanswered.repeated * kOneIn >= seen.completed && state.listener->syn_queue_len &&
         unanswered.waiting * 2 < unanswered.repeated;
}

void add_late(const ListenerState& state, std::vector<Finding>& findings) {
  if (state.report.captured || state.listener->protocol != facts::Protocol::kTcp) return;
  if (!state.seconds || keeps_requests(state) || is_crowded(state)) return;
  const auto seen = handshakes_of(state);
  const Unanswered unanswered = unanswered_of(state);
  if (!seen || unanswered.acked > 0 || !comes_through_late(state, *seen, unanswered)) return;
  Finding finding = finding_about("AQ408", state);
  finding.confidence = 0.8;
  finding.explanation = fmt::format(
      "{} {} to be sent again, and {} completed: SYN-ACKs, or the final ACKs of clients, are lost "
      "on the way or dropped. Each costs its client a second or more before it is connected; the "
      "listener's queues have no part in it.",
      in_that_time(state.seconds), counted(unanswered.repeated, "SYN-ACK had", "SYN-ACKs had"),
      counted(seen->completed, "handshake was", "handshakes were"));
  finding.evidence.push_back({.name = "synacks_repeated",
                              .delta = static_cast<std::int64_t>(unanswered.repeated),
                              .unit = "packets",
                              .source = "ledger"});
  findings.push_back(std::move(finding));
}

}  // namespace

bool comes_to_nothing(std::uint64_t completed, std::uint64_t all) {
  return static_cast<double>(completed) <= kCompleted * static_cast<double>(all);
}

Unanswered& Unanswered::operator+=(const Unanswered& other) {
  waiting += other.waiting;
  repeated += other.repeated;
  expired += other.expired;
  unsent += other.unsent;
  acked += other.acked;
  return *this;
}

std::uint64_t Unanswered::handshakes() const {
  // Where the SYN queue cannot be looked into, repeated SYN-ACKs tell of those that wait in it: a
  // request repeats its own after 1, 3, 7 s …, so hardly more than twice in a short watch.
  constexpr std::uint64_t kRepeatsOfOne = 2;
  return std::max(waiting, repeated / kRepeatsOfOne) + expired + unsent;
}

Unanswered unanswered_of(const ListenerState& state) {
  const std::uint64_t all = state.listener->syn_queue_len.value_or(0);
  Unanswered found{
      .waiting = all - std::min<std::uint64_t>(all, state.listener->syn_queue_young.value_or(all))};
  if (state.ledger == nullptr) return found;
  found.repeated = (*state.ledger)[kSynackRetransmitted].value_or(0);
  found.expired = (*state.ledger)[kRequestExpired].value_or(0);
  found.acked = (*state.ledger)[kAckRefusedFull].value_or(0);
  found.unsent = unsent_of(state);
  return found;
}

std::uint64_t held_back(const ListenerState& state) {
  if (state.listener->defer_accept.value_or(0) == 0 ||
      state.ns.total(kDeferDrop).value_or(0) == 0) {
    return 0;
  }
  const Unanswered unanswered = unanswered_of(state);
  const std::uint64_t unheard = unanswered.repeated + unanswered.expired;
  return unheard * 2 <= unanswered.waiting ? unanswered.waiting : 0;
}

bool has_deferred(const ListenerState& state) {
  return state.listener->defer_accept.value_or(0) > 0 &&
         (state.ns.grew(kDeferDrop) > 0 || held_back(state) > 0);
}

std::string signs_of(const Unanswered& unanswered) {
  std::vector<std::string> signs;
  if (unanswered.waiting > 0) {
    signs.push_back(counted(unanswered.waiting, "handshake has been", "handshakes have been") +
                    " unanswered for over a second");
  }
  if (unanswered.repeated > 0) {
    signs.push_back(counted(unanswered.repeated, "SYN-ACK was", "SYN-ACKs were") + " repeated");
  }
  if (unanswered.expired > 0) {
    signs.push_back(counted(unanswered.expired, "request", "requests") + " expired");
  }
  if (unanswered.unsent > 0) {
    signs.push_back(counted(unanswered.unsent, "request", "requests") +
                    " ended after a second, without an answer of the client");
  }
  return fmt::format("{}", fmt::join(signs, ", "));
}

bool leaves_unanswered(const ListenerState& state) {
  if (state.report.captured || state.listener->protocol != facts::Protocol::kTcp) return false;
  if (!state.seconds || keeps_requests(state) || is_crowded(state)) return false;
  const auto seen = handshakes_of(state);
  // Those of an earlier time, of whom nobody tries any more, are nobody's loss now.
  if (!seen || seen->begun == 0) return false;
  return unanswered_of(state).handshakes() >= kFewestUnanswered &&
         comes_to_nothing(seen->completed, seen->begun);
}

void add_unanswered_findings(const ListenerState& state, std::vector<Finding>& findings) {
  if (!leaves_unanswered(state)) return add_late(state, findings);
  const Unanswered unanswered = unanswered_of(state);
  const Handshakes seen = *handshakes_of(state);
  Finding finding = finding_about("AQ405", state);
  const bool many = seen.begun >= kFewestUnanswered &&
                    static_cast<double>(seen.begun) >= kManyPerSecond * state.seconds.value_or(0);
  if (!many) finding.severity = Severity::kNotice;
  finding.explanation =
      fmt::format("{} {} begun and {} completed; {}. ", in_that_time(state.seconds),
                  counted(seen.begun, "handshake was", "handshakes were"), seen.completed,
                  signs_of(unanswered));
  if (packets_of(state.dead_acks) >= kFewestDead) {
    finding.confidence = 0.95;
    finding.explanation += fmt::format(
        "In that time this host dropped later packets to the listener, as the final ACKs are: {}. "
        "The client believes that it is connected.",
        add_drop_reasons(state.dead_acks, finding));
  } else if (unanswered.unsent >= kFewestUnanswered) {
    finding.confidence = 0.8;
    finding.explanation +=
        "The kernel ends a request so early where it cannot send the SYN-ACK again: a rule of this "
        "host for what it sends (nft or iptables, OUTPUT or POSTROUTING), or no route back to the "
        "client. The client gets no answer.";
    finding.evidence.push_back({.name = "synacks_unsent",
                                .delta = static_cast<std::int64_t>(unanswered.unsent),
                                .unit = "handshakes",
                                .source = "ledger"});
  } else {
    finding.confidence = 0.8;
    finding.explanation +=
        "The listener's queues have room: either the final ACKs (the third packets) do not arrive, "
        "dropped by a rule on this host or lost on the way, or the SYN-ACKs do not reach the "
        "clients, or these are no clients: a scanner, or forged addresses. A client that got its "
        "SYN-ACK believes that it is connected.";
    finding.evidence.push_back({.name = "handshakes_unanswered",
                                .delta = static_cast<std::int64_t>(unanswered.handshakes()),
                                .unit = "handshakes",
                                .source = "ledger"});
  }
  findings.push_back(std::move(finding));
}

}  // namespace acceptq::diagnose
