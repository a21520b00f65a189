#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

// From this share of what fits a queue counts as close to its limit. Below, bursts of healthy
// servers come and go; queues of a few entries swing through any share.
constexpr double kClose = 0.8;
constexpr std::uint64_t kSmallestThatCanBeClose = 10;

bool seen_full(const ListenerState& state) {
  const auto& limit = state.listener->limit;
  return limit && facts::sampled_full(state.report.longest, *limit);
}

bool full_now(const ListenerState& state) {
  const auto& limit = state.listener->limit;
  return limit && facts::sampled_full(state.listener->accept_queue_len, *limit);
}

bool refuses(const ListenerState& state) {
  if (state.drops) return *state.drops > 0;
  // Not this listener's counters alone. Its own sk_drops also grows by duplicate SYNs, where
  // nothing is lost, so it takes a queue that was seen full, or most of what the namespace refused.
  const std::uint64_t own = state.report.socket_drops_delta.value_or(0);
  const std::uint64_t refused = state.ns.grew("TcpExtListenDrops");
  return refused > 0 && own > 0 && (seen_full(state) || own * 2 > refused);
}

bool refused_before(const ListenerState& state, bool only_listener) {
  const auto overflows = state.ns.total("TcpExtListenOverflows");
  if (overflows.value_or(0) == 0) return false;
  return state.listener->drops ? *state.listener->drops > 0 : only_listener;
}

bool close_to_limit(const ListenerState& state) {
  if (!state.listener->limit) return false;
  const std::uint64_t capacity = facts::accept_queue_capacity(*state.listener->limit);
  return capacity >= kSmallestThatCanBeClose &&
         double{1} * state.report.longest.value() >= kClose * static_cast<double>(capacity);
}

Verdict judge_tcp(const ListenerState& state, bool only_listener) {
  if (refuses(state)) return Verdict::kOverflowing;
  if (full_now(state)) return Verdict::kAtRisk;
  if (refused_before(state, only_listener)) return Verdict::kOverflowed;
  if (close_to_limit(state)) return Verdict::kAtRisk;
  const bool blind = !state.ns.total("TcpExtListenDrops") && !state.listener->drops;
  return blind ? Verdict::kUnknown : Verdict::kHealthy;
}

Verdict judge_unix(const ListenerState& state) {
  if (!state.listener->limit) return Verdict::kUnknown;
  // The kernel counts nothing: only a queue that is full now, or was for most samples, tells.
  if (full_now(state) || state.report.full_fraction.value_or(0) > 0.5) return Verdict::kAtRisk;
  return Verdict::kHealthy;
}

}  // namespace

void judge_listeners(const facts::Observation& observation, std::vector<ListenerState>& states) {
  std::map<NetnsId, int> listeners;
  for (const facts::Listener& listener : observation.after.listeners) {
    if (listener.protocol == facts::Protocol::kTcp) ++listeners[listener.netns];
  }
  for (ListenerState& state : states) {
    state.report.verdict = state.listener->protocol == facts::Protocol::kUnix
                               ? judge_unix(state)
                               : judge_tcp(state, listeners[state.listener->netns] == 1);
  }
}

}  // namespace acceptq::diagnose
