// lighttpd: `server.listen-backlog = N`, of all its listeners unless a condition says otherwise. It
// calls listen() when it is started (src/network.c).
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "config/command_line.h"
#include "config/ini.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

// A setting, or an include, at the beginning of a line.
struct Statement {
  std::string name;  // "server.port", "include"
  std::size_t begin = 0;
  std::size_t value = 0;  // where what follows the sign begins
  bool conditional = false;
};

bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
}

// Behind a text in quotes that begins at `at`; npos where it does not end in the file.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at;
}

// Behind a name: the sign of an assignment, of which there are three, or nothing of an include.
Statement statement_at(std::string_view text, std::size_t begin, std::size_t end) {
  Statement statement{.name = std::string(text.substr(begin, end - begin)), .begin = begin};
  statement.value = skip_blanks(text, end);
  for (const std::string_view sign : {"=", "+=", ":="}) {
    if (!text.substr(statement.value).starts_with(sign)) continue;
    statement.value = skip_blanks(text, statement.value + sign.size());
    break;
  }
  return statement;
}

// Those of a file, outside of lists. Blocks in braces belong to conditions. Fails where a text, a
// list or a block does not end in it.
Result<std::vector<Statement>> statements_of(const File& file, bool conditional) {
  const std::string_view text = file.text;
  std::vector<Statement> statements;
  int lists = 0;
  const int outside = conditional ? 1 : 0;
  int blocks = outside;
  bool begins = true;  // nothing but blanks stands before it on its line
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '"') {
      const std::size_t end = end_of_quoted(text, at);
      if (end == text.npos) {
        return fail(malformed(file, at, "this text does not end in this file"));
      }
      at = end;
      begins = false;
      continue;
    }
    if (begins && lists == 0 && is_name(c)) {
      std::size_t end = at;
      while (end < text.size() && is_name(text[end])) ++end;
      statements.push_back(statement_at(text, at, end));
      statements.back().conditional = blocks > 0;
      begins = false;
      at = end;
      continue;
    }
    lists += (c == '(' ? 1 : 0) - (c == ')' ? 1 : 0);
    blocks += (c == '{' ? 1 : 0) - (c == '}' ? 1 : 0);
    if (lists < 0 || blocks < outside) {
      return fail(malformed(file, at, "this ends nothing that begins in this file"));
    }
    begins = c == '\n' || c == '{' || c == '}' || (begins && (c == ' ' || c == '\t' || c == '\r'));
    ++at;
  }
  if (lists != 0 || blocks != outside) {
    return fail(malformed(file, text.size(), "a list or block does not end in this file"));
  }
  return statements;
}

struct Found {
  std::size_t file = 0;
  Statement statement;
};

class Config {
 public:
  Config(const ReadFiles& read, std::string_view directory) : read_(read), directory_(directory) {}

  Status read_files(const std::string& pattern, bool conditional, std::size_t depth) {
    Result<std::vector<File>> files = read_(pattern);
    if (!files) return fail(files.error());
    for (File& file : *files) {
      if (files_.size() == kMaxIncludedFiles) return fail(too_many_files(file));
      const Result<std::vector<Statement>> statements = statements_of(file, conditional);
      if (!statements) return fail(statements.error());
      const std::size_t index = files_.size();
      files_.push_back(std::move(file));
      for (const Statement& each : *statements) {
        if (each.name == "include") {
          if (Status status = include(index, each, depth); !status) return status;
        }
        found_.push_back({.file = index, .statement = each});
      }
    }
    return {};
  }

  [[nodiscard]] const File& file_of(const Found& found) const { return files_[found.file]; }
  [[nodiscard]] bool empty() const { return files_.empty(); }
  [[nodiscard]] const File& main() const { return files_.front(); }
  [[nodiscard]] std::vector<Found> find(std::string_view name) const {
    std::vector<Found> found;
    std::ranges::copy_if(found_, std::back_inserter(found),
                         [&](const Found& each) { return each.statement.name == name; });
    return found;
  }

