// Options of one kind each, with what they refuse. For app.cc alone, which is the only file that
// includes CLI11.
#pragma once

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <charconv>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "base/duration.h"
#include "base/text.h"
#include "cli/commands.h"

namespace acceptq::cli {

enum class Zero { kRefused, kTaken };

// Adds an option whose text is read by parse_duration.
inline CLI::Option* add_duration(CLI::App& app, const std::string& name, double& seconds,
                                 const std::string& help, Zero zero = Zero::kRefused) {
  return app
      .add_option_function<std::string>(
          name,
          [&seconds, name, zero](const std::string& text) {
            const auto parsed = parse_duration(text);
            if (!parsed) {
              throw CLI::ValidationError(
                  name, "\"" + text + "\" is no duration such as 500ms, 2s, 1m or 12h");
            }
            constexpr double kShortest = 0.001;
            constexpr double kLongest = 168 * 3600.0;
            const bool is_zero = *parsed == 0 && zero == Zero::kTaken;
            if (!is_zero && (*parsed < kShortest || *parsed > kLongest)) {
              throw CLI::ValidationError(name, "\"" + text + "\" is not from 1ms to 168h");
            }
            seconds = *parsed;
          },
          help)
      ->type_name("DURATION");
}

// Adds an option for a whole number, 1 or more.
template <std::unsigned_integral T>
CLI::Option* add_count(CLI::App& app, const std::string& name, T& count, T most,
                       const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [&count, name, most](const std::string& text) {
            const auto parsed = parse_int<T>(text);
            if (!parsed || *parsed == 0 || *parsed > most) {
              throw CLI::ValidationError(
                  name, "\"" + text + "\" is no whole number from 1 to " + std::to_string(most));
            }
            count = *parsed;
          },
          help)
      ->type_name("N");
}

// Adds an option for events per second.
inline CLI::Option* add_rate(CLI::App& app, const std::string& name, double& rate,
                             const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [&rate, name](const std::string& text) {
            constexpr double kLowest = 0.001;
            constexpr double kHighest = 1e6;
            double parsed = 0;
            const char* end = text.data() + text.size();
            const auto [rest, error] = std::from_chars(text.data(), end, parsed);
            if (error != std::errc{} || rest != end || !(parsed >= kLowest) || parsed > kHighest) {
              throw CLI::ValidationError(name,
                                         "\"" + text + "\" is no number from 0.001 to 1000000");
            }
            rate = parsed;
          },
          help)
      ->type_name("N");
}

// Adds an option for a text that may not be empty.
template <typename T>
CLI::Option* add_text(CLI::App& app, const std::string& name, T& value, const std::string& help) {
  return app.add_option_function<std::string>(
      name,
      [&value, name](const std::string& text) {
        if (text.empty()) throw CLI::ValidationError(name, "an empty value means nothing");
        value = text;
      },
      help);
}

// Adds an option for the limit of an accept queue, which somaxconn bounds: a C int.
inline CLI::Option* add_limit(CLI::App& app, const std::string& name,
                              std::optional<std::uint32_t>& limit, const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [&limit, name](const std::string& text) {
            constexpr std::uint32_t kMost = std::numeric_limits<std::int32_t>::max();
            const auto parsed = parse_int<std::uint32_t>(text);
            if (!parsed || *parsed == 0 || *parsed > kMost) {
              throw CLI::ValidationError(
                  name, fmt::format("\"{}\" is no whole number from 1 to {}", text, kMost));
            }
            limit = parsed;
          },
          help)
      ->type_name("N");
}

template <typename T>
CLI::Option* add_choice(CLI::App& app, const std::string& name, T& value,
                        const std::map<std::string, T>& choices, const std::string& help) {
  std::string names;
  for (const auto& [choice, meaning] : choices) names += (names.empty() ? "" : "|") + choice;
  return app
      .add_option_function<std::string>(
          name,
          [&value, choices, name, names](const std::string& text) {
            const auto it = choices.find(text);
            if (it == choices.end()) {
              throw CLI::ValidationError(name, "\"" + text + "\" is none of " + names);
            }
            value = it->second;
          },
          help)
      ->type_name(names);
}

inline void add_color(CLI::App& app, ColorWhen& color) {
  add_choice<ColorWhen>(
      app, "--color", color,
      {{"auto", ColorWhen::kAuto}, {"always", ColorWhen::kAlways}, {"never", ColorWhen::kNever}},
      "colour the output (auto: on a terminal without NO_COLOR)");
}

inline void add_tracing(CLI::App& app, collect::bpf::TraceLevel& level) {
  add_choice<collect::bpf::TraceLevel>(
      app, "--tracing", level,
      {{"auto", collect::bpf::TraceLevel::kBest},
       {"functions", collect::bpf::TraceLevel::kFunctions},
       {"kprobes", collect::bpf::TraceLevel::kKprobes},
       {"tracepoints", collect::bpf::TraceLevel::kTracepoints},
       {"none", collect::bpf::TraceLevel::kNone}},
      "how to follow handshakes (default auto: the best that works)");
}

}  // namespace acceptq::cli
