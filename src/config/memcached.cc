// memcached has options alone. Debian's start script makes them from /etc/memcached.conf, one a
// line (scripts/systemd-memcached-wrapper).
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "config/command_line.h"
#include "config/ini.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

const IniStyle kStyle{.comments = "#", .separator = ' '};

// Whether all that the file says stands on the command line, where it says anything.
bool is_made_from(const std::vector<std::string>& arguments, const std::vector<IniEntry>& entries) {
  return !entries.empty() && std::ranges::all_of(entries, [&](const IniEntry& entry) {
    const auto found = std::ranges::find(arguments, entry.key);
    if (found == arguments.end())
      return entry.key == "-d" || entry.key == "logfile";  // it leaves these out
    return entry.value.empty() || (found + 1 != arguments.end() && found[1] == entry.value);
  });
}

}  // namespace

Result<Edit> edit_memcached(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  if (wish.setting == Setting::kOpenFiles) {
    return fail(ErrorCode::kUnsupported,
                "memcached raises its bound on descriptors itself, by -c, as far as LimitNOFILE= "
                "of its unit allows");
  }
  const bool backlog = wish.setting == Setting::kBacklog;
  const std::string key = backlog ? "-b" : "-c";
  const std::string_view longer = backlog ? "--listen-backlog" : "--conn-limit";
  const std::string value = std::to_string(wish.value);
  const auto& arguments = invocation.arguments;
  const Result<std::vector<File>> files = read("/etc/memcached.conf");
  if (!files && files.error().code != ErrorCode::kNotFound) return fail(files.error());
  if (files && !files->empty()) {
    const File& file = files->front();
    const std::vector<IniEntry> entries = parse_ini(file, kStyle);
    if (is_made_from(arguments, entries)) {
      IniPlace found;
      for (const IniEntry& entry : entries) {
        if (entry.key == key || entry.key == longer) found = {.file = &file, .entry = entry};
      }
      if (found.file != nullptr) return edit_value(found, value);
      // An option of the unit's own comes first and would be said twice.
      if (!option_value(arguments, {key, longer})) {
        return edit_file(append_line(file, key + " " + value));
      }
    }
  }
  return edit_option(key + " " + value);
}

}  // namespace acceptq::config
