#include "collect/bpf/listener_iterator.h"

// clang-format off: the skeleton names types of the other
#include "collect/bpf/listeners_wire.h"
#include <listeners.skel.h>
// clang-format on

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string_view>
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

// Where the kernel keeps a counter, and what /proc/net calls it (net/ipv4/proc.c).
struct CounterPlace {
  std::string_view enumerator;
  std::string_view name;
};
constexpr std::array<CounterPlace, AQ_NET_COUNTERS> kNetCounters{{
    {"LINUX_MIB_LISTENOVERFLOWS", "TcpExtListenOverflows"},
    {"LINUX_MIB_LISTENDROPS", "TcpExtListenDrops"},
    {"LINUX_MIB_TCPREQQFULLDROP", "TcpExtTCPReqQFullDrop"},
    {"LINUX_MIB_TCPREQQFULLDOCOOKIES", "TcpExtTCPReqQFullDoCookies"},
    {"LINUX_MIB_SYNCOOKIESSENT", "TcpExtSyncookiesSent"},
    {"LINUX_MIB_SYNCOOKIESRECV", "TcpExtSyncookiesRecv"},
    {"LINUX_MIB_SYNCOOKIESFAILED", "TcpExtSyncookiesFailed"},
    {"LINUX_MIB_TCPDEFERACCEPTDROP", "TcpExtTCPDeferAcceptDrop"},
    {"LINUX_MIB_EMBRYONICRSTS", "TcpExtEmbryonicRsts"},
}};
constexpr std::array<CounterPlace, AQ_TCP_COUNTERS> kTcpCounters{{
    {"TCP_MIB_PASSIVEOPENS", "TcpPassiveOpens"},
    {"TCP_MIB_OUTRSTS", "TcpOutRsts"},
}};

// False where this kernel does not tell one of them.
template <std::size_t kSize>
bool find_places(const btf* types, const std::array<CounterPlace, kSize>& counters,
                 __u32 (&places)[kSize]) {
  std::array<std::string_view, kSize> names;
  std::ranges::transform(counters, names.begin(), &CounterPlace::enumerator);
  const std::vector<std::uint32_t> found = enumerators(types, names);
  std::ranges::copy(found, std::begin(places));
  return std::ranges::find(found, 0U) == found.end();
}

bool find_places(const btf* types, listeners& skeleton) {
  return types != nullptr &&
         find_places(types, kNetCounters, skeleton.rodata->net_counter_places) &&
         find_places(types, kTcpCounters, skeleton.rodata->tcp_counter_places);
}

facts::Counters counters_of(const aq_namespace_counters& sums) {
  std::vector<facts::Counters::Entry> entries;
  entries.reserve(kNetCounters.size() + kTcpCounters.size());
  for (std::size_t i = 0; i < kNetCounters.size(); ++i) {
    entries.emplace_back(facts::CounterName(kNetCounters[i].name), sums.net[i]);
  }
  for (std::size_t i = 0; i < kTcpCounters.size(); ++i) {
    entries.emplace_back(facts::CounterName(kTcpCounters[i].name), sums.tcp[i]);
  }
  return facts::Counters(std::move(entries));
}

// What a form of the program does besides finding listeners.
enum class Form { kCounting, kWalking, kPlain, kPlainWithoutCookies };

}  // namespace

class ListenerIterator::Impl {
 public:
  Impl(Skeleton skeleton, Link link, bool counts)
      : skeleton_(std::move(skeleton)), link_(std::move(link)), counts_(counts) {}

