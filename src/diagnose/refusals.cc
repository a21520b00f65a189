#include "diagnose/refusals.h"

#include <algorithm>
#include <optional>

#include "diagnose/listener_state.h"

namespace acceptq::diagnose {
namespace {

// An attempt is lost or late where its first retry is refused as well. With packets refused
// independently of each other, a tenth of the packets is a hundredth of the attempts.
constexpr std::uint64_t kOneInPackets = 10;
constexpr std::uint64_t kOneInAttempts = 100;
// Clients repeat a SYN first after 1 s: a delay below this is that of one retry.
constexpr std::uint64_t kFirstRetryBelowS = 2;
// Histograms of delays have the bounds 1, 2, 4, 8 … s: this and those above hold more than 3 s.
constexpr std::uint64_t kLateBelowS = 8;

bool refuses_often(std::uint64_t refused, std::uint64_t admitted) {
  return refused > 0 && refused * (kOneInPackets - 1) >= admitted;
}

bool is_full_at_the_end(const ListenerState& state) {
  const auto& limit = state.listener->limit;
  return limit && facts::sampled_full(state.listener->accept_queue_len, *limit);
}

// Packets of handshakes that were let in; empty where that is not known.
std::optional<std::uint64_t> admitted(const ListenerState& state, std::uint64_t refused) {
  const auto all = state.report.arrivals_per_s;
  if (!all || !state.seconds) return std::nullopt;
  return static_cast<std::uint64_t>(std::max(0.0, *all * *state.seconds - double{1} * refused));
}

// What became of the attempts that were refused.
struct Aftermath {
  std::uint64_t refused = 0;
  std::uint64_t at_first_retry = 0;
  std::uint64_t lost_or_late = 0;
  std::uint64_t pending = 0;  // neither repeated nor overdue when the watch ended
};

Aftermath aftermath_of(const facts::Ledger& ledger, std::uint64_t attempts) {
  Aftermath after{.refused = attempts};
  std::uint64_t late = 0;
  for (const facts::Bucket& bucket : ledger.delay_s) {
    if (bucket.below <= kFirstRetryBelowS) after.at_first_retry += bucket.count;
    if (bucket.below >= kLateBelowS) late += bucket.count;
  }
  const std::uint64_t recovered = ledger[facts::LedgerTerm::kAttemptsRecovered].value_or(0);
  const std::uint64_t gave_up = ledger.gave_up.value_or(0);
  after.lost_or_late = gave_up + late;
  after.pending = attempts - std::min(attempts, recovered + gave_up);
  return after;
}

}  // namespace

Refusals refusals_of(const facts::Ledger& ledger) {
  using enum facts::LedgerTerm;
  const auto sum = [&](auto... terms) { return (ledger[terms].value_or(0) + ...); };
  return {.accept_queue = sum(kSynRefusedAcceptFull, kAckRefusedFull, kCookieAckRefusedFull),
          .syn_queue = sum(kSynRefusedSynFull),
          .reserve = sum(kSynRefusedReserve),
          .other = facts::refused_otherwise(ledger)};
}

Refusals refusals_of(const NamespaceDelta& ns, const listenpath::KernelRules& rules) {
  Refusals refusals{.accept_queue = ns.grew("TcpExtListenOverflows")};
  std::uint64_t drops = ns.grew("TcpExtListenDrops");
  if (rules.cookies_count_as_drops) drops -= std::min(drops, ns.grew("TcpExtSyncookiesSent"));
  std::uint64_t rest = drops - std::min(drops, refusals.accept_queue);
  refusals.syn_queue = std::min(rest, ns.grew("TcpExtTCPReqQFullDrop"));
  rest -= refusals.syn_queue;
  const bool cookies_off = sysctl_value(ns.after(), facts::kSyncookies) == 0;
  (cookies_off ? refusals.reserve : refusals.other) = rest;
  return refusals;
}

bool knows_syn_queue(const NamespaceDelta& ns) {
  if (ns.after() == nullptr || !ns.after()->pasted) return true;
  return ns.total("TcpExtTCPReqQFullDrop") ||
         sysctl_value(ns.after(), facts::kSyncookies).value_or(0) > 0;
}

Severity refusal_severity(std::uint64_t refused, std::uint64_t admitted) {
  return refuses_often(refused, admitted) ? Severity::kCritical : Severity::kWarning;
}

Severity refusal_severity(const ListenerState& state) {
  const Refused& refused = state.report.refused;
  std::uint64_t packets =
      std::max(refused.total.value_or(0), state.refusals ? state.refusals->total() : 0);
  // Concluded from its queue alone: those of its namespace.
  if (packets == 0 && state.by_accept_queue) packets = state.ns.grew("TcpExtListenOverflows");
  const std::uint64_t attempts = refused.attempts.value_or(0);
  const bool fates_known = state.ledger != nullptr && (refused.recovered || !refused.at_least);
  if (!fates_known || attempts == 0) {
    const auto let_in = admitted(state, packets);
    if (let_in) return refusal_severity(packets, *let_in);
    const auto opened = state.ns.delta("TcpPassiveOpens");
    if (opened || state.listener->pasted_at.empty()) {
      return refusal_severity(packets, opened.value_or(0));
    }
    // How many were let in was not pasted: a queue that is full now refuses all that come.
    return is_full_at_the_end(state) ? Severity::kCritical : Severity::kWarning;
  }
  using enum facts::LedgerTerm;
  const facts::Ledger& ledger = *state.ledger;
  const std::uint64_t at_syn = state.report.refused.at_syn.value_or(0);
  const std::uint64_t received = ledger[kSynReceived].value_or(0);
  const std::uint64_t let_in = received - std::min(received, at_syn);
  Aftermath after = aftermath_of(ledger, attempts);
  // Those that came through in the end are among those that were let in.
  const std::uint64_t recovered = std::min(attempts, ledger[kAttemptsRecovered].value_or(0));
  const std::uint64_t all = std::max(attempts, let_in + attempts - recovered);
  // What those will meet that had not come again when the watch ended, is what the others met.
  const bool will_be_refused = refuses_often(packets, let_in) || is_full_at_the_end(state);
  if (will_be_refused) after.lost_or_late += after.pending;
  if (after.lost_or_late * kOneInAttempts >= all) return Severity::kCritical;
  // A second more for one in ten is felt.
  constexpr std::uint64_t kFewOf = 10;
  if (after.lost_or_late == 0 && after.at_first_retry + after.pending >= attempts &&
      after.pending * kOneInAttempts < all && after.at_first_retry * kFewOf < all) {
    return Severity::kNotice;
  }
  return Severity::kWarning;
}

}  // namespace acceptq::diagnose
