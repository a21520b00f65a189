#include "collect/bpf/thread_iterator.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <threads.skel.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "collect/bpf/iterator_read.h"
#include "collect/bpf/kernel_btf.h"
#include "collect/bpf/kernel_symbols.h"
#include "collect/bpf/libbpf_log.h"
#include "collect/bpf/link.h"
#include "collect/bpf/load_failure.h"
#include "collect/bpf/thread_records.h"
#include "collect/bpf/threads_wire.h"
#include "collect/syscalls.h"

namespace acceptq::collect::bpf {
namespace {

struct DestroySkeleton {
  void operator()(threads* skeleton) const { threads__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<threads, DestroySkeleton>;

// What the kernel is asked to do without, on kernels that lack it.
struct Ways {
  bool may_loop = true;
  bool may_read_registers = true;
  bool may_name = true;
};

// The iterator that names addresses; null where this kernel has none, or refuses it.
Link attach_namer(const threads& skeleton) {
  bpf_iter_link_info info{};
  info.map.map_fd = static_cast<__u32>(bpf_map__fd(skeleton.maps.addresses));
  LIBBPF_OPTS(bpf_iter_attach_opts, options);
  options.link_info = &info;
  options.link_info_len = sizeof info;
  return Link(bpf_program__attach_iter(skeleton.progs.name_addresses, &options));
}

}  // namespace

class ThreadIterator::Impl {
 public:
  Impl(Skeleton skeleton, Link link, Link namer)
      : skeleton_(std::move(skeleton)), link_(std::move(link)), namer_(std::move(namer)) {}

  // Returns 0 with `impl` set, or libbpf's error as a positive errno.
  static int load(Ways ways, std::unique_ptr<Impl>& impl) {
    Skeleton skeleton(threads__open());
    if (!skeleton) return errno;
    skeleton->rodata->may_read_registers = ways.may_read_registers;
    for (long number = 0; number < AQ_SYSCALLS; ++number) {
      const auto descriptor = descriptor_argument(number);
      skeleton->rodata->on_descriptor[number] = !descriptor                   ? AQ_ON_NONE
                                                : descriptor->in_state_d == 0 ? AQ_ON_FIRST
                                                                              : AQ_ON_SECOND_IN_D;
    }
    bpf_program* const with_queues = skeleton->progs.look_at_threads_and_queues;
    bpf_program* const without = skeleton->progs.look_at_threads;
    bpf_program__set_autoload(with_queues, ways.may_loop);
    bpf_program__set_autoload(without, !ways.may_loop);
    bpf_program__set_autoload(skeleton->progs.name_addresses, ways.may_name);
    if (const int err = threads__load(skeleton.get()); err != 0) return -err;
    Link link(bpf_program__attach_iter(ways.may_loop ? with_queues : without, nullptr));
    if (!link) return errno;
    Link namer = ways.may_name ? attach_namer(*skeleton) : Link();
    impl = std::make_unique<Impl>(std::move(skeleton), std::move(link), std::move(namer));
    return 0;
  }

  Result<ThreadsSeen> look(std::span<const WatchedProcess> watched, std::size_t most_threads) {
    if (Status done = pass(watched, most_threads); !done) return fail(done.error());
    // Wait queues showed functions that were not met before: what they mean is known only now.
    if (learn_functions()) {
      if (Status done = pass(watched, most_threads); !done) return fail(done.error());
    }
    name(unnamed_addresses(records_, names_), names_);
    Result<ThreadsSeen> seen = parse_thread_records(records_, names_);
    if (seen) seen->left_out = left_out(watched);
    return seen;
  }

  // Asks the kernel once for each address. An address means the same as long as the kernel runs,
  // but for modules that come and go.
  void name(std::span<const std::uint64_t> addresses, AddressNames& names) {
    if (!namer_) {
      name_by_kallsyms(addresses, names);
      return;
    }
    while (!addresses.empty()) {
      const auto some = addresses.first(std::min<std::size_t>(addresses.size(), AQ_ADDRESSES));
      for (__u32 i = 0; i < AQ_ADDRESSES; ++i) {
        const std::uint64_t address = i < some.size() ? some[i] : 0;
        if (i >= some.size() && i >= named_at_once_) break;
        bpf_map_update_elem(bpf_map__fd(skeleton_->maps.addresses), &i, &address, BPF_ANY);
      }
      named_at_once_ = some.size();
      std::vector<std::byte> text;
      if (!read_iterator(namer_.get(), "the BPF iterator over addresses", text)) return;
      take_names({reinterpret_cast<const char*>(text.data()), text.size()}, some, names);
      addresses = addresses.subspan(some.size());
    }
  }

 private:
  // Ten megabytes, for the few dozen addresses that are new. Where it hides them stacks stay empty,
  // and wait queues tell nothing but their epolls' threads.
  static void name_by_kallsyms(std::span<const std::uint64_t> addresses, AddressNames& names) {
    if (addresses.empty()) return;
    const Result<std::string> kallsyms = read_file("/proc/kallsyms");
    const std::vector<std::string> found = functions_before(kallsyms.value_or(""), addresses);
    for (std::size_t i = 0; i < addresses.size(); ++i) names.try_emplace(addresses[i], found[i]);
  }

