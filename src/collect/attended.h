// Work on many processes of which some may never answer.
//
// Most of /proc/PID can be read whatever the process does. But its links (ns/net, fd/N, exe) and
// `stat` wait for a process that is inside execve(), on kernels that take exec_update_lock for them
// (seen on 6.18.44), and execve() itself waits for good where it closes a file on storage that is
// dead. The wait can be killed, but not be given a time-out: so each item is worked on in a thread
// that can be left behind.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace acceptq::collect {

// How long the thread of one item may sleep at one place in the kernel before the item is given up.
// Time in which it goes on, or would with a core, counts only where it is twenty times as much.
inline constexpr std::chrono::milliseconds kPatience{300};

// Called from inside an item that takes long because it is large: it begins anew to be waited for.
void still_at_work();

// Calls `work(i)` for each i in [0, count) in up to `threads` threads that it starts, and returns
// when each has returned or was given up after `patience`. The result is what was given up, sorted.
// Such a call may go on at any later time, so `work` must share the ownership of all it touches.
// Where no thread can be started the calls are made here, unattended.
[[nodiscard]] std::vector<std::size_t> attend(std::size_t count, unsigned threads,
                                              std::chrono::milliseconds patience,
                                              std::function<void(std::size_t)> work);

// The results of `work(i)`; nothing for those that were given up.
template <typename T>
[[nodiscard]] std::vector<std::optional<T>> attended_map(
    std::size_t count, unsigned threads, std::function<T(std::size_t)> work,
    std::chrono::milliseconds patience = kPatience) {
  const auto slots = std::make_shared<std::vector<std::optional<T>>>(count);
  const std::vector<std::size_t> given_up =
      attend(count, threads, patience,
             [slots, work = std::move(work)](std::size_t i) { (*slots)[i].emplace(work(i)); });
  std::vector<std::optional<T>> results(count);
  auto next = given_up.begin();
  for (std::size_t i = 0; i < count; ++i) {
    if (next != given_up.end() && *next == i) {
      ++next;  // its slot still belongs to the thread that was left behind
    } else {
      results[i] = std::move((*slots)[i]);
    }
  }
  return results;
}

// The texts of files of processes that may not answer; empty where one cannot be had.
[[nodiscard]] std::vector<std::string> read_attended(std::vector<std::string> paths,
                                                     std::size_t most_bytes);

}  // namespace acceptq::collect
