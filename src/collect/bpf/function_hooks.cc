// Hooks on the functions of the listen path (ledger.bpf.c): trampolines where the kernel has them,
// else kprobes.

// clang-format off: the skeleton names types of the other
#include "collect/bpf/ledger_wire.h"
#include <ledger.skel.h>
// clang-format on

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "collect/bpf/dead_reasons.h"
#include "collect/bpf/ledger_programs.h"
#include "collect/bpf/libbpf_log.h"
#include "collect/bpf/load_failure.h"

namespace acceptq::collect::bpf {
namespace {

struct Target {
  const char* function;
  bool needed;  // without it the books cannot balance
};

constexpr Target kTargets[] = {
    {"tcp_conn_request", true},
    {"inet_reqsk_alloc", true},
    {"inet_csk_reqsk_queue_hash_add", true},
    {"tcp_make_synack", true},
    {"tcp_v4_syn_recv_sock", true},
    {"tcp_create_openreq_child", true},
    {"inet_csk_complete_hashdance", true},
    {"inet_csk_reqsk_queue_add", true},
    {"inet_csk_accept", true},
    {"inet_csk_listen_stop", true},
    {"inet_listen", true},
    {"tcp_check_req", true},
    {"cookie_v4_init_sequence", false},
    {"__cookie_v4_check", false},
    {"cookie_v4_check", false},
    {"tcp_v6_syn_recv_sock", false},
    {"cookie_v6_init_sequence", false},
    {"__cookie_v6_check", false},
    {"cookie_v6_check", false},
    {"inet_csk_route_req", false},
    {"inet6_csk_route_req", false},
    {"security_inet_conn_request", false},
    {"reqsk_timer_handler", false},
    {"tcp_req_err", false},
    {"__inet_listen_sk", false},
    {"__sys_listen", false},
    {"__sys_accept4", false},
};

struct DestroySkeleton {
  void operator()(ledger* skeleton) const { ledger__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<ledger, DestroySkeleton>;

// The running kernel's functions.
class Signatures {
 public:
  explicit Signatures(const btf* types) : types_(types) {}

  // Number of arguments; negative where there is no such function.
  [[nodiscard]] int arguments(const char* function) const {
    const btf_type* proto = prototype(function);
    return proto == nullptr ? -1 : static_cast<int>(btf_vlen(proto));
  }
  [[nodiscard]] bool returns(const char* function) const {
    const btf_type* proto = prototype(function);
    return proto != nullptr && proto->type != 0;
  }

  [[nodiscard]] const btf* types() const { return types_; }

 private:
  [[nodiscard]] const btf_type* prototype(const char* function) const {
    const int id = btf__find_by_name_kind(types_, function, BTF_KIND_FUNC);
    if (id <= 0) return nullptr;
    return btf__type_by_id(types_, btf__type_by_id(types_, static_cast<__u32>(id))->type);
  }

  const btf* types_;
};

// Trampolines pass no more than six arguments before 6.6 (x86-64).
constexpr int kFewArguments = 6;

// Whether a trampoline can be put at the beginning of a function, by one that does nothing: 40 real
// programs take the verifier a tenth of a second, and where trampolines are shut that shows only
// when the first of them is attached. Returns 0, or errno.
int try_trampoline(const btf* types, const char* function) {
  const std::array<bpf_insn, 2> nothing{
      {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0}, {.code = BPF_JMP | BPF_EXIT}}};
  LIBBPF_OPTS(
      bpf_prog_load_opts, how, .expected_attach_type = BPF_TRACE_FENTRY,
      .attach_btf_id = static_cast<__u32>(btf__find_by_name_kind(types, function, BTF_KIND_FUNC)));
  const UniqueFd program(bpf_prog_load(BPF_PROG_TYPE_TRACING, nullptr, "Dual BSD/GPL",
                                       nothing.data(), nothing.size(), &how));
  if (!program.valid()) return errno;
  const UniqueFd link(bpf_raw_tracepoint_open(nullptr, program.get()));
  return link.valid() ? 0 : errno;
}

// CONFIG_KPROBE_EVENTS: the kernel offers one of the ways by which libbpf attaches a kprobe, its
// PMU (4.17) or the file in tracefs.
bool has_kprobes() {
  constexpr std::array kWays{"/sys/bus/event_source/devices/kprobe/type",
                             "/sys/kernel/tracing/kprobe_events",
                             "/sys/kernel/debug/tracing/kprobe_events"};
  return std::ranges::any_of(kWays, [](const char* path) { return ::access(path, F_OK) == 0; });
}

// Which hooks are tried through trampolines; each attempt asks for less than the one before.
enum class Attempt { kTrampolines, kTrampolinesOfFewArguments, kKprobes };

bool wants_trampoline(Attempt attempt, int arguments) {
  return attempt == Attempt::kTrampolines ||
         (attempt == Attempt::kTrampolinesOfFewArguments && arguments <= kFewArguments);
}

void set_signatures(const Signatures& signatures, ledger::ledger__rodata& rodata) {
  const auto set = [&](const char* function, auto& arguments) {
    const int count = signatures.arguments(function);
    if (count > 0) arguments = static_cast<__u32>(count);
  };
  set("inet_csk_reqsk_queue_hash_add", rodata.arguments_of_hash_add);
  set("tcp_make_synack", rodata.arguments_of_make_synack);
  set("tcp_check_req", rodata.arguments_of_check_req);
  set("tcp_v4_syn_recv_sock", rodata.arguments_of_syn_recv_sock);
  set("inet_csk_accept", rodata.arguments_of_accept);
  set("__cookie_v4_check", rodata.arguments_of_cookie_check);
  set("inet_reqsk_alloc", rodata.arguments_of_reqsk_alloc);
  rodata.hash_add_returns = signatures.returns("inet_csk_reqsk_queue_hash_add");
}

bpf_program* find(const ledger& skeleton, const std::string& name) {
  return bpf_object__find_program_by_name(skeleton.obj, name.c_str());
}

class FunctionHooks final : public LedgerPrograms {
 public:
  FunctionHooks() = default;
  FunctionHooks(const FunctionHooks&) = delete;
  FunctionHooks& operator=(const FunctionHooks&) = delete;
  ~FunctionHooks() override { links_.clear(); }  // before the programs

