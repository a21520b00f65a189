#include "collect/bpf/iterator_records.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "collect/bpf/listeners_wire.h"

namespace acceptq::collect::bpf {
namespace {

using Record = aq_listener_record;

bool has(const Record& record, std::uint32_t bit) { return (record.valid & bit) != 0; }

std::string unix_path(const Record& record) {
  std::string path(static_cast<const char*>(record.path), record.path_len);
  if (!path.empty() && path.front() == '\0') {
    std::ranges::replace(path, '\0', '@');  // as /proc/net/unix shows abstract names
  } else {
    path.resize(std::min(path.size(), path.find('\0')));
  }
  return path;
}

// Of the processes that hold a listener, the record of the first says who waits.
void take_waiting(const Record& record, facts::Listener& listener) {
  if (!has(record, AQ_HAS_WAITING)) return;
  listener.waiting_seen = record.waiting_seen;
  listener.waiting_hung_up = record.waiting_hung_up;
}

Result<facts::Listener> listener_of(const Record& record) {
  facts::Listener listener;
  listener.netns = NetnsId(record.netns);
  listener.cookie = SocketCookie(record.cookie);
  listener.inode = SocketInode(record.inode);
  if (has(record, AQ_HAS_SOCKET_UID)) listener.uid = record.socket_uid;
  listener.accept_queue_len = QueueLength(record.accept_len);
  listener.limit = QueueLimit(record.accept_limit);
  if (has(record, AQ_HAS_CGROUP) && record.cgroup_id != 0) listener.cgroup_id = record.cgroup_id;
  if (record.path_len > AQ_PATH_LEN) {
    return fail(ErrorCode::kMalformed,
                "listener record: a path of " + std::to_string(record.path_len) + " bytes");
  }
  if (record.family == AF_UNIX) {
    listener.protocol = facts::Protocol::kUnix;
    listener.path = unix_path(record);
    return listener;
  }
  const std::span<const std::uint8_t, 16> address(record.address);
  if (record.family == AF_INET) {
    listener.address = facts::IpAddress::v4(address.first<4>());
  } else if (record.family == AF_INET6) {
    listener.address = facts::IpAddress::v6(address);
    listener.v6only = (record.flags & AQ_V6ONLY) != 0;
  } else {
    return fail(ErrorCode::kMalformed,
                "listener record: unknown address family " + std::to_string(record.family));
  }
  listener.port = record.port;
  listener.mptcp = (record.flags & AQ_MPTCP) != 0;
  listener.reuseport = (record.flags & AQ_REUSEPORT) != 0;
  if (record.ifindex != 0) listener.ifindex = record.ifindex;
  if (has(record, AQ_HAS_SYN_QUEUE)) {
    listener.syn_queue_len = record.syn_len;
    listener.syn_queue_young = record.syn_young;
    listener.defer_accept = record.defer_accept;
  }
  if (has(record, AQ_HAS_DROPS)) listener.drops = record.drops;
  take_waiting(record, listener);
  return listener;
}

facts::Process process_of(const Record& record, long ticks_per_second) {
  facts::Process process;
  process.pid = Pid(static_cast<std::int32_t>(record.tgid));
  process.parent = Pid(static_cast<std::int32_t>(record.parent_tgid));
  const std::uint64_t tick_ns = 1'000'000'000U / static_cast<std::uint64_t>(ticks_per_second);
  process.start_ticks = record.start_boottime_ns / tick_ns;
  const std::string_view comm(static_cast<const char*>(record.comm), AQ_COMM_LEN);
  process.comm = std::string(comm.substr(0, comm.find('\0')));
  process.uid = record.uid;
  if (record.task_netns != 0) process.netns = NetnsId(record.task_netns);
  return process;
}

NamespaceSeen namespace_of(const Record& record) {
  NamespaceSeen seen;
  seen.id = NetnsId(record.netns);
  if (has(record, AQ_HAS_NET_COOKIE) && record.net_cookie != 0) seen.cookie = record.net_cookie;
  const auto take = [&](std::uint32_t bit, const char* name, std::int32_t value) {
    if (has(record, bit)) {
      seen.sysctls[name] = {.state = facts::SysctlState::kValue, .value = value};
    }
  };
  take(AQ_HAS_SOMAXCONN, facts::kSomaxconn, record.somaxconn);
  take(AQ_HAS_MAX_SYN_BACKLOG, facts::kMaxSynBacklog, record.max_syn_backlog);
  take(AQ_HAS_SYNCOOKIES, facts::kSyncookies, record.syncookies);
  take(AQ_HAS_ABORT_ON_OVERFLOW, facts::kAbortOnOverflow, record.abort_on_overflow);
  take(AQ_HAS_SYNACK_RETRIES, facts::kSynackRetries, record.synack_retries);
  take(AQ_HAS_FASTOPEN, facts::kFastopen, record.fastopen);
  return seen;
}

class Aggregator {
 public:
  Aggregator(long ticks_per_second, Wanted wanted, std::size_t records)
      : ticks_per_second_(ticks_per_second), wanted_(wanted) {
    scan_.listeners.reserve(records);
    by_inode_.reserve(records);
  }

