#include "import/capture/time_column.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <map>
#include <tuple>

namespace acceptq::imports::capture {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kHourNs = 3600 * kNsPerSecond;
constexpr std::int64_t kDayNs = 24 * kHourNs;
// Nothing is at 0, which stands for "never" elsewhere.
constexpr std::int64_t kBeginNs = kNsPerSecond;
// No scale is longer.
constexpr std::int64_t kEndNs = std::int64_t{1} << 62U;

// Takes `digits` digits, or as many as there are for 0, and gives their value.
std::optional<std::int64_t> take_digits(std::string_view& text, std::size_t digits) {
  constexpr std::size_t kMost = 18;
  std::int64_t value = 0;
  std::size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') {
    if (count == kMost) return std::nullopt;
    value = value * 10 + (text[count] - '0');
    ++count;
  }
  if (count == 0 || (digits != 0 && count != digits)) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// ".123456", and nothing at all.
std::int64_t take_fraction(std::string_view& text) {
  if (!take(text, '.')) return 0;
  std::int64_t ns = 0;
  std::int64_t unit = kNsPerSecond / 10;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    ns += (text.front() - '0') * unit;
    unit /= 10;
    text.remove_prefix(1);
  }
  return ns;
}

// "15:04:05.123456"
std::optional<std::int64_t> take_clock(std::string_view& text) {
  std::string_view rest = text;
  const auto hours = take_digits(rest, 2);
  if (!hours || !take(rest, ':')) return std::nullopt;
  const auto minutes = take_digits(rest, 2);
  if (!minutes || !take(rest, ':')) return std::nullopt;
  const auto seconds = take_digits(rest, 2);
  if (!seconds) return std::nullopt;
  const std::int64_t fraction = take_fraction(rest);
  text = rest;
  return ((*hours * 60 + *minutes) * 60 + *seconds) * kNsPerSecond + fraction;
}

// "2020-01-13 ", as days since 1970.
std::optional<std::int64_t> take_date(std::string_view& text) {
  std::string_view rest = text;
  const auto year = take_digits(rest, 4);
  if (!year || !take(rest, '-')) return std::nullopt;
  const auto month = take_digits(rest, 2);
  if (!month || !take(rest, '-')) return std::nullopt;
  const auto day = take_digits(rest, 2);
  if (!day || !take(rest, ' ')) return std::nullopt;
  if (*year < 1970 || *year >= 2200) return std::nullopt;  // what fits into nanoseconds
  std::tm date{};
  date.tm_year = static_cast<int>(*year) - 1900;
  date.tm_mon = static_cast<int>(*month) - 1;
  date.tm_mday = static_cast<int>(*day);
  text = rest;
  return ::timegm(&date) / (kDayNs / kNsPerSecond);
}

std::vector<std::int64_t> summed(std::span<const TcpdumpLine> lines) {
  std::vector<std::int64_t> times;
  times.reserve(lines.size());
  std::int64_t now = kBeginNs;
  for (const TcpdumpLine& line : lines)
    times.push_back(now = std::min(now + line.packet.at_ns, kEndNs));
  return times;
}

// As they stand there; a day is added where midnight passed.
std::vector<std::int64_t> absolute(std::span<const TcpdumpLine> lines) {
  std::vector<std::int64_t> times;
  times.reserve(lines.size());
  std::int64_t days = 0;
  std::int64_t before = 0;
  for (const TcpdumpLine& line : lines) {
    if (line.packet.at_ns < before - kDayNs / 2) days = std::min(days + kDayNs, kEndNs);
    before = line.packet.at_ns;
    times.push_back(kBeginNs + days + before);
  }
  return times;
}

