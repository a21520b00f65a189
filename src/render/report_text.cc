#include "render/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "render/books.h"
#include "render/comparison.h"
#include "render/headline.h"
#include "render/listener_block.h"
#include "render/listener_names.h"
#include "render/names.h"
#include "render/report_parts.h"
#include "render/trouble.h"

namespace acceptq::render {
namespace {

using diagnose::Finding;
using diagnose::ListenerReport;
using diagnose::Report;
using diagnose::Severity;

class Page {
 public:
  Page(const Report& report, const facts::Observation& observation, const TextOptions& options)
      : report_(report),
        observation_(observation),
        options_(options),
        style_(options.style),
        by_listener_(findings_by_listener(report)) {}

  std::string text() {
    const Headline head = headline(report_, observation_);
    std::string lines = wrap(style_, 0, head.text);
    lines.pop_back();  // its last newline: no colour reaches into the next line
    std::string text = ink(style_, head.ink, lines) + "\n" + host_line();
    text += blocks();  // first: what it shows, table and notices leave out
    if (options_.baseline != nullptr) {
      text += comparison_text(style_, *options_.baseline, observation_);
    }
    text += table() + notice_lines() + books() + blind_spots();
    return text;
  }

 private:
  [[nodiscard]] std::string_view dot() const { return style_.unicode ? " · " : " | "; }

  // Broken only between its parts.
  [[nodiscard]] std::string host_line() const {
    std::string text;
    std::string line;
    for (const std::string& part : host_parts(observation_)) {
      if (!line.empty() && columns(line) + columns(dot()) + columns(part) > style_.width) {
        text += line + "\n";
        line.clear();
      }
      line += (line.empty() ? "" : std::string(dot())) + part;
    }
    return ink(style_, Ink::kDim, text + line) + "\n";
  }

  [[nodiscard]] std::string block(const std::vector<ListenerInTrouble>& group) const {
    if (group.size() > 1) return listener_group_block(style_, observation_, group);
    const auto& [listener, report, findings] = group.front();
    return options_.verbose
               ? listener_block(style_, observation_, *listener, *report, *findings)
               : short_listener_block(style_, observation_, *listener, *report, *findings);
  }

  std::string blocks() {
    std::string text;
    for (const std::string& paragraph : primer(report_)) text += "\n" + wrap(style_, 0, paragraph);
    std::size_t left_out = 0;
    for (const std::vector<ListenerInTrouble>& group :
         groups_in_trouble(report_, observation_, by_listener_, options_.verbose)) {
      for (const ListenerInTrouble& each : group) shown_.insert(each.report->key);
      if (!options_.verbose && blocks_shown_ == kMostBlocks) {
        left_out += group.size();
        continue;
      }
      ++blocks_shown_;
      text += "\n" + block(group);
    }
    if (left_out > 0) {
      text += "\n" + wrap(style_, 0, left_out_text(left_out));
    }
    for (const Finding& finding : report_.findings) {
      if (!finding.listener && finding.severity > Severity::kNotice) {
        text += "\n" + finding_block(style_, observation_.after, finding);
      }
    }
    return text;
  }

  [[nodiscard]] std::string table() const {
    const auto [rows, unlisted] = other_listeners(report_, observation_, shown_, options_.all);
    std::string text;
    if (!rows.empty()) {
      const Twins twins(observation_.after);
      constexpr int kNumbers = 38;  // the columns between the address and whose it is
      const int address = std::clamp(style_.width - 58, 22, 46);
      const int whose = std::max(style_.width - address - kNumbers, 12);
      text += "\n" +
              ink(style_, Ink::kDim,
                  fmt::format("{} {:>7} {:>7} {:>7} {:<12} {}", fit("listener", address), "waiting",
                              "limit", "longest", "verdict", "whose")) +
              "\n";
      for (const std::size_t i : rows) {
        const facts::Listener& listener = observation_.after.listeners[i];
        const ListenerReport& report = report_.listeners[i];
        text += fmt::format(
            "{} {:>7} {:>7} {:>7} {:<12} {}\n",
            shorten(printable(facts::listener_endpoint(listener)), address),
            listener.queue_seen ? std::to_string(listener.accept_queue_len.value()) : "?",
            listener.limit ? std::to_string(listener.limit->value()) : "?",
            listener.queue_seen ? std::to_string(report.longest.value()) : "?",
            name_of(report.verdict), trim(shorten(twins.workload_name(listener), whose)));
      }
    }
    if (unlisted > 0) {
      const bool more = !rows.empty() || !shown_.empty();
      text += "\n" + ink(style_, Ink::kDim, unlisted_text(observation_, unlisted, more)) + "\n";
    }
    return text;
  }

  [[nodiscard]] std::string notice_lines() const {
    std::string text;
    for (const std::string& notice : notices(report_, observation_, shown_, options_.verbose)) {
      text += wrap(style_, 2, notice);
    }
    return text.empty() ? "" : "\n" + ink(style_, Ink::kDim, "notices") + "\n" + text;
  }

  [[nodiscard]] std::string books() const {
    const std::string text = options_.verbose ? books_text(report_.books) : "";
    return text.empty() ? "" : "\n" + ink(style_, Ink::kDim, kBooksTitle) + "\n" + text;
  }

  [[nodiscard]] std::string blind_spots() const {
    std::string text;
    for (const facts::BlindSpot& spot : blind_spots_by_cause(observation_.after)) {
      text += wrap(style_, 2,
                   fmt::format("{} {}: {}; {}", spot.id, printable(spot.scope),
                               printable(spot.reason), printable(spot.cost)));
    }
    return text.empty() ? "" : "\n" + ink(style_, Ink::kDim, "not seen") + "\n" + text;
  }

  // Cut in the middle: the ends of a pod's or a socket's name tell it from its siblings.
  [[nodiscard]] std::string shorten(const std::string& text, int width) const {
    const int over = columns(text) - width;
    if (over <= 0) return fit(text, width);
    const std::string_view gap = style_.unicode ? "…" : "~";
    const int head = (width - 1) / 2;
    return fmt::format("{}{}{}", fit(text, head), gap, last_columns(text, width - head - 1));
  }

  const Report& report_;
  const facts::Observation& observation_;
  const TextOptions& options_;
  const TermStyle& style_;
  FindingsByListener by_listener_;
  std::set<std::string> shown_;
  std::size_t blocks_shown_ = 0;
};

}  // namespace

std::string report_text(const Report& report, const facts::Observation& observation,
                        const TextOptions& options) {
  return for_terminal(options.style, Page(report, observation, options).text());
}

}  // namespace acceptq::render
