#include "render/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "render/books.h"
#include "render/comparison.h"
#include "render/headline.h"
#include "render/listener_block.h"
#include "render/listener_names.h"
#include "render/names.h"

namespace acceptq::render {
namespace {

using diagnose::Finding;
using diagnose::ListenerReport;
using diagnose::Report;
using diagnose::Severity;
using diagnose::Verdict;

// Blocks of listeners in trouble in a report that is not verbose.
constexpr std::size_t kMostBlocks = 10;

class Page {
 public:
  Page(const Report& report, const facts::Observation& observation, const TextOptions& options)
      : report_(report), observation_(observation), options_(options), style_(options.style) {
    for (const Finding& finding : report.findings) {
      if (finding.listener) by_listener_[*finding.listener].push_back(&finding);
    }
  }

  std::string text() {
    const Headline head = headline(report_, observation_);
    std::string lines = wrap(style_, 0, head.text);
    lines.pop_back();  // its last newline: no colour reaches into the next line
    std::string text = ink(style_, head.ink, lines) + "\n" + host_line();
    text += blocks();  // first: what it shows, table and notices leave out
    if (options_.baseline != nullptr) {
      text += comparison_text(style_, *options_.baseline, observation_);
    }
    text += table() + notices() + books() + blind_spots();
    return text;
  }

 private:
  [[nodiscard]] std::string_view dot() const { return style_.unicode ? " · " : " | "; }

  // Broken only between its parts.
  [[nodiscard]] std::string host_line() const {
    const facts::Snapshot& after = observation_.after;
    if (after.scan_method == "capture") {
      const std::string servers = counted(after.listeners.size(), "server", "servers");
      return ink(style_, Ink::kDim,
                 fmt::format("a capture{}{}{}{:.1f} s", dot(), servers, dot(),
                             observation_.seconds)) +
             "\n";
    }
    std::vector<std::string> parts;
    if (!after.host.name.empty()) parts.push_back(printable(after.host.name));
    if (!after.host.kernel.empty()) parts.push_back("Linux " + printable(after.host.kernel));
    if (observation_.imported) {
      parts.emplace_back("read from pasted text");
    } else {
      parts.push_back(counted(after.namespaces.size(), "namespace", "namespaces"));
    }
    parts.push_back(counted(after.listeners.size(), "listener", "listeners"));
    if (observation_.imported) {
      if (observation_.seconds > 0) {
        parts.push_back(fmt::format("{:.1f} s between its samples", observation_.seconds));
      }
    } else if (observation_.seconds > 0) {
      parts.push_back(fmt::format("watched {:.1f} s", observation_.seconds));
    }
    if (observation_.incident) {
      parts.push_back(fmt::format("overflow at {}", utc_time(incident_realtime_ns(observation_))));
    }
    std::string text;
    std::string line;
    for (const std::string& part : parts) {
      if (!line.empty() && columns(line) + columns(dot()) + columns(part) > style_.width) {
        text += line + "\n";
        line.clear();
      }
      line += (line.empty() ? "" : std::string(dot())) + part;
    }
    return ink(style_, Ink::kDim, text + line) + "\n";
  }

  // Listeners with a finding that is more than a notice, worst first.
  [[nodiscard]] std::vector<std::size_t> in_trouble() const {
    std::vector<std::size_t> indexes;
    for (std::size_t i = 0; i < report_.listeners.size(); ++i) {
      const auto it = by_listener_.find(report_.listeners[i].key);
      if (it == by_listener_.end()) continue;
      if (std::ranges::any_of(it->second, [](const Finding* finding) {
            return finding->severity > Severity::kNotice;
          })) {
        indexes.push_back(i);
      }
    }
    std::stable_sort(indexes.begin(), indexes.end(), [this](std::size_t a, std::size_t b) {
      const ListenerReport& left = report_.listeners[a];
      const ListenerReport& right = report_.listeners[b];
      return std::tuple(left.verdict, right.refused.total.value_or(0)) <
             std::tuple(right.verdict, left.refused.total.value_or(0));
    });
    return indexes;
  }

