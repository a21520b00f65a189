// The sysctls of the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "facts/namespace.h"

namespace acceptq::collect::netns {

using Sysctls = std::map<std::string, facts::Sysctl>;

// facts::kListenSysctls, as the calling thread's namespace has them. /proc/sys/net follows the
// reader's namespace, also through /proc/PID/root, so it must be read after setns(). A file that is
// absent here while `host` has a value is kNotNamespaced (with the host's value) for the TCP knobs
// that were global on old kernels; somaxconn is per namespace on every kernel we know but hidden in
// namespaces of non-initial user namespaces up to Linux 6.2, where it is kUnreadable.
[[nodiscard]] Sysctls read_listen_sysctls(const Sysctls* host);

// facts::kConntrackCount and kConntrackMax of the calling thread's namespace, where it has them.
void add_conntrack_sysctls(Sysctls& sysctls);

// SO_NETNS_COOKIE (Linux 5.14): tells a namespace from a later one with the same inode.
[[nodiscard]] std::optional<std::uint64_t> netns_cookie();

}  // namespace acceptq::collect::netns