// Where nothing tells when packets came: a SYN that is repeated comes a second later, which is the
// least, and everything else at once.
std::vector<std::int64_t> invented(std::span<const TcpdumpLine> lines) {
  using Seen = std::tuple<facts::IpAddress, facts::IpAddress, std::uint16_t, std::uint16_t,
                          std::uint32_t, bool>;
  std::map<Seen, bool> seen;
  std::vector<std::int64_t> times;
  times.reserve(lines.size());
  std::int64_t now = kBeginNs;
  for (const TcpdumpLine& line : lines) {
    const evidence::TcpPacket& packet = line.packet;
    now += 1000;
    if (packet.syn) {
      const Seen key{packet.source,           packet.destination, packet.source_port,
                     packet.destination_port, packet.sequence,    packet.ack};
      if (!seen.emplace(key, true).second) now += kNsPerSecond;
    }
    times.push_back(now);
  }
  return times;
}

using Flow = std::tuple<facts::IpAddress, facts::IpAddress, std::uint16_t, std::uint16_t>;

Flow flow_of(const evidence::TcpPacket& packet) {
  return {packet.source, packet.destination, packet.source_port, packet.destination_port};
}

// How far the times are from what the senders' own clocks say, in seconds; empty: these say
// nothing. Their unit is a tick: 1 ms, or 4 or 10 ms on older kernels.
std::optional<double> misfit_of_timestamps(std::span<const TcpdumpLine> lines,
                                           std::span<const std::int64_t> times) {
  struct Step {
    double ticks = 0;
    double seconds = 0;
  };
  std::map<Flow, std::pair<std::uint32_t, std::int64_t>> last;
  std::vector<Step> steps;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].timestamp) continue;
    const auto [entry, is_new] =
        last.try_emplace(flow_of(lines[i].packet), *lines[i].timestamp, times[i]);
    if (is_new) continue;
    const std::uint32_t ticks = *lines[i].timestamp - entry->second.first;
    constexpr std::uint32_t kSome = 20;
    constexpr std::uint32_t kBackwards = 1U << 31U;
    if (ticks < kSome || ticks >= kBackwards) continue;
    steps.push_back({.ticks = static_cast<double>(ticks),
                     .seconds = static_cast<double>(times[i] - entry->second.second) / 1e9});
    entry->second = {*lines[i].timestamp, times[i]};
  }
  if (steps.size() < 2) return std::nullopt;
  double best = std::numeric_limits<double>::max();
  for (const double tick : {0.001, 0.004, 0.01}) {
    double misfit = 0;
    for (const Step& step : steps) misfit += std::abs(step.ticks * tick - step.seconds);
    best = std::min(best, misfit);
  }
  return best;
}

// Whether SYNs are repeated as Linux repeats them: after 1, 2, 4 … s; or after 1 s five times, then
// 2, 4 … (tcp_syn_linear_timeouts 4, Linux 6.5). Empty: none is, twice.
std::optional<bool> fits_retries(std::span<const TcpdumpLine> lines,
                                 std::span<const std::int64_t> times) {
  struct Retries {
    std::uint32_t isn = 0;
    std::int64_t last_ns = 0;
    double gap = 0;
    int even = 0;
    int gaps = 0;
    bool fits = true;
  };
  std::map<Flow, Retries> all;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const evidence::TcpPacket& packet = lines[i].packet;
    if (!packet.syn || packet.ack) continue;
    Retries& retries = all[flow_of(packet)];
    if (retries.last_ns == 0 || retries.isn != packet.sequence) {
      retries = {.isn = packet.sequence, .last_ns = times[i]};
      continue;
    }
    const double gap = static_cast<double>(times[i] - retries.last_ns) / 1e9;
    if (gap < 0.1) continue;  // the same one, on another interface
    retries.last_ns = times[i];
    ++retries.gaps;
    constexpr double kSlack = 0.3;
    const bool is_even = std::abs(gap - 1) < kSlack;
    const bool is_double = std::abs(gap / (2 * std::max(retries.gap, 0.1)) - 1) < kSlack;
    if (is_even) {
      ++retries.even;
      retries.fits &= retries.even == retries.gaps;
    } else {
      constexpr int kEvenOnes = 5;
      const bool may_double =
          retries.even == 1 || retries.even == kEvenOnes || retries.even != retries.gaps - 1;
      retries.fits &= is_double && may_double;
    }
    retries.gap = gap;
  }
  std::optional<bool> fits;
  for (const auto& [flow, retries] : all) {
    if (retries.gaps < 2) continue;
    fits = fits.value_or(true) && retries.fits;
  }
  return fits;
}

