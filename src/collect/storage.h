// The storage that processes see behind a network or another process: NFS mounts and what they
// count, file systems in user space and who serves them. Nothing here asks that storage itself.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "evidence/mountstats.h"
#include "facts/threads.h"

namespace acceptq::collect {

// The file systems in user space of the text of /proc/PID/mountinfo, each once: those of `devices`,
// all where it is empty. Pure.
[[nodiscard]] std::vector<facts::FuseConnection> parse_fuse_mounts(
    std::string_view mountinfo, std::span<const std::uint64_t> devices);

// The number of "fuse_connection:\tN" in the text of /proc/PID/fdinfo/N of a descriptor of
// /dev/fuse (Linux 6.18, fs/fuse/dev.c, fuse_dev_show_fdinfo); it is the minor number of the file
// system's device. Pure.
[[nodiscard]] std::optional<std::uint64_t> parse_fuse_connection(std::string_view fdinfo);

// As `observer` sees them, with the process that serves each. Where the kernel does not say whose
// connection is whose, only one process that serves anything can be it.
[[nodiscard]] std::vector<facts::FuseConnection> read_fuse(const std::string& proc_root,
                                                           Pid observer,
                                                           std::span<const std::uint64_t> devices);

// The NFS mounts that a process sees; empty where it may not be read.
[[nodiscard]] std::vector<evidence::NfsMountStats> read_nfs(const std::string& proc_root,
                                                            Pid observer);
// What happened between two readings of one process's mounts; a mount that is new has no counts.
// Pure.
[[nodiscard]] std::vector<facts::NfsMount> nfs_between(
    const std::vector<evidence::NfsMountStats>& earlier,
    const std::vector<evidence::NfsMountStats>& later);

}  // namespace acceptq::collect
