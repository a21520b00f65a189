#include "collect/bpf/handshake_tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <map>
#include <set>
#include <span>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "collect/bpf/dead_reasons.h"
#include "collect/bpf/kernel_btf.h"
#include "collect/bpf/ledger_book.h"
#include "collect/bpf/ledger_programs.h"
#include "collect/bpf/ledger_wire.h"

namespace acceptq::collect::bpf {
namespace {

struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using Ring = std::unique_ptr<ring_buffer, FreeRing>;

// Calls `visit` once for each entry of a hash map that is there when its turn comes.
template <typename Key, typename Value, typename Visit>
Status for_each_entry(const bpf_map* map, const Visit& visit) {
  Key key{};
  Value value{};
  const int fd = bpf_map__fd(map);
  std::set<std::array<std::byte, sizeof(Key)>> visited;
  int err = bpf_map_get_next_key(fd, nullptr, &key);
  // An entry that goes away meanwhile makes the walk begin anew: bound it.
  for (std::size_t steps = 4 * std::size_t{bpf_map__max_entries(map)}; err == 0 && steps > 0;
       --steps) {
    const Key current = key;
    std::array<std::byte, sizeof(Key)> bytes;
    std::memcpy(bytes.data(), &current, sizeof current);
    const bool is_first = visited.insert(bytes).second;
    if (is_first && bpf_map_lookup_elem(fd, &current, &value) == 0) visit(current, value);
    err = bpf_map_get_next_key(fd, &current, &key);
  }
  if (err != 0 && err != -ENOENT) {
    return fail_errno(-err, std::string("cannot read the BPF map ") + bpf_map__name(map));
  }
  return {};
}

facts::IpAddress address_of(std::uint32_t family, const aq_u8 (&address)[16]) {
  const std::span<const std::uint8_t, 16> bytes(address);
  return family == AF_INET ? facts::IpAddress::v4(bytes.first<4>()) : facts::IpAddress::v6(bytes);
}

}  // namespace

class HandshakeTracer::Impl {
 public:
  Impl(std::unique_ptr<LedgerPrograms> programs, std::string shortfall, const btf* types)
      : programs_(std::move(programs)),
        shortfall_(std::move(shortfall)),
        reasons_(dead_reasons(types)) {}

  Status begin(const std::vector<TraceOptions::Choice>& selected) {
    if (const Status chosen = select(selected); !chosen) return chosen;
    ring_.reset(ring_buffer__new(bpf_map__fd(map("events")), take_event, this, nullptr));
    if (!ring_) return fail_errno(errno, "cannot read the events of BPF programs");
    programs_->state().armed = AQ_WATCHING;
    watching_since_ns_ = monotonic_ns();
    return programs_->look();
  }

