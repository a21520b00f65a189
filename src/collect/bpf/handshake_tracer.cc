#include "collect/bpf/handshake_tracer.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <ledger.skel.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string_view>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "collect/bpf/ledger_wire.h"
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
    {"__sys_listen", false},
    {"__sys_accept4", false},
};

struct DestroySkeleton {
  void operator()(ledger* skeleton) const { ledger__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<ledger, DestroySkeleton>;

struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using Ring = std::unique_ptr<ring_buffer, FreeRing>;

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

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

// Calls `visit` for each entry of a hash map that is there when its turn comes.
template <typename Key, typename Value, typename Visit>
Status for_each_entry(const bpf_map* map, const Visit& visit) {
  Key key{};
  Value value{};
  const int fd = bpf_map__fd(map);
  int err = bpf_map_get_next_key(fd, nullptr, &key);
  // An entry that goes away meanwhile makes the walk begin anew: bound it.
  for (std::size_t steps = 4 * std::size_t{bpf_map__max_entries(map)}; err == 0 && steps > 0;
       --steps) {
    const Key current = key;
    if (bpf_map_lookup_elem(fd, &current, &value) == 0) visit(current, value);
    err = bpf_map_get_next_key(fd, &current, &key);
  }
  if (err != 0 && err != -ENOENT) {
    return fail_errno(-err, std::string("cannot read the BPF map ") + bpf_map__name(map));
  }
  return {};
}

}  // namespace

class HandshakeTracer::Impl {
 public:
  // Returns 0, or libbpf's error as a positive errno.
  int load(const TraceOptions& options, const Signatures& signatures, Attempt attempt) {
    skeleton_.reset(ledger__open());
    if (!skeleton_) return errno;
    set_signatures(signatures, *skeleton_->rodata);
    skeleton_->rodata->events_per_second = options.events_per_second;
    skeleton_->rodata->only_selected = !options.selected.empty();
    skeleton_->rodata->syn_queue_holds_one_more = options.syn_queue_holds_one_more;
    bpf_map__set_max_entries(skeleton_->maps.ledgers, options.most_listeners);
    bpf_map__set_max_entries(skeleton_->maps.waiting, options.most_waiting);
    choose(signatures, attempt);
    if (const int err = ledger__load(skeleton_.get()); err != 0) return -err;
    select(options.selected);
    if (const int err = attach(); err != 0) return err;
    skeleton_->bss->armed = kWatching;
    watching_since_ns_ = monotonic_ns();
    return 0;
  }

  int listen_to_events() {
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.events), take_event, this, nullptr));
    return ring_ ? 0 : errno;
  }

  void start() {
    constexpr std::int64_t kLongerThanAnyCall = 20'000'000;
    const std::int64_t wait = watching_since_ns_ + kLongerThanAnyCall - monotonic_ns();
    if (wait > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
    skeleton_->bss->armed = kCounting;
  }

  [[nodiscard]] const std::vector<Hook>& hooks() const { return hooks_; }

  Status poll(std::chrono::milliseconds patience,
              const std::function<void(const RefusalRecord&)>& take) {
    take_ = &take;
    const int taken = ring_buffer__poll(ring_.get(), static_cast<int>(patience.count()));
    take_ = nullptr;
    if (malformed_) return fail(*std::exchange(malformed_, std::nullopt));
    if (taken < 0 && taken != -EINTR) return fail_errno(-taken, "cannot read the events");
    return {};
  }

  Result<std::vector<LedgerRecord>> ledgers() {
    // Those that were replaced are in the ring buffer.
    if (const Status drained = poll(std::chrono::milliseconds(0), [](const RefusalRecord&) {});
        !drained) {
      return fail(drained.error());
    }
    std::vector<LedgerRecord> records = finished_;
    std::optional<Error> malformed;
    const Status walked = for_each_entry<__u64, aq_ledger>(
        skeleton_->maps.ledgers, [&](__u64 sk, const aq_ledger& wire) {
          Result<LedgerRecord> record = parse_ledger(sk, std::as_bytes(std::span(&wire, 1)));
          if (record) {
            records.push_back(std::move(*record));
          } else {
            malformed = std::move(record.error());
          }
        });
    if (!walked) return fail(walked.error());
    if (malformed) return fail(std::move(*malformed));
    return records;
  }

  Result<std::vector<OpenAttempt>> open_attempts() {
    std::vector<OpenAttempt> attempts;
    const Status walked = for_each_entry<aq_attempt_key, aq_attempt>(
        skeleton_->maps.attempts, [&](const aq_attempt_key&, const aq_attempt& wire) {
          attempts.push_back({.sk = wire.sk,
                              .first_ns = static_cast<std::int64_t>(wire.first_ns),
                              .last_ns = static_cast<std::int64_t>(wire.last_ns),
                              .refused_syns = wire.refused_syns,
                              .refused_acks = wire.refused_acks});
        });
    if (!walked) return fail(walked.error());
    return attempts;
  }

  [[nodiscard]] static Result<std::vector<ClientCount>> clients_of(const bpf_map* map) {
    std::vector<ClientCount> clients;
    const Status walked = for_each_entry<aq_client_key, aq_client>(
        map, [&](const aq_client_key& key, const aq_client& wire) {
          const std::span<const std::uint8_t, 16> bytes(key.address);
          clients.push_back({.sk = key.sk,
                             .address = key.family == AF_INET
                                            ? facts::IpAddress::v4(bytes.first<4>())
                                            : facts::IpAddress::v6(bytes),
                             .packets = wire.packets,
                             .attempts = wire.attempts});
        });
    if (!walked) return fail(walked.error());
    return clients;
  }

  [[nodiscard]] const ledger& skeleton() const { return *skeleton_; }

  TraceLosses losses() {
    const auto& lost = skeleton_->bss->losses;
    TraceLosses losses{.listeners = lost[AQ_LOST_LISTENERS],
                       .attempts = lost[AQ_LOST_ATTEMPTS],
                       .waiting = lost[AQ_LOST_WAITING],
                       .events = lost[AQ_LOST_EVENTS],
                       .suppressed = lost[AQ_SUPPRESSED],
                       .accepts = lost[AQ_LOST_ACCEPTS]};
    // An LRU map forgets silently: what was put in, was not taken out and is not there.
    std::uint64_t kept = skeleton_->bss->attempts_removed;
    const Status walked = for_each_entry<aq_attempt_key, aq_attempt>(
        skeleton_->maps.attempts, [&](const aq_attempt_key&, const aq_attempt&) { ++kept; });
    const std::uint64_t inserted = skeleton_->bss->attempts_inserted;
    if (walked && inserted > kept) losses.attempts += inserted - kept;
    return losses;
  }

 private:
  void choose(const Signatures& signatures, Attempt attempt) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton_->obj) {
      bpf_program__set_autoload(program, false);
    }
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

  int attach() {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton_->obj) {
      if (!bpf_program__autoload(program)) continue;
      Link link(bpf_program__attach(program));
      if (!link) return errno;
      links_.push_back(std::move(link));
    }
    return 0;
  }

  void select(const std::vector<TraceOptions::Choice>& choices) {
    constexpr __u32 kYes = 1;
    for (const TraceOptions::Choice& choice : choices) {
      const aq_listener_choice key{
          .netns = static_cast<aq_u32>(choice.netns.value()), .port = choice.port, .pad = 0};
      // Beyond the map's room, refusals of the rest are counted, but not sent.
      bpf_map_update_elem(bpf_map__fd(skeleton_->maps.selected), &key, &kYes, BPF_ANY);
    }
  }

  static int take_event(void* context, void* data, std::size_t size) {
    auto& self = *static_cast<Impl*>(context);
    Result<Event> event = parse_event({static_cast<const std::byte*>(data), size});
    if (!event) {
      self.malformed_ = std::move(event.error());
    } else if (const auto* refusal = std::get_if<RefusalRecord>(&*event)) {
      if (self.take_ != nullptr) (*self.take_)(*refusal);
    } else {
      self.finished_.push_back(std::get<LedgerRecord>(std::move(*event)));
    }
    return 0;
  }

  // ledger_state.h's.
  static constexpr __u32 kWatching = 1;
  static constexpr __u32 kCounting = 2;

  // The order matters: links go first, the skeleton last.
  Skeleton skeleton_;
  std::vector<Hook> hooks_;
  Ring ring_;
  std::vector<Link> links_;
  std::vector<LedgerRecord> finished_;
  std::int64_t watching_since_ns_ = 0;
  const std::function<void(const RefusalRecord&)>* take_ = nullptr;
  std::optional<Error> malformed_;
};

