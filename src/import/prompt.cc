#include "import/prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <span>

#include "base/text.h"

namespace acceptq::imports {
namespace {

constexpr std::array<std::string_view, 33> kCommands = {
    "ss",     "netstat",    "nstat",   "cat",   "sysctl",  "kubectl", "oc",    "nsenter", "docker",
    "podman", "crictl",     "nerdctl", "uname", "dmesg",   "date",    "sleep", "watch",   "ip",
    "ssh",    "journalctl", "sudo",    "nginx", "exit",    "logout",  "echo",  "grep",    "egrep",
    "for",    "while",      "head",    "tail",  "tcpdump", "hostname"};

bool is_command(std::string_view command) {
  const std::vector<std::string_view> words = split_blank(command);
  if (words.empty()) return false;
  std::string_view first = words[0];
  if (const std::size_t slash = first.rfind('/'); slash != std::string_view::npos) {
    first = first.substr(slash + 1);
  }
  if (first.ends_with(';')) first.remove_suffix(1);
  return std::ranges::find(kCommands, first) != kCommands.end();
}

bool all_of(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [&](unsigned char c) {
    return std::isalnum(c) != 0 || others.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

std::optional<int> digits(std::string_view text) {
  return text.size() == 2 ? parse_int<int>(text) : std::nullopt;
}

// "15:56:56" or "15:56:56.25" at the beginning of `text`.
std::optional<double> clock_at(std::string_view text) {
  if (text.size() < 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto hours = digits(text.substr(0, 2));
  const auto minutes = digits(text.substr(3, 2));
  const auto seconds = digits(text.substr(6, 2));
  if (!hours || !minutes || !seconds || *hours > 23 || *minutes > 59 || *seconds > 60) {
    return std::nullopt;
  }
  double fraction = 0;
  if (text.size() > 9 && (text[8] == '.' || text[8] == ',')) {
    double place = 0.1;
    for (std::size_t i = 9; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      fraction += place * (text[i] - '0');
      place /= 10;
    }
  }
  return *hours * 3600.0 + *minutes * 60.0 + *seconds + fraction;
}

// What stands before "$ ", "# " or "> " of a prompt.
struct Prefix {
  std::string where;
  bool names_host = false;
  bool certain = false;  // nothing else looks like this
};

std::optional<Prefix> parse_prefix(std::string_view text) {
  if (text.empty()) return Prefix{};
  std::string_view inner = text;
  if (inner.starts_with('[') && inner.ends_with(']')) inner = inner.substr(1, inner.size() - 2);
  // user@host, with a path behind ":" or a blank.
  const std::size_t at = inner.find('@');
  if (at != std::string_view::npos && at > 0) {
    const std::string_view user = inner.substr(0, at);
    const std::string_view rest = inner.substr(at + 1);
    const std::size_t end = rest.find_first_of(": ");
    const std::string_view host = rest.substr(0, end);
    if (host.empty() || !all_of(user, "._-") || !all_of(host, "._-")) return std::nullopt;
    if (end != std::string_view::npos && !all_of(rest.substr(end), "._-/~: ()+@")) {
      return std::nullopt;
    }
    return Prefix{std::string(host), true, true};
  }
  if (inner.starts_with("sh-") || inner.starts_with("bash-")) {
    if (all_of(inner, ".-")) return Prefix{std::string(inner), false, true};
  }
  // "/ ", "~ ", "/app " of busybox.
  if ((inner[0] == '/' || inner[0] == '~') && all_of(inner, "._-/~ ")) {
    return Prefix{"/ #", false, false};
  }
  // "node-1:~", "pod", and "node-1:~ " of SUSE.
  inner = trim(inner);
  const std::string_view name = trim(inner.substr(0, inner.find(':')));
  if (name.empty() || !all_of(name, "._-") || !all_of(inner, "._-/~:")) return std::nullopt;
  return Prefix{std::string(name), true, false};
}

// The clock that some prompts begin with, cut off.
std::optional<double> take_clock(std::string_view& text) {
  const bool bracket = text.starts_with('[');
  const auto clock = clock_at(text.substr(bracket ? 1 : 0));
  if (!clock) return std::nullopt;
  const std::size_t end = text.find_first_of("] ");
  if (end == std::string_view::npos) return std::nullopt;
  text = trim(text.substr(end + 1));
  return clock;
}

// A command that stands alone on its line, as a heading of what it printed.
bool is_bare_command(std::string_view text) {
  const std::vector<std::string_view> words = split_blank(text);
  if (words.empty() || !is_command(text)) return false;
  if (words[0] == "nstat" || words[0] == "netstat" || words[0] == "ss") {
    return words.size() == 1 || words[1].starts_with('-') || words[1] == "|";
  }
  if (words.size() < 2) return false;
  const std::string_view second = words[1];
  if (words[0] == "uname" || words[0] == "docker" || words[0] == "kubectl" ||
      words[0] == "crictl" || words[0] == "oc" || words[0] == "podman" || words[0] == "ip" ||
      words[0] == "nerdctl") {
    return second.starts_with('-') || second == "exec" || second == "netns" ||
           second == "inspect" || second == "describe" || second == "get";
  }
  if (words[0] == "sudo" || words[0] == "ssh") return is_command(text.substr(text.find(second)));
  if (words[0] == "sleep") return sleep_of(text).has_value();
  if (words[0] == "cat") return second.starts_with('/');
  return second.starts_with('-') || second.starts_with("net.");
}

std::string_view strip_sudo(std::string_view command) {
  command = trim(command);
  while (command.starts_with("sudo ")) {
    command = trim(command.substr(5));
    while (command.starts_with('-')) {
      const std::size_t blank = command.find(' ');
      if (blank == std::string_view::npos) return {};
      command = trim(command.substr(blank));
    }
  }
  return command;
}

std::string joined(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : " ") + std::string(word);
  // Of sh -c "…" what is run.
  for (const std::string_view shell : {"sh -c ", "bash -c ", "/bin/sh -c ", "/bin/bash -c "}) {
    if (!text.starts_with(shell)) continue;
    text.erase(0, shell.size());
    if (text.size() > 1 && (text.front() == '\'' || text.front() == '"')) {
      text = text.substr(1, text.size() - (text.back() == text.front() ? 2 : 1));
    }
  }
  return text;
}

bool is_shell(std::string_view command) {
  const std::vector<std::string_view> words = split_blank(command);
  if (words.empty()) return true;
  std::string_view first = words[0];
  if (const std::size_t slash = first.rfind('/'); slash != std::string_view::npos) {
    first = first.substr(slash + 1);
  }
  return first == "sh" || first == "bash" || first == "ash" || first == "zsh";
}

using Words = std::span<const std::string_view>;

Entered enter(std::string label, Words run) {
  Entered entered{.label = std::move(label), .command = joined(run)};
  entered.stays = is_shell(entered.command);
  if (entered.stays) entered.command.clear();
  return entered;
}

Entered enter_pod(Words words) {
  std::string ns;
  std::string pod;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--") {
      return pod.empty() ? Entered{}
                         : enter(fmt::format("pod {}{}", ns, pod), words.subspan(i + 1));
    }
    if ((word == "-n" || word == "--namespace") && i + 1 < words.size()) {
      ns = std::string(words[++i]) + "/";
    } else if (word.starts_with("--namespace=")) {
      ns = std::string(word.substr(12)) + "/";
    } else if ((word == "-c" || word == "--container" || word == "--context") &&
               i + 1 < words.size()) {
      ++i;
    } else if (!word.starts_with('-') && word != "exec") {
      // Without "--" the first word behind the pod was the command, in kubectl of old.
      if (!pod.empty()) return enter(fmt::format("pod {}{}", ns, pod), words.subspan(i));
      pod = word.starts_with("pod/") ? word.substr(4) : word;
    }
  }
  return pod.empty() ? Entered{} : enter(fmt::format("pod {}{}", ns, pod), {});
}

Entered enter_container(Words words) {
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if ((word == "-u" || word == "--user" || word == "-w" || word == "-e") &&
        i + 1 < words.size()) {
      ++i;
    } else if (!word.starts_with('-')) {
      return enter("container " + std::string(word), words.subspan(i + 1));
    }
  }
  return {};
}

// nsenter -t 3985 -n ss -lnt; without -n it stays in the same network namespace.
Entered enter_process(Words words) {
  std::string target;
  bool network = false;
  std::size_t i = 1;
  for (; i < words.size() && words[i].starts_with('-'); ++i) {
    const std::string_view word = words[i];
    if ((word == "-t" || word == "--target") && i + 1 < words.size()) {
      target = words[++i];
    } else if (word.starts_with("--target=")) {
      target = word.substr(9);
    } else if (word.starts_with("--net=")) {
      target = word.substr(6);
      network = true;
    } else if (word.starts_with("-t") && word.size() > 2) {
      target = word.substr(2);
    } else if (word == "-a" || word == "--all" || word == "--net") {
      network = true;
    } else if (!word.starts_with("--")) {
      network = network || word.find('n') != std::string_view::npos;
      if (word.ends_with('t') && i + 1 < words.size()) target = words[++i];
    }
    if (word == "--") break;
  }
  const Words run = words.subspan(std::min(i, words.size()));
  if (!network || target.empty()) return {.command = joined(run)};
  const bool is_pid = parse_int<std::int64_t>(target).has_value();
  return enter((is_pid ? "network namespace of pid " : "network namespace ") + target, run);
}

}  // namespace