  void start() {
    constexpr std::int64_t kLongerThanAnyCall = 20'000'000;
    const std::int64_t wait = watching_since_ns_ + kLongerThanAnyCall - monotonic_ns();
    if (wait > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
    programs_->state().armed = AQ_COUNTING;
  }

  [[nodiscard]] int event_fd() const { return ring_buffer__epoll_fd(ring_.get()); }

  void look_every(std::chrono::nanoseconds period) { look_period_ns_ = period.count(); }

  [[nodiscard]] const LedgerPrograms& programs() const { return *programs_; }
  [[nodiscard]] const std::string& shortfall() const { return shortfall_; }

  Status poll(std::chrono::milliseconds patience,
              const std::function<void(const RefusalRecord&)>& take) {
    if (const Status looked = look_now_and_then(); !looked) return looked;
    if (const Status tidied = tidy_now_and_then(); !tidied) return tidied;
    for (const RefusalRecord& record : std::exchange(pending_, {})) take(record);
    take_ = &take;
    const int taken = ring_buffer__poll(ring_.get(), static_cast<int>(patience.count()));
    take_ = nullptr;
    if (malformed_) return fail(*std::exchange(malformed_, std::nullopt));
    if (taken < 0 && taken != -EINTR) return fail_errno(-taken, "cannot read the events");
    return {};
  }

  Result<std::vector<LedgerRecord>> ledgers() {
    if (const Status looked = programs_->look(); !looked) return fail(looked.error());
    // Those that were replaced are in the ring buffer.
    std::vector<RefusalRecord> met;
    const Status drained = poll(std::chrono::milliseconds(0),
                                [&](const RefusalRecord& record) { met.push_back(record); });
    pending_ = std::move(met);
    if (!drained) return fail(drained.error());
    std::vector<LedgerRecord> records = finished_;
    std::optional<Error> malformed;
    const Status walked =
        for_each_entry<__u64, aq_ledger>(map("ledgers"), [&](__u64 sk, const aq_ledger& wire) {
          Result<LedgerRecord> record = parse_ledger(sk, std::as_bytes(std::span(&wire, 1)));
          if (record) {
            complete(record->ledger);
            records.push_back(std::move(*record));
          } else {
            malformed = std::move(record.error());
          }
        });
    if (!walked) return fail(walked.error());
    if (malformed) return fail(std::move(*malformed));
    return records;
  }

  // An LRU map forgets before it is full: each CPU keeps some places to itself.
  [[nodiscard]] std::size_t most_clients() const {
    return bpf_map__max_entries(map("clients")) / 2;
  }

  Result<std::vector<OpenAttempt>> open_attempts() {
    std::vector<OpenAttempt> attempts;
    const Status walked = for_each_entry<aq_attempt_key, aq_attempt>(
        map("attempts"), [&](const aq_attempt_key&, const aq_attempt& wire) {
          attempts.push_back({.sk = wire.sk,
                              .first_ns = static_cast<std::int64_t>(wire.first_ns),
                              .last_ns = static_cast<std::int64_t>(wire.last_ns),
                              .refused_syns = wire.refused_syns,
                              .refused_acks = wire.refused_acks});
        });
    if (!walked) return fail(walked.error());
    return attempts;
  }

  Result<std::vector<ClientCount>> clients_of(const char* name) {
    std::vector<ClientCount> clients;
    const Status walked = for_each_entry<aq_client_key, aq_client>(
        map(name), [&](const aq_client_key& key, const aq_client& wire) {
          clients.push_back({.sk = key.sk,
                             .address = address_of(key.family, key.address),
                             .packets = wire.packets,
                             .attempts = wire.attempts});
        });
    if (!walked) return fail(walked.error());
    return clients;
  }

  Result<std::optional<std::vector<DeadSynCount>>> dead_syns() {
    if (reasons_.empty()) return std::nullopt;
    std::vector<DeadSynCount> counts;
    const Status walked = for_each_entry<aq_dead_syn, __u64>(
        map("dead_syns"), [&](const aq_dead_syn& key, __u64 packets) {
          const auto reason = reasons_.find(key.reason);
          if (reason == reasons_.end()) return;
          counts.push_back({.syn = {.netns = NetnsId(key.netns),
                                    .address = address_of(key.family, key.address),
                                    .port = key.port,
                                    .reason = reason->second,
                                    .packets = packets,
                                    .after_syn = key.after_syn != 0},
                            .is_routed = key.is_routed != 0});
        });
    if (!walked) return fail(walked.error());
    return counts;
  }

  TraceLosses losses() {
    const aq_state& state = programs_->state();
    const auto& lost = state.losses;
    TraceLosses losses{.listeners = lost[AQ_LOST_LISTENERS],
                       .attempts = lost[AQ_LOST_ATTEMPTS],
                       .waiting = lost[AQ_LOST_WAITING],
                       .events = lost[AQ_LOST_EVENTS],
                       .suppressed = lost[AQ_SUPPRESSED],
                       .accepts = lost[AQ_LOST_ACCEPTS],
                       .packets = lost[AQ_LOST_PACKETS],
                       .refusals = lost[AQ_LOST_REFUSALS],
                       .runs = programs_->missed_runs()};
    losses.listeners += let_go_;
    // An LRU map forgets silently: what was put in, was not taken out and is not there. It goes on
    // changing: what is put in or taken out during the walk must not look forgotten.
    const std::uint64_t inserted = state.attempts_inserted;
    std::uint64_t kept = 0;
    const Status walked = for_each_entry<aq_attempt_key, aq_attempt>(
        map("attempts"), [&](const aq_attempt_key&, const aq_attempt&) { ++kept; });
    kept += state.attempts_removed;
    if (walked && inserted > kept) losses.attempts += inserted - kept;
    const std::uint64_t dead_inserted = state.dead_inserted;
    std::uint64_t dead = 0;
    const Status counted = for_each_entry<aq_dead_syn, __u64>(
        map("dead_syns"), [&](const aq_dead_syn&, __u64) { ++dead; });
    if (counted && dead_inserted > dead) losses.dead_syns = dead_inserted - dead;
    return losses;
  }

 private:
  bpf_map* map(const char* name) const {
    return bpf_object__find_map_by_name(programs_->object(), name);
  }

  Status look_now_and_then() {
    constexpr std::int64_t kRestFactor = 20;
    const std::int64_t begin = monotonic_ns();
    if (begin < next_look_ns_) return {};
    Status looked = programs_->look();
    const std::int64_t end = monotonic_ns();
    next_look_ns_ = end + std::max(look_period_ns_, kRestFactor * (end - begin));
    return looked;
  }

  // Listeners that are gone give their places back: a tracer may run for days.
  Status tidy_now_and_then() {
    constexpr std::int64_t kPeriodNs = 10'000'000'000;
    const std::int64_t now = monotonic_ns();
    if (now < next_tidying_ns_) return {};
    next_tidying_ns_ = now + kPeriodNs;
    // What was counted in the moment of closing is complete a little later.
    constexpr __u64 kSettledNs = 1'000'000'000;
    std::vector<__u64> closed;
    std::vector<LedgerRecord> records;
    Status walked =
        for_each_entry<__u64, aq_ledger>(map("ledgers"), [&](__u64 sk, const aq_ledger& wire) {
          if (wire.closed_ns == 0 || wire.closed_ns + kSettledNs > static_cast<__u64>(now)) return;
          Result<LedgerRecord> record = parse_ledger(sk, std::as_bytes(std::span(&wire, 1)));
          if (!record) return;
          complete(record->ledger);
          records.push_back(std::move(*record));
          closed.push_back(sk);
        });
    if (!walked || closed.empty()) return walked;
    for (const __u64 sk : closed) bpf_map_delete_elem(bpf_map__fd(map("ledgers")), &sk);
    for (LedgerRecord& record : records) finish(std::move(record));
    return walked;
  }

  // A listener that is gone, for the books at the end. Beyond what memory should hold, those that
  // refused nothing are let go.
  void finish(LedgerRecord record) {
    constexpr std::size_t kMost = 4096;
    const bool is_full = finished_.size() >= kMost;
    if (is_full && facts::refused_packets(record.ledger) == 0) {
      ++let_go_;
      return;
    }
    if (is_full) {
      const auto idle = std::ranges::find_if(finished_, [&](const LedgerRecord& old) {
        return facts::refused_packets(old.ledger) == 0;
      });
      finished_.erase(idle != finished_.end() ? idle : finished_.begin());
      ++let_go_;
    }
    finished_.push_back(std::move(record));
  }

  void complete(facts::Ledger& ledger) const {
    ledger.source = programs_->source();
    programs_->leave_out_unknown(ledger);
  }

  Status select(const std::vector<TraceOptions::Choice>& choices) {
    constexpr __u32 kYes = 1;
    for (const TraceOptions::Choice& choice : choices) {
      const aq_listener_choice key{
          .netns = static_cast<aq_u32>(choice.netns.value()), .port = choice.port, .pad = 0};
      const int err = bpf_map_update_elem(bpf_map__fd(map("selected")), &key, &kYes, BPF_ANY);
      if (err != 0) return fail_errno(-err, "cannot choose the listeners that are traced");
    }
    return {};
  }

  static int take_event(void* context, void* data, std::size_t size) {
    auto& self = *static_cast<Impl*>(context);
    Result<Event> event = parse_event({static_cast<const std::byte*>(data), size});
    if (!event) {
      self.malformed_ = std::move(event.error());
    } else if (const auto* refusal = std::get_if<RefusalRecord>(&*event)) {
      if (self.take_ != nullptr) (*self.take_)(*refusal);
    } else {
      auto record = std::get<LedgerRecord>(std::move(*event));
      self.complete(record.ledger);
      self.finish(std::move(record));
    }
    return 0;
  }

  // The order matters: the ring goes before the programs whose map it reads.
  std::unique_ptr<LedgerPrograms> programs_;
  Ring ring_;
  std::string shortfall_;
  std::map<std::uint32_t, std::string> reasons_;  // of drops; empty: the kernel tells none
  std::vector<RefusalRecord> pending_;            // met while ledgers were read
  std::vector<LedgerRecord> finished_;
  std::uint64_t let_go_ = 0;
  std::int64_t next_tidying_ns_ = 0;
  std::int64_t watching_since_ns_ = 0;
  std::int64_t next_look_ns_ = 0;
  std::int64_t look_period_ns_ = 50'000'000;
  const std::function<void(const RefusalRecord&)>* take_ = nullptr;
  std::optional<Error> malformed_;
};

std::uint64_t tick_ns() {
  timespec tick{};
  ::clock_getres(CLOCK_MONOTONIC_COARSE, &tick);  // that of the timer interrupt
  return static_cast<std::uint64_t>(tick.tv_nsec);
}

void make_room(const TraceOptions& options, const btf* types, bpf_map& ledgers, bpf_map& selected) {
  constexpr __u32 kMost = 65536;
  constexpr __u32 kMostBeforehand = 16384;
  const bool may_allocate = btf__find_by_name_kind(types, "bpf_mem_alloc", BTF_KIND_STRUCT) > 0;
  if (may_allocate) bpf_map__set_map_flags(&ledgers, BPF_F_NO_PREALLOC);
  const __u32 most = may_allocate ? kMost : kMostBeforehand;
  bpf_map__set_max_entries(&ledgers, options.most_listeners == 0 ? most : options.most_listeners);
  const auto chosen = static_cast<__u32>(options.selected.size());
  bpf_map__set_max_entries(&selected, std::max<__u32>(chosen, 1));
}

std::uint64_t LedgerPrograms::missed_runs() const {
  std::uint64_t runs = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object()) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    const int fd = bpf_program__fd(program);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0) runs += info.recursion_misses;
  }
  return runs;
}