HandshakeTracer::HandshakeTracer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HandshakeTracer::HandshakeTracer(HandshakeTracer&&) noexcept = default;
HandshakeTracer& HandshakeTracer::operator=(HandshakeTracer&&) noexcept = default;
HandshakeTracer::~HandshakeTracer() = default;

Result<HandshakeTracer> HandshakeTracer::Create(const TraceOptions& options) {
  const LibbpfLog log;
  const Btf types(btf__load_vmlinux_btf());
  if (!types) {
    return fail(
        explain_load_failure(examine_load_failure(errno, log.text(), Programs::kHandshakeHooks)));
  }
  const Signatures signatures(types.get());
  for (const Target& target : kTargets) {
    if (target.needed && signatures.arguments(target.function) < 0) {
      return fail(ErrorCode::kUnsupported,
                  std::string("this kernel has no function ") + target.function + " to hook");
    }
  }
  const std::vector<Attempt> attempts =
      options.kprobes_only ? std::vector{Attempt::kKprobes}
                           : std::vector{Attempt::kTrampolines, Attempt::kTrampolinesOfFewArguments,
                                         Attempt::kKprobes};
  int first_err = 0;
  int err = 0;
  for (const Attempt attempt : attempts) {
    auto impl = std::make_unique<Impl>();
    err = impl->load(options, signatures, attempt);
    if (err == 0) err = impl->listen_to_events();
    if (err == 0) return HandshakeTracer(std::move(impl));
    if (first_err == 0) first_err = err;
  }
  LoadFailure failure = examine_load_failure(first_err, log.text(), Programs::kHandshakeHooks);
  failure.kprobe_err = err;
  return fail(explain_load_failure(failure));
}

void HandshakeTracer::start() { impl_->start(); }

const std::vector<Hook>& HandshakeTracer::hooks() const { return impl_->hooks(); }

Status HandshakeTracer::poll(std::chrono::milliseconds patience,
                             const std::function<void(const RefusalRecord&)>& take) {
  return impl_->poll(patience, take);
}

Result<std::vector<LedgerRecord>> HandshakeTracer::ledgers() { return impl_->ledgers(); }
Result<std::vector<OpenAttempt>> HandshakeTracer::open_attempts() { return impl_->open_attempts(); }
Result<std::vector<ClientCount>> HandshakeTracer::clients() {
  return Impl::clients_of(impl_->skeleton().maps.clients);
}
Result<std::vector<ClientCount>> HandshakeTracer::client_prefixes() {
  return Impl::clients_of(impl_->skeleton().maps.prefixes);
}
TraceLosses HandshakeTracer::losses() { return impl_->losses(); }

}  // namespace acceptq::collect::bpf
