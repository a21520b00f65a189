// The rows of a listener's block, each a line or two of text; empty where there is nothing to say.
#pragma once

#include <string>
#include <string_view>

#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

// A label and what is to be said under it.
struct Row {
  std::string label;
  std::string text;
};

// Columns between a row's beginning and its text, besides two blanks.
inline constexpr int kLabel = 15;

// "  label          text, wrapped under itself"; empty without text.
[[nodiscard]] std::string row(const TermStyle& style, std::string_view label,
                              std::string_view text);

// Events per second: "0.4", "12".
[[nodiscard]] std::string rate_text(double per_second);

[[nodiscard]] std::string first_sentence(std::string_view text);

[[nodiscard]] std::string mark(const TermStyle& style, diagnose::Severity severity);

[[nodiscard]] std::string queue_text(const TermStyle& style, const facts::Listener& listener,
                                     const diagnose::ListenerReport& report, bool shows_timeline);
[[nodiscard]] std::string syn_queue_text(const TermStyle& style, const facts::Listener& listener,
                                         const diagnose::ListenerReport& report);
[[nodiscard]] std::string refused_text(const facts::Observation& observation,
                                       const facts::Listener& listener,
                                       const diagnose::ListenerReport& report);
[[nodiscard]] std::string captured_text(const diagnose::ListenerReport& report);
[[nodiscard]] std::string unanswered_text(const diagnose::ListenerReport& report);
[[nodiscard]] std::string clients_text(const diagnose::ListenerReport& report);
[[nodiscard]] std::string rates_text(const diagnose::ListenerReport& report);
[[nodiscard]] std::string time_in_queue_text(const diagnose::ListenerReport& report);
[[nodiscard]] std::string limit_text(const facts::Observation& observation,
                                     const facts::Listener& listener,
                                     const diagnose::ListenerReport& report);

}  // namespace acceptq::render
