#include "collect/bpf/thread_times.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "collect/syscalls.h"

namespace acceptq::collect::bpf {
namespace {

// The programs' own frames, the tracepoint's, and the scheduler's: kernel/sched/core.c.
void drop_way_out(std::vector<std::string>& stack) {
  constexpr std::ptrdiff_t kMostFrames = 12;
  const auto end = stack.begin() + std::min<std::ptrdiff_t>(std::ssize(stack), kMostFrames);
  const auto way_out = std::find(stack.begin(), end, "__schedule");
  if (way_out == end) return;
  auto first = way_out + 1;
  while (first != stack.end() && first->starts_with("schedule")) ++first;
  stack.erase(stack.begin(), first);
}

class Places {
 public:
  Places(const ClockReading& reading, const AddressNames& names)
      : reading_(reading), names_(names) {}

  // One that is the same but for what has no name is one place.
  void add(const aq_clock_place& place, const aq_blocked& spent, facts::ExactTime& time) const {
    facts::BlockedTime blocked;
    blocked.state = state_letter(place.state, 0);
    if (place.syscall >= 0) {
      if (const auto name = syscall_name(place.syscall)) blocked.syscall = std::string(*name);
    }
    blocked.stack = stack_of(place.stack);
    // Looks do the same, which have to meet this place.
    if (!blocked.syscall) blocked.syscall = syscall_of(blocked.stack);
    blocked.ns = spent.ns;
    blocked.times = spent.times;
    blocked.woken = spent.woken;
    facts::add_blocked(std::move(blocked), time);
  }

 private:
  [[nodiscard]] std::vector<std::string> stack_of(std::int32_t id) const {
    std::vector<std::string> stack;
    const auto found = reading_.stacks.find(id);
    if (found == reading_.stacks.end()) return stack;
    for (const std::uint64_t address : found->second) {
      if (address == 0) break;
      const auto name = names_.find(address);
      if (name != names_.end() && !name->second.empty()) stack.push_back(name->second);
    }
    drop_way_out(stack);
    return stack;
  }

  const ClockReading& reading_;
  const AddressNames& names_;
};

ThreadTime time_of(const ClockReading::Thread& thread, std::uint64_t at_ns, const Places& places) {
  const aq_thread_clock& clock = thread.clock;
  ThreadTime time{.pid = thread.pid, .tid = thread.tid};
  time.time.on_core_ns = clock.on_core_ns;
  time.time.ready_ns = clock.ready_ns;
  time.time.unplaced_ns = clock.unplaced_ns;
  time.first_blocked_ns = clock.first_blocked_ns;
  const std::uint64_t end = clock.now == AQ_CLOCK_ENDED ? clock.since_ns : at_ns;
  time.time.counted_ns = end > clock.begin_ns ? end - clock.begin_ns : 0;
  const std::uint64_t since = end > clock.since_ns ? end - clock.since_ns : 0;
  switch (clock.now) {
    case AQ_CLOCK_UNMOVED:
      time.unmoved_ns = since;
      break;
    case AQ_CLOCK_ON_CORE:
      time.time.on_core_ns += since;
      break;
    case AQ_CLOCK_READY:
      time.time.ready_ns += since;
      break;
    case AQ_CLOCK_BLOCKED:
      places.add(clock.place, {.ns = since, .times = 1, .woken = 0}, time.time);
      break;
    default:
      break;
  }
  return time;
}

}  // namespace

std::vector<std::uint64_t> addresses_of(const ClockReading& reading) {
  std::set<std::uint64_t> all;
  for (const auto& [id, stack] : reading.stacks) all.insert(stack.begin(), stack.end());
  all.erase(0);
  return {all.begin(), all.end()};
}

std::vector<ThreadTime> times_of(const ClockReading& reading, const AddressNames& names) {
  const Places places(reading, names);
  const auto at_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(reading.at_ns, 0));
  std::vector<ThreadTime> times;
  std::map<std::uint32_t, std::size_t> by_tid;
  for (const ClockReading::Thread& thread : reading.threads) {
    by_tid[thread.kernel_tid] = times.size();
    times.push_back(time_of(thread, at_ns, places));
  }
  for (const auto& [place, spent] : reading.blocked) {
    const auto thread = by_tid.find(place.tid);
    if (thread != by_tid.end()) places.add(place, spent, times[thread->second].time);
  }
  for (ThreadTime& time : times) {
    if (reading.closes_counted) time.closed.emplace();
  }
  for (const auto& [closer, count] : reading.closers) {
    const auto thread = by_tid.find(closer.tid);
    if (thread == by_tid.end() || !reading.closes_counted) continue;
    (*times[thread->second].closed)[static_cast<std::uint16_t>(closer.port)] += count;
  }
  for (ThreadTime& time : times) {
    std::ranges::sort(time.time.blocked, std::ranges::greater{}, &facts::BlockedTime::ns);
  }
  return times;
}

}  // namespace acceptq::collect::bpf
