// PHP-FPM: `listen.backlog = N` of the pool whose `listen` it is. A reload (SIGUSR2) hands the
// socket on and does not call listen() again (measured, 8.2).
#include <fmt/format.h>

#include <csignal>
#include <map>
#include <string_view>

#include "base/text.h"
#include "config/command_line.h"
#include "config/ini.h"
#include "config/listen_address.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

constexpr std::string_view kMasterTitle = "php-fpm: master process (";
const IniStyle kStyle{.comments = ";#", .trailing = ";"};

struct Pool {
  std::size_t listen_file = 0;
  IniEntry listen;
  std::map<std::string, std::pair<std::size_t, IniEntry>, std::less<>>
      settings;  // the last of each
};

struct Pools {
  std::vector<File> files;
  std::map<std::string, Pool> by_name;
};

// "/usr/sbin/php-fpm8.2": /usr, below which the names of includes are.
std::string prefix_of(const Invocation& invocation) {
  if (const auto prefix = option_value(invocation.arguments, {"--prefix", "-p"})) return *prefix;
  return std::string(directory_of(directory_of(invocation.program)));
}

Status read_into(Pools& pools, const std::string& name, const ReadFiles& read,
                 const std::string& prefix, std::size_t depth) {
  Result<std::vector<File>> files = read(absolute(name, prefix));
  if (!files) return fail(files.error());
  for (File& file : *files) {
    if (pools.files.size() == kMaxIncludedFiles) return fail(too_many_files(file));
    pools.files.push_back(std::move(file));
    const std::size_t index = pools.files.size() - 1;
    for (const IniEntry& entry : parse_ini(pools.files[index], kStyle)) {
      if (entry.key.empty()) continue;
      if (entry.key == "include") {
        const std::string here = place(pools.files[index], entry.line_begin);
        if (depth == kMaxIncludeDepth) return fail(too_deep(here));
        const Status status = read_into(pools, entry.value, read, prefix, depth + 1);
        if (!status) return fail(of_include(here, status.error()));
        continue;
      }
      Pool& pool = pools.by_name[entry.section];
      if (entry.key == "listen") {
        pool.listen_file = index;
        pool.listen = entry;
      }
      pool.settings[entry.key] = {index, entry};
    }
  }
  return {};
}

Result<std::vector<std::string>> main_files(const Invocation& invocation) {
  const std::string_view title =
      invocation.arguments.empty() ? std::string_view() : std::string_view(invocation.arguments[0]);
  if (title.starts_with(kMasterTitle)) {
    const std::string_view rest = title.substr(kMasterTitle.size());
    return std::vector{std::string(rest.substr(0, rest.rfind(')')))};
  }
  if (title.starts_with("php-fpm: ")) {
    return fail(
        ErrorCode::kNotFound,
        fmt::format("\"{}\" does not tell how PHP-FPM was started: its master does", title));
  }
  if (const auto named = option_value(invocation.arguments, {"--fpm-config", "-y"})) {
    return std::vector{absolute(*named, invocation.directory)};
  }
  constexpr std::string_view kName = "php-fpm";
  const std::string_view program = invocation.program;
  const std::string_view version = program.substr(std::min(program.rfind(kName), program.size()));
  std::vector<std::string> files;
  if (version.size() > kName.size()) {
    files.push_back(fmt::format("/etc/php/{}/fpm/php-fpm.conf", version.substr(kName.size())));
  }
  files.emplace_back("/usr/local/etc/php-fpm.conf");
  files.emplace_back("/etc/php-fpm.conf");
  return files;
}

bool is_of(const Pool& pool, const std::string& name, const facts::Listener& listener) {
  std::string text = pool.listen.value;
  constexpr std::string_view kPool = "$pool";
  if (const std::size_t at = text.find(kPool); at != std::string::npos) {
    text.replace(at, kPool.size(), name);
  }
  const auto address = parse_listen_address(text);
  return address && match(*address, listener) != Match::kNo;
}

Result<Edit> edit_pool(const Pools& pools, const Wish& wish) {
  const std::string key = wish.setting == Setting::kBacklog       ? "listen.backlog"
                          : wish.setting == Setting::kConnections ? "pm.max_children"
                                                                  : "rlimit_files";
  const std::string value = std::to_string(wish.value);
  for (const auto& [name, pool] : pools.by_name) {
    if (pool.listen.key.empty() || !is_of(pool, name, wish.listener)) continue;
    if (const auto found = pool.settings.find(key); found != pool.settings.end()) {
      return edit_value({.file = &pools.files[found->second.first], .entry = found->second.second},
                        value);
    }
    return edit_file(insert_line_after(pools.files[pool.listen_file], pool.listen.line_begin,
                                       fmt::format("{} = {}", key, value)));
  }
  return fail(ErrorCode::kNotFound,
              fmt::format("{}: no pool listens at {}", pools.files.front().path,
                          endpoint_text(wish.listener)));
}

}  // namespace

Result<Edit> edit_php_fpm(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  const Result<std::vector<std::string>> names = main_files(invocation);
  if (!names) return fail(names.error());
  Error missing{ErrorCode::kNotFound, 0, "no configuration file of PHP-FPM"};
  for (const std::string& name : *names) {
    Pools pools;
    const Status status = read_into(pools, name, read, prefix_of(invocation), 0);
    if (!status && status.error().code == ErrorCode::kNotFound) {
      missing = status.error();
      continue;
    }
    if (!status) return fail(status.error());
    if (pools.files.empty()) continue;
    Result<Edit> edit = edit_pool(pools, wish);
    if (!edit) return edit;
    const std::string_view path = invocation.program;
    const std::string_view own = path.substr(path.rfind('/') + 1);
    edit->check = {std::string(own), "-t", "-y", name};
    if (wish.setting != Setting::kBacklog) {
      edit->takes_effect = by_signal(SIGUSR2, invocation.pid);
    }
    return edit;
  }
  return fail(missing);
}

}  // namespace acceptq::config
