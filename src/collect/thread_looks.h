// Where looks at threads and at what holds processes back come from: this host, or a test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "collect/disks.h"
#include "collect/thread_look.h"
#include "facts/threads.h"

namespace acceptq::collect {

class ThreadLooks {
 public:
  ThreadLooks() = default;
  ThreadLooks(const ThreadLooks&) = delete;
  ThreadLooks& operator=(const ThreadLooks&) = delete;
  virtual ~ThreadLooks() = default;

  // All of one moment, as far as that can be had; at most `most_threads`.
  [[nodiscard]] virtual ThreadsSeen look(std::span<const WatchedProcess> watched,
                                         std::size_t most_threads) = 0;
  // Counts the exact time of these threads from now on, as well as of those of earlier calls, where
  // the kernel lets it be counted.
  virtual void count_time(std::span<const ThreadLook> threads) = 0;
  // Costs the host nothing any more until count_time() is called again.
  virtual void stop_counting_time() = 0;
  // All that was counted, by process and thread; stops, and forgets it.
  [[nodiscard]] virtual std::vector<ThreadTime> counted_time() = 0;
  // Begins to watch what holds a process back; asked again, it goes on from the first time.
  virtual void watch_condition(Pid pid) = 0;
  // Since watch_condition(), which is forgotten then; by pid.
  [[nodiscard]] virtual std::vector<facts::ProcessCondition> conditions() = 0;
  // The file systems in user space that `observer` sees: those of `devices`, all where it is empty.
  [[nodiscard]] virtual std::vector<facts::FuseConnection> fuse(
      Pid observer, std::span<const std::uint64_t> devices) = 0;
  // Who is to read from these pipes.
  [[nodiscard]] virtual std::vector<facts::PipeReader> pipe_readers(
      std::span<const facts::FileTarget> pipes) = 0;
  // The NFS mounts of the processes that are watched, since watch_condition().
  [[nodiscard]] virtual std::vector<facts::NfsMount> nfs() = 0;
  // Fills in the disks behind what was waited for, and the host's hung tasks, since the first
  // watch_condition(), which is forgotten then.
  virtual void disks(const std::vector<DiskWaits>& waits, facts::AcceptEvidence& evidence) = 0;
};

}  // namespace acceptq::collect