  [[nodiscard]] bool warns_of(std::string_view family) const {
    return std::ranges::any_of(report_.findings, [&](const Finding& finding) {
      return finding.severity > Severity::kNotice && finding.id.starts_with(family);
    });
  }

  // Of a TCP listener's: who waits for a Unix socket does not try again by itself.
  [[nodiscard]] bool warns_of_accept_queue() const {
    return std::ranges::any_of(report_.findings, [](const Finding& finding) {
      return finding.severity > Severity::kNotice && finding.id.starts_with("AQ1") &&
             finding.id != "AQ110" && finding.listener && finding.listener->starts_with("tcp:");
    });
  }

  // For whoever has never heard of these queues.
  [[nodiscard]] std::string primer() const {
    std::string text;
    if (warns_of("AQ110")) {
      text += "\n" + wrap(style_, 0,
                          "A connection to a Unix socket waits in its listener's queue until the "
                          "program takes it with accept(). While the queue is full, connect() "
                          "waits, or fails at once on a non-blocking socket (EAGAIN).");
    }
    if (warns_of_accept_queue()) {
      text += "\n" + wrap(style_, 0,
                          "A complete connection waits in its listener's accept queue until the "
                          "program takes it with accept(). " +
                              std::string(report_.verdict == Verdict::kSlow
                                              ? "To its client it is open, but silent until then."
                                              : "While the queue is full, the kernel drops what "
                                                "arrives, and the program's log says nothing: "
                                                "clients try again for seconds, then give up."));
    }
    if (warns_of("AQ2")) {
      text += "\n" + wrap(style_, 0,
                          "A handshake that is not complete waits in its listener's SYN queue "
                          "until the client answers. Distant clients, and senders that never "
                          "answer, fill it. With SYN cookies the kernel then answers without "
                          "keeping state; without them it drops what arrives.");
    }
    return text;
  }

  // Equal ones together, each group where its worst member stands.
  [[nodiscard]] std::vector<std::vector<ListenerInTrouble>> groups(
      const std::vector<std::size_t>& indexes) const {
    using Likeness = std::tuple<std::string, Verdict, std::string, std::optional<QueueLimit>,
                                diagnose::LimitSetBy>;
    std::map<Likeness, std::size_t> places;
    std::vector<std::vector<ListenerInTrouble>> groups;
    for (const std::size_t i : indexes) {
      const facts::Listener& listener = observation_.after.listeners[i];
      const ListenerReport& report = report_.listeners[i];
      const auto& findings = by_listener_.at(report.key);
      std::string ids;
      for (const Finding* finding : findings) ids += finding->id + " ";
      const auto [place, is_new] =
          places.try_emplace(Likeness(program_name(observation_.after, listener), report.verdict,
                                      ids, listener.limit, report.limit_set_by),
                             groups.size());
      if (is_new || options_.verbose) {
        place->second = groups.size();
        groups.emplace_back();
      }
      groups[place->second].push_back({&listener, &report, &findings});
    }
    return groups;
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
    const std::vector<std::size_t> troubled = in_trouble();
    text += primer();
    std::size_t left_out = 0;
    for (const std::vector<ListenerInTrouble>& group : groups(troubled)) {
      for (const ListenerInTrouble& each : group) shown_.insert(each.report->key);
      if (!options_.verbose && blocks_shown_ == kMostBlocks) {
        left_out += group.size();
        continue;
      }
      ++blocks_shown_;
      text += "\n" + block(group);
    }
    if (left_out > 0) {
      text += "\n" + wrap(style_, 0,
                          counted(left_out, "more listener is", "more listeners are") +
                              " in trouble (--verbose shows all)");
    }
    for (const Finding& finding : report_.findings) {
      if (!finding.listener && finding.severity > Severity::kNotice) {
        text += "\n" + finding_block(style_, observation_.after, finding);
      }
    }
    return text;
  }

  [[nodiscard]] bool worth_a_look(std::size_t i) const {
    const ListenerReport& report = report_.listeners[i];
    // Of pasted text most is unknown of most.
    const bool unknown = report.verdict == Verdict::kUnknown && !observation_.imported;
    return options_.all || unknown || report.longest.value() > 0;
  }

