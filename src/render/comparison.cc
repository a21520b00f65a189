#include "render/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/text.h"
#include "render/listener_names.h"
#include "render/listener_rows.h"
#include "render/names.h"

namespace acceptq::render {
namespace {

using diagnose::ListenerComparison;
using diagnose::Outcome;
using diagnose::Side;
using Json = nlohmann::ordered_json;

const char* name_of_outcome(Outcome outcome) {
  switch (outcome) {
    case Outcome::kStopped:
      return "stopped";
    case Outcome::kFewer:
      return "fewer";
    case Outcome::kSame:
      return "same";
    case Outcome::kMore:
      return "more";
    case Outcome::kSlower:
      return "slower";
    case Outcome::kNoLoad:
      return "no_load";
    case Outcome::kTooShort:
      return "too_short";
    case Outcome::kQuiet:
      return "quiet";
    case Outcome::kGone:
      return "gone";
    case Outcome::kAmbiguous:
      return "ambiguous";
    case Outcome::kUnknown:
      break;
  }
  return "unknown";
}

const char* sentence(Outcome outcome) {
  switch (outcome) {
    case Outcome::kStopped:
      return "nothing is refused any more";
    case Outcome::kFewer:
      return "less is refused, but still some";
    case Outcome::kSame:
      return "as much is refused as before";
    case Outcome::kMore:
      return "more is refused than before";
    case Outcome::kSlower:
      return "nothing is refused any more, but connections wait longer for accept() than before";
    case Outcome::kNoLoad:
      return "nothing is refused, but so much less comes that this proves nothing";
    case Outcome::kTooShort:
      return "nothing is refused, but it was refused so seldom before that it has to be watched "
             "for longer (--for)";
    case Outcome::kQuiet:
      return "nothing was refused then, nor is now";
    case Outcome::kGone:
      return "nothing like it listens any more";
    case Outcome::kAmbiguous:
      return "several listeners may have taken its place";
    case Outcome::kUnknown:
      break;
  }
  return "what was refused is not known of both";
}

std::string refused(const Side& side) {
  if (!side.refused) return "not known";
  return fmt::format("{} in {:.1f} s", counted(*side.refused, "packet", "packets"), side.seconds);
}

std::string accepted(const Side& side) {
  return side.accepted ? fmt::format("{} connections/s", rate_text(*side.accepted)) : "not known";
}

std::string limit(const Side& side) {
  if (!side.limit) return "not known";
  if (side.limit_set_by == diagnose::LimitSetBy::kUnknown) return std::to_string(*side.limit);
  return fmt::format("{} ({})", *side.limit, name_of(side.limit_set_by));
}

std::string waiting(const Side& side) { return std::to_string(side.waiting.value()); }

std::string wait(const Side& side) {
  return side.wait_ms ? duration_text(*side.wait_ms) : "not known";
}

std::string then_and_now(const TermStyle& style, const std::string& then, const std::string& now) {
  return fmt::format("{} {} {}", then, style.unicode ? "→" : "->", now);
}

const facts::Listener* listener_of(const facts::Observation& observation, const std::string& key) {
  const auto it = std::ranges::find(observation.after.listeners, key, facts::listener_key);
  return it != observation.after.listeners.end() ? &*it : nullptr;
}

Json side_json(const Side& side) {
  const auto opt = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  return {{"verdict", name_of(side.verdict)},
          {"observed_seconds", side.seconds},
          {"refused_packets", opt(side.refused)},
          {"connections_per_s", opt(side.load)},
          {"accepted_per_s", opt(side.accepted)},
          {"limit", opt(side.limit)},
          {"limit_set_by", name_of(side.limit_set_by)},
          {"waiting", side.waiting.value()},
          {"wait_ms", opt(side.wait_ms)}};
}

ComparedListener compared(const TermStyle& style, const ListenerComparison& one,
                          const facts::Observation& now) {
  const facts::Listener* listener = one.key.empty() ? nullptr : listener_of(now, one.key);
  if (listener == nullptr) {
    return {fmt::format("{}: {}", printable(one.before_key), sentence(one.outcome)), {}};
  }
  ComparedListener result{
      fmt::format("{} {}{}: {}", workload_name(now.after, *listener),
                  printable(facts::listener_endpoint(*listener)),
                  one.key == one.before_key ? "" : " (another socket now)", sentence(one.outcome)),
      {{"refused", then_and_now(style, refused(one.before), refused(one.now))},
       {"limit", then_and_now(style, limit(one.before), limit(one.now))},
       {"waiting", then_and_now(style, waiting(one.before), waiting(one.now))}}};
  if (one.before.accepted || one.now.accepted) {
    result.rows.insert(result.rows.begin() + 1,
                       {"accepted", then_and_now(style, accepted(one.before), accepted(one.now))});
  }
  if (one.before.wait_ms || one.now.wait_ms) {
    result.rows.push_back({"waited", then_and_now(style, wait(one.before), wait(one.now))});
  }
  return result;
}

}  // namespace

std::string comparison_title(const diagnose::Comparison& comparison) {
  // Pasted text tells no time of day that could be relied on.
  return "compared with " +
         (comparison.realtime_ns != 0 ? utc_time(comparison.realtime_ns) : "what was pasted");
}

std::vector<ComparedListener> compared_listeners(const TermStyle& style,
                                                 const diagnose::Comparison& comparison,
                                                 const facts::Observation& now) {
  if (comparison.listeners.empty()) {
    return {{"every listener was healthy then: there is nothing to compare", {}}};
  }
  std::vector<ComparedListener> listeners;
  listeners.reserve(comparison.listeners.size());
  for (const ListenerComparison& one : comparison.listeners) {
    listeners.push_back(compared(style, one, now));
  }
  return listeners;
}

std::string comparison_text(const TermStyle& style, const diagnose::Comparison& comparison,
                            const facts::Observation& now) {
  std::string text = "\n" + ink(style, Ink::kBold, comparison_title(comparison)) + "\n";
  for (const ComparedListener& one : compared_listeners(style, comparison, now)) {
    text += wrap(style, 2, one.what_became);
    for (const Row& each : one.rows) text += row(style, "  " + each.label, each.text);
  }
  return text;
}

Json comparison_json(const diagnose::Comparison& comparison) {
  Json listeners = Json::array();
  for (const ListenerComparison& one : comparison.listeners) {
    listeners.push_back({{"before_key", escape_bytes(one.before_key)},
                         {"key", one.key.empty() ? Json(nullptr) : Json(escape_bytes(one.key))},
                         {"outcome", name_of_outcome(one.outcome)},
                         {"before", side_json(one.before)},
                         {"now", one.key.empty() ? Json(nullptr) : side_json(one.now)}});
  }
  const Json at =
      comparison.realtime_ns != 0 ? Json(utc_time(comparison.realtime_ns)) : Json(nullptr);
  return {{"at", at}, {"listeners", std::move(listeners)}};
}

}  // namespace acceptq::render
