#include "collect/bpf/thread_records.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "collect/bpf/threads_wire.h"
#include "collect/syscalls.h"

namespace acceptq::collect::bpf {
namespace {

std::size_t record_size(std::uint32_t kind) {
  switch (kind) {
    case AQ_THREAD:
      return sizeof(aq_thread_record);
    case AQ_TARGET:
      return sizeof(aq_target_record);
    case AQ_WAITER:
    case AQ_QUEUE:
      return sizeof(aq_queue_record);
    case AQ_POLLED:
      return sizeof(aq_polled_record);
    case AQ_HELD:
      return sizeof(aq_held_record);
    default:
      return 0;
  }
}

template <typename Record>
Record copy_of(std::span<const std::byte> bytes) {
  Record record;
  std::memcpy(&record, bytes.data(), sizeof record);
  return record;
}

// Calls `take(kind, bytes)` for each record.
template <typename Take>
Status for_each_record(std::span<const std::byte> bytes, Take take) {
  while (!bytes.empty()) {
    std::uint32_t kind = 0;
    if (bytes.size() < sizeof kind) {
      return fail(ErrorCode::kTruncated, "the thread iterator ended inside a record");
    }
    std::memcpy(&kind, bytes.data(), sizeof kind);
    const std::size_t size = record_size(kind);
    if (size == 0) {
      return fail(ErrorCode::kMalformed, "thread record: unknown kind " + std::to_string(kind));
    }
    if (bytes.size() < size) {
      return fail(ErrorCode::kTruncated,
                  "the thread iterator ended inside a record of kind " + std::to_string(kind));
    }
    if (Status taken = take(kind, bytes.first(size)); !taken) return taken;
    bytes = bytes.subspan(size);
  }
  return {};
}

std::string text_of(std::string_view field) {
  return std::string(field.substr(0, field.find('\0')));
}

Pid pid_of(std::uint32_t number) { return Pid(static_cast<std::int32_t>(number)); }

// What the call's arguments stand for; the rest the names of the calls tell.
void take_call(const aq_thread_record& record, ThreadLook& look) {
  facts::Wait& wait = look.wait;
  if ((record.valid & AQ_THREAD_SYSCALL) == 0) return;
  const std::optional<std::string_view> name = syscall_name(record.syscall);
  if (!name) return;
  wait.syscall = *name;
  if (const auto descriptor = descriptor_argument(record.syscall)) {
    const std::size_t at = wait.state == "D" ? descriptor->in_state_d : descriptor->otherwise;
    wait.fd = static_cast<std::int32_t>(std::span(record.arguments)[at]);
  }
  look.entry.stack_pointer = record.stack_pointer;
  std::ranges::copy(record.arguments, look.entry.arguments.begin());
  take_entry(look.entry, wait);
}

facts::ThreadTimes times_of(const aq_thread_record& record) {
  facts::ThreadTimes times;
  const auto take = [&](std::uint32_t bit, std::optional<std::uint64_t>& to, std::uint64_t value) {
    if ((record.valid & bit) != 0) to = value;
  };
  take(AQ_THREAD_TIMES, times.user_ns, record.user_ns);
  take(AQ_THREAD_TIMES, times.system_ns, record.system_ns);
  take(AQ_THREAD_DELAY, times.delay_ns, record.delay_ns);
  take(AQ_THREAD_SWITCHES, times.voluntary, record.voluntary);
  take(AQ_THREAD_SWITCHES, times.involuntary, record.involuntary);
  take(AQ_THREAD_FAULTS, times.major_faults, record.major_faults);
  return times;
}

Result<ThreadLook> thread_of(const aq_thread_record& record, const AddressNames& names) {
  if (record.frames > AQ_FRAMES) {
    return fail(ErrorCode::kMalformed,
                "thread record: a stack of " + std::to_string(record.frames) + " frames");
  }
  ThreadLook look;
  look.pid = pid_of(record.tgid);
  look.tid = pid_of(record.tid);
  look.comm = text_of({static_cast<const char*>(record.comm), sizeof record.comm});
  look.times = times_of(record);
  look.kernel_tid = record.kernel_tid;
  look.thread_pointer = record.thread_pointer;
  look.on_core = (record.valid & AQ_THREAD_ON_CORE) != 0;
  look.wait.looks = 1;
  look.wait.state = state_letter(record.state, record.exit_state);
  take_call(record, look);
  for (const std::uint64_t address : std::span(record.stack).first(record.frames)) {
    const auto name = names.find(address);
    if (name != names.end() && !name->second.empty()) look.wait.stack.push_back(name->second);
  }
  if (!look.wait.syscall) look.wait.syscall = syscall_of(look.wait.stack);
  return look;
}

// Of a socket: its protocol, and both ends where it is connected.
Status take_addresses(const aq_addresses& ends, facts::FileTarget& target) {
  if (ends.protocol == IPPROTO_TCP) target.protocol = "tcp";
  if (ends.protocol == IPPROTO_UDP) target.protocol = "udp";
  if (ends.family == 0) return {};
  const std::span<const std::uint8_t, 16> local(ends.local);
  const std::span<const std::uint8_t, 16> peer(ends.peer);
  if (ends.family == AF_INET) {
    target.local = facts::IpAddress::v4(local.first<4>());
    target.peer = facts::IpAddress::v4(peer.first<4>());
  } else if (ends.family == AF_INET6) {
    target.local = facts::IpAddress::v6(local).unmapped();
    target.peer = facts::IpAddress::v6(peer).unmapped();
  } else {
    return fail(ErrorCode::kMalformed,
                "thread record: unknown address family " + std::to_string(ends.family));
  }
  target.local_port = ends.local_port;
  target.peer_port = ends.peer_port;
  return {};
}

Result<facts::FileTarget> target_of(const aq_target_record& record) {
  facts::FileTarget target;
  target.type = text_of({static_cast<const char*>(record.type), sizeof record.type});
  target.device = record.device;
  target.inode = record.inode;
  std::string source = text_of({static_cast<const char*>(record.source), sizeof record.source});
  if (!source.empty()) target.source = std::move(source);
  if (const Status taken = take_addresses(record.addresses, target); !taken)
    return fail(taken.error());
  if (record.answer_due != AQ_ANSWER_UNKNOWN) {
    target.answer_due = record.answer_due == AQ_ANSWER_DUE;
  }
  return target;
}

class Collector {
 public:
  explicit Collector(const AddressNames& names) : names_(names) {}

