#include <algorithm>
#include <map>

#include "diagnose/capture_rules.h"
#include "diagnose/rules.h"
#include "diagnose/unanswered.h"

namespace acceptq::diagnose {
namespace {

// From this share of what fits a queue counts as close to its limit. Below, bursts of healthy
// servers come and go; queues of a few entries swing through any share.
constexpr double kClose = 0.8;
constexpr std::uint64_t kSmallestThatCanBeClose = 10;
// Connections whose wait must be known before a listener is called slow.
constexpr std::uint64_t kFewestWaits = 10;

// Connections that waited when the watch began, and as many when it ended.
std::uint32_t waiting_throughout(const ListenerState& state) {
  if (state.before == nullptr) return 0;
  return std::min(state.listener->accept_queue_len, state.before->accept_queue_len).value();
}

// What the listener alone is known to have refused.
void take_own_refusals(ListenerState& state) {
  state.by_accept_queue = state.refusals->accept_queue > 0;
  state.by_syn_queue = state.refusals->by_syn_queue() > 0;
  state.by_other = state.refusals->other > 0;
}

// Where only the namespace's counters and the socket's own sk_drops are known. The latter grows by
// duplicate SYNs and resets too, where nothing is refused: an overflow is that of the listeners
// whose queue was seen full, and where none was, of the one that accounts for most.
void conclude_refusals(const listenpath::KernelRules& rules, bool another_was_full,
                       bool only_full_one, ListenerState& state) {
  const std::uint64_t own = state.report.socket_drops_delta.value_or(0);
  const Refusals here = refusals_of(state.ns, rules);
  // Without the sockets' own counts, the one queue that was seen full.
  if (!state.report.socket_drops_delta && only_full_one && was_full(state)) {
    state.by_accept_queue = here.accept_queue > 0;
    return;
  }
  if (own == 0 || here.total() == 0) return;
  const bool most = own * 2 > here.total();
  state.by_accept_queue = here.accept_queue > 0 && (was_full(state) || (most && !another_was_full));
  if (!most || state.by_accept_queue) return;
  state.by_syn_queue = here.by_syn_queue() > 0;
  state.by_other = here.other > 0 && !state.by_syn_queue;
}

// Its counters have no beginning, or there are none at all.
bool is_blind(const ListenerState& state) {
  if (state.refusals || state.report.captured) return false;
  // netstat lists lengths without limits.
  if (!state.listener->pasted_at.empty() && !state.listener->limit) return true;
  if (state.listener->drops == 0U) return false;
  return !state.ns.comparable() || (!state.ns.total("TcpExtListenDrops") && !state.listener->drops);
}

Verdict judge_tcp(const ListenerState& state) {
  if (state.by_accept_queue || state.by_syn_queue) return Verdict::kOverflowing;
  if (is_slow(state)) return Verdict::kSlow;
  if (state.by_other || dies_elsewhere(state)) return Verdict::kDroppedElsewhere;
  // Others of its handshakes fail for a reason that is not known.
  if (is_turned_away(state)) return Verdict::kDroppedElsewhere;
  if (fails_in_capture(state) || leaves_unanswered(state)) return Verdict::kFailing;
  if (is_flooded_in_capture(state)) return Verdict::kAtRisk;
  if (is_full_now(state) || is_close_to_limit(state) || answers_by_cookies(state)) {
    return Verdict::kAtRisk;
  }
  if (is_blind(state)) return Verdict::kUnknown;
  return refused_before(state) ? Verdict::kOverflowed : Verdict::kHealthy;
}

Verdict judge_unix(const ListenerState& state) {
  if (!state.listener->limit) return Verdict::kUnknown;
  // The kernel counts nothing: only a queue that was seen full tells.
  return was_full(state) ? Verdict::kAtRisk : Verdict::kHealthy;
}

}  // namespace

bool was_full(const ListenerState& state) {
  const auto& limit = state.listener->limit;
  return limit && facts::sampled_full(state.report.longest, *limit);
}

bool is_full_now(const ListenerState& state) {
  const auto& limit = state.listener->limit;
  return limit && facts::sampled_full(state.listener->accept_queue_len, *limit);
}

bool is_close_to_limit(const ListenerState& state) {
  if (!state.listener->limit) return false;
  const std::uint64_t capacity = facts::accept_queue_capacity(*state.listener->limit);
  return capacity >= kSmallestThatCanBeClose &&
         double{1} * state.report.longest.value() >= kClose * static_cast<double>(capacity);
}

bool has_much_room(const facts::Listener& listener, QueueLength length) {
  constexpr std::uint64_t kOneIn = 4;
  return listener.limit && kOneIn * length.value() <= listener.limit->value();
}

bool is_at_rest(const ListenerState& state) {
  return state.refusals && state.refusals->total() == 0 && state.before != nullptr &&
         state.before->accept_queue_len == state.listener->accept_queue_len &&
         state.report.longest == state.listener->accept_queue_len &&
         state.report.left_queue.value_or(0) == 0;
}

bool is_stuck(const ListenerState& state) {
  constexpr double kSlowS = 1;
  // A full queue is found as such.
  if (state.report.left_queue != 0U || state.seconds.value_or(0) < kSlowS || is_full_now(state)) {
    return false;
  }
  // Fewer tell as much where others come meanwhile: each has waited longer than that.
  constexpr double kSomeCome = 3;
  const double arrived = state.report.arrivals_per_s.value_or(0) * state.seconds.value_or(0);
  const std::uint32_t always = waiting_throughout(state);
  return always >= kFewestWaits || (always > 0 && arrived >= kSomeCome);
}

bool is_slow(const ListenerState& state) {
  if (is_stuck(state)) return true;
  constexpr double kSlowMs = 1000;
  // A measured median is the upper bound of its bucket, at most a quarter above the lower one.
  constexpr double kBucket = 1.25;
  const std::uint64_t left = state.report.left_queue.value_or(0);
  if (const auto& time = state.report.time_in_queue; time && left >= kFewestWaits) {
    return time->p50_ms > kSlowMs * kBucket;
  }
  // Length by rate is the wait where the length is that of the whole time (Little's law), and not
  // of a burst that came at the last moment. Of a server that takes few, those that wait tell.
  if (left == 0 || !state.report.estimated_wait_ms) return false;
  const std::uint32_t always = waiting_throughout(state);
  if (left < kFewestWaits && always < kFewestWaits) return false;
  return *state.report.estimated_wait_ms * always >
         kSlowMs * state.listener->accept_queue_len.value();
}

bool refused_before(const ListenerState& state) {
  const std::uint64_t overflows = state.ns.total("TcpExtListenOverflows").value_or(0);
  if (!state.only_listener || !state.ns.comparable() || overflows == 0 ||
      state.ns.grew("TcpExtListenOverflows") > 0) {
    return false;
  }
  // The counters tell of all listeners that the namespace ever had: most of it has to be this
  // one's, of whose drops the final ACKs without data are others (tcp_check_req with
  // TCP_DEFER_ACCEPT).
  const auto& drops = state.listener->drops;
  const bool defers = state.listener->defer_accept.value_or(0) > 0;
  const std::uint64_t deferred = defers ? state.ns.total(kDeferDrop).value_or(0) : 0;
  return !drops || *drops >= deferred + (overflows + 1) / 2;
}

bool answers_by_cookies(const ListenerState& state) {
  if (state.cookies_sent.value_or(0) == 0) return false;
  // Of a server that was captured settings are known only where they were pasted, too.
  return state.report.cookies ? *state.report.cookies == Cookies::kWhenFull
                              : state.report.captured.has_value();
}

void judge_listeners(const listenpath::KernelRules& rules, std::vector<ListenerState>& states) {
  std::map<NetnsId, bool> some_was_full;
  std::map<NetnsId, std::size_t> seen_full;
  for (const ListenerState& state : states) {
    const bool refused = state.report.socket_drops_delta.value_or(0) > 0;
    if (refused && was_full(state)) some_was_full[state.listener->netns] = true;
    const bool tcp = state.listener->protocol == facts::Protocol::kTcp;
    if (tcp && was_full(state)) ++seen_full[state.listener->netns];
  }
  for (ListenerState& state : states) {
    if (state.listener->protocol == facts::Protocol::kUnix) {
      state.report.verdict = judge_unix(state);
      continue;
    }
    if (state.refusals) {
      take_own_refusals(state);
    } else {
      conclude_refusals(rules, some_was_full[state.listener->netns],
                        seen_full[state.listener->netns] == 1, state);
    }
    state.report.full_between_samples = state.by_accept_queue && !was_full(state);
    state.report.verdict = judge_tcp(state);
  }
}

}  // namespace acceptq::diagnose
