// One network namespace: its sysctls and its counters.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "facts/counters.h"
#include "facts/process.h"

namespace acceptq::facts {

enum class SysctlState {
  kValue,
  // The file exists only in the initial namespace (or is hidden from this one): one value for the
  // whole host on this kernel.
  kNotNamespaced,
  kUnreadable,
};

struct Sysctl {
  SysctlState state = SysctlState::kUnreadable;
  std::int64_t value = 0;  // where state is kValue, or kNotNamespaced with the host's value known
  std::string reason;      // why it is unreadable

  friend bool operator==(const Sysctl&, const Sysctl&) = default;
};

// The sysctls that bear on a listener, by their dotted names.
inline constexpr const char* kSomaxconn = "net.core.somaxconn";
inline constexpr const char* kMaxSynBacklog = "net.ipv4.tcp_max_syn_backlog";
inline constexpr const char* kSyncookies = "net.ipv4.tcp_syncookies";
inline constexpr const char* kAbortOnOverflow = "net.ipv4.tcp_abort_on_overflow";
inline constexpr const char* kSynackRetries = "net.ipv4.tcp_synack_retries";
inline constexpr const char* kFastopen = "net.ipv4.tcp_fastopen";
inline constexpr const char* kListenSysctls[] = {kSomaxconn,       kMaxSynBacklog, kSyncookies,
                                                 kAbortOnOverflow, kSynackRetries, kFastopen};

// How full the table of connection tracking is, and may be; only where that was asked for.
inline constexpr const char* kConntrackCount = "net.netfilter.nf_conntrack_count";
inline constexpr const char* kConntrackMax = "net.netfilter.nf_conntrack_max";

// What keeps the namespace alive.
enum class HeldBy { kProcess, kMount, kDescriptor, kUnknown };

// A network namespace that is known from pasted text alone. Its id is a placeholder, unique in the
// snapshot: text does not tell the kernel's number.
struct Pasted {
  std::string label;              // "pod web-1", or the file: whose text it was, as far as it tells
  bool all_listeners = false;     // its list of listeners is whole, as far as the text tells
  bool compared = false;          // there were two samples in time, of which something grew
  std::optional<double> seconds;  // between them, where the text tells
  bool superseded = false;        // a later list of the same one shows other sockets
  std::vector<std::string> addresses;  // of its interfaces, where they were pasted
  // Its counters are from 0 at the first sample on: what they were then is not told (nstat
  // without -a).
  bool increments = false;
  // The pod or container that it is, where what was run in it says so; pids in it are its own.
  std::optional<Pod> pod;
  std::optional<Container> container;

  friend bool operator==(const Pasted&, const Pasted&) = default;
};

struct Namespace {
  NetnsId id;
  std::optional<Pasted> pasted;  // empty: acceptq saw it
  std::optional<bool> is_host;   // the initial namespace; empty where that is not known
  // acceptq itself ran in a container (a PID namespace other than the host's), and in this one.
  bool own_container = false;
  HeldBy held_by = HeldBy::kUnknown;
  std::string mount_path;               // where it is bind-mounted ("/run/netns/x"), if it is
  std::vector<Pid> pids;                // some processes in it, lowest first; enough to enter it
  std::optional<std::uint64_t> cookie;  // SO_NETNS_COOKIE (5.14): tells a reused inode apart
  std::map<std::string, Sysctl> sysctls;
  // Cumulative counters by nstat's names: "TcpExtListenOverflows", "TcpPassiveOpens". All of TcpExt
  // and Tcp. Empty where they could not be read (then a blind spot says why).
  Counters counters;
  std::string counters_source;  // "/proc/3985/net/netstat", as evidence names it

  friend bool operator==(const Namespace&, const Namespace&) = default;
};

}  // namespace acceptq::facts
