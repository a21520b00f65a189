// What the scheduler's events say of threads' time. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "collect/bpf/thread_clock_wire.h"
#include "collect/bpf/thread_records.h"
#include "collect/thread_look.h"

namespace acceptq::collect::bpf {

// The programs' maps when they had stopped.
struct ClockReading {
  struct Thread {
    Pid pid;
    Pid tid;
    std::uint32_t kernel_tid = 0;
    aq_thread_clock clock{};
  };
  std::int64_t at_ns = 0;  // they stopped
  std::vector<Thread> threads;
  std::vector<std::pair<aq_clock_place, aq_blocked>> blocked;
  bool closes_counted = false;
  std::vector<std::pair<aq_closer, std::uint64_t>> closers;
  std::map<std::int32_t, std::vector<std::uint64_t>> stacks;  // innermost first, ending with a 0
};

// The addresses in its stacks, each once.
[[nodiscard]] std::vector<std::uint64_t> addresses_of(const ClockReading& reading);

// Without what an address with no name stands for, and without the functions that every thread
// leaves its core by. What began before the end and did not end counts up to it.
[[nodiscard]] std::vector<ThreadTime> times_of(const ClockReading& reading,
                                               const AddressNames& names);

}  // namespace acceptq::collect::bpf
