#include "collect/bpf/listener_iterator.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <listeners.skel.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/unique_fd.h"

namespace acceptq::collect::bpf {
namespace {

struct DestroySkeleton {
  void operator()(listeners* skeleton) const { listeners__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<listeners, DestroySkeleton>;

struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

// libbpf explains itself only through a process-wide print function; the last warning of the thread
// that loads is kept for the Error.
thread_local std::string last_warning;

int keep_warning(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 512> line{};
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (length > 0) last_warning = std::string(trim(line.data()));
  return length;
}

Error load_error(int err) {
  switch (err) {
    case EPERM:
    case EACCES:
      return errno_error(
          err,
          "this kernel does not let acceptq load a BPF iterator (run as root, or with "
          "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; a lockdown or an LSM may forbid "
          "it all the same)");
    case ESRCH:
    case ENOENT:
      return Error{ErrorCode::kUnsupported, err,
                   "this kernel has no BTF or no BPF iterator over files (Linux 5.11 with "
                   "CONFIG_DEBUG_INFO_BTF)"};
    default:
      return Error{ErrorCode::kUnsupported, err,
                   "the BPF listener iterator does not load" +
                       (last_warning.empty() ? std::string() : " (" + last_warning + ")")};
  }
}

}  // namespace

class ListenerIterator::Impl {
 public:
  Impl(Skeleton skeleton, Link link) : skeleton_(std::move(skeleton)), link_(std::move(link)) {}

  static Result<std::unique_ptr<Impl>> load(bool may_make_cookies) {
    last_warning.clear();
    Skeleton skeleton(listeners__open());
    if (!skeleton) return fail(load_error(errno));
    skeleton->rodata->may_make_cookies = may_make_cookies;
    if (const int err = listeners__load(skeleton.get()); err != 0) return fail(load_error(-err));
    Link link(bpf_program__attach_iter(skeleton->progs.scan_listeners, nullptr));
    if (!link) return fail(load_error(errno));
    return std::make_unique<Impl>(std::move(skeleton), std::move(link));
  }

  Result<IteratorScan> scan() {
    const UniqueFd fd(bpf_iter_create(bpf_link__fd(link_.get())));
    if (!fd.valid()) return fail_errno(errno, "cannot start the BPF listener iterator");
    buffer_.clear();
    std::size_t used = 0;
    while (true) {
      if (buffer_.size() - used < kChunk) buffer_.resize(buffer_.size() + kChunk * 4);
      const ssize_t n = ::read(fd.get(), buffer_.data() + used, buffer_.size() - used);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n < 0) return fail_errno(errno, "cannot read the BPF listener iterator");
      if (n == 0) break;
      used += static_cast<std::size_t>(n);
    }
    return parse_iterator_records(std::span(buffer_).first(used), ::sysconf(_SC_CLK_TCK));
  }

 private:
  static constexpr std::size_t kChunk = std::size_t{64} << 10;

  Skeleton skeleton_;
  Link link_;
  std::vector<std::byte> buffer_;
};

ListenerIterator::ListenerIterator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ListenerIterator::ListenerIterator(ListenerIterator&&) noexcept = default;
ListenerIterator& ListenerIterator::operator=(ListenerIterator&&) noexcept = default;
ListenerIterator::~ListenerIterator() = default;

Result<ListenerIterator> ListenerIterator::Create() {
  libbpf_set_print(keep_warning);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  Result<std::unique_ptr<Impl>> impl = Impl::load(true);
  // Before 5.12 the verifier refuses the helper that makes cookies; sockets that nobody asked for
  // theirs then go by inode.
  if (!impl && impl.error().code == ErrorCode::kUnsupported) {
    Result<std::unique_ptr<Impl>> without = Impl::load(false);
    if (without) impl = std::move(without);
  }
  if (!impl) return fail(std::move(impl.error()));
  return ListenerIterator(std::move(*impl));
}

Result<IteratorScan> ListenerIterator::scan() { return impl_->scan(); }

}  // namespace acceptq::collect::bpf
