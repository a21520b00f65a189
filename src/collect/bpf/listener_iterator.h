// The listener scan by BPF iterator: loads once, scans many times.
#pragma once

#include <memory>

#include "base/result.h"
#include "collect/bpf/iterator_records.h"

namespace acceptq::collect::bpf {

// Needs BTF of the running kernel, bpf_sock_from_file (5.11) and CAP_BPF + CAP_PERFMON (or
// CAP_SYS_ADMIN). Sees the processes of the caller's PID namespace and of those below, under the
// PIDs that they have there, and the sockets that their descriptor tables hold in every network
// namespace. Not those of the kernel, in flight over Unix sockets, or among io_uring's fixed files.
// Not thread-safe; two objects are independent.
class ListenerIterator {
 public:
  // kUnsupported: no BTF, a kernel too old, or a verifier that refuses. kPermission: capabilities,
  // lockdown, or a policy. The context says which, and what to do.
  //
  // `counters`: whether scans kWithWaiting also read what each network namespace with a listener
  // has counted on the listen path (Linux 5.19; before, NamespaceSeen::counters stay empty).
  enum class Counters { kLeaveOut, kOfListenPath };
  [[nodiscard]] static Result<ListenerIterator> Create(Counters counters = Counters::kLeaveOut);
  ListenerIterator(ListenerIterator&&) noexcept;
  ListenerIterator& operator=(ListenerIterator&&) noexcept;
  ~ListenerIterator();

  // One pass over all open files. Takes no lock of a socket; its time grows with the number of
  // descriptors of the host. A process that starts, ends or opens files meanwhile is seen or not.
  // kQueues gives the listeners alone, without their owners and namespaces; kWithWaiting also looks
  // at the connections in accept queues (Linux 5.17), 65,536 in a pass at most.
  enum class Depth { kQueues, kListeners, kWithWaiting };
  [[nodiscard]] Result<IteratorScan> scan(Depth depth = Depth::kListeners);

 private:
  class Impl;
  explicit ListenerIterator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace acceptq::collect::bpf
