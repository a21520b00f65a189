// What a server's own configuration says about its accept queue, and the edit that changes it.
//
// A server's reader (nginx.h, haproxy.h …) is pure: it asks for files by name or pattern through
// `ReadFiles`, which is I/O's (collect/config_files.h), understands no more than it must, and
// answers with the whole new text of the files that change. What it did not understand it refuses
// with the place ("/etc/nginx/nginx.conf:17: …"): a wrong edit is worse than none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "config/takes_effect.h"
#include "facts/change.h"
#include "facts/listener.h"

namespace acceptq::config {

// Where a file really lies, links resolved, as the process sees its root: what is to be edited.
struct File {
  std::string path;
  std::string text;
  std::optional<facts::FileIdentity> identity;  // where it was read from a file system

  friend bool operator==(const File&, const File&) = default;
};

// The files that an absolute name means: of a pattern (*, ?, [) all that match, by name; none is
// fine. Of any other name that one file: kNotFound where it is not there, EISDIR of a directory.
using ReadFiles = std::function<Result<std::vector<File>>(const std::string& pattern)>;

// How the process was started.
struct Invocation {
  std::string program;                 // /proc/PID/exe, as seen from the process's root
  std::vector<std::string> arguments;  // /proc/PID/cmdline, the program's own name first
  std::string directory;               // /proc/PID/cwd, as seen from the process's root
  Pid pid;                             // of the process, as whoever reads this calls it
};

// What is to be changed: how long a queue the server asks for, or what keeps it from accepting.
enum class Setting {
  kBacklog,
  kConnections,  // its own bound on connections, or on those who serve them
  kOpenFiles,    // its own bound on descriptors
};

struct Wish {
  facts::Listener listener;
  Setting setting = Setting::kBacklog;
  std::uint32_t value = 0;
};

struct FileEdit {
  std::string path;
  std::optional<std::string> before;  // empty: the file is new
  std::string after;
  std::size_t line = 0;  // the first that changes, counted from 1
  std::string replaced;  // what `after` has no more; empty where something comes in alone

  friend bool operator==(const FileEdit&, const FileEdit&) = default;
};

struct Edit {
  std::vector<FileEdit> files;  // none: only `option` changes, or nothing does
  std::string option;           // of the command line, which no file of the server holds
  TakesEffect takes_effect;
  Command check;     // finds faults in the files first: "nginx -t"; may be empty
  std::string note;  // what else is to be known, a sentence; may be empty
};

// The number of the line that `offset` is in, from 1.
[[nodiscard]] std::size_t line_at(std::string_view text, std::size_t offset);
// "PATH:LINE".
[[nodiscard]] std::string place(const File& file, std::size_t offset);
// "PATH:LINE: what", kMalformed.
[[nodiscard]] Error malformed(const File& file, std::size_t offset, std::string_view what);

// How far includes are followed: files that include each other end somewhere.
inline constexpr std::size_t kMaxIncludeDepth = 32;
inline constexpr std::size_t kMaxIncludedFiles = 512;
// The error of a directive at `here` ("PATH:LINE") that includes too deeply.
[[nodiscard]] Error too_deep(std::string_view here);
// The error of a file past kMaxIncludedFiles.
[[nodiscard]] Error too_many_files(const File& file);
// What became of the files that the directive at `here` includes, as an error of that place; one
// that names a place in them already stays. Never kNotFound, which is of the first file alone.
[[nodiscard]] Error of_include(std::string_view here, const Error& error);

// Whether the last of these lines ends in a backslash, which joins the next one to it.
[[nodiscard]] bool is_continued(std::string_view lines);

// The file with `length` bytes at `offset` replaced.
[[nodiscard]] FileEdit replace(const File& file, std::size_t offset, std::size_t length,
                               std::string_view by);
// The file with a new line behind the one that `offset` is in, indented like the one that `like` is
// in and ended as the file ends its lines.
[[nodiscard]] FileEdit insert_line_after(const File& file, std::size_t offset,
                                         std::string_view line, std::size_t like);
[[nodiscard]] inline FileEdit insert_line_after(const File& file, std::size_t offset,
                                                std::string_view line) {
  return insert_line_after(file, offset, line, offset);
}
// The file with a new line at its end, which is joined to no other.
[[nodiscard]] FileEdit append_line(const File& file, std::string_view line);

// `name` as an absolute path: as it is, or below `directory`.
[[nodiscard]] std::string absolute(std::string_view name, std::string_view directory);
// All but the last component: "/etc/nginx" of "/etc/nginx/nginx.conf".
[[nodiscard]] std::string_view directory_of(std::string_view path);

}  // namespace acceptq::config
