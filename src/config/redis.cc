// Redis and Valkey: `tcp-backlog N`, of which the last counts, for TCP and Unix sockets alike.
// CONFIG SET refuses it (src/config.c: IMMUTABLE_CONFIG).
#include <fmt/format.h>

#include <string_view>

#include "base/text.h"
#include "config/ini.h"
#include "config/listen_address.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

const IniStyle kStyle{.comments = "#", .separator = ' ', .folds_key = true};

struct Settings {
  std::vector<File> files;                                // the main one first
  std::vector<std::pair<std::size_t, IniEntry>> entries;  // file, in the order of reading

  [[nodiscard]] std::string last(std::string_view key, std::string_view otherwise) const {
    std::string value(otherwise);
    for (const auto& [file, entry] : entries) {
      if (entry.key == key) value = entry.value;
    }
    return value;
  }
};

Status read_into(Settings& settings, const std::string& name, const ReadFiles& read,
                 std::string_view directory, std::size_t depth) {
  Result<std::vector<File>> files = read(absolute(name, directory));
  if (!files) return fail(files.error());
  for (File& file : *files) {
    if (settings.files.size() == kMaxIncludedFiles) return fail(too_many_files(file));
    settings.files.push_back(std::move(file));
    const std::size_t index = settings.files.size() - 1;
    for (IniEntry& entry : parse_ini(settings.files[index], kStyle)) {
      if (entry.key == "include") {
        const std::string here = place(settings.files[index], entry.line_begin);
        if (depth == kMaxIncludeDepth) return fail(too_deep(here));
        const Status status = read_into(settings, entry.value, read, directory, depth + 1);
        if (!status) return fail(of_include(here, status.error()));
      } else {
        settings.entries.emplace_back(index, std::move(entry));
      }
    }
  }
  return {};
}

// Whether it is this process that was started with the file: Redis writes its own title over its
// arguments.
bool is_of(const Settings& settings, const facts::Listener& listener) {
  if (listener.protocol == facts::Protocol::kUnix) {
    return settings.last("unixsocket", "") == listener.path;
  }
  const std::string port = std::to_string(listener.port);
  return settings.last("port", "6379") == port || settings.last("tls_port", "0") == port;
}

std::vector<std::string> main_files(const Invocation& invocation) {
  const auto& words = invocation.arguments;
  if (words.size() > 1 && !words[1].empty() && !words[1].starts_with('-')) {
    return {absolute(words[1], invocation.directory)};
  }
  if (words.size() > 1 && words[1].starts_with("--")) return {};  // options alone
  const std::string_view path = invocation.program;
  const bool valkey = path.find("valkey") != std::string_view::npos;
  std::vector<std::string> files;
  for (const std::string_view directory :
       {"/etc/redis", "/etc/valkey", "/usr/local/etc/redis", "/usr/local/etc/valkey", "/etc"}) {
    for (const char* kind : {valkey ? "valkey" : "redis", "sentinel"}) {
      files.push_back(fmt::format("{}/{}.conf", directory, kind));
    }
  }
  return files;
}

}  // namespace

Result<Edit> edit_redis(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  if (wish.setting == Setting::kOpenFiles) {
    return fail(ErrorCode::kUnsupported,
                "Redis raises its bound on descriptors itself, to maxclients + 32, as far as "
                "LimitNOFILE= of its unit allows");
  }
  const std::string key = wish.setting == Setting::kBacklog ? "tcp-backlog" : "maxclients";
  const std::string folded = wish.setting == Setting::kBacklog ? "tcp_backlog" : "maxclients";
  const std::string value = std::to_string(wish.value);
  for (const std::string& word : invocation.arguments) {
    if (word == "--" + key) return edit_option(fmt::format("--{} {}", key, value));
  }
  const std::vector<std::string> names = main_files(invocation);
  for (const std::string& name : names) {
    Settings settings;
    const Status status = read_into(settings, name, read, invocation.directory, 0);
    if (!status && status.error().code == ErrorCode::kNotFound && names.size() > 1) continue;
    if (!status) return fail(status.error());
    if (!is_of(settings, wish.listener)) continue;
    IniPlace found;
    for (const auto& [file, entry] : settings.entries) {
      if (entry.key == folded) found = {.file = &settings.files[file], .entry = entry};
    }
    if (found.file != nullptr) return edit_value(found, value);
    return edit_file(append_line(settings.files.front(), fmt::format("{} {}", key, value)));
  }
  Edit edit = edit_option(fmt::format("--{} {}", key, value));
  edit.note = fmt::format(
      "None of the usual configuration files is for {}; if it has another (redis-cli info server: "
      "config_file), write \"{} {}\" into that",
      endpoint_text(wish.listener), key, value);
  return edit;
}

}  // namespace acceptq::config
