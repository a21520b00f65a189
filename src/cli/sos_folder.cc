#include "cli/sos_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "base/file.h"

namespace acceptq::cli {
namespace {

namespace fs = std::filesystem;

// A command, and the file that sos keeps its output in, by its versions. The first that is there is
// read.
struct Kept {
  const char* command;
  std::array<const char*, 4> files;
};
constexpr std::array<Kept, 8> kKept = {{
    {"uname -a", {"sos_commands/kernel/uname_-a", "uname"}},
    {"sysctl -a", {"sos_commands/kernel/sysctl_-a"}},
    {"ss -peaonmi", {"sos_commands/networking/ss_-peaonmi", "sos_commands/networking/ss_-peaonm"}},
    {"netstat -neopa",
     {"sos_commands/networking/netstat_-W_-neopa", "sos_commands/networking/netstat_-neopa",
      "netstat"}},
    {"netstat -s", {"sos_commands/networking/netstat_-s"}},
    {"nstat -zas", {"sos_commands/networking/nstat_-zas"}},
    {"cat /proc/net/netstat", {"proc/net/netstat"}},
    {"cat /proc/net/snmp", {"proc/net/snmp"}},
}};
// Of a named network namespace, below sos_commands/networking/namespaces/NAME.
constexpr std::array<const char*, 3> kInNamespace = {"ss -peaonmi", "netstat -s", "nstat -zas"};

constexpr std::size_t kMost = std::size_t{16} << 20;
constexpr std::size_t kMostNamespaces = 1000;

bool is_folder(const fs::path& path) {
  std::error_code none;
  return fs::is_directory(path, none);
}

// Nothing where it is not there, or leads out of the folder.
void add(const fs::path& root, const std::string& name, std::string command,
         std::vector<imports::Text>& texts) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(root / name, error);
  if (error || !fs::is_regular_file(whole, error)) return;
  const fs::path top = fs::canonical(root, error);
  if (error ||
      std::mismatch(top.begin(), top.end(), whole.begin(), whole.end()).first != top.end()) {
    return;
  }
  Result<std::string> bytes = read_file(whole.string(), kMost);
  if (!bytes || bytes->empty()) return;
  texts.push_back({.name = name, .bytes = std::move(*bytes), .command = std::move(command)});
}

std::string file_of(std::string command) {
  std::ranges::replace(command, ' ', '_');
  return command;
}

void add_namespaces(const fs::path& root, std::vector<imports::Text>& texts) {
  const std::string folder = "sos_commands/networking/namespaces";
  std::error_code error;
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(root / folder, error)) {
    if (names.size() < kMostNamespaces) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  for (const std::string& name : names) {
    for (const char* command : kInNamespace) {
      const std::string typed = fmt::format("ip netns exec {} {}", name, command);
      add(root, fmt::format("{}/{}/{}", folder, name, file_of(typed)), typed, texts);
    }
  }
}

}  // namespace

Result<std::vector<imports::Text>> read_sos_folder(const std::string& path) {
  fs::path root = path;
  if (!is_folder(root / "sos_commands")) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
      if (is_folder(entry.path() / "sos_commands")) root = entry.path();
    }
  }
  std::vector<imports::Text> texts;
  for (const Kept& kept : kKept) {
    const std::size_t before = texts.size();
    for (const char* file : kept.files) {
      if (file != nullptr && texts.size() == before) add(root, file, kept.command, texts);
    }
  }
  add_namespaces(root, texts);
  if (texts.empty()) {
    return fail(ErrorCode::kMalformed, fmt::format("cannot read {}: it is a directory, and not one "
                                                   "that sos report made",
                                                   path));
  }
  return texts;
}

}  // namespace acceptq::cli
