// Tracepoints of the listen path (tracepoints.bpf.c), for kernels that refuse hooks on functions.
// clang-format off: the skeleton names types of the other
#include "collect/bpf/ledger_wire.h"
#include <tracepoints.skel.h>
// clang-format on

#include <bpf/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/unique_fd.h"
#include "collect/bpf/dead_reasons.h"
#include "collect/bpf/kernel_btf.h"
#include "collect/bpf/kernel_symbols.h"
#include "collect/bpf/ledger_programs.h"
#include "collect/bpf/libbpf_log.h"
#include "collect/bpf/load_failure.h"

namespace acceptq::collect::bpf {
namespace {

struct DestroySkeleton {
  void operator()(tracepoints* skeleton) const { tracepoints__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<tracepoints, DestroySkeleton>;

Error lacks(const std::string& what) {
  return {ErrorCode::kUnsupported, 0, "this kernel's tracepoints do not tell " + what};
}

class TracepointHooks final : public LedgerPrograms {
 public:
  TracepointHooks() = default;
  TracepointHooks(const TracepointHooks&) = delete;
  TracepointHooks& operator=(const TracepointHooks&) = delete;
  ~TracepointHooks() override { links_.clear(); }  // before the programs

  Status open(const TraceOptions& options, const btf* types) {
    skeleton_.reset(tracepoints__open());
    if (!skeleton_) return fail_errno(errno, "cannot open the tracepoint programs");
    set_options(options, types, *skeleton_);
    if (arguments_of_tracepoint(types, "consume_skb") < 2) {
      return fail(lacks("where a packet was freed (consume_skb has a location from Linux 6.2 on)"));
    }
    constexpr int kWithSocket = 4;
    skeleton_->rodata->drop_tells_socket =
        arguments_of_tracepoint(types, "kfree_skb") >= kWithSocket;
    choose_dead_reasons(types, skeleton_->rodata->dead_reasons, *skeleton_->progs.on_dead_syn);
    sees_insertions_ = arguments_of_tracepoint(types, "sk_data_ready") > 0;
    bpf_program__set_autoload(skeleton_->progs.on_data_ready, sees_insertions_);
    if (const Status found = find_counters(types); !found) return found;
    return find_places();
  }

  // 0, or libbpf's error as a positive errno.
  int load() {
    if (const int err = tracepoints__load(skeleton_.get()); err != 0) return -err;
    if (const int err = attach_all(); err != 0) return err;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton_->obj) {
      hooks_.push_back({.function = bpf_program__section_name(program),
                        .kind = bpf_program__autoload(program) ? Hook::Kind::kTracepoint
                                                               : Hook::Kind::kMissing});
    }
    pass_ = Link(bpf_program__attach_iter(skeleton_->progs.look_at_all, nullptr));
    return pass_ ? 0 : errno;
  }

  [[nodiscard]] bpf_object* object() const override { return skeleton_->obj; }
  [[nodiscard]] aq_state& state() const override { return skeleton_->data_state->state; }
  [[nodiscard]] facts::Source source() const override { return facts::Source::kTracepoints; }

  [[nodiscard]] Status look() override {
    const UniqueFd fd(bpf_iter_create(bpf_link__fd(pass_.get())));
    if (!fd.valid()) return fail_errno(errno, "cannot start the pass over listeners");
    while (true) {
      char none = 0;
      const ssize_t n = ::read(fd.get(), &none, sizeof none);
      if (n == 0) return {};
      // EAGAIN: a million files; the next read goes on behind them.
      if (n < 0 && errno != EINTR && errno != EAGAIN) {
        return fail_errno(errno, "cannot read the pass over listeners");
      }
    }
  }

  void leave_out_unknown(facts::Ledger& ledger) const override {
    using enum facts::LedgerTerm;
    constexpr std::array kKnown{
        kSynReceived,       kSynCookie,         kSynBothFull,          kSynRefusedAcceptFull,
        kSynRefusedSynFull, kSynRefusedReserve, kSynRefusedOther,      kSynackRetransmitted,
        kAckRefusedFull,    kAckRefusedOther,   kCookieAckRefusedFull, kCookieAckRefusedOther,
        kAckReset,          kClosedWaiting,     kAttemptsRefused,      kRequestUnreachable};
    // These take the insertions.
    constexpr std::array kOfQueue{kAckQueued, kAccepted, kAcceptedUntimed, kAttemptsRecovered};
    const auto contains = [](const auto& terms, facts::LedgerTerm term) {
      return std::ranges::find(terms, term) != terms.end();
    };
    for (std::size_t i = 0; i < facts::kLedgerTerms; ++i) {
      const auto term = static_cast<facts::LedgerTerm>(i);
      const bool known = contains(kKnown, term) || (sees_insertions_ && contains(kOfQueue, term));
      if (!known) ledger.counts[i].reset();
    }
    if (!sees_insertions_) ledger.longest.reset();
  }

 private:
  // The order is that of the programs (tracepoints_counters.h).
  Status find_counters(const btf* types) {
    constexpr std::array<std::string_view, 5> kNames{
        "LINUX_MIB_LISTENDROPS", "LINUX_MIB_LISTENOVERFLOWS", "LINUX_MIB_TCPREQQFULLDROP",
        "LINUX_MIB_TCPREQQFULLDOCOOKIES", "LINUX_MIB_SYNCOOKIESSENT"};
    auto& rodata = *skeleton_->rodata;
    static_assert(std::extent_v<decltype(rodata.counter_places)> == kNames.size());
    const auto places = enumerators(types, kNames);
    if (std::ranges::find(places, 0U) != places.end()) {
      return fail(
          lacks("where it counts refused packets (LINUX_MIB_LISTENDROPS is not in its BTF)"));
    }
    std::ranges::copy(places, std::begin(rodata.counter_places));
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return fail_errno(-cpus, "cannot tell how many CPUs there can be");
    rodata.possible_cpus = static_cast<__u32>(cpus);
    return {};
  }

  Status find_places() {
    constexpr std::array<std::string_view, 9> kNames{
        "tcp_rcv_state_process", "tcp_v4_rcv",      "tcp_v6_rcv", "tcp_v4_do_rcv", "tcp_v6_do_rcv",
        "cookie_v4_check",       "cookie_v6_check", "icmp_rcv",   "icmpv6_rcv"};
    const Result<std::string> text = read_file("/proc/kallsyms");
    if (!text) return fail(text.error());
    const auto found = find_functions(*text, kNames);
    if (!found[0] || !found[1]) {
      return fail(ErrorCode::kPermission,
                  "/proc/kallsyms does not tell where the kernel's functions are (CAP_SYSLOG, and "
                  "kernel.kptr_restrict below 2)");
    }
    const auto put = [&](std::size_t from, auto& place) {
      if (!found[from]) return;  // IPv6 may be left out of the kernel
      place.begin = found[from]->begin;
      place.end = found[from]->end;
    };
    auto& rodata = *skeleton_->rodata;
    put(0, rodata.syn_place);
    for (std::size_t i = 0; i < 2; ++i) put(1 + i, rodata.ack_places[i]);
    for (std::size_t i = 0; i < 4; ++i) put(3 + i, rodata.cookie_places[i]);
    for (std::size_t i = 0; i < 2; ++i) put(7 + i, rodata.error_places[i]);
    return {};
  }

  Skeleton skeleton_;
  Link pass_;
  bool sees_insertions_ = false;
};

}  // namespace

Result<std::unique_ptr<LedgerPrograms>> load_tracepoint_hooks(const TraceOptions& options,
                                                              const btf* types) {
  const LibbpfLog log;
  const auto explain = [&](int err) {
    return fail(explain_load_failure(
        examine_load_failure(err, log.text(), types, Programs::kHandshakeTracepoints)));
  };
  if (types == nullptr) return explain(ENOENT);
  auto programs = std::make_unique<TracepointHooks>();
  if (const Status opened = programs->open(options, types); !opened) {
    return fail(opened.error());
  }
  if (const int err = programs->load(); err != 0) return explain(err);
  return programs;
}

}  // namespace acceptq::collect::bpf