  Status take(std::uint32_t kind, std::span<const std::byte> bytes) {
    const bool was_thread = std::exchange(was_thread_, kind == AQ_THREAD);
    if (kind == AQ_THREAD) return take_thread(copy_of<aq_thread_record>(bytes));
    if (kind == AQ_TARGET) {
      if (!was_thread) {
        return fail(ErrorCode::kMalformed, "thread record: a descriptor without its thread");
      }
      return take_target(copy_of<aq_target_record>(bytes));
    }
    if (kind == AQ_POLLED) return take_polled(copy_of<aq_polled_record>(bytes));
    if (kind == AQ_HELD) return take_held(copy_of<aq_held_record>(bytes));
    return take_queue(copy_of<aq_queue_record>(bytes));
  }

  ThreadsSeen finish() && {
    for (ThreadLook& look : seen_.threads) take_polled_of(look);
    std::ranges::sort(seen_.threads, {},
                      [](const ThreadLook& look) { return std::pair(look.pid, look.tid); });
    for (auto& [key, queue] : queues_) {
      WaiterLook& look = seen_.listeners.emplace_back();
      look.pid = key.first;
      look.fd = key.second;
      look.epolls = queue.epolls;
      for (const auto& [tid, link] : queue.waiters) {
        look.waiters.push_back({.tid = tid, .link = link});
      }
    }
    for (auto& [pid, connections] : held_) {
      seen_.held.push_back({.pid = pid, .connections = std::move(connections)});
    }
    return std::move(seen_);
  }

 private:
  struct Queue {
    std::uint32_t epolls = 0;
    std::map<Pid, facts::AcceptLink> waiters;
  };

