#include "collect/procfs/file_target.h"

#include <cstddef>
#include <utility>

#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "collect/procfs/labelled_line.h"
#include "evidence/mount_line.h"

namespace acceptq::collect::procfs {
namespace {

using evidence::MountLine;

// "pipe:[18124739]": the name before the colon, and the file system that such names are of.
struct Form {
  std::string_view kind;
  std::string_view type;
};
constexpr Form kForms[] = {{"pipe", "pipefs"}, {"socket", "sockfs"}};
constexpr std::string_view kAnonymous = "anon_inode:";

bool is_below(std::string_view path, std::string_view point) {
  if (point == "/") return path.starts_with('/');
  return path.starts_with(point) && (path.size() == point.size() || path[point.size()] == '/');
}

template <typename Wanted>
std::optional<MountLine> last_mount(std::string_view mountinfo, const Wanted& wanted) {
  std::optional<MountLine> found;
  while (!mountinfo.empty()) {
    const std::optional<MountLine> mount = evidence::parse_mount_line(next_line(mountinfo));
    if (mount && wanted(*mount, found)) found = mount;
  }
  return found;
}

std::optional<MountLine> mount_of(std::string_view link, std::string_view fdinfo,
                                  std::string_view mountinfo) {
  if (const auto id = labelled_number<int>(fdinfo, "mnt_id:")) {
    return last_mount(mountinfo,
                      [&](const MountLine& mount, const auto&) { return mount.id == *id; });
  }
  return last_mount(mountinfo, [&](const MountLine& mount, const std::optional<MountLine>& before) {
    return is_below(link, decode_octal_escapes(mount.point)) &&
           (!before || mount.point.size() >= before->point.size());
  });
}

}  // namespace

bool is_path(std::string_view link) { return link.starts_with('/'); }

facts::FileTarget target_of(std::string_view link, std::string_view fdinfo,
                            std::string_view mountinfo) {
  facts::FileTarget target;
  target.path = link;
  for (const Form& form : kForms) {
    if (const auto inode = parse_inode_link(link, form.kind)) {
      target.type = form.type;
      target.inode = *inode;
      return target;
    }
  }
  if (link.starts_with(kAnonymous)) {
    target.type = "anon_inodefs";
    return target;
  }
  target.inode = labelled_number<std::uint64_t>(fdinfo, "ino:").value_or(0);
  if (!is_path(link)) return target;
  if (const std::optional<MountLine> mount = mount_of(link, fdinfo, mountinfo)) {
    // "fuse.sshfs" is of the type "fuse" (fs/proc_namespace.c, show_type).
    target.type = mount->type.substr(0, mount->type.find('.'));
    target.device = mount->device;
    if (!mount->source.empty()) target.source = decode_octal_escapes(mount->source);
  }
  return target;
}

std::optional<facts::FileTarget> FileTargets::of(std::int32_t fd) {
  constexpr std::size_t kMaxFdinfo = std::size_t{1} << 20;
  const std::string number = std::to_string(fd);
  const Result<std::string> link = read_link(dir_ + "/fd/" + number);
  if (!link) return std::nullopt;
  if (!is_path(*link)) return target_of(*link, {}, {});
  if (!mountinfo_) mountinfo_ = read_file(dir_ + "/mountinfo").value_or(std::string());
  const auto fdinfo = read_file(dir_ + "/fdinfo/" + number, kMaxFdinfo);
  return target_of(*link, fdinfo.value_or(std::string()), *mountinfo_);
}

}  // namespace acceptq::collect::procfs
