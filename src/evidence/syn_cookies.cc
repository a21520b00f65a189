#include "evidence/syn_cookies.h"

#include <algorithm>
#include <cmath>

namespace acceptq::evidence {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kValues = 64;  // of the low bits: TSBITS is 6
// Both clocks are cut to milliseconds: phases that differ by one are the same, 3 of 64.
constexpr std::int64_t kWidth = 3;

// Far from a multiple of 64 ms, so that ordinary answers differ whenever clients ask regularly.
bool is_out_of_phase(std::int64_t elapsed_ns) {
  constexpr std::int64_t kPeriodNs = kValues * kNsPerMs;
  const std::int64_t phase = elapsed_ns % kPeriodNs;
  return phase >= kPeriodNs / 4 && phase <= kPeriodNs * 3 / 4;
}

bool is_same_phase(std::uint8_t a, std::uint8_t b) {
  return (a - b + kValues + 1) % kValues < kWidth;
}

// The chance of so many matches among answers that are no cookies is below one in ten million
// (Chernoff's bound).
bool is_no_chance(const CookieSigns& signs) {
  constexpr double kLogOfOdds = 16.1;
  const auto matched = static_cast<double>(signs.matched);
  const double expected = static_cast<double>(signs.compared) * kWidth / kValues;
  return matched > expected &&
         matched * std::log(matched / expected) - (matched - expected) >= kLogOfOdds;
}

}  // namespace

void add_options(const TcpOptions& asked, const TcpOptions& answered, CookieSigns& signs) {
  if (!asked.known || !answered.known || asked.has_timestamp) return;
  if (!asked.sack || asked.window_scale < 0) return;
  signs.bare += !answered.sack && answered.window_scale < 0 ? 1 : 0;
  signs.not_bare += answered.sack && answered.window_scale >= 0 ? 1 : 0;
}

int cookie_bits(const TcpOptions& asked, const TcpOptions& answered) {
  if (!asked.has_timestamp || !answered.has_timestamp) return -1;
  constexpr int kNoScale = 15;
  constexpr int kSack = 1 << 4;
  constexpr int kEcn = 1 << 5;
  const bool has_scale = answered.window_scale >= 0 && asked.window_scale >= 0;
  return (has_scale ? asked.window_scale : kNoScale) + (answered.sack ? kSack : 0) +
         (answered.ecn ? kEcn : 0);
}

void add_timestamps(const StampedAnswer& answer, CookieSigns& signs) {
  constexpr std::int64_t kDatedBack = 4;  // more than clocks that are cut to ms, and jitter
  constexpr std::int64_t kApartNs = 2 * kValues * kNsPerMs;  // delays of one burst are alike
  constexpr std::int64_t kKeptNs = 30'000 * kNsPerMs;        // clocks drift by up to 1 ms
  const auto grew = static_cast<std::int32_t>(answer.next_timestamp - answer.timestamp);
  const std::int64_t back = grew - (answer.next_ns - answer.answered_ns) / kNsPerMs;
  // TSval counts something else than milliseconds, or the packets were delayed by more than tells.
  if (back < -kDatedBack || back > kValues + kDatedBack) return;
  const std::int64_t clock = std::int64_t{grew} + answer.cookie_bits - answer.next_ns / kNsPerMs;
  const auto phase = static_cast<std::uint8_t>((clock % kValues + kValues) % kValues);
  const bool is_dated_back = back >= kDatedBack;

  CookieSigns::Anchor& anchor = signs.anchor;
  const CookieSigns::Anchor fresh{
      .asked_ns = answer.asked_ns, .answered_ns = answer.answered_ns, .alike = 1, .phase = phase};
  const std::int64_t elapsed = answer.answered_ns - anchor.answered_ns;
  if (anchor.alike == 0 || elapsed < 0 || elapsed > kKeptNs) {
    if (is_dated_back) anchor = fresh;
    return;
  }
  const bool is_alike = is_same_phase(phase, anchor.phase);
  if (anchor.has_matched) {
    ++(is_alike ? signs.cookies : signs.ordinary);
  } else if (is_alike) {
    ++anchor.alike;
  }
  // The server answered between the two times.
  const bool tells = is_dated_back && elapsed >= kApartNs && is_out_of_phase(elapsed) &&
                     is_out_of_phase(answer.asked_ns - anchor.asked_ns);
  if (!tells) return;
  ++signs.compared;
  if (is_alike) {
    ++signs.matched;
    if (!anchor.has_matched) signs.cookies += anchor.alike;
    anchor = fresh;
    anchor.has_matched = true;
  } else if (!anchor.has_matched) {
    anchor = fresh;
  }
}

std::optional<CookieCount> cookies_of(const CookieSigns& signs) {
  CookieCount count;
  const bool is_sure = is_no_chance(signs);
  if (is_sure) {
    const std::uint64_t by_chance = signs.ordinary * kWidth / (kValues - kWidth);
    count.cookies = signs.cookies - std::min(signs.cookies, by_chance);
    count.ordinary = signs.ordinary;
  }
  constexpr std::uint64_t kFewest = 5;
  if (is_sure || (signs.bare >= kFewest && signs.not_bare >= kFewest)) {
    count.cookies += signs.bare;
    count.ordinary += signs.not_bare;
  }
  if (count.cookies == 0) return std::nullopt;
  return count;
}

}  // namespace acceptq::evidence
