// HAProxy: a bind's queue is the first of these that is set: `backlog` of the bind line, `backlog`
// of the frontend or its defaults, `maxconn` of the bind line, `maxconn` of the frontend, else 1024
// (src/listener.c, listener_backlog()). A reload hands sockets on and does not call listen() again.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "config/command_line.h"
#include "config/ini.h"
#include "config/listen_address.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

struct Word {
  std::string value;
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct Line {
  std::size_t file = 0;
  std::size_t section = 0;  // the index of the line that begins it, of itself for such
  std::vector<Word> words;
  bool open = false;  // a quote in it does not end, or a backslash is its last
};

// One line's words, as doc/configuration.txt says in "Quoting and escaping": blanks separate, a
// backslash takes what is special from the next character, '#' begins a comment.
void read_words(std::string_view text, std::size_t begin, std::size_t end, Line& line) {
  std::size_t at = begin;
  while (at < end) {
    while (at < end && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r')) ++at;
    if (at == end || text[at] == '#') break;
    Word word{.begin = at};
    char quote = '\0';
    for (; at < end; ++at) {
      const char c = text[at];
      if (c == '\\' && quote != '\'') {
        line.open = line.open || at + 1 == end;
        if (++at < end) word.value += text[at];
      } else if (quote != '\0' ? c == quote : c == '"' || c == '\'') {
        quote = quote == '\0' ? c : '\0';
      } else if (quote == '\0' && (c == ' ' || c == '\t' || c == '\r' || c == '#')) {
        break;
      } else {
        word.value += c;
      }
    }
    at = std::min(at, end);
    word.end = at;
    line.open = line.open || quote != '\0';
    line.words.push_back(std::move(word));
  }
}

bool begins_section(const std::string& word) {
  static constexpr std::string_view kSections[] = {
      "global",      "defaults",    "frontend", "backend",  "listen",  "peers",
      "resolvers",   "userlist",    "mailers",  "cache",    "program", "ring",
      "http-errors", "log-forward", "fcgi-app", "crt-store"};
  return std::ranges::find(kSections, word) != std::end(kSections);
}

struct Config {
  std::vector<File> files;
  std::vector<Line> lines;
};

void parse_into(Config& config, std::size_t index) {
  const std::string_view text = config.files[index].text;
  std::size_t section = config.lines.size();
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    Line line{.file = index, .section = section};
    read_words(text, begin, end, line);
    begin = end + 1;
    if (line.words.empty()) continue;
    if (begins_section(line.words[0].value)) line.section = section = config.lines.size();
    config.lines.push_back(std::move(line));
  }
}

// Those of -f, which may be directories, and behind "--".
Result<Config> read_config(const Invocation& invocation, const ReadFiles& read) {
  const std::vector<std::string>& words = invocation.arguments;
  const std::string directory =
      absolute(option_value(words, {"-C"}).value_or("."), invocation.directory);
  std::vector<std::string> names = option_values(words, {"-f"});
  for (auto i = std::ranges::find(words, "--"); i != words.end() && ++i != words.end();) {
    names.insert(names.end(), i, words.end());
    break;
  }
  Config config;
  for (const std::string& name : names) {
    const std::string path = absolute(name, directory);
    Result<std::vector<File>> files = read(path);
    if (!files && files.error().sys_errno == EISDIR) files = read(path + "/*.cfg");
    if (!files) return fail(files.error());
    for (File& file : *files) config.files.push_back(std::move(file));
  }
  if (config.files.empty()) {
    return fail(ErrorCode::kNotFound, "HAProxy's command line names no configuration file");
  }
  for (std::size_t i = 0; i < config.files.size(); ++i) parse_into(config, i);
  // Before the first section may be conditions (".if") alone.
  const auto first = std::ranges::find_if(
      config.lines, [](const Line& line) { return !line.words[0].value.starts_with('.'); });
  if (first != config.lines.end() && !begins_section(first->words[0].value)) {
    return fail(
        malformed(config.files[first->file], first->words[0].begin, "this line is in no section"));
  }
  return config;
}

Match match_address(std::string_view text, const facts::Listener& listener) {
  constexpr std::string_view kV4 = "ipv4@";
  constexpr std::string_view kV6 = "ipv6@";
  constexpr std::string_view kUnix = "unix@";
  const bool v6 = text.starts_with(kV6);
  if (v6 || text.starts_with(kV4)) text.remove_prefix(kV4.size());
  if (text.starts_with(kUnix)) text.remove_prefix(kUnix.size());
  auto address = parse_listen_address(text);
  if (!address) {
    // "${HOST}:${PORT}" may be any.
    return text.find('$') != std::string_view::npos ? Match::kMaybe : Match::kNo;
  }
  if (address->any) {
    address->any = false;
    address->address = facts::IpAddress::parse(v6 ? "::" : "0.0.0.0");
  }
  return match(*address, listener);
}

// The bind line of the listener; one that may be only if there is no other.
const Line* bind_of(const Config& config, const facts::Listener& listener) {
  std::vector<const Line*> perhaps;
  for (const Line& line : config.lines) {
    if (line.words[0].value != "bind" || line.words.size() < 2) continue;
    for (const std::string_view address : split(line.words[1].value, ',')) {
      const Match found = match_address(address, listener);
      if (found == Match::kYes) return &line;
      if (found == Match::kMaybe) perhaps.push_back(&line);
    }
  }
  return perhaps.size() == 1 ? perhaps.front() : nullptr;
}

// The value of the parameter `key` of a bind line.
const Word* parameter(const Line& bind, std::string_view key) {
  for (std::size_t i = 2; i + 1 < bind.words.size(); ++i) {
    if (bind.words[i].value == key) return &bind.words[i + 1];
  }
  return nullptr;
}

// The last `key N` in the section that `line` is in.
const Line* line_in_section(const Config& config, std::size_t section, std::string_view key) {
  const Line* found = nullptr;
  for (const Line& line : config.lines) {
    if (line.section == section && line.words[0].value == key && line.words.size() > 1)
      found = &line;
  }
  return found;
}

Edit edit_word(const File& file, const Word& word, const std::string& key,
               const std::string& value) {
  if (word.value == value) return edit_nothing(file, word.begin, key + " " + value);
  return edit_file(replace(file, word.begin, word.end - word.begin, value));
}

Edit edit_maxconn(const Config& config, const Line& bind, const std::string& value) {
  const std::string key = "maxconn";
  if (const Word* own = parameter(bind, key)) {
    return edit_word(config.files[bind.file], *own, key, value);
  }
  if (const Line* line = line_in_section(config, bind.section, key)) {
    return edit_word(config.files[line->file], line->words[1], key, value);
  }
  const Line* global = nullptr;
  for (std::size_t i = 0; i < config.lines.size(); ++i) {
    const Line& line = config.lines[i];
    if (line.words[0].value != "global") continue;
    if (global == nullptr) global = &line;
    if (const Line* inside = line_in_section(config, i, key)) {
      return edit_word(config.files[inside->file], inside->words[1], key, value);
    }
  }
  if (global == nullptr) {
    return edit_file(
        replace(config.files.front(), 0, 0, fmt::format("global\n    maxconn {}\n\n", value)));
  }
  return edit_file(insert_line_after(config.files[global->file], global->words[0].begin,
                                     fmt::format("    maxconn {}", value)));
}

}  // namespace

