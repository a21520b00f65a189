// The look at threads by BPF iterator: loads once, looks many times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "collect/bpf/thread_records.h"
#include "collect/thread_look.h"

namespace acceptq::collect::bpf {

// Needs BTF of the running kernel, Linux 5.11, and CAP_BPF + CAP_PERFMON (or CAP_SYS_ADMIN). Sees
// the processes of the caller's PID namespace and of those below. Wait queues are read from 5.13
// on, system calls from 5.15 on. Not thread-safe; two objects are independent.
class ThreadIterator {
 public:
  // kUnsupported: no BTF, a kernel too old, or a verifier that refuses. kPermission: capabilities,
  // lockdown, or a policy. The context says which, and what to do.
  [[nodiscard]] static Result<ThreadIterator> Create();
  ThreadIterator(ThreadIterator&&) noexcept;
  ThreadIterator& operator=(ThreadIterator&&) noexcept;
  ~ThreadIterator();

  // One pass over all tasks. Takes no lock, and waits for no process. Of each process that is
  // watched the first `most_threads` threads; of more than 1,024 processes the first ones, and of
  // more than 4,096 descriptors of listeners.
  //
  // User and system time are task_struct's utime and stime. With CONFIG_VIRT_CPU_ACCOUNTING_GEN on
  // a CPU that is isolated for it, or _NATIVE, they are exact; else a timer's tick gives its whole
  // length (1 to 10 ms) to whom it meets: right over many ticks, and nothing for a thread that
  // always sleeps before the next.
  //
  // A target's `path` is not read here: whoever wants it reads the link /proc/PID/fd/N, which may
  // wait (collect/attended.h).
  [[nodiscard]] Result<ThreadsSeen> look(std::span<const WatchedProcess> watched,
                                         std::size_t most_threads);

  // Adds the kernel's names of these addresses; none where it has no iterator that tells.
  void name(std::span<const std::uint64_t> addresses, AddressNames& names);

 private:
  class Impl;
  explicit ThreadIterator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace acceptq::collect::bpf
