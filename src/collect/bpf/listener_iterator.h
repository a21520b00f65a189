// The listener scan by BPF iterator: loads once, scans many times.
#pragma once

#include <memory>

#include "base/result.h"
#include "collect/bpf/iterator_records.h"

namespace acceptq::collect::bpf {

// Needs BTF of the running kernel, bpf_sock_from_file (5.11) and CAP_BPF + CAP_PERFMON (or
// CAP_SYS_ADMIN). Sees the processes of its own PID namespace and of those below. Not thread-safe.
class ListenerIterator {
 public:
  // kUnsupported (no BTF, a kernel too old), kPermission (capabilities, lockdown), or kIo with what
  // libbpf said; the context says what to do.
  [[nodiscard]] static Result<ListenerIterator> Create();
  ListenerIterator(ListenerIterator&&) noexcept;
  ListenerIterator& operator=(ListenerIterator&&) noexcept;
  ~ListenerIterator();

  // One pass over all open files. Takes no lock of a socket; its time grows with the number of
  // descriptors of the host (about 0.7 µs each).
  [[nodiscard]] Result<IteratorScan> scan();

 private:
  class Impl;
  explicit ListenerIterator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace acceptq::collect::bpf