std::optional<TypedLine> parse_typed(std::string_view line) {
  constexpr std::size_t kLongestPrompt = 120;
  std::string_view text = trim(line);
  TypedLine typed;
  typed.clock = take_clock(text);
  for (std::size_t at = 0; at < std::min(text.size(), kLongestPrompt); ++at) {
    if (text[at] != '$' && text[at] != '#' && text[at] != '%') continue;
    if (at + 1 < text.size() && text[at + 1] != ' ') continue;
    const auto prefix = parse_prefix(text.substr(0, at));
    if (!prefix) break;
    const std::string_view command = trim(text.substr(at + 1));
    if (!prefix->certain && !is_command(command)) break;
    typed.where = prefix->where;
    typed.names_host = prefix->names_host;
    typed.prompt = true;
    typed.command = std::string(command);
    return typed;
  }
  typed.clock.reset();
  if (text.ends_with(':')) text = trim(text.substr(0, text.size() - 1));
  if (!is_bare_command(text)) return std::nullopt;
  typed.command = std::string(text);
  return typed;
}

Entered entered_by(std::string_view command) {
  command = strip_sudo(command);
  const std::vector<std::string_view> all = split_blank(command);
  const Words words(all);
  if (words.size() >= 2 && (words[0] == "kubectl" || words[0] == "oc")) {
    const bool exec = std::ranges::find(words, "exec") != words.end();
    if (exec) return enter_pod(words);
  }
  const bool engine = !words.empty() && (words[0] == "docker" || words[0] == "podman" ||
                                         words[0] == "crictl" || words[0] == "nerdctl");
  if (engine && words.size() > 2 && words[1] == "exec") return enter_container(words);
  if (!words.empty() && words[0] == "nsenter") return enter_process(words);
  if (words.size() > 3 && words[0] == "ip" && words[1] == "netns" && words[2] == "exec") {
    return enter("network namespace " + std::string(words[3]), words.subspan(4));
  }
  if (words.size() > 1 && words[0] == "ssh" && !words[1].starts_with('-')) {
    std::string_view host = words[1];
    if (const std::size_t at = host.find('@'); at != std::string_view::npos) {
      host.remove_prefix(at + 1);
    }
    return enter("host " + std::string(host), words.subspan(2));
  }
  return {.command = std::string(command)};
}

