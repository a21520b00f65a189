// sysctls, and which kernel it is.
#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"
#include "facts/namespace.h"
#include "import/prompt.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

constexpr std::array<std::string_view, 9> kRoots = {"net", "kernel", "fs",    "vm",    "abi",
                                                    "dev", "user",   "debug", "sunrpc"};

// "net.core.somaxconn" for "/proc/sys/net/core/somaxconn" and "net/core/somaxconn".
std::string dotted(std::string_view name) {
  constexpr std::string_view kProc = "/proc/sys/";
  if (name.starts_with(kProc)) name.remove_prefix(kProc.size());
  std::string text(name);
  std::ranges::replace(text, '/', '.');
  return text;
}

bool is_name(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return false;
  return std::ranges::find(kRoots, name.substr(0, dot)) != kRoots.end() &&
         std::ranges::all_of(name, [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == '/';
         });
}

bool is_wanted(std::string_view name) {
  return std::ranges::any_of(facts::kListenSysctls,
                             [&](const char* wanted) { return name == wanted; });
}

// What is configured is not what is in force.
bool shows_a_file(std::string_view command) {
  const bool reads = command.starts_with("cat ") || command.starts_with("grep ") ||
                     command.starts_with("head ") || command.starts_with("tail ");
  return reads && command.find("/proc/sys") == std::string_view::npos;
}

struct Assignment {
  std::string name;
  std::string_view value;
};

// "net.core.somaxconn = 128", "/proc/sys/net/core/somaxconn:128".
std::optional<Assignment> parse_assignment(std::string_view line) {
  line = trim(line);
  std::size_t cut = line.find('=');
  if (line.starts_with("/proc/sys/")) cut = line.find(':');
  if (cut == std::string_view::npos) return std::nullopt;
  std::string name = dotted(trim(line.substr(0, cut)));
  if (!is_name(name)) return std::nullopt;
  return Assignment{std::move(name), trim(line.substr(cut + 1))};
}

// The files of /proc/sys, or names behind `sysctl -n`, that a command prints the bare values of.
void add_printed_bare(std::string_view command, std::vector<std::string>& names) {
  const std::vector<std::string_view> words = split_blank(command);
  if (words.empty()) return;
  const bool cat = words[0] == "cat";
  const bool sysctl = words[0] == "sysctl" && std::ranges::any_of(words, [](std::string_view word) {
                        return word == "-n" || word == "--values" || word == "-bn";
                      });
  if (!cat && !sysctl) return;
  for (const std::string_view word : std::span(words).subspan(1)) {
    if (word == "|" || word == ">") return;
    if (cat ? word.starts_with("/proc/sys/") : !word.starts_with('-'))
      names.push_back(dotted(word));
  }
}

std::vector<std::string> printed_bare(const Typed& typed) {
  std::vector<std::string> names;
  if (!typed.fresh) return names;
  for (std::string_view part : commands_of(typed.command)) add_printed_bare(part, names);
  return names;
}

}  // namespace

Reading read_sysctls(Lines lines, const Typed& typed) {
  Reading reading;
  Settings settings;
  const std::vector<std::string> bare = printed_bare(typed);
  for (const std::string& name : bare) {
    if (reading.used == lines.size()) break;
    const Line& line = lines[reading.used];
    const auto value = parse_int<std::int64_t>(trim(line.text));
    if (!value) {
      // Values of several words, such as tcp_rmem's, are none of ours.
      if (is_wanted(name) || line.text.empty()) break;
    } else if (is_wanted(name)) {
      settings.values.push_back({name, *value});
    }
    ++reading.used;
  }
  if (reading.used == 0) {
    for (; reading.used < lines.size(); ++reading.used) {
      const Line& line = lines[reading.used];
      const auto assignment = parse_assignment(line.text);
      if (!assignment) break;
      if (!is_wanted(assignment->name) || shows_a_file(typed.command)) continue;
      if (const auto value = parse_int<std::int64_t>(assignment->value)) {
        settings.values.push_back({assignment->name, *value});
      } else {
        reading.problems.push_back({line.number, assignment->name + " has no number behind it"});
      }
    }
  }
  if (!settings.values.empty()) reading.piece = std::move(settings);
  return reading;
}

Reading read_uname(Lines lines, const Typed& typed) {
  if (lines.empty()) return {};
  const std::vector<std::string_view> words = split_blank(lines[0].text);
  const auto is_release = [](std::string_view word) {
    const std::size_t dot = word.find('.');
    return dot != std::string_view::npos && dot > 0 && dot < 3 &&
           std::isdigit(static_cast<unsigned char>(word[0])) != 0;
  };
  if (words.size() >= 4 && words[0] == "Linux" && is_release(words[2])) {
    return {.used = 1, .piece = HostLine{std::string(words[1]), std::string(words[2])}};
  }
  if (words.size() == 1 && typed.fresh && typed.command == "uname -r" && is_release(words[0])) {
    return {.used = 1, .piece = HostLine{"", std::string(words[0])}};
  }
  return {};
}

}  // namespace acceptq::imports
