// File systems in user space, and the processes that serve them. Nothing here asks those file
// systems themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "facts/threads.h"

namespace acceptq::collect::fuse {

// The file systems in user space of the text of /proc/PID/mountinfo, each once: those of `devices`,
// all where it is empty. Pure.
[[nodiscard]] std::vector<facts::FuseConnection> parse_mounts(
    std::string_view mountinfo, std::span<const std::uint64_t> devices);

// N of "fuse_connection:\tN" in the text of /proc/PID/fdinfo/FD of a descriptor of /dev/fuse (fs/
// fuse/dev.c, fuse_dev_show_fdinfo; seen on 6.18): the device of the file system. Nothing where the
// descriptor serves none, or the kernel does not tell. Pure.
[[nodiscard]] std::optional<std::uint64_t> parse_connection(std::string_view fdinfo);

// A descriptor of /dev/fuse.
struct Holder {
  Pid pid;
  std::int32_t fd = -1;
  std::optional<std::uint64_t> connection;  // where the kernel tells
  bool in_call = false;  // a thread of the process is in a call on it: it waits for requests
};

struct Holders {
  std::vector<Holder> all;  // by process and descriptor
  bool complete = true;     // no process was stuck, and none may not be looked at
};

// The process that answers for `device`. Of several that hold its connection (after a fork), one
// that waits for requests, or else the first. Where the kernel does not tell connections apart,
// only if there can be no other: one process on the host, and one connection (of `connections`).
// Pure.
[[nodiscard]] std::optional<Pid> daemon_of(const Holders& holders, std::uint64_t device,
                                           std::size_t connections);

struct Roots {
  std::string proc = "/proc";
  std::string connections = "/sys/fs/fuse/connections";  // of fusectl, where that is mounted
};

// The connections of `devices`, where `observer` sees them mounted, or else this process; by
// device. All that `observer` sees where `devices` is empty.
[[nodiscard]] std::vector<facts::FuseConnection> read_connections(
    const Roots& roots, Pid observer, std::span<const std::uint64_t> devices);

}  // namespace acceptq::collect::fuse
