// What holds programs up: /proc/pressure/*, cpu.stat of a control group, /proc/PID/mountstats.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

constexpr std::string_view kPressure = "/proc/pressure/";

// "some avg10=0.12 avg60=0.05 avg300=0.01 total=2148" (kernel/sched/psi.c, psi_show).
std::optional<double> average_of(std::string_view line, std::string_view kind) {
  const std::vector<std::string_view> words = split_blank(line);
  constexpr std::string_view kAverage = "avg10=";
  if (words.size() != 5 || words[0] != kind || !words[1].starts_with(kAverage) ||
      !words[4].starts_with("total=")) {
    return std::nullopt;
  }
  const std::string_view number = words[1].substr(kAverage.size());
  const std::size_t dot = number.find('.');
  const auto whole = parse_int<std::uint32_t>(number.substr(0, dot));
  if (!whole || *whole > 100 || dot == std::string_view::npos) return std::nullopt;
  const auto rest = parse_int<std::uint32_t>(number.substr(dot + 1));
  if (!rest || *rest > 99) return std::nullopt;
  return *whole + *rest / 100.0;
}

// The resources that a command prints the pressure of, in their order; a pattern prints all.
std::vector<std::string> printed(std::string_view command) {
  std::vector<std::string> names;
  for (const std::string_view word : split_blank(command)) {
    if (word == "|") break;
    const std::size_t at = word.find(kPressure);
    if (at == std::string_view::npos) continue;
    const std::string_view name = word.substr(at + kPressure.size());
    if (name.find_first_of("*{[?") == std::string_view::npos) {
      names.emplace_back(name);
    } else {
      names.insert(names.end(), {"cpu", "io", "memory"});
    }
  }
  return names;
}

// The resource that a line names itself: "/proc/pressure/io:some …" of grep; cut off.
std::string named(std::string_view& line) {
  if (!line.starts_with(kPressure)) return "";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "";
  const std::string name(line.substr(kPressure.size(), colon - kPressure.size()));
  line.remove_prefix(colon + 1);
  return name;
}

}  // namespace

Reading read_pressure(Lines lines, const Typed& typed) {
  Reading reading;
  Pressures pressures;
  const std::vector<std::string> names = printed(typed.command);
  std::size_t next = 0;
  bool was_some = false;
  for (; reading.used < lines.size(); ++reading.used) {
    std::string_view line = lines[reading.used].text;
    // Of head, which says whose lines come.
    if (line.starts_with("==> /proc/pressure/")) continue;
    std::string name = named(line);
    const auto some = average_of(line, "some");
    const auto full = average_of(line, "full");
    if (!some && !full) break;
    // That of interrupts (6.1) has one line alone, "full".
    if (full && !was_some) continue;
    was_some = some.has_value();
    if (!some) continue;
    if (name.empty() && next < names.size()) name = names[next++];
    pressures.all.push_back({.resource = name, .some = *some});
  }
  if (!pressures.all.empty()) reading.piece = std::move(pressures);
  return reading;
}

Reading read_cpu_stat(Lines lines, const Typed& /*typed*/) {
  constexpr std::array<std::string_view, 11> kNames = {
      "usage_usec",     "user_usec",  "system_usec",  "core_sched.force_idle_usec",
      "nice_usec",      "nr_periods", "nr_throttled", "throttled_usec",
      "throttled_time", "nr_bursts",  "burst_usec"};
  Reading reading;
  std::string text;
  std::vector<std::string_view> seen;
  for (; reading.used < lines.size(); ++reading.used) {
    const std::vector<std::string_view> words = split_blank(lines[reading.used].text);
    const bool is_ours = words.size() == 2 && std::ranges::find(kNames, words[0]) != kNames.end() &&
                         parse_int<std::uint64_t>(words[1]);
    // The same name again is of another sample, or of another group.
    if (!is_ours || std::ranges::find(seen, words[0]) != seen.end()) break;
    seen.push_back(words[0]);
    text += lines[reading.used].text + "\n";
  }
  if (reading.used == 0) return {};
  if (const auto stat = evidence::parse_cpu_stat(text)) reading.piece = CpuSample{*stat};
  return reading;
}

Reading read_mountstats(Lines lines, const Typed& /*typed*/) {
  const auto is_device = [](std::string_view line) {
    return line.starts_with("device ") && line.find(" mounted on ") != std::string_view::npos &&
           line.find(" with fstype ") != std::string_view::npos;
  };
  if (lines.empty() || !is_device(lines[0].text)) return {};
  Reading reading;
  std::string text;
  std::vector<std::string_view> seen;
  for (; reading.used < lines.size(); ++reading.used) {
    const std::string_view line = lines[reading.used].text;
    if (is_device(line)) {
      if (!seen.empty() && seen.front() == line) break;  // another sample
      seen.push_back(line);
    } else if (!line.empty() && !line.starts_with(' ')) {
      break;
    }
    text += std::string(line) + "\n";
  }
  MountSample sample{evidence::parse_mountstats(text)};
  if (!sample.mounts.empty()) reading.piece = std::move(sample);
  return reading;
}

}  // namespace acceptq::imports
