#include "collect/netns/mountinfo.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/bytes.h"
#include "base/text.h"
#include "evidence/mount_line.h"

namespace acceptq::collect::netns {
namespace {

constexpr std::string_view kNetworkRoot = "net:[";

using Mount = evidence::MountLine;

// Whether a walk over a file system of this type asks somebody who may not answer (its
// d_revalidate; autofs mounts on the way).
bool is_remote(std::string_view type) {
  constexpr std::string_view kTypes[] = {
      "9p",    "afs",     "autofs",   "beegfs", "ceph",  "cifs",   "coda",
      "fuse",  "fuseblk", "gfs2",     "lustre", "ncpfs", "nfs",    "nfs4",
      "ocfs2", "smb3",    "orangefs", "pvfs2",  "smbfs", "vboxsf", "virtiofs"};
  return type.starts_with("fuse.") || std::ranges::find(kTypes, type) != std::end(kTypes);
}

using MountsById = std::unordered_map<int, Mount>;

std::string_view remote_on_the_way(const Mount& mount, const MountsById& by_id) {
  auto at = by_id.find(mount.parent);
  // A chain cannot be longer than there are mounts; a text that says so is broken.
  for (std::size_t step = 0; at != by_id.end() && step < by_id.size(); ++step) {
    if (is_remote(at->second.type)) return at->second.type;
    at = by_id.find(at->second.parent);
  }
  return {};
}

}  // namespace

std::vector<NamespaceMount> parse_namespace_mounts(std::string_view mountinfo) {
  if (mountinfo.find(kNetworkRoot) == std::string_view::npos) return {};
  std::vector<Mount> of_namespaces;
  MountsById by_id;
  while (!mountinfo.empty()) {
    const std::optional<Mount> mount = evidence::parse_mount_line(next_line(mountinfo));
    if (!mount) continue;
    by_id.insert_or_assign(mount->id, *mount);
    if (mount->root.starts_with(kNetworkRoot)) of_namespaces.push_back(*mount);
  }
  std::vector<NamespaceMount> mounts;
  for (const Mount& mount : of_namespaces) {
    const std::optional<std::uint64_t> inode = parse_inode_link(mount.root, "net");
    if (!inode) continue;
    mounts.push_back({.id = NetnsId(*inode),
                      .path = decode_octal_escapes(mount.point),
                      .remote_type = std::string(remote_on_the_way(mount, by_id))});
  }
  return mounts;
}

}  // namespace acceptq::collect::netns
