#include "collect/bpf/listener_iterator.h"

#include <bpf/libbpf.h>
#include <listeners.skel.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "collect/bpf/iterator_read.h"
#include "collect/bpf/kernel_btf.h"
#include "collect/bpf/libbpf_log.h"
#include "collect/bpf/link.h"
#include "collect/bpf/load_failure.h"

namespace acceptq::collect::bpf {
namespace {

struct DestroySkeleton {
  void operator()(listeners* skeleton) const { listeners__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<listeners, DestroySkeleton>;

}  // namespace

class ListenerIterator::Impl {
 public:
  Impl(Skeleton skeleton, Link link) : skeleton_(std::move(skeleton)), link_(std::move(link)) {}

  // Returns 0 with `impl` set, or libbpf's error as a positive errno.
  static int load(bool may_loop, bool may_make_cookies, std::unique_ptr<Impl>& impl) {
    Skeleton skeleton(listeners__open());
    if (!skeleton) return errno;
    skeleton->rodata->may_make_cookies = may_make_cookies;
    bpf_program* const with_waiting = skeleton->progs.scan_listeners_and_waiting;
    bpf_program* const without = skeleton->progs.scan_listeners;
    bpf_program__set_autoload(with_waiting, may_loop);
    bpf_program__set_autoload(without, !may_loop);
    if (const int err = listeners__load(skeleton.get()); err != 0) return -err;
    Link link(bpf_program__attach_iter(may_loop ? with_waiting : without, nullptr));
    if (!link) return errno;
    impl = std::make_unique<Impl>(std::move(skeleton), std::move(link));
    return 0;
  }

  Result<IteratorScan> scan(Depth depth) {
    auto& state = *skeleton_->bss;
    state.unreadable = 0;
    state.look_at_waiting = depth == Depth::kWithWaiting;
    state.waiting_seen = 0;
    std::ranges::fill(state.walked, 0);
    const Status read = read_iterator(link_.get(), "the BPF listener iterator", buffer_);
    if (!read) return fail(read.error());
    if (state.unreadable != 0) {
      return fail(
          ErrorCode::kPermission,
          "the BPF listener iterator may not read the kernel's memory (kernel lockdown, mode "
          "confidentiality)");
    }
    return parse_iterator_records(buffer_, ::sysconf(_SC_CLK_TCK));
  }

 private:
  Skeleton skeleton_;
  Link link_;
  std::vector<std::byte> buffer_;
};

ListenerIterator::ListenerIterator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ListenerIterator::ListenerIterator(ListenerIterator&&) noexcept = default;
ListenerIterator& ListenerIterator::operator=(ListenerIterator&&) noexcept = default;
ListenerIterator::~ListenerIterator() = default;

Result<ListenerIterator> ListenerIterator::Create() {
  const LibbpfLog log;
  std::unique_ptr<Impl> impl;
  int err = Impl::load(true, true, impl);
  const auto refused_by_verifier = [&] { return err == EINVAL || err == EACCES; };
  // Before 5.17 there are no loops: who waits in accept queues is then not looked at. Before 5.12
  // the verifier refuses the helper that makes cookies, too: sockets that nobody asked for theirs
  // have none. Other refusals come from before the verifier.
  if (refused_by_verifier()) err = Impl::load(false, true, impl);
  if (refused_by_verifier()) err = Impl::load(false, false, impl);
  if (err != 0) {
    const Btf types = kernel_btf();
    return fail(explain_load_failure(examine_load_failure(err, log.text(), types.get())));
  }
  return ListenerIterator(std::move(impl));
}

Result<IteratorScan> ListenerIterator::scan(Depth depth) { return impl_->scan(depth); }

}  // namespace acceptq::collect::bpf