 private:
  Status include(std::size_t index, const Statement& statement, std::size_t depth) {
    const std::string& text = files_[index].text;
    const std::string here = place(files_[index], statement.begin);
    if (depth == kMaxIncludeDepth) return fail(too_deep(here));
    const std::size_t begin = statement.value;
    const std::size_t end =
        begin < text.size() && text[begin] == '"' ? end_of_quoted(text, begin) : text.npos;
    if (end == text.npos || end < begin + 3) {
      return fail(malformed(files_[index], statement.begin, "include takes a text in quotes here"));
    }
    const std::string name = absolute(text.substr(begin + 1, end - begin - 2), directory_);
    const Status status = read_files(name, statement.conditional, depth + 1);
    return status ? status : fail(of_include(here, status.error()));
  }

  const ReadFiles& read_;
  std::string directory_;
  std::vector<File> files_;
  std::vector<Found> found_;
};

// Where a plain number that begins at `begin` and is alone on its line ends; `begin`: there is
// none.
std::size_t end_of_number(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
  const std::size_t rest = std::min(text.find_first_not_of(" \t\r", end), text.size());
  const bool alone = rest == text.size() || text[rest] == '\n' || text[rest] == '#';
  return alone ? end : begin;
}

Result<Edit> edit_number(const Config& config, const Found& found, const std::string& value) {
  const File& file = config.file_of(found);
  const std::string_view text = file.text;
  const std::size_t begin = found.statement.value;
  const std::size_t end = end_of_number(text, begin);
  const std::string& name = found.statement.name;
  if (found.statement.conditional) {
    return fail(malformed(file, found.statement.begin,
                          name + " stands in a condition, whose listeners are not known here"));
  }
  if (end == begin) {
    return fail(malformed(file, found.statement.begin, name + " is not one plain number here"));
  }
  if (text.substr(begin, end - begin) == value) {
    return edit_nothing(file, found.statement.begin, name + " = " + value);
  }
  return edit_file(replace(file, begin, end - begin, value));
}

Result<Edit> edit_config(const Config& config, const std::string& name, const std::string& value) {
  const std::vector<Found> set = config.find(name);
  if (set.size() > 1) {
    return fail(
        malformed(config.file_of(set[1]), set[1].statement.begin, name + " is set a second time"));
  }
  if (set.size() == 1) return edit_number(config, set.front(), value);
  const std::string line = name + " = " + value;
  const std::vector<Found> ports = config.find("server.port");
  const auto is_plain = [&](const Found& found) {
    const Statement& statement = found.statement;
    return !statement.conditional &&
           end_of_number(config.file_of(found).text, statement.value) != statement.value;
  };
  if (ports.size() != 1 || !is_plain(ports.front()))
    return edit_file(append_line(config.main(), line));
  return edit_file(
      insert_line_after(config.file_of(ports.front()), ports.front().statement.begin, line));
}

std::string name_of(Setting setting) {
  switch (setting) {
    case Setting::kBacklog:
      return "server.listen-backlog";
    case Setting::kConnections:
      return "server.max-connections";
    case Setting::kOpenFiles:
      break;
  }
  return "server.max-fds";
}

}  // namespace

Result<Edit> edit_lighttpd(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  const auto named = option_value(invocation.arguments, {"-f"});
  if (!named) {
    return fail(ErrorCode::kNotFound, "lighttpd's command line names no configuration file (-f)");
  }
  const std::string file = absolute(*named, invocation.directory);
  Config config(read, directory_of(file));
  if (const Status status = config.read_files(file, false, 0); !status) return fail(status.error());
  if (config.empty()) return fail(ErrorCode::kNotFound, "no file " + file);
  Result<Edit> edit = edit_config(config, name_of(wish.setting), std::to_string(wish.value));
  if (!edit) return edit;
  edit->check = {"lighttpd", "-tt", "-f", file};
  // Saying it twice is an error, so that the check would tell.
  if (edit->note.empty() && !config.find("include_shell").empty()) {
    edit->note = "What include_shell puts in is not read here";
  }
  return edit;
}

}  // namespace acceptq::config
