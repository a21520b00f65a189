// What the bytes of the listener iterator say. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "facts/listener.h"
#include "facts/namespace.h"
#include "facts/process.h"

namespace acceptq::collect::bpf {

// A network namespace as the listeners in it show it.
struct NamespaceSeen {
  NetnsId id;
  std::optional<std::uint64_t> cookie;
  std::map<std::string, facts::Sysctl> sysctls;  // those that this kernel shows
  facts::Counters counters;                      // those of the listen path, where they were read
};

struct IteratorScan {
  // One per socket, in the order of its first record, whose numbers it has; with all its owners.
  std::vector<facts::Listener> listeners;
  std::vector<facts::Process> processes;  // owners, one each; without exe and cgroup
  std::vector<NamespaceSeen> namespaces;
  std::uint64_t records = 0;
};

// kListeners leaves out owners, processes and namespaces.
enum class Wanted { kListeners, kAll };

// `bytes` are aq_listener_record after aq_listener_record; kTruncated where the last is not whole,
// kMalformed for an address family or a path's length that the program does not write. A process
// that is not visible in the reader's PID namespace is left out. `owners_complete` stays false:
// only the caller knows whether that namespace is the initial one. `ticks_per_second`:
// sysconf(_SC_CLK_TCK), positive.
[[nodiscard]] Result<IteratorScan> parse_iterator_records(std::span<const std::byte> bytes,
                                                          long ticks_per_second,
                                                          Wanted wanted = Wanted::kAll);

}  // namespace acceptq::collect::bpf
