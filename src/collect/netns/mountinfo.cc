#include "collect/netns/mountinfo.h"

#include <cstdint>
#include <optional>

#include "base/text.h"

namespace acceptq::collect::netns {
namespace {

// The kernel escapes blank, tab, newline and backslash as \ooo (fs/seq_file.c, mangle_path).
std::string unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    if (text.front() == '\\' && text.size() >= 4) {
      const std::optional<std::uint8_t> byte = parse_int<std::uint8_t>(text.substr(1, 3), 8);
      if (byte) {
        plain.push_back(static_cast<char>(*byte));
        text.remove_prefix(4);
        continue;
      }
    }
    plain.push_back(text.front());
    text.remove_prefix(1);
  }
  return plain;
}

}  // namespace

std::vector<NamespaceMount> parse_namespace_mounts(std::string_view mountinfo) {
  constexpr std::string_view kPrefix = "net:[";
  constexpr std::size_t kRoot = 3;
  constexpr std::size_t kMountPoint = 4;
  std::vector<NamespaceMount> mounts;
  while (!mountinfo.empty()) {
    const std::string_view line = next_line(mountinfo);
    if (line.find(kPrefix) == std::string_view::npos) continue;
    const std::vector<std::string_view> fields = split_blank(line);
    if (fields.size() <= kMountPoint) continue;
    std::string_view root = fields[kRoot];
    if (!root.starts_with(kPrefix) || !root.ends_with(']')) continue;
    root.remove_prefix(kPrefix.size());
    root.remove_suffix(1);
    const std::optional<std::uint64_t> inode = parse_int<std::uint64_t>(root);
    if (inode) mounts.push_back({.id = NetnsId(*inode), .path = unescape(fields[kMountPoint])});
  }
  return mounts;
}

}  // namespace acceptq::collect::netns
