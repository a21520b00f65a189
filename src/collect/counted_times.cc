#include "collect/counted_times.h"

#include <algorithm>

namespace acceptq::collect {
namespace {

using facts::BlockedTime;
using facts::ExactTime;
using facts::Wait;

BlockedTime blocked_at(const Wait& wait, std::uint64_t ns) {
  return {.state = wait.state, .syscall = wait.syscall, .stack = wait.stack, .ns = ns, .times = 1};
}

bool is_blocked(const Wait& wait) { return wait.state != "R"; }

}  // namespace

void CountedTimes::add(ThreadTime time) {
  const std::pair key(time.pid, time.tid);
  const auto [it, is_new] = times_.try_emplace(key, time);
  if (is_new) return;
  ThreadTime& sum = it->second;
  sum.unmoved_ns += time.unmoved_ns;
  sum.first_blocked_ns += time.first_blocked_ns;
  sum.time.counted_ns += time.time.counted_ns;
  sum.time.on_core_ns += time.time.on_core_ns;
  sum.time.ready_ns += time.time.ready_ns;
  sum.time.unplaced_ns += time.time.unplaced_ns;
  if (time.closed) {
    if (!sum.closed) sum.closed.emplace();
    for (const auto& [port, count] : *time.closed) (*sum.closed)[port] += count;
  }
  for (BlockedTime& blocked : time.time.blocked) facts::add_blocked(std::move(blocked), sum.time);
}

std::vector<ThreadTime> CountedTimes::take() {
  std::vector<ThreadTime> all;
  all.reserve(times_.size());
  for (auto& [key, time] : times_) all.push_back(std::move(time));
  times_.clear();
  return all;
}

ExactTime placed(const ThreadTime& counted, const Wait& first, const Wait& last,
                 bool last_on_core) {
  ExactTime time = counted.time;
  if (counted.first_blocked_ns > 0) {
    if (is_blocked(first)) {
      facts::add_blocked(blocked_at(first, counted.first_blocked_ns), time);
    } else {
      time.unplaced_ns += counted.first_blocked_ns;
    }
  }
  if (counted.unmoved_ns > 0) {
    if (is_blocked(last)) {
      facts::add_blocked(blocked_at(last, counted.unmoved_ns), time);
    } else {
      (last_on_core ? time.on_core_ns : time.ready_ns) += counted.unmoved_ns;
    }
  }
  std::ranges::stable_sort(time.blocked, std::ranges::greater{}, &BlockedTime::ns);
  return time;
}

}  // namespace acceptq::collect