  Status take_thread(const aq_thread_record& record) {
    Result<ThreadLook> look = thread_of(record, names_);
    if (!look) return fail(std::move(look.error()));
    seen_.threads.push_back(std::move(*look));
    return {};
  }

  Status take_target(const aq_target_record& record) {
    Result<facts::FileTarget> target = target_of(record);
    if (!target) return fail(std::move(target.error()));
    seen_.threads.back().wait.target = std::move(*target);
    return {};
  }

  Status take_queue(const aq_queue_record& record) {
    Queue& queue = queues_[{pid_of(record.tgid), record.fd}];
    if (record.kind == AQ_QUEUE) {
      queue.epolls = record.epolls;
      return {};
    }
    constexpr std::array kLinks{facts::AcceptLink::kAccept, facts::AcceptLink::kPoll,
                                facts::AcceptLink::kEpoll};  // by AQ_BY_…
    if (record.link >= kLinks.size()) {
      return fail(ErrorCode::kMalformed,
                  "thread record: unknown link " + std::to_string(record.link));
    }
    const facts::AcceptLink link = kLinks[record.link];
    const auto [it, is_new] = queue.waiters.emplace(pid_of(record.tid), link);
    if (!is_new) it->second = std::min(it->second, link);
    return {};
  }

  Status take_polled(const aq_polled_record& record) {
    if (record.what == AQ_OF_WRITER) {
      writers_.emplace(pid_of(record.tgid), record.inode);
      return {};
    }
    if (record.what > AQ_OF_ASKING) {
      return fail(ErrorCode::kMalformed,
                  "thread record: unknown descriptor " + std::to_string(record.what));
    }
    facts::FileTarget target{.type = record.what == AQ_OF_PIPE ? "pipefs" : "sockfs",
                             .inode = record.inode};
    if (const Status taken = take_addresses(record.addresses, target); !taken) return taken;
    if (target.peer) target.answer_due = record.what == AQ_OF_ASKING;
    polled_[pid_of(record.tid)].push_back({.fd = record.fd,
                                           .target = std::move(target),
                                           .client_of = record.client_of,
                                           .is_asking = record.what == AQ_OF_ASKING});
    return {};
  }

  Status take_held(const aq_held_record& record) {
    facts::FileTarget asked;
    if (const Status taken = take_addresses(record.addresses, asked); !taken) return taken;
    held_[pid_of(record.tgid)][record.fd] = {.pid = pid_of(record.tgid),
                                             .most = record.connections,
                                             .silent = record.silent,
                                             .asked = record.asked,
                                             .unanswered = record.unanswered,
                                             .mean_asked = record.may_ask,
                                             .peer = asked.peer,
                                             .peer_port = asked.peer_port};
    return {};
  }

  bool waits_for_a_listener(Pid tid) const {
    return std::ranges::any_of(
        queues_, [&](const auto& queue) { return queue.second.waiters.contains(tid); });
  }

  // By a pipe of its own a process wakes itself.
  bool is_own_pipe(Pid pid, const PolledLook& polled) const {
    return polled.target.type == "pipefs" && writers_.contains({pid, polled.target.inode});
  }

  // A call of poll() that waits for one socket or pipe is about it; one that waits for several, as
  // an event loop does, is not about any.
  void take_polled_of(ThreadLook& look) const {
    if (!facts::is_polling(look.wait) && !facts::waits_by_epoll(look.wait)) return;
    const auto found = polled_.find(look.tid);
    if (held_.contains(look.pid)) look.polled.emplace();
    if (found == polled_.end() || waits_for_a_listener(look.tid)) return;
    std::vector<PolledLook> all = found->second;
    std::erase_if(all, [&](const PolledLook& each) { return is_own_pipe(look.pid, each); });
    if (all.size() == 1 && facts::is_polling(look.wait)) {
      look.wait.fd = all.front().fd;
      look.wait.target = all.front().target;
    }
    if (look.polled) look.polled = std::move(all);
  }

