// /proc/net/netstat and /proc/net/snmp: pairs of lines, names then values, each behind the name of
// its group; or columns that somebody picked of it.
#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

bool is_group(std::string_view word) {
  return word == "TcpExt:" || word == "Tcp:" || word == "IpExt:" || word == "Ip:" ||
         word == "Icmp:" || word == "IcmpMsg:" || word == "Udp:" || word == "UdpLite:" ||
         word == "MPTcpExt:";
}

// Columns that awk printed of TcpExt, names above values: "ListenOverflows ListenDrops".
Reading read_columns(Lines lines) {
  if (lines.size() < 2) return {};
  const std::vector<std::string_view> names = split_blank(lines[0].text);
  const std::vector<std::string_view> values = split_blank(lines[1].text);
  const auto is_name = [](std::string_view word) {
    return std::isupper(static_cast<unsigned char>(word[0])) != 0 &&
           std::ranges::all_of(word,
                               [](unsigned char c) { return std::isalnum(c) != 0 && c < 0x80; });
  };
  const auto has = [&](std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  const bool is_head = (has("ListenOverflows") || has("ListenDrops")) &&
                       names.size() == values.size() && std::ranges::all_of(names, is_name);
  if (!is_head) return {};
  CounterSample sample{.form = "/proc/net"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto value = parse_int<std::uint64_t>(values[i]);
    if (!value) return {};
    sample.counters.emplace_back("TcpExt" + std::string(names[i]), *value);
  }
  return {.used = 2, .piece = std::move(sample)};
}

}  // namespace

Reading read_proc_counters(Lines lines, const Typed& /*typed*/) {
  if (Reading columns = read_columns(lines); columns.used > 0) return columns;
  Reading reading;
  CounterSample sample{.form = "/proc/net"};
  std::vector<std::string_view> groups;
  while (reading.used + 1 < lines.size()) {
    const Line& first = lines[reading.used];
    const std::vector<std::string_view> names = split_blank(first.text);
    const std::vector<std::string_view> values = split_blank(lines[reading.used + 1].text);
    if (names.size() < 2 || !is_group(names[0]) || values.empty() || values[0] != names[0]) break;
    // The same group again is another sample.
    if (std::ranges::find(groups, names[0]) != groups.end()) break;
    groups.push_back(names[0]);
    reading.used += 2;
    if (names[0] != "TcpExt:" && names[0] != "Tcp:" && names[0] != "MPTcpExt:") continue;
    const std::string group(names[0].substr(0, names[0].size() - 1));
    if (names.size() != values.size()) {
      reading.problems.push_back(
          {first.number + 1, "group " + group + " has " + std::to_string(values.size() - 1) +
                                 " values for " + std::to_string(names.size() - 1) +
                                 " names (long lines may be broken)"});
      continue;
    }
    for (std::size_t i = 1; i < names.size(); ++i) {
      const auto value = parse_int<std::uint64_t>(values[i]);
      if (value) sample.counters.emplace_back(group + std::string(names[i]), *value);
    }
  }
  if (!sample.counters.empty()) reading.piece = std::move(sample);
  return reading;
}

}  // namespace acceptq::imports
