// Network namespaces that a bind mount keeps alive: /run/netns/x, /run/docker/netns/…, CNI's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace acceptq::collect::netns {

struct NamespaceMount {
  NetnsId id;
  std::string path;  // in the mount namespace that the text was read in
  // The type of a file system on the way to `path` that asks a server or a process for every name
  // ("nfs4", "fuse.sshfs"), or empty: to walk there may never end.
  std::string remote_type;

  friend bool operator==(const NamespaceMount&, const NamespaceMount&) = default;
};

// The nsfs mounts of network namespaces in the text of /proc/PID/mountinfo (proc_pid_mountinfo(5)):
// lines whose root is net:[N]. Octal escapes of the mount point (\040) are decoded. Lines that are
// not of the file's form are passed over: the kernel writes it, and other lines do not concern us.
[[nodiscard]] std::vector<NamespaceMount> parse_namespace_mounts(std::string_view mountinfo);

}  // namespace acceptq::collect::netns