  // Returns 0 with `impl` set, or libbpf's error as a positive errno.
  static int load(Form form, const btf* types, std::unique_ptr<Impl>& impl) {
    Skeleton skeleton(listeners__open());
    if (!skeleton) return errno;
    skeleton->rodata->may_make_cookies = form != Form::kPlainWithoutCookies;
    const bool counts = form == Form::kCounting;
    if (counts && !find_places(types, *skeleton)) return EINVAL;
    const int cpus = counts ? libbpf_num_possible_cpus() : 1;
    if (cpus < 0) return -cpus;
    skeleton->rodata->possible_cpus = static_cast<__u32>(cpus);
    bpf_map__set_autocreate(skeleton->maps.counted, counts);
    bpf_map__set_autocreate(skeleton->maps.milestone, counts);
    bpf_program* const chosen = program_of(form, *skeleton);
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton->obj) {
      bpf_program__set_autoload(program, program == chosen);
    }
    if (const int err = listeners__load(skeleton.get()); err != 0) return -err;
    Link link(bpf_program__attach_iter(chosen, nullptr));
    if (!link) return errno;
    impl = std::make_unique<Impl>(std::move(skeleton), std::move(link), counts);
    return 0;
  }

  Result<IteratorScan> scan(Depth depth) {
    auto& state = *skeleton_->bss;
    state.unreadable = 0;
    state.look_at_waiting = depth == Depth::kWithWaiting;
    state.waiting_seen = 0;
    std::ranges::fill(state.walked, 0);
    const bool counts = counts_ && depth == Depth::kWithWaiting;
    state.sums.pass = counts ? ++pass_ : 0;
    const Status read = read_iterator(link_.get(), "the BPF listener iterator", buffer_);
    if (!read) return fail(read.error());
    if (state.unreadable != 0) {
      return fail(
          ErrorCode::kPermission,
          "the BPF listener iterator may not read the kernel's memory (kernel lockdown, mode "
          "confidentiality)");
    }
    const Wanted wanted = depth == Depth::kQueues ? Wanted::kListeners : Wanted::kAll;
    Result<IteratorScan> scan = parse_iterator_records(buffer_, ::sysconf(_SC_CLK_TCK), wanted);
    if (scan && counts) take_counters(*scan);
    return scan;
  }

 private:
  static bpf_program* program_of(Form form, const listeners& skeleton) {
    switch (form) {
      case Form::kCounting:
        return skeleton.progs.scan_listeners_and_counters;
      case Form::kWalking:
        return skeleton.progs.scan_listeners_and_waiting;
      default:
        return skeleton.progs.scan_listeners;
    }
  }

  void take_counters(IteratorScan& scan) {
    const int fd = bpf_map__fd(skeleton_->maps.counted);
    std::set<std::uint32_t> gone = std::exchange(counted_, {});
    for (NamespaceSeen& seen : scan.namespaces) {
      const auto id = static_cast<std::uint32_t>(seen.id.value());
      aq_namespace_counters sums{};
      if (bpf_map_lookup_elem(fd, &id, &sums) != 0) continue;
      counted_.insert(id);
      gone.erase(id);
      if (sums.pass == pass_) seen.counters = counters_of(sums);
    }
    for (const std::uint32_t id : gone) bpf_map_delete_elem(fd, &id);
  }

  Skeleton skeleton_;
  Link link_;
  bool counts_;
  std::uint64_t pass_ = 0;
  std::set<std::uint32_t> counted_;  // what the map holds
  std::vector<std::byte> buffer_;
};

ListenerIterator::ListenerIterator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ListenerIterator::ListenerIterator(ListenerIterator&&) noexcept = default;
ListenerIterator& ListenerIterator::operator=(ListenerIterator&&) noexcept = default;
ListenerIterator::~ListenerIterator() = default;

Result<ListenerIterator> ListenerIterator::Create(Counters counters) {
  const LibbpfLog log;
  std::unique_ptr<Impl> impl;
  if (counters == Counters::kOfListenPath) {
    const Btf types = kernel_btf();
    if (Impl::load(Form::kCounting, types.get(), impl) == 0) {
      return ListenerIterator(std::move(impl));
    }
  }
  int err = EINVAL;
  const auto refused_by_verifier = [&] { return err == EINVAL || err == EACCES; };
  // Before 5.17 there are no loops: who waits in accept queues is then not looked at. Before 5.12
  // the verifier refuses the helper that makes cookies, too: sockets that nobody asked for theirs
  // have none. Other refusals come from before the verifier.
  for (const Form form : {Form::kWalking, Form::kPlain, Form::kPlainWithoutCookies}) {
    if (refused_by_verifier()) err = Impl::load(form, nullptr, impl);
  }
  if (err != 0) {
    const Btf types = kernel_btf();
    return fail(explain_load_failure(examine_load_failure(err, log.text(), types.get())));
  }
  return ListenerIterator(std::move(impl));
}

Result<IteratorScan> ListenerIterator::scan(Depth depth) { return impl_->scan(depth); }

}  // namespace acceptq::collect::bpf
