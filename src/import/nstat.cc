// nstat (iproute2): "TcpExtListenOverflows           12178939           0.0", a counter a line.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "import/json_lines.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

constexpr std::array<std::string_view, 3> kGroups = {"TcpExt", "MPTcpExt", "Tcp"};
constexpr std::array<std::string_view, 12> kAllGroups = {"TcpExt", "MPTcpExt", "Tcp",     "IpExt",
                                                         "Ip6",    "IpReasm",  "Ip",      "IcmpMsg",
                                                         "Icmp6",  "Icmp",     "UdpLite", "Udp"};

bool is_name(std::string_view word) {
  const bool known = std::ranges::any_of(kAllGroups, [&](std::string_view group) {
    return word.starts_with(group) && word.size() > group.size();
  });
  return known && std::ranges::all_of(word, [](unsigned char c) { return std::isalnum(c) != 0; });
}

bool is_wanted(std::string_view name) {
  return std::ranges::any_of(kGroups,
                             [&](std::string_view group) { return name.starts_with(group); });
}

bool is_rate(std::string_view word) {
  return word.find('.') != std::string_view::npos &&
         word.find_first_not_of("0123456789.-") == std::string_view::npos;
}

// {"kernel":{"IpInReceives":12, …}} on one line or on many.
Reading read_json(Lines lines, std::size_t* budget) {
  std::string text;
  const std::size_t used = lines_of_json(lines, budget, text);
  if (used == 0) return {};
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("kernel") || !json["kernel"].is_object()) return {};
  CounterSample sample{.form = "nstat"};
  for (const auto& [name, value] : json["kernel"].items()) {
    if (is_wanted(name) && value.is_number_unsigned()) {
      sample.counters.emplace_back(name, value.get<std::uint64_t>());
    }
  }
  return {.used = used, .piece = std::move(sample)};
}

}  // namespace

// Without -a (or -r, which forgets what was) it prints what has grown since its user ran it last.
bool prints_increments(std::string_view command) {
  bool nstat = false;
  for (const std::string_view word : split_blank(command)) {
    if (word == "|") break;
    const bool is_option = nstat && word.starts_with('-') && !word.starts_with("--");
    if (is_option && word.find_first_of("ar") != std::string_view::npos) return false;
    if (nstat && (word == "--ignore" || word == "--reset")) return false;
    nstat |= word == "nstat" || word == "nstat;";
    if (nstat && word.ends_with(';')) break;
  }
  return nstat;
}

Reading read_nstat(Lines lines, const Typed& typed) {
  if (lines.empty()) return {};
  if (lines[0].text.starts_with('{') &&
      (lines[0].text.find("\"kernel\"") != std::string::npos || lines[0].text == "{")) {
    return read_json(lines, typed.json_budget);
  }
  Reading reading;
  CounterSample sample{.form = "nstat"};
  for (; reading.used < lines.size(); ++reading.used) {
    const Line& line = lines[reading.used];
    const std::vector<std::string_view> words = split_blank(line.text);
    if (words.size() == 1 && reading.used == 0 && words[0] == "#kernel") continue;
    if (words.empty() || !is_name(words[0])) break;
    const bool seen = std::ranges::any_of(
        sample.counters, [&](const auto& counter) { return counter.first == words[0]; });
    if (seen) break;  // another sample
    const auto value = words.size() == 3 ? parse_int<std::uint64_t>(words[1]) : std::nullopt;
    if (!value || !is_rate(words[2])) {
      // A name in a sentence is none of ours.
      if (words.size() > 3 || (words.size() == 1 && reading.used == 0)) break;
      reading.problems.push_back(
          {line.number, "a line of nstat is not a name, a number and a rate"});
      continue;
    }
    if (is_wanted(words[0])) sample.counters.emplace_back(words[0], *value);
  }
  if (reading.used == 0 || sample.counters.empty()) return reading;
  sample.increments = prints_increments(typed.command);
  reading.piece = std::move(sample);
  return reading;
}

}  // namespace acceptq::imports
