// One listening socket, as the kernel describes it. Plain data: where a field could not be known it
// is empty, never a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "facts/address.h"

namespace acceptq::facts {

enum class Protocol { kTcp, kUnix };

// What a value was read from; the names of `source` in a report.
enum class Source {
  kFunctions,
  kTracepoints,
  kPackets,
  kCounters,
  kSocketDrops,
  kImported,
  kSimulated
};

// One descriptor through which a process holds the socket open.
struct OwnerRef {
  Pid pid;
  std::int32_t fd = -1;

  friend bool operator==(const OwnerRef&, const OwnerRef&) = default;
  friend auto operator<=>(const OwnerRef&, const OwnerRef&) = default;
};

struct Listener {
  Protocol protocol = Protocol::kTcp;
  // The TCP socket below an MPTCP listener; its cookie is the subflow's, which is what sock_diag
  // shows, not the one of the descriptor.
  bool mptcp = false;
  NetnsId netns;
  IpAddress address;                     // TCP
  std::uint16_t port = 0;                // TCP
  std::string path;                      // Unix; an abstract name starts with '@'
  std::optional<std::uint32_t> ifindex;  // SO_BINDTODEVICE
  std::optional<std::string> device;     // its name, where it could be looked up
  std::optional<bool> v6only;            // IPv6 only; empty for IPv4 and Unix
  std::optional<bool> reuseport;         // SO_REUSEPORT, where the source shows it
  SocketCookie cookie;                   // 0: not known
  SocketInode inode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint64_t> cgroup_id;  // cgroup v2 id of the socket

  // False where only packets tell of it: the length below is then 0, and says nothing.
  bool queue_seen = true;
  QueueLength accept_queue_len;     // sk_ack_backlog
  std::optional<QueueLimit> limit;  // sk_max_ack_backlog
  // What the limit was before acceptq gave it the one that it has now, by acceptq's journal.
  std::optional<QueueLimit> resized_from;
  std::optional<std::uint32_t> syn_queue_len;    // request sockets in SYN_RECV
  std::optional<std::uint32_t> syn_queue_young;  // those without a SYN-ACK timeout yet
  std::optional<std::uint32_t> defer_accept;     // TCP_DEFER_ACCEPT, in SYN-ACKs to repeat; 0: off
  // Of those in the accept queue, how many were looked at, and whose client has closed its side or
  // reset the connection: they hold their place until accept() takes them.
  std::optional<std::uint32_t> waiting_seen;
  std::optional<std::uint32_t> waiting_hung_up;
  std::optional<std::uint32_t> drops;              // sk_drops: over-counts, and wraps at 2^32
  std::optional<std::uint32_t> backlog_requested;  // what listen() was called with, where traced

  // It was closed while it was observed, and is kept for what happened to it before.
  bool closed = false;

  // Where it was read in text that somebody pasted ("ticket.txt:12"); empty: it was observed by
  // acceptq. The number of its namespace is then a placeholder (see Pasted in facts/namespace.h).
  std::string pasted_at;

  // Ordered and unique. Empty with `owners_complete`: no descriptor table holds the socket (kernel-
  // owned, in flight over a Unix socket, or an io_uring fixed file).
  std::vector<OwnerRef> owners;
  // False where some process's descriptors could not be read, so an owner may be missing.
  bool owners_complete = false;

  friend bool operator==(const Listener&, const Listener&) = default;
};

// "tcp:NETNS:ADDRESS:PORT#COOKIE" (IPv6 in brackets) or "unix:NETNS:PATH#COOKIE"; the cookie in
// hex, or "iINODE" where it is not known. Unique in a snapshot and the same for the same socket in
// two. Of a pasted one NETNS is "pastedN", and where neither cookie nor inode are known, the place
// at which it was read stands for them.
[[nodiscard]] std::string listener_key(const Listener& listener);
// Whether two keys would be equal, without making them.
[[nodiscard]] bool has_same_key(const Listener& a, const Listener& b);

// "0.0.0.0:80", "[::1]:443", "unix:/run/x.sock"; with "%eth0" behind the address where it is bound
// to a device.
[[nodiscard]] std::string listener_endpoint(const Listener& listener);

// Whether it takes connections to `address`: its own, or any for a wildcard; an IPv6 wildcard
// serves IPv4 as well, unless IPV6_V6ONLY is known to be set.
[[nodiscard]] bool serves_address(const Listener& listener, const IpAddress& address);
// Whether it is open there, for TCP, at whichever address.
[[nodiscard]] bool listens_on(const Listener& listener, NetnsId netns, std::uint16_t port);
// Whether that descriptor is it.
[[nodiscard]] bool is_held_at(const Listener& listener, const OwnerRef& place);
// A process that has both.
[[nodiscard]] bool has_common_owner(const Listener& a, const Listener& b);

// The group of SO_REUSEPORT that the listener can belong to: equal for two sockets that share
// namespace, address, port and device. Empty for Unix sockets.
[[nodiscard]] std::string reuseport_key(const Listener& listener);

// Entries at which the queue is full: the kernel refuses when length > limit, so limit + 1 fit
// (sk_acceptq_is_full, include/net/sock.h, every release from 2.6.20 to 7.3).
[[nodiscard]] std::uint64_t accept_queue_capacity(QueueLimit limit);

// "Full" for a sampled length: length ≥ limit. Between two connections a queue that is refusing
// swings between limit + 1 and limit, so a sample of `limit` is taken for full too.
[[nodiscard]] bool sampled_full(QueueLength length, QueueLimit limit);

}  // namespace acceptq::facts
