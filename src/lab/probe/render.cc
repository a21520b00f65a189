#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "lab/probe/probe.h"

namespace acceptq::lab::probe {
namespace {

struct Line {
  Outcome outcome;
  const char* words;
};

constexpr Line kLines[] = {
    {Outcome::kConnectedAtOnce, "connected at once"},
    {Outcome::kConnectedAfterRetries, "connected after SYN retries"},
    {Outcome::kNeverAnswered, "connected, never answered"},
    {Outcome::kClosedUnanswered, "connected, closed without a byte"},
    {Outcome::kReset, "reset"},
    {Outcome::kRefused, "refused"},
    {Outcome::kTimedOut, "timed out while connecting"},
    {Outcome::kOtherError, "other error"},
    {Outcome::kLocalFailure, "not sent: this host ran short"},
    {Outcome::kUnfinished, "unfinished when stopped"},
};

std::string duration_text(std::int64_t microseconds) {
  const double us = static_cast<double>(microseconds);
  if (microseconds < 1000) return fmt::format("{} us", microseconds);
  if (microseconds < 1'000'000) return fmt::format("{:.1f} ms", us / 1e3);
  return fmt::format("{:.2f} s", us / 1e6);
}

// strerrorname_np needs glibc 2.32, which a static binary has by itself.
std::string errno_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name != nullptr ? name : fmt::format("errno {}", error);
}

void add_histogram(std::string& out, const char* title, const LatencyHistogram& histogram) {
  if (histogram.count() == 0) return;
  fmt::format_to(std::back_inserter(out),
                 "  {:<12} min {}, median {}, 90 % {}, 99 % {}, longest {}\n", title,
                 duration_text(*histogram.min_us()), duration_text(*histogram.percentile_us(50)),
                 duration_text(*histogram.percentile_us(90)),
                 duration_text(*histogram.percentile_us(99)), duration_text(*histogram.max_us()));
  // One bar for each power of ten that something falls in, and within the seconds for each that
  // SYN retries make.
  constexpr std::int64_t kEdges[] = {
      0,         100,       1'000,     10'000,     100'000,    1'000'000,  2'000'000,
      3'000'000, 5'000'000, 7'000'000, 11'000'000, 15'000'000, 31'000'000, 1'000'000'000'000};
  constexpr std::size_t kWidth = 40;
  for (std::size_t i = 0; i + 1 < std::size(kEdges); ++i) {
    const std::uint64_t here =
        histogram.count_below_us(kEdges[i + 1]) - histogram.count_below_us(kEdges[i]);
    if (here == 0) continue;
    const double share = static_cast<double>(here) / static_cast<double>(histogram.count());
    const auto bar = static_cast<std::size_t>(std::lround(share * kWidth));
    const std::string range = i + 2 == std::size(kEdges) ? "from " + duration_text(kEdges[i])
                                                         : "below " + duration_text(kEdges[i + 1]);
    fmt::format_to(std::back_inserter(out), "    {:<16} {:>8}  {}\n", range, here,
                   std::string(std::max<std::size_t>(bar, 1), '#'));
  }
}

void add_errors(std::string& out, const char* title, const std::map<int, std::uint64_t>& errors) {
  for (const auto& [error, count] : errors) {
    fmt::format_to(std::back_inserter(out), "  {}: {} × {} ({})\n", title, count, errno_name(error),
                   ::strerror(error));
  }
}

nlohmann::json to_json(const LatencyHistogram& histogram) {
  if (histogram.count() == 0) return nullptr;
  return {{"count", histogram.count()},
          {"min_us", *histogram.min_us()},
          {"mean_us", *histogram.mean_us()},
          {"p50_us", *histogram.percentile_us(50)},
          {"p90_us", *histogram.percentile_us(90)},
          {"p99_us", *histogram.percentile_us(99)},
          {"max_us", *histogram.max_us()}};
}

nlohmann::json to_json(const std::map<int, std::uint64_t>& errors) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [error, count] : errors) object[errno_name(error)] = count;
  return object;
}

}  // namespace

std::string to_text(const ProbeResult& result) {
  std::string out;
  const double reached = result.arrivals_s > 0 && result.started > 0
                             ? static_cast<double>(result.started - 1) / result.arrivals_s
                             : 0;
  fmt::format_to(std::back_inserter(out), "probe of {}: {} connections in {:.1f} s", result.target,
                 result.started, result.elapsed_s);
  if (result.asked_rate_per_s > 0 && result.arrivals_s > 0) {
    fmt::format_to(std::back_inserter(out), " ({:.1f}/s asked, {:.1f}/s made)",
                   result.asked_rate_per_s, reached);
  }
  out += result.stopped ? ", stopped\n" : "\n";
  for (const Line& line : kLines) {
    const std::uint64_t count = result.of(line.outcome);
    if (count == 0) continue;
    fmt::format_to(std::back_inserter(out), "  {:<34} {:>8}  {:>5.1f} %\n", line.words, count,
                   100.0 * static_cast<double>(count) / static_cast<double>(result.started));
  }
  for (const auto& [retries, count] : result.syn_retries) {
    if (retries == 0) continue;
    fmt::format_to(std::back_inserter(out), "  connected at SYN retry {}: {}\n", retries, count);
  }
  add_histogram(out, "connect", result.connect_time);
  add_histogram(out, "first byte", result.first_byte_time);
  add_errors(out, "error", result.errors);
  add_errors(out, "this host's own failure", result.local_errors);
  if (result.shortfall > 0) {
    fmt::format_to(std::back_inserter(out),
                   "  {} arrivals were not made: the allowed number of connections was already "
                   "outstanding\n",
                   result.shortfall);
  }
  if (!result.retries_from_kernel) {
    out += "  SYN retries are told from the connect time; this kernel does not count them\n";
  }
  return out;
}

std::string to_line(const ProbeResult& result) {
  std::string out = fmt::format("{} connections", result.started);
  const char* separator = ": ";
  for (const Line& line : kLines) {
    if (result.of(line.outcome) == 0) continue;
    fmt::format_to(std::back_inserter(out), "{}{} {}", separator, result.of(line.outcome),
                   line.words);
    separator = "; ";  // some words hold a comma
  }
  return out;
}

std::string to_json(const ProbeResult& result) {
  nlohmann::json outcomes = nlohmann::json::object();
  for (const Line& line : kLines) outcomes[to_string(line.outcome)] = result.of(line.outcome);
  nlohmann::json retries = nlohmann::json::object();
  for (const auto& [count, connections] : result.syn_retries) {
    retries[std::to_string(count)] = connections;
  }
  const nlohmann::json object = {
      {"schema", "acceptq.probe/1"},
      {"target", result.target},
      {"asked_rate_per_s", result.asked_rate_per_s},
      {"arrivals_seconds", result.arrivals_s},
      {"elapsed_seconds", result.elapsed_s},
      {"started", result.started},
      {"shortfall", result.shortfall},
      {"stopped", result.stopped},
      {"outcomes", outcomes},
      {"syn_retries", retries},
      {"syn_retries_source", result.retries_from_kernel ? "kernel" : "time"},
      {"syn_linear_timeouts", result.syn_linear_timeouts},
      {"errors", to_json(result.errors)},
      {"local_errors", to_json(result.local_errors)},
      {"connect_time", to_json(result.connect_time)},
      {"first_byte_time", to_json(result.first_byte_time)}};
  return printable_json(object.dump(2));
}

}  // namespace acceptq::lab::probe
