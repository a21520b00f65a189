// MySQL and MariaDB: `back_log` in a group that the server reads, of which the last counts.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "config/command_line.h"
#include "config/ini.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

const IniStyle kStyle{.comments = "#;", .trailing = "#", .folds_key = true};

enum class Group { kOthers, kOfAVersion, kServers };

// "mysqld-8.0", "mariadb-10.11": of one version, which may not be this one. "mysqld_safe" and
// "mariadb-dump" are other programs'.
Group group_of(std::string_view section) {
  for (const std::string_view own : {"server", "mysqld", "mariadb", "mariadbd"}) {
    if (section == own) return Group::kServers;
    if (!section.starts_with(own) || section.size() < own.size() + 2) continue;
    const char digit = section[own.size() + 1];
    if (section[own.size()] == '-' && digit >= '0' && digit <= '9') return Group::kOfAVersion;
  }
  return Group::kOthers;
}

struct Options {
  std::vector<File> files;
  std::vector<std::pair<std::size_t, IniEntry>> entries;
};

Status read_into(Options& options, const std::string& name, const ReadFiles& read,
                 std::size_t depth) {
  Result<std::vector<File>> files = read(name);
  if (!files) return fail(files.error());
  for (File& file : *files) {
    if (options.files.size() == kMaxIncludedFiles) return fail(too_many_files(file));
    options.files.push_back(std::move(file));
    const std::size_t index = options.files.size() - 1;
    for (IniEntry& entry : parse_ini(options.files[index], kStyle)) {
      constexpr std::string_view kInclude = "!include";
      if (!entry.key.starts_with(kInclude)) {
        options.entries.emplace_back(index, std::move(entry));
        continue;
      }
      const File& from = options.files[index];
      const std::size_t end = std::min(from.text.find('\n', entry.line_begin), from.text.size());
      const auto words =
          split_blank(std::string_view(from.text).substr(entry.line_begin, end - entry.line_begin));
      if (words.size() < 2) continue;
      const std::string here = place(from, entry.line_begin);
      if (depth == kMaxIncludeDepth) return fail(too_deep(here));
      std::string path = absolute(words[1], directory_of(from.path));
      if (words[0] == "!includedir") path += path.ends_with('/') ? "*.cnf" : "/*.cnf";
      const Status status = read_into(options, path, read, depth + 1);
      if (!status) return fail(of_include(here, status.error()));
    }
  }
  return {};
}

std::vector<std::string> main_files(const Invocation& invocation) {
  if (const auto named = option_value(invocation.arguments, {"--defaults-file"})) {
    return {absolute(*named, invocation.directory)};
  }
  std::vector<std::string> files = {"/etc/my.cnf", "/etc/mysql/my.cnf"};
  if (const auto extra = option_value(invocation.arguments, {"--defaults-extra-file"})) {
    files.push_back(absolute(*extra, invocation.directory));
  }
  return files;
}

}  // namespace

Result<Edit> edit_mysql(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  const std::string key = wish.setting == Setting::kBacklog       ? "back_log"
                          : wish.setting == Setting::kConnections ? "max_connections"
                                                                  : "open_files_limit";
  std::string dashed = key;
  std::ranges::replace(dashed, '_', '-');
  const std::string value = std::to_string(wish.value);
  if (option_value(invocation.arguments, {"--" + key, "--" + dashed})) {
    return edit_option(fmt::format("--{}={}", dashed, value));
  }
  Options options;
  for (const std::string& name : main_files(invocation)) {
    const Status status = read_into(options, name, read, 0);
    if (!status && status.error().code != ErrorCode::kNotFound) return fail(status.error());
  }
  IniPlace own;
  IniPlace group;
  for (const auto& [file, entry] : options.entries) {
    const Group of = group_of(entry.section);
    const IniPlace here{.file = &options.files[file], .entry = entry};
    if (entry.key == key && of == Group::kOfAVersion) {
      return fail(malformed(
          *here.file, entry.line_begin,
          fmt::format("whether this server reads the group [{}] is not known", entry.section)));
    }
    if (entry.key == key && of == Group::kServers) own = here;
    if (entry.key.empty() && of == Group::kServers) group = here;
  }
  if (own.file != nullptr) return edit_value(own, value);
  if (group.file == nullptr) return edit_option(fmt::format("--{}={}", dashed, value));
  return edit_file(insert_line_after(*group.file, group.entry.line_begin, key + " = " + value));
}

}  // namespace acceptq::config
