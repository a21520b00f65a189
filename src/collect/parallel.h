// Spreads independent reads over a few threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

namespace acceptq::collect {

// Threads to use for `wanted` (0: one per CPU, at most 8).
[[nodiscard]] inline unsigned thread_count(unsigned wanted) {
  if (wanted != 0) return wanted;
  return std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
}

// Calls `work(i)` once for each i in [0, count), on up to `threads` threads, and returns when all
// are done. Small counts run in the caller: a thread costs more than a few reads of /proc.
inline void parallel_for(std::size_t count, unsigned threads,
                         const std::function<void(std::size_t)>& work) {
  constexpr std::size_t kWorthAThread = 32;
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> helpers;
  const std::size_t extra = std::min<std::size_t>(count / kWorthAThread, threads - 1);
  try {
    for (std::size_t i = 0; i < extra; ++i) helpers.emplace_back(run);
  } catch (const std::system_error&) {
    // EAGAIN, the limit on processes is reached: those that there are do it all.
  }
  run();
}

}  // namespace acceptq::collect