int LedgerPrograms::attach_all() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object()) {
    if (!bpf_program__autoload(program)) continue;
    Link link(bpf_program__attach(program));
    if (!link) return errno;
    links_.push_back(std::move(link));
  }
  return 0;
}

HandshakeTracer::HandshakeTracer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HandshakeTracer::HandshakeTracer(HandshakeTracer&&) noexcept = default;
HandshakeTracer& HandshakeTracer::operator=(HandshakeTracer&&) noexcept = default;
HandshakeTracer::~HandshakeTracer() = default;

Result<HandshakeTracer> HandshakeTracer::Create(const TraceOptions& options) {
  const Btf types = kernel_btf();
  Result<std::unique_ptr<LedgerPrograms>> programs =
      options.level == TraceLevel::kTracepoints ? load_tracepoint_hooks(options, types.get())
                                                : load_function_hooks(options, types.get());
  std::string shortfall;
  if (!programs && options.level == TraceLevel::kBest) {
    Error first = std::move(programs.error());
    shortfall = first.message();
    programs = load_tracepoint_hooks(options, types.get());
    if (!programs) {
      // Who may not do the one may not do the other.
      if (first.code == ErrorCode::kPermission) return fail(std::move(first));
      first.context += "; and tracepoints alone do not do: " + programs.error().context;
      return fail(std::move(first));
    }
  }
  if (!programs) return fail(std::move(programs.error()));
  auto impl = std::make_unique<Impl>(std::move(*programs), std::move(shortfall), types.get());
  if (const Status begun = impl->begin(options.selected); !begun) return fail(begun.error());
  return HandshakeTracer(std::move(impl));
}

