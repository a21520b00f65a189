// Which of the kernel's listen-path rules a release follows. docs/kernel-listen-path.md tells the
// story of each with its source.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace acceptq::listenpath {

struct KernelVersion {
  int major = 0;
  int minor = 0;
  // Stable patch level; empty where the release hides it (Debian's "6.1.0-56-amd64").
  std::optional<int> patch;
  std::optional<int> debian_abi;  // 56 of "6.1.0-56-amd64"
  std::optional<int> rhel;        // 7 of "3.10.0-1160.el7.x86_64"

  friend bool operator==(const KernelVersion&, const KernelVersion&) = default;
};

// The release that uname -r prints; nothing where it does not begin with two numbers.
[[nodiscard]] std::optional<KernelVersion> parse_release(std::string_view release);

// How "SYN queue full" is decided.
enum class SynQueueRule {
  kTable,           // ≤ 4.3: qlen >= a power of two made from the first backlog
  kAtLimit,         // 4.4 … 6.12: qlen >= limit
  kAboveLimit,      // 6.13, and stable releases of early 2025: qlen > limit (3479c7549fb1)
  kAtOrAboveLimit,  // one of the last two: the release does not tell which
};

struct KernelRules {
  bool known = false;  // false: the release was not understood; the newest rules are assumed
  SynQueueRule syn_queue = SynQueueRule::kAboveLimit;
  // ≤ 4.9: a full accept queue refuses a SYN only if more than one request is young.
  bool full_needs_young = false;
  bool cookies_count_as_drops = false;  // 3.8 … 4.6: ListenDrops counts SYNs answered by a cookie
  bool syn_drops_counted = true;        // ≥ 3.8: refused SYNs move ListenDrops at all
  bool socket_drops_counted = true;     // ≥ 4.7: sk_drops of the listener moves
  std::uint32_t default_somaxconn = 4096;       // of a new namespace: 128 before 5.4
  bool max_syn_backlog_per_namespace = true;    // ≥ 4.11
  bool abort_on_overflow_per_namespace = true;  // ≥ 4.15
  bool linear_syn_timeouts = true;              // ≥ 6.5: clients repeat SYNs at 1, 2, 3, 4, 5, 7 s
};

[[nodiscard]] KernelRules rules_for(std::string_view release);

}  // namespace acceptq::listenpath
