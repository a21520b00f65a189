// Which host, kernel and boot this is.
#pragma once

#include <string>

#include "base/result.h"
#include "facts/snapshot.h"

namespace acceptq::collect::procfs {

// From PROC_ROOT/sys/kernel/{hostname,osrelease,random/boot_id} rather than uname(2), so that a
// recorded tree gives the host that it was recorded on. In a container the name is the container's
// (its UTS namespace). Fails where hostname or osrelease cannot be read; without boot_id (a masked
// /proc/sys) that field is empty.
[[nodiscard]] Result<facts::Host> read_host(const std::string& proc_root);

}  // namespace acceptq::collect::procfs
