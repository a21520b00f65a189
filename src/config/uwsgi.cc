// uWSGI: `listen = N`, of all its sockets. It refuses to start where that is more than
// net.core.somaxconn (core/socket.c). `processes = N` serve a connection each.
#include <fmt/format.h>

#include <string_view>

#include "config/command_line.h"
#include "config/ini.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

const IniStyle kStyle{.comments = "#;"};

struct Key {
  std::string_view name;
  std::string_view alias;
  std::string_view option;
  std::string_view letter;
};

// The .ini files of the command line, in its order; "file.ini:section" names one of its sections.
Result<std::vector<std::string>> ini_files(const Invocation& invocation) {
  std::vector<std::string> names = option_values(invocation.arguments, {"--ini"});
  for (std::size_t i = 1; i < invocation.arguments.size(); ++i) {
    const std::string& word = invocation.arguments[i];
    if (!word.starts_with('-') && word.ends_with(".ini") &&
        invocation.arguments[i - 1] != "--ini") {
      names.push_back(word);
    }
  }
  for (std::string& name : names) {
    if (name.find(':') != std::string::npos || name.find('%') != std::string::npos) {
      return fail(ErrorCode::kUnsupported,
                  name + ": only the section uwsgi of a plain name is read");
    }
    name = absolute(name, invocation.directory);
  }
  return names;
}

}  // namespace

Result<Edit> edit_uwsgi(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  if (wish.setting == Setting::kOpenFiles) {
    return fail(ErrorCode::kUnsupported,
                "uWSGI takes as many descriptors as LimitNOFILE= of its unit allows");
  }
  const bool backlog = wish.setting == Setting::kBacklog;
  const Key key = backlog ? Key{"listen", "listen", "--listen", "-l"}
                          : Key{"processes", "workers", "--processes", "-p"};
  const std::string value = std::to_string(wish.value);
  const auto finish = [&](Edit edit) {
    if (backlog && edit.note.empty()) {
      edit.note =
          fmt::format("uWSGI does not start while net.core.somaxconn is less than {}", value);
    }
    return edit;
  };
  const std::string option = fmt::format("{} {}", key.option, value);
  if (option_value(invocation.arguments, {key.option, key.letter})) {
    return finish(edit_option(option));
  }
  const Result<std::vector<std::string>> names = ini_files(invocation);
  if (!names) return fail(names.error());
  std::vector<File> files;
  for (const std::string& name : *names) {
    Result<std::vector<File>> found = read(name);
    if (!found) return fail(found.error());
    files.insert(files.end(), std::make_move_iterator(found->begin()),
                 std::make_move_iterator(found->end()));
  }
  if (files.empty()) return finish(edit_option(option));
  IniPlace own;
  IniPlace section;
  for (const File& file : files) {
    for (const IniEntry& entry : parse_ini(file, kStyle)) {
      if (entry.section != "uwsgi") continue;
      if (entry.key.empty()) section = {.file = &file, .entry = entry};
      if (entry.key == key.name || entry.key == key.alias) own = {.file = &file, .entry = entry};
      if (entry.key == "ini" || entry.key == "include" || entry.key.starts_with("if-")) {
        return fail(
            malformed(file, entry.line_begin,
                      fmt::format("\"{}\" is not followed here: what it includes may set {}",
                                  entry.key, key.name)));
      }
    }
  }
  if (own.file != nullptr) return finish(edit_value(own, value));
  if (section.file == nullptr) {
    return fail(ErrorCode::kNotFound, files.back().path + ": no section [uwsgi]");
  }
  return finish(edit_file(insert_line_after(*section.file, section.entry.line_begin,
                                            fmt::format("{} = {}", key.name, value))));
}

}  // namespace acceptq::config
