#include "cli/sysctl_files.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/own_folder.h"
#include "base/text.h"

namespace acceptq::cli {
namespace {

constexpr std::size_t kMostFiles = 1000;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// "net/core/somaxconn" is the same, and a "-" before it only forgives errors.
bool sets(std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const std::string_view line = trim(next_line(text));
    const std::size_t sign = line.find('=');
    if (sign == std::string_view::npos) continue;
    std::string key(trim(line.substr(0, sign)));
    if (key.starts_with('-')) key.erase(0, 1);
    std::ranges::replace(key, '/', '.');
    if (key == name) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> set_later(const std::string& path, const std::string& name,
                                     const std::string& root) {
  std::vector<std::string> later;
  for (const char* folder : {"/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d"}) {
    const auto paths = paths_in(root + folder, ".conf", kMostFiles);
    if (!paths) continue;
    std::ranges::copy_if(*paths, std::back_inserter(later), [&](const std::string& each) {
      return base_name(each) > base_name(path);
    });
  }
  std::ranges::sort(later, {}, base_name);
  later.push_back(root + "/etc/sysctl.conf");
  for (const std::string& each : later) {
    const Result<std::string> text = read_file(each, kMostBytes);
    if (text && sets(*text, name)) return each;
  }
  return std::nullopt;
}

}  // namespace acceptq::cli
