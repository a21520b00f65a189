// PgBouncer: `listen_backlog = N` in its section [pgbouncer]. It is read when it starts
// (CF_NO_RELOAD, src/main.c).
#include <fmt/format.h>

#include <csignal>
#include <string_view>
#include <vector>

#include "config/ini.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

const IniStyle kStyle{.comments = "#;"};

// The only argument that is no option.
std::string main_file(const Invocation& invocation) {
  for (std::size_t i = 1; i < invocation.arguments.size(); ++i) {
    const std::string& word = invocation.arguments[i];
    if (word == "-u") {
      ++i;
    } else if (!word.empty() && !word.starts_with('-')) {
      return absolute(word, invocation.directory);
    }
  }
  return "/etc/pgbouncer/pgbouncer.ini";
}

}  // namespace

Result<Edit> edit_pgbouncer(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  if (wish.setting == Setting::kOpenFiles) {
    return fail(ErrorCode::kUnsupported,
                "PgBouncer has no setting of its bound on descriptors: LimitNOFILE= of its unit "
                "is");
  }
  const bool backlog = wish.setting == Setting::kBacklog;
  const std::string key = backlog ? "listen_backlog" : "max_client_conn";
  const std::string value = std::to_string(wish.value);
  const std::string name = main_file(invocation);
  const Result<std::vector<File>> files = read(name);
  if (!files) return fail(files.error());
  if (files->empty()) return fail(ErrorCode::kNotFound, "no file " + name);
  const File& file = files->front();
  IniPlace own;
  IniPlace section;
  for (const IniEntry& entry : parse_ini(file, kStyle)) {
    if (entry.key.starts_with("%include")) {
      return fail(malformed(file, entry.line_begin,
                            "what %include puts in is not followed here: it may set " + key));
    }
    if (entry.section != "pgbouncer") continue;
    if (entry.key.empty()) section = {.file = &file, .entry = entry};
    if (entry.key == key) own = {.file = &file, .entry = entry};
  }
  if (section.file == nullptr) {
    return fail(ErrorCode::kNotFound, file.path + ": no section [pgbouncer]");
  }
  Edit edit = own.file != nullptr
                  ? edit_value(own, value)
                  : edit_file(insert_line_after(file, section.entry.line_begin,
                                                fmt::format("{} = {}", key, value)));
  if (!backlog) edit.takes_effect = by_signal(SIGHUP, invocation.pid);
  return edit;
}

}  // namespace acceptq::config
