// What the first column of tcpdump's lines means. -ttt, -ttttt and no -t at all look the same.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "import/capture/tcpdump_text.h"

namespace acceptq::imports::capture {

struct ColumnValue {
  TimeColumn column = TimeColumn::kNone;  // kClock for every HH:MM:SS
  std::int64_t at_ns = 0;
};
// Of a line, from its beginning.
[[nodiscard]] ColumnValue read_time_column(std::string_view line);

struct Times {
  TimeColumn column = TimeColumn::kNone;
  bool is_assumed = false;
  std::vector<std::int64_t> at_ns;  // of each line; on a scale of their own where there is no date
};
// `command`: what a command line in the text asks for. Else the lines tell: times that go back are
// gaps; and TCP's own timestamps, or the times at which a SYN is repeated, fit one meaning only.
[[nodiscard]] Times times_of(std::span<const TcpdumpLine> lines, std::optional<TimeColumn> command);

}  // namespace acceptq::imports::capture