  Status pass(std::span<const WatchedProcess> watched, std::size_t most_threads) {
    auto& state = *skeleton_->bss;
    state.unreadable = 0;
    state.reader_known = false;
    state.most_threads =
        static_cast<__u32>(std::min<std::size_t>(most_threads, std::numeric_limits<__u32>::max()));
    if (Status told = tell(watched); !told) return told;
    if (Status read = read_iterator(link_.get(), "the BPF thread iterator", records_); !read) {
      return read;
    }
    if (state.unreadable != 0) {
      return fail(ErrorCode::kPermission,
                  "the BPF thread iterator may not read the kernel's memory (kernel lockdown, mode "
                  "confidentiality)");
    }
    return {};
  }

  // Writes what to look at where the program reads it.
  Status tell(std::span<const WatchedProcess> watched) {
    for (const __u32 pid : told_) {
      bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.watched), &pid);
    }
    told_.clear();
    auto& fds = skeleton_->bss->listener_fds;
    __u32 used = 0;
    for (const WatchedProcess& process :
         watched.first(std::min<std::size_t>(watched.size(), AQ_WATCHED))) {
      aq_watched entry{};
      entry.listeners_begin = used;
      for (const std::int32_t fd : process.listener_fds) {
        if (used < AQ_LISTENER_FDS) fds[used++] = fd;
      }
      entry.listeners_end = used;
      entry.wants_others = process.wants_descriptors ? 1 : 0;
      const auto pid = static_cast<__u32>(process.pid.value());
      const int map = bpf_map__fd(skeleton_->maps.watched);
      if (const int err = bpf_map_update_elem(map, &pid, &entry, BPF_ANY); err != 0) {
        return fail_errno(-err, "cannot tell the BPF thread iterator what to look at");
      }
      told_.push_back(pid);
    }
    return {};
  }

  std::uint32_t left_out(std::span<const WatchedProcess> watched) const {
    std::uint32_t sum = 0;
    for (const WatchedProcess& process : watched) {
      const auto pid = static_cast<__u32>(process.pid.value());
      aq_watched entry{};
      if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.watched), &pid, &entry) == 0) {
        sum += entry.left_out;
      }
    }
    return sum;
  }

  // Whether one of the functions that the program noted means something.
  bool learn_functions() {
    auto& state = *skeleton_->bss;
    const std::span noted =
        std::span(state.unnamed_functions)
            .first(std::min<std::size_t>(state.unnamed_count, AQ_UNNAMED_FUNCTIONS));
    // The kernel names what lies before an address that is returned to.
    std::vector<std::uint64_t> inside(noted.begin(), noted.end());
    for (std::uint64_t& address : inside) ++address;
    AddressNames names;
    name(inside, names);
    bool learned = false;
    for (const std::uint64_t address : noted) {
      const std::uint32_t meaning = wake_meaning(names[address + 1]);
      if (meaning == AQ_WAKE_OTHER) continue;
      const int map = bpf_map__fd(skeleton_->maps.wake_functions);
      if (bpf_map_update_elem(map, &address, &meaning, BPF_ANY) == 0) learned = true;
    }
    state.unnamed_count = 0;
    return learned;
  }

  Skeleton skeleton_;
  Link link_;
  Link namer_;
  AddressNames names_;
  std::vector<std::byte> records_;
  std::vector<__u32> told_;
  std::size_t named_at_once_ = 0;  // elements of `addresses` that are not 0
};

ThreadIterator::ThreadIterator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ThreadIterator::ThreadIterator(ThreadIterator&&) noexcept = default;
ThreadIterator& ThreadIterator::operator=(ThreadIterator&&) noexcept = default;
ThreadIterator::~ThreadIterator() = default;

Result<ThreadIterator> ThreadIterator::Create() {
  const LibbpfLog log;
  std::unique_ptr<Impl> impl;
  Ways ways;
  int err = Impl::load(ways, impl);
  // Seen where iterators over tasks are allowed, and those over maps are not.
  if (err == EPERM) {
    ways.may_name = false;
    err = Impl::load(ways, impl);
  }
  const auto refused_by_verifier = [&] { return err == EINVAL || err == EACCES; };
  // What is wanting: registers before 5.15, loops before 5.13. Other refusals come from before the
  // verifier.
  if (refused_by_verifier()) {
    ways.may_read_registers = false;
    err = Impl::load(ways, impl);
  }
  if (refused_by_verifier()) {
    ways.may_loop = false;
    err = Impl::load(ways, impl);
  }
  if (err != 0) {
    const Btf types = kernel_btf();
    return fail(explain_load_failure(
        examine_load_failure(err, log.text(), types.get(), Programs::kThreadIterator)));
  }
  return ThreadIterator(std::move(impl));
}

Result<ThreadsSeen> ThreadIterator::look(std::span<const WatchedProcess> watched,
                                         std::size_t most_threads) {
  return impl_->look(watched, most_threads);
}

void ThreadIterator::name(std::span<const std::uint64_t> addresses, AddressNames& names) {
  impl_->name(addresses, names);
}

}  // namespace acceptq::collect::bpf