Result<Edit> edit_haproxy(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  if (wish.setting == Setting::kOpenFiles) {
    return fail(ErrorCode::kUnsupported,
                "HAProxy sets its bound on descriptors itself, by maxconn, as far as LimitNOFILE= "
                "of its unit allows");
  }
  const Result<Config> config = read_config(invocation, read);
  if (!config) return fail(config.error());
  const Line* bind = bind_of(*config, wish.listener);
  if (bind == nullptr) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no bind line of {}", config->files.front().path,
                            endpoint_text(wish.listener)));
  }
  if (bind->open) {
    return fail(malformed(config->files[bind->file], bind->words[0].begin,
                          "a quote or a backslash at its end leaves this line open"));
  }
  const std::string& last = bind->words.back().value;
  if (last == "backlog" || last == "maxconn") {
    return fail(malformed(config->files[bind->file], bind->words.back().begin,
                          fmt::format("{} without its number", last)));
  }
  const std::string value = std::to_string(wish.value);
  Edit edit;
  const Line* of_section = line_in_section(*config, bind->section, "backlog");
  if (wish.setting == Setting::kConnections) {
    edit = edit_maxconn(*config, *bind, value);
  } else if (const Word* own = parameter(*bind, "backlog")) {
    edit = edit_word(config->files[bind->file], *own, "backlog", value);
  } else if (of_section != nullptr) {
    edit = edit_word(config->files[of_section->file], of_section->words[1], "backlog", value);
  } else {
    edit = edit_file(
        replace(config->files[bind->file], bind->words.back().end, 0, " backlog " + value));
  }
  edit.check = {"haproxy", "-c"};
  for (const std::string& name : option_values(invocation.arguments, {"-f"}))
    edit.check.insert(edit.check.end(), {"-f", absolute(name, invocation.directory)});
  return edit;
}

}  // namespace acceptq::config
