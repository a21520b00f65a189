#include "lab/tools.h"

#include <vector>

#include "base/text.h"

namespace acceptq::lab {

std::optional<QueueLine> parse_ss(std::string_view text, std::uint16_t port) {
  const std::string suffix = ":" + std::to_string(port);
  std::optional<QueueLine> fullest;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const std::vector<std::string_view> fields = split_blank(line);
    if (fields.size() < 4 || fields[0] != "LISTEN" || !fields[3].ends_with(suffix)) continue;
    const std::optional<std::uint32_t> length = parse_int<std::uint32_t>(fields[1]);
    const std::optional<std::uint32_t> limit = parse_int<std::uint32_t>(fields[2]);
    if (!length || !limit || (fullest && fullest->length >= *length)) continue;
    fullest = QueueLine{*length, *limit, std::string(trim(line))};
  }
  return fullest;
}

std::map<std::string, std::uint64_t> parse_nstat(std::string_view text) {
  std::map<std::string, std::uint64_t> counters;
  while (!text.empty()) {
    const std::vector<std::string_view> fields = split_blank(next_line(text));
    if (fields.size() < 2 || fields[0].starts_with('#')) continue;
    const std::optional<std::uint64_t> value = parse_int<std::uint64_t>(fields[1]);
    if (value) counters[std::string(fields[0])] = *value;
  }
  return counters;
}

}  // namespace acceptq::lab