std::vector<std::string_view> commands_of(std::string_view line) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    const bool both = line.substr(i, 2) == "&&";
    if (i < line.size() && line[i] != ';' && !both) continue;
    std::string_view part = trim(line.substr(begin, i - begin));
    if (part.starts_with("do ")) part = trim(part.substr(3));
    if (part.starts_with("while ")) part = trim(part.substr(6));
    if (!part.empty()) parts.push_back(part);
    if (both) ++i;
    begin = i + 1;
  }
  return parts;
}

std::optional<double> sleep_of(std::string_view command) {
  const std::vector<std::string_view> words = split_blank(strip_sudo(command));
  if (words.size() != 2 || words[0] != "sleep") return std::nullopt;
  std::string_view number = words[1];
  double unit = 1;
  if (number.ends_with('s')) {
    number.remove_suffix(1);
  } else if (number.ends_with('m')) {
    number.remove_suffix(1);
    unit = 60;
  }
  double value = 0;
  const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
  if (result.ec != std::errc{} || result.ptr != number.data() + number.size() || value <= 0) {
    return std::nullopt;
  }
  return value * unit;
}

std::optional<double> parse_moment(std::string_view line) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr std::array<std::string_view, 7> kDays = {"Mon", "Tue", "Wed", "Thu",
                                                     "Fri", "Sat", "Sun"};
  std::vector<std::string_view> words = split_blank(line);
  if (words.empty() || words.size() > 40) return std::nullopt;
  const bool watch = words[0] == "Every" && words.size() > 3 && words[1].ends_with("s:");
  const auto is_day = [&](std::string_view word) {
    if (word.ends_with(',')) word.remove_suffix(1);
    return std::ranges::find(kDays, word) != kDays.end();
  };
  // ISO 8601.
  if (words[0].size() >= 10 && words[0][4] == '-' && words[0][7] == '-' && words.size() <= 4) {
    const auto year = parse_int<int>(words[0].substr(0, 4));
    const auto month = parse_int<unsigned>(words[0].substr(5, 2));
    const auto day = parse_int<unsigned>(words[0].substr(8, 2));
    const std::string_view time = words[0].size() > 11 ? words[0].substr(11)
                                  : words.size() > 1   ? words[1]
                                                       : std::string_view();
    const auto clock = clock_at(time);
    if (!year || !month || !day || !clock) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(*month),
                                           std::chrono::day(*day)};
    if (!date.ok()) return std::nullopt;
    return *clock + 86400.0 * std::chrono::sys_days(date).time_since_epoch().count();
  }
  if (!watch && (words.size() < 4 || words.size() > 7 || !is_day(words[0]))) return std::nullopt;
  std::optional<double> clock;
  std::optional<unsigned> month;
  std::optional<unsigned> day;
  std::optional<int> year;
  for (std::size_t i = watch ? words.size() - std::min<std::size_t>(words.size(), 7) : 0;
       i < words.size(); ++i) {
    const std::string_view word = words[i];
    const auto* name = std::ranges::find(kMonths, word.substr(0, 3));
    if (name != kMonths.end()) month = static_cast<unsigned>(name - kMonths.begin()) + 1;
    const auto number = parse_int<int>(word);
    if (number && *number > 1900) year = number;
    if (number && *number > 0 && *number < 32 && !day) day = static_cast<unsigned>(*number);
    if (const auto at = clock_at(word)) clock = at;
  }
  if (!clock) return std::nullopt;
  // "03:56:56 PM" of an English locale.
  if (std::ranges::find(words, "PM") != words.end() && *clock < 43200) *clock += 43200;
  if (!month || !day || !year) return clock;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  if (!date.ok()) return clock;
  return *clock + 86400.0 * std::chrono::sys_days(date).time_since_epoch().count();
}

}  // namespace acceptq::imports