bool goes_back(std::span<const TcpdumpLine> lines) {
  constexpr std::int64_t kDisorder = 1'000'000;  // of several queues of a network card
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::int64_t step = lines[i].packet.at_ns - lines[i - 1].packet.at_ns;
    if (step < -kDisorder && step > -kDayNs / 2) return true;
  }
  return false;
}

// Of HH:MM:SS.
Times times_of_clock(std::span<const TcpdumpLine> lines, std::optional<TimeColumn> command) {
  using enum TimeColumn;
  if (command == kGap) return {.column = kGap, .is_assumed = false, .at_ns = summed(lines)};
  const bool starts_at_0 = lines.front().packet.at_ns == 0;
  if (command == kClock || command == kSinceFirst) {
    return {.column = *command, .is_assumed = false, .at_ns = absolute(lines)};
  }
  Times gaps{.column = kGap, .is_assumed = false, .at_ns = summed(lines)};
  Times plain{
      .column = starts_at_0 ? kSinceFirst : kClock, .is_assumed = false, .at_ns = absolute(lines)};
  if (goes_back(lines)) return gaps;
  // A gap of hours is none.
  if (lines.back().packet.at_ns > kHourNs || lines.size() == 1) return plain;
  const auto misfit_gaps = misfit_of_timestamps(lines, gaps.at_ns);
  const auto misfit_plain = misfit_of_timestamps(lines, plain.at_ns);
  if (misfit_gaps && misfit_plain) return *misfit_gaps < *misfit_plain ? gaps : plain;
  const auto retries_gaps = fits_retries(lines, gaps.at_ns);
  const auto retries_plain = fits_retries(lines, plain.at_ns);
  if (retries_gaps != retries_plain) return retries_gaps.value_or(false) ? gaps : plain;
  plain.is_assumed = true;
  return plain;
}

}  // namespace

ColumnValue read_time_column(std::string_view line) {
  while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
  std::string_view rest = line;
  if (const auto days = take_date(rest)) {
    if (const auto clock = take_clock(rest)) {
      return {.column = TimeColumn::kDate, .at_ns = *days * kDayNs + *clock};
    }
  }
  rest = line;
  if (const auto clock = take_clock(rest)) return {.column = TimeColumn::kClock, .at_ns = *clock};
  rest = line;
  const auto seconds = take_digits(rest, 0);
  constexpr std::int64_t kLatest = 7'000'000'000;
  if (seconds && *seconds < kLatest && rest.starts_with('.')) {
    const std::int64_t fraction = take_fraction(rest);
    if (rest.starts_with(' ')) {
      return {.column = TimeColumn::kEpoch, .at_ns = *seconds * kNsPerSecond + fraction};
    }
  }
  return {};
}

Times times_of(std::span<const TcpdumpLine> lines, std::optional<TimeColumn> command) {
  using enum TimeColumn;
  if (lines.empty()) return {};
  // Text of two commands has two forms: then only their order is sure.
  const TimeColumn column = lines.front().column;
  const bool is_mixed =
      std::ranges::any_of(lines, [&](const TcpdumpLine& line) { return line.column != column; });
  if (is_mixed || column == kNone) {
    return {.column = kNone, .is_assumed = false, .at_ns = invented(lines)};
  }
  if (column == kClock) return times_of_clock(lines, command);
  Times times{.column = column, .is_assumed = false, .at_ns = {}};
  for (const TcpdumpLine& line : lines) times.at_ns.push_back(line.packet.at_ns);
  return times;
}

}  // namespace acceptq::imports::capture