void HandshakeTracer::start() { impl_->start(); }

void HandshakeTracer::look_every(std::chrono::nanoseconds period) { impl_->look_every(period); }

const std::vector<Hook>& HandshakeTracer::hooks() const { return impl_->programs().hooks(); }

facts::Source HandshakeTracer::source() const { return impl_->programs().source(); }

const std::string& HandshakeTracer::shortfall() const { return impl_->shortfall(); }

int HandshakeTracer::event_fd() const { return impl_->event_fd(); }

Status HandshakeTracer::poll(std::chrono::milliseconds patience,
                             const std::function<void(const RefusalRecord&)>& take) {
  return impl_->poll(patience, take);
}

Result<std::vector<LedgerRecord>> HandshakeTracer::ledgers() { return impl_->ledgers(); }
Result<std::vector<facts::Ledger>> HandshakeTracer::books() {
  auto records = impl_->ledgers();
  if (!records) return fail(std::move(records.error()));
  auto clients = impl_->clients_of("clients");
  if (!clients) return fail(std::move(clients.error()));
  auto prefixes = impl_->clients_of("prefixes");
  if (!prefixes) return fail(std::move(prefixes.error()));
  auto attempts = impl_->open_attempts();
  if (!attempts) return fail(std::move(attempts.error()));
  const bool forgotten = clients->size() >= impl_->most_clients();
  return bind_books({.records = std::move(*records),
                     .clients = std::move(*clients),
                     .prefixes = std::move(*prefixes),
                     .attempts = std::move(*attempts),
                     .some_clients_forgotten = forgotten,
                     .now_ns = monotonic_ns()});
}
Result<std::optional<std::vector<DeadSynCount>>> HandshakeTracer::dead_syns() {
  return impl_->dead_syns();
}
TraceLosses HandshakeTracer::losses() { return impl_->losses(); }

}  // namespace acceptq::collect::bpf
