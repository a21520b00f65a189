// One line of /proc/PID/mountinfo. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace acceptq::evidence {

// Views into the line; names as the kernel escapes them (decode_octal_escapes).
struct MountLine {
  int id = 0;
  int parent = 0;
  std::uint64_t device = 0;  // of the file system: major << 20 | minor
  std::string_view root;     // what of the file system is mounted
  std::string_view point;    // where, as the process sees it
  std::string_view type;     // "nfs4", "fuse.sshfs"
  std::string_view source;   // "10.0.0.9:/data"
  std::string_view options;  // of the file system: "rw,cpu"
};

// "36 35 98:0 /root /point options [optional…] - type source super-options"
// (proc_pid_mountinfo(5)); nothing for a line of another form.
[[nodiscard]] std::optional<MountLine> parse_mount_line(std::string_view line);

}  // namespace acceptq::evidence