  [[nodiscard]] std::string table() const {
    std::vector<std::size_t> rows;
    std::size_t others = 0;
    for (std::size_t i = 0; i < report_.listeners.size(); ++i) {
      if (shown_.contains(report_.listeners[i].key)) continue;
      if (worth_a_look(i)) {
        rows.push_back(i);
      } else {
        ++others;
      }
    }
    std::string text;
    if (!rows.empty()) {
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
            name_of(report.verdict),
            trim(shorten(workload_name(observation_.after, listener), whose)));
      }
    }
    if (others > 0) {
      const std::string which = rows.empty() && shown_.empty() ? "" : " more";
      const bool captured = observation_.after.scan_method == "capture";
      text += "\n" +
              ink(style_, Ink::kDim,
                  fmt::format("{}{} {} (--all lists them)", others,
                              which + (captured      ? others == 1 ? " server" : " servers"
                                       : others == 1 ? " listener"
                                                     : " listeners"),
                              captured ? "without trouble" : "with an empty queue")) +
              "\n";
    }
    return text;
  }

  // Those of one kind together, unless there is only one.
  [[nodiscard]] std::string notices() const {
    std::map<std::string, std::vector<const Finding*>> by_id;
    for (const Finding& finding : report_.findings) {
      if (finding.severity != Severity::kNotice) continue;
      if (finding.listener && shown_.contains(*finding.listener)) continue;
      by_id[finding.id].push_back(&finding);
    }
    std::string text;
    for (const auto& [id, findings] : by_id) {
      if (findings.size() > 1 && !options_.verbose) {
        const Finding& first = *findings.front();
        text += wrap(style_, 2,
                     fmt::format("{} {} times: {}{} …", id, findings.size(), first.title,
                                 first.listener ? ": " + where_is(*first.listener) : ""));
        continue;
      }
      for (const Finding* finding : findings) {
        std::string where;
        if (finding->listener) {
          where = where_is(*finding->listener) + ": ";
        } else if (finding->netns) {
          where = namespace_name(observation_.after, *finding->netns) + ": ";
        }
        text += wrap(
            style_, 2,
            fmt::format("{} {}{}. {}", id, where, finding->title, printable(finding->explanation)));
      }
    }
    return text.empty() ? "" : "\n" + ink(style_, Ink::kDim, "notices") + "\n" + text;
  }

  [[nodiscard]] std::string where_is(const std::string& key) const {
    for (std::size_t i = 0; i < report_.listeners.size(); ++i) {
      if (report_.listeners[i].key != key) continue;
      const facts::Listener& listener = observation_.after.listeners[i];
      return fmt::format("{} of {}", printable(facts::listener_endpoint(listener)),
                         workload_name(observation_.after, listener));
    }
    return printable(key);
  }

  [[nodiscard]] std::string books() const {
    const std::string text = options_.verbose ? books_text(report_.books) : "";
    return text.empty() ? "" : "\n" + ink(style_, Ink::kDim, kBooksTitle) + "\n" + text;
  }

  [[nodiscard]] std::string blind_spots() const {
    // The same cause in many namespaces is one line.
    std::map<std::tuple<std::string, std::string, std::string>, std::vector<std::string>> grouped;
    for (const facts::BlindSpot& spot : observation_.after.blind_spots) {
      grouped[{spot.id, spot.reason, spot.cost}].push_back(spot.scope);
    }
    std::string text;
    for (const auto& [what, scopes] : grouped) {
      const auto& [id, reason, cost] = what;
      const std::string scope =
          scopes.size() == 1 ? scopes.front()
                             : fmt::format("{} and {} more", scopes.front(), scopes.size() - 1);
      text += wrap(
          style_, 2,
          fmt::format("{} {}: {}; {}", id, printable(scope), printable(reason), printable(cost)));
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
  std::map<std::string, std::vector<const Finding*>> by_listener_;
  std::set<std::string> shown_;
  std::size_t blocks_shown_ = 0;
};

}  // namespace

std::string report_text(const Report& report, const facts::Observation& observation,
                        const TextOptions& options) {
  return for_terminal(options.style, Page(report, observation, options).text());
}

}  // namespace acceptq::render