  const AddressNames& names_;
  ThreadsSeen seen_;
  std::map<Pid, std::vector<PolledLook>> polled_;    // by thread
  std::set<std::pair<Pid, std::uint64_t>> writers_;  // of pipes, by process and inode
  std::map<Pid, std::map<std::int32_t, facts::HeldConnections>> held_;  // HeldLook
  std::map<std::pair<Pid, std::int32_t>, Queue> queues_;
  bool was_thread_ = false;
};

}  // namespace

Result<ThreadsSeen> parse_thread_records(std::span<const std::byte> bytes,
                                         const AddressNames& names) {
  Collector collector(names);
  const Status all = for_each_record(
      bytes, [&](std::uint32_t kind, auto record) { return collector.take(kind, record); });
  if (!all) return fail(all.error());
  return std::move(collector).finish();
}

std::vector<std::uint64_t> unnamed_addresses(std::span<const std::byte> bytes,
                                             const AddressNames& names) {
  std::unordered_set<std::uint64_t> missing;
  const auto take = [&](std::uint32_t kind, std::span<const std::byte> record_bytes) -> Status {
    if (kind != AQ_THREAD) return {};
    const auto record = copy_of<aq_thread_record>(record_bytes);
    const std::size_t frames = std::min<std::size_t>(record.frames, AQ_FRAMES);
    for (const std::uint64_t address : std::span(record.stack).first(frames)) {
      if (!names.contains(address)) missing.insert(address);
    }
    return {};
  };
  // What is wrong with the records, parsing them says.
  static_cast<void>(for_each_record(bytes, take));
  return {missing.begin(), missing.end()};
}

void take_names(std::string_view text, std::span<const std::uint64_t> addresses,
                AddressNames& names) {
  for (const std::uint64_t address : addresses) names.try_emplace(address);
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) continue;
    const auto index = parse_int<std::size_t>(line.substr(0, blank));
    const std::string_view name = line.substr(blank + 1);
    // Without the kernel's symbols there is only a number.
    const std::size_t end = name.find("+0x");
    if (!index || *index >= addresses.size() || end == std::string_view::npos) continue;
    names[addresses[*index]] = name.substr(0, end);
  }
}

std::uint32_t wake_meaning(std::string_view function) {
  struct Meaning {
    std::string_view function;
    std::uint32_t meaning;
  };
  constexpr std::array kMeanings = std::to_array<Meaning>({
      {"autoremove_wake_function", AQ_WAKE_ACCEPT},  // inet_csk_wait_for_connect()
      {"receiver_wake_function", AQ_WAKE_ACCEPT},    // unix_accept(): __skb_wait_for_more_packets()
      {"pollwake", AQ_WAKE_POLL},
      {"ep_poll_callback", AQ_WAKE_EPOLL},
      {"io_poll_wake", AQ_WAKE_IO_URING},
      {"io_async_wake", AQ_WAKE_IO_URING},  // up to 5.16, while a request waits to be tried again
  });
  // A compiler may have given it another number: "pollwake.llvm.4711".
  const auto it =
      std::ranges::find(kMeanings, function.substr(0, function.find('.')), &Meaning::function);
  return it != kMeanings.end() ? it->meaning : std::uint32_t{AQ_WAKE_OTHER};
}

char state_letter(std::uint32_t state, std::uint32_t exit_state) {
  // task_state_index() in include/linux/sched.h, with its bits of 4.14 to 6.18.
  constexpr std::uint32_t kUninterruptible = 0x2;
  constexpr std::uint32_t kIdle = 0x402;                    // uninterruptible, and no load
  constexpr std::uint32_t kLockOrFrozen = 0x1000 | 0x8000;  // 5.16, 6.1: shown as uninterruptible
  constexpr std::uint32_t kReported = 0x7f;
  constexpr std::string_view kLetters = "RSDTtXZP";  // by the highest bit
  if ((state & kIdle) == kIdle) return 'I';
  std::uint32_t bits = (state | exit_state) & kReported;
  if ((state & kLockOrFrozen) != 0) bits = kUninterruptible;
  return kLetters[static_cast<std::size_t>(std::bit_width(bits))];
}

}  // namespace acceptq::collect::bpf
