// The storage that processes see behind a network: NFS mounts and what they count. Nothing here
// asks that storage itself.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"
#include "evidence/mountstats.h"
#include "facts/threads.h"

namespace acceptq::collect {

// The NFS mounts that a process sees; empty where it may not be read.
[[nodiscard]] std::vector<evidence::NfsMountStats> read_nfs(const std::string& proc_root,
                                                            Pid observer);
// What happened between two readings of one process's mounts; a mount that is new has no counts.
// Pure.
[[nodiscard]] std::vector<facts::NfsMount> nfs_between(
    const std::vector<evidence::NfsMountStats>& earlier,
    const std::vector<evidence::NfsMountStats>& later);

}  // namespace acceptq::collect
