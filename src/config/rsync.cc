// rsync as a daemon: `listen backlog = N` among the global parameters of rsyncd.conf.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "config/command_line.h"
#include "config/ini.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

const IniStyle kStyle{.comments = "#;"};
constexpr std::string_view kKey = "listen backlog";

}  // namespace

Result<Edit> edit_rsync(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  if (wish.setting != Setting::kBacklog) {
    return fail(ErrorCode::kUnsupported,
                "rsync starts a process for each connection; what bounds them is \"max "
                "connections\" of a module");
  }
  const auto named = option_value(invocation.arguments, {"--config"});
  const std::string name = named ? absolute(*named, invocation.directory) : "/etc/rsyncd.conf";
  const Result<std::vector<File>> files = read(name);
  if (!files) return fail(files.error());
  if (files->empty()) return fail(ErrorCode::kNotFound, "no file " + name);
  const File& file = files->front();
  const std::string value = std::to_string(wish.value);
  IniPlace own;
  for (const IniEntry& entry : parse_ini(file, kStyle)) {
    if (entry.key.starts_with('&')) {  // &include, &merge
      return fail(malformed(file, entry.line_begin,
                            "what this puts in is not followed here: it may set the backlog"));
    }
    const bool global = entry.section.empty() || entry.section == "global";
    if (global && entry.key == kKey) own = {.file = &file, .entry = entry};
  }
  if (own.file != nullptr) return edit_value(own, value);
  return edit_file(replace(file, 0, 0, fmt::format("{} = {}\n", kKey, value)));
}

}  // namespace acceptq::config
