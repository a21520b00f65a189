// What a descriptor of another process is, without touching it.
//
// stat() or open() by way of /proc/PID/fd/N would go to the file system behind it, and hang where
// that is dead. The link's text comes from the dentry; which mount it is on, and its inode, stand
// in /proc/PID/fdinfo/N (fs/proc/fd.c, seq_show: mnt_id since 3.15, ino since 5.14); what that
// mount is, in the process's own mountinfo. All wait for a process inside execve()
// (collect/attended.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "facts/threads.h"

namespace acceptq::collect::procfs {

// Whether the link leads to a file by its path: only then fdinfo and mountinfo are of use. Not so
// of "pipe:[18124739]", "socket:[…]" and "anon_inode:[eventpoll]".
[[nodiscard]] bool is_path(std::string_view link);

// `fdinfo` and `mountinfo` may be empty. The type stays empty where it is not known: of a file on a
// mount that the process does not see ("/memfd:x (deleted)"). A kernel without mnt_id leaves the
// longest mount point that the path begins with. Pure.
[[nodiscard]] facts::FileTarget target_of(std::string_view link, std::string_view fdinfo,
                                          std::string_view mountinfo);

// Of descriptors of one process; its mountinfo is read once, when it is first needed.
class FileTargets {
 public:
  explicit FileTargets(std::string process_dir) : dir_(std::move(process_dir)) {}

  // Nothing where the descriptor is closed, or may not be looked at.
  [[nodiscard]] std::optional<facts::FileTarget> of(std::int32_t fd);

 private:
  std::string dir_;
  std::optional<std::string> mountinfo_;
};

}  // namespace acceptq::collect::procfs
