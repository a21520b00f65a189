// A socket unit of systemd: `Backlog=` in a drop-in beside it. systemd calls listen() when it
// starts the unit, which it refuses to do while the service that got the socket runs.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/drop_in.h"
#include "config/ini.h"
#include "config/listen_address.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

const IniStyle kStyle{.comments = "#;"};

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

struct Unit {
  std::string name;     // "redis.socket"
  std::string service;  // to be stopped first; empty: one is started for each connection
};

// Whether the unit's file has a ListenStream= of the listener.
bool listens(const std::vector<IniEntry>& entries, const facts::Listener& listener) {
  bool found = false;
  for (const IniEntry& entry : entries) {
    if (entry.section != "Socket" || entry.key != "ListenStream") continue;
    if (entry.value.empty()) found = false;  // takes back those before
    const auto address = parse_listen_address(entry.value);
    // Without an address it is both IPv6's and IPv4's.
    if (address && match(*address, listener) == Match::kYes) found = true;
  }
  return found;
}

Unit unit_of(const File& file, const std::vector<IniEntry>& entries) {
  const std::string name(name_of(file.path));
  Unit unit{.name = name, .service = name.substr(0, name.rfind('.')) + ".service"};
  for (const IniEntry& entry : entries) {
    if (entry.section != "Socket") continue;
    if (entry.key == "Service" && !entry.value.empty()) unit.service = entry.value;
    if (entry.key == "Accept" &&
        (entry.value == "yes" || entry.value == "true" || entry.value == "1")) {
      unit.service.clear();
    }
  }
  return unit;
}

Result<std::optional<Unit>> find_unit(const Wish& wish, const ReadFiles& read) {
  for (const std::string_view directory :
       {kUnitDirectory, std::string_view("/run/systemd/system"),
        std::string_view("/usr/lib/systemd/system"), std::string_view("/lib/systemd/system")}) {
    const Result<std::vector<File>> files = read(std::string(directory) + "/*.socket");
    if (!files) return fail(files.error());
    for (const File& file : *files) {
      const std::vector<IniEntry> entries = parse_ini(file, kStyle);
      if (listens(entries, wish.listener)) return std::optional(unit_of(file, entries));
    }
  }
  return std::optional<Unit>();
}

}  // namespace

Result<Edit> edit_systemd_socket(const Invocation& invocation, const Wish& wish,
                                 const ReadFiles& read) {
  // A user's manager reads other directories (systemd.unit(5)).
  if (std::ranges::find(invocation.arguments, "--user") != invocation.arguments.end()) {
    return fail(ErrorCode::kUnsupported, "units of a user's own systemd are not edited");
  }
  if (wish.setting != Setting::kBacklog) {
    return fail(ErrorCode::kUnsupported, "a socket unit has no such setting: its service has");
  }
  const Result<std::optional<Unit>> unit = find_unit(wish, read);
  if (!unit) return fail(unit.error());
  if (!*unit) {
    return fail(ErrorCode::kNotFound, fmt::format("no socket unit of systemd listens at {}",
                                                  endpoint_text(wish.listener)));
  }
  Result<Edit> edit =
      edit_drop_in((*unit)->name, "Socket", "Backlog", std::to_string(wish.value), read);
  if (!edit) return edit;
  std::vector<Command> commands = {{"systemctl", "daemon-reload"}};
  if (!(*unit)->service.empty()) commands.push_back({"systemctl", "stop", (*unit)->service});
  commands.push_back({"systemctl", "restart", (*unit)->name});
  edit->takes_effect = by_commands(std::move(commands));
  return edit;
}

}  // namespace acceptq::config