  // Returns 0, or libbpf's error as a positive errno.
  int load(const TraceOptions& options, const Signatures& signatures, Attempt attempt) {
    skeleton_.reset(ledger__open());
    if (!skeleton_) return errno;
    set_signatures(signatures, *skeleton_->rodata);
    set_options(options, signatures.types(), *skeleton_);
    choose(signatures, attempt);
    if (const int err = ledger__load(skeleton_.get()); err != 0) return -err;
    return attach_all();
  }

  [[nodiscard]] bpf_object* object() const override { return skeleton_->obj; }
  [[nodiscard]] aq_state& state() const override { return skeleton_->data_state->state; }
  [[nodiscard]] facts::Source source() const override { return facts::Source::kFunctions; }
  [[nodiscard]] Status look() override { return {}; }
  void leave_out_unknown(facts::Ledger& /*ledger*/) const override {}

 private:
  void choose(const Signatures& signatures, Attempt attempt) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton_->obj) {
      bpf_program__set_autoload(program, false);
    }
    choose_dead_reasons(signatures.types(), skeleton_->rodata->dead_reasons,
                        *skeleton_->progs.on_dead_syn);
    hooks_.clear();
    for (const Target& target : kTargets) {
      const std::string name = target.function;
      const int arguments = signatures.arguments(target.function);
      Hook hook{.function = name};
      const auto use = [&](std::initializer_list<const char*> suffixes, Hook::Kind kind) {
        for (const char* suffix : suffixes) {
          bpf_program* const found = find(*skeleton_, name + suffix);
          if (found == nullptr) continue;
          bpf_program__set_autoload(found, true);
          hook.kind = kind;
        }
      };
      if (arguments >= 0 && wants_trampoline(attempt, arguments)) {
        use({"_in", "_out"}, Hook::Kind::kTrampoline);
      } else if (arguments >= 0) {
        use({"_kprobe", "_kretprobe"}, Hook::Kind::kKprobe);
      }
      hooks_.push_back(std::move(hook));
    }
  }

  Skeleton skeleton_;
};

}  // namespace

Result<std::unique_ptr<LedgerPrograms>> load_function_hooks(const TraceOptions& options,
                                                            const btf* types) {
  const LibbpfLog log;
  const auto explain = [&](int err, int kprobe_err) {
    LoadFailure failure = examine_load_failure(err, log.text(), types, Programs::kHandshakeHooks);
    failure.kprobe_err = kprobe_err;
    return fail(explain_load_failure(failure));
  };
  if (types == nullptr) return explain(ENOENT, 0);
  const Signatures signatures(types);
  for (const Target& target : kTargets) {
    if (target.needed && signatures.arguments(target.function) < 0) {
      return fail(ErrorCode::kUnsupported,
                  std::string("this kernel has no function ") + target.function + " to hook");
    }
  }
  const bool only_kprobes = options.level == TraceLevel::kKprobes;
  const bool kprobes = has_kprobes();
  if (only_kprobes && !kprobes) {
    return fail(ErrorCode::kUnsupported, "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)");
  }
  int first_err = only_kprobes ? 0 : try_trampoline(types, kTargets[0].function);
  std::vector<Attempt> attempts;
  if (!only_kprobes && first_err == 0) {
    attempts = {Attempt::kTrampolines, Attempt::kTrampolinesOfFewArguments};
  }
  if (kprobes) attempts.push_back(Attempt::kKprobes);
  int err = 0;
  for (const Attempt attempt : attempts) {
    auto programs = std::make_unique<FunctionHooks>();
    err = programs->load(options, signatures, attempt);
    if (err == 0) return programs;
    if (first_err == 0) first_err = err;
  }
  return explain(first_err, kprobes ? err : ENOENT);
}

}  // namespace acceptq::collect::bpf