  Status add(const Record& record) {
    ++scan_.records;
    Result<facts::Listener*> listener = find_or_add(record);
    if (!listener) return fail(std::move(listener.error()));
    if (wanted_ == Wanted::kListeners) return {};
    if (record.tgid != 0) {
      (*listener)->owners.push_back({.pid = Pid(static_cast<std::int32_t>(record.tgid)),
                                     .fd = static_cast<std::int32_t>(record.fd)});
      if (processes_.insert(record.tgid).second) {
        scan_.processes.push_back(process_of(record, ticks_per_second_));
      }
    }
    if (namespaces_.insert(record.netns).second) scan_.namespaces.push_back(namespace_of(record));
    return {};
  }

  IteratorScan finish() && {
    for (facts::Listener& listener : scan_.listeners) {
      std::ranges::sort(listener.owners);
      const auto repeated = std::ranges::unique(listener.owners);
      listener.owners.erase(repeated.begin(), repeated.end());
    }
    return std::move(scan_);
  }

 private:
  // Inodes alone would do on a young host, but they wrap at 2^32 and then repeat. A socket may get
  // its cookie between two of its records, so none matches any.
  Result<facts::Listener*> find_or_add(const Record& record) {
    const auto [begin, end] = by_inode_.equal_range(record.inode);
    for (auto it = begin; it != end; ++it) {
      facts::Listener& known = scan_.listeners[it->second];
      const std::uint64_t cookie = known.cookie.value();
      if (known.netns.value() != record.netns) continue;
      if (cookie != 0 && record.cookie != 0 && cookie != record.cookie) continue;
      if (cookie == 0) known.cookie = SocketCookie(record.cookie);
      take_waiting(record, known);
      return &known;
    }
    Result<facts::Listener> listener = listener_of(record);
    if (!listener) return fail(std::move(listener.error()));
    by_inode_.emplace(record.inode, scan_.listeners.size());
    return &scan_.listeners.emplace_back(std::move(*listener));
  }

  long ticks_per_second_;
  Wanted wanted_;
  IteratorScan scan_;
  std::unordered_multimap<std::uint64_t, std::size_t> by_inode_;
  std::unordered_set<std::uint32_t> processes_;
  std::unordered_set<std::uint32_t> namespaces_;
};

}  // namespace

Result<IteratorScan> parse_iterator_records(std::span<const std::byte> bytes, long ticks_per_second,
                                            Wanted wanted) {
  if (bytes.size() % sizeof(Record) != 0) {
    return fail(ErrorCode::kTruncated, "the listener iterator ended inside a record, " +
                                           std::to_string(bytes.size() % sizeof(Record)) +
                                           " bytes behind the last of " +
                                           std::to_string(bytes.size() / sizeof(Record)));
  }
  Aggregator aggregator(ticks_per_second, wanted, bytes.size() / sizeof(Record));
  for (; !bytes.empty(); bytes = bytes.subspan(sizeof(Record))) {
    Record record;
    std::memcpy(&record, bytes.data(), sizeof record);
    if (const Status added = aggregator.add(record); !added) return fail(added.error());
  }
  return std::move(aggregator).finish();
}

}  // namespace acceptq::collect::bpf
