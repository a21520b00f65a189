#include "collect/fuse/connections.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "collect/procfs/labelled_line.h"
#include "evidence/mount_line.h"

namespace acceptq::collect::fuse {
namespace {

// With "fuseblk" (ntfs-3g) and subtypes: "fuse.sshfs".
bool is_fuse(std::string_view type) {
  const std::string_view name = type.substr(0, type.find('.'));
  return name == "fuse" || name == "fuseblk";
}

template <typename Wanted>
const Holder* best(const std::vector<Holder>& holders, const Wanted& wanted) {
  const Holder* first = nullptr;
  for (const Holder& holder : holders) {
    if (!wanted(holder)) continue;
    if (holder.in_call) return &holder;
    if (first == nullptr) first = &holder;
  }
  return first;
}

}  // namespace

std::vector<facts::FuseConnection> parse_mounts(std::string_view mountinfo,
                                                std::span<const std::uint64_t> devices) {
  std::vector<facts::FuseConnection> mounts;
  while (!mountinfo.empty()) {
    const auto mount = evidence::parse_mount_line(next_line(mountinfo));
    if (!mount || !is_fuse(mount->type)) continue;
    if (!devices.empty() && std::ranges::find(devices, mount->device) == devices.end()) continue;
    if (std::ranges::find(mounts, mount->device, &facts::FuseConnection::device) != mounts.end()) {
      continue;
    }
    mounts.push_back({.device = mount->device,
                      .mountpoint = decode_octal_escapes(mount->point),
                      .type = std::string(mount->type)});
  }
  return mounts;
}

std::optional<std::uint64_t> parse_connection(std::string_view fdinfo) {
  return procfs::labelled_number<std::uint64_t>(fdinfo, "fuse_connection:");
}

std::optional<Pid> daemon_of(const Holders& holders, std::uint64_t device,
                             std::size_t connections) {
  const std::vector<Holder>& all = holders.all;
  const bool told =
      std::ranges::any_of(all, [](const Holder& each) { return each.connection.has_value(); });
  if (told) {
    const Holder* const found =
        best(all, [&](const Holder& each) { return each.connection == device; });
    return found != nullptr ? std::optional(found->pid) : std::nullopt;
  }
  const bool is_only = !all.empty() && all.front().pid == all.back().pid;
  if (!is_only || !holders.complete || connections != 1) return std::nullopt;
  return all.front().pid;
}

}  // namespace acceptq::collect::fuse
