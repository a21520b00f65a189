#include "render/top_screen.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "diagnose/findings_of.h"
#include "facts/json.h"
#include "render/headline.h"
#include "render/ledger_text.h"
#include "render/listener_block.h"
#include "render/names.h"
#include "render/timeline.h"

namespace acceptq::render {
namespace {

using diagnose::LimitSetBy;
using diagnose::Verdict;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) lines.emplace_back(next_line(text));
  return lines;
}

// The columns of the list; what a wider terminal has more goes to names and bars. A column that is
// not shown has no width.
struct Layout {
  int whose = 12;
  int endpoint = 12;
  int bar = 4;
  int trend = 8;
  int why = 0;

  Layout(int width, bool has_causes) {
    constexpr int kNarrow = 80;
    constexpr int kWhy = 13;  // "cpu.throttled"
    int more = std::max(0, width - kNarrow);
    if (has_causes) {
      why = kWhy;
      if (more <= kWhy) {
        // Why it is full says more than how full.
        bar = trend = 0;
        return;
      }
      more -= kWhy + 1;
    }
    whose += more / 3;
    endpoint += more / 4;
    trend += more / 5;
    bar += std::min(6, more - more / 3 - more / 4 - more / 5);
  }
};

const char* set_by(LimitSetBy by) {
  switch (by) {
    case LimitSetBy::kSomaxconn:
      return "smax";
    case LimitSetBy::kApplication:
      return "app";
    case LimitSetBy::kKernel:
      return "kern";
    case LimitSetBy::kAcceptq:
      return "acq";
    case LimitSetBy::kUnknown:
      break;
  }
  return "?";
}

// At most `width` columns: "412", "12.3k", "-" for what is not known.
std::string rate_text(const std::optional<double>& rate) {
  if (!rate) return "-";
  if (*rate >= 99'950) return fmt::format("{:.0f}k", *rate / 1000);
  if (*rate >= 9999.5) return fmt::format("{:.1f}k", *rate / 1000);
  return *rate > 0 && *rate < 9.95 ? fmt::format("{:.1f}", *rate) : fmt::format("{:.0f}", *rate);
}

std::string wait_text(const std::optional<double>& ms) {
  if (!ms) return "-";
  if (*ms < 1) return fmt::format("{:.1f}ms", *ms);
  if (*ms < 999.5) return fmt::format("{:.0f}ms", *ms);
  return *ms < 99'950 ? fmt::format("{:.1f}s", *ms / 1000) : fmt::format("{:.0f}s", *ms / 1000);
}

// "~2.5s": what one that comes now will wait.
std::string estimate_text(const std::optional<double>& ms) {
  return ms ? "~" + wait_text(ms) : "-";
}

// A wildcard address takes room and says nothing.
std::string short_endpoint(const std::string& endpoint) {
  for (const std::string_view any : {"0.0.0.0:", "[::]:"}) {
    if (endpoint.starts_with(any)) return "*:" + endpoint.substr(any.size());
  }
  return endpoint;
}

std::string cut(const std::string& text, int width) {
  if (columns(text) <= width) return fit(text, width);
  // The ends of names tell siblings apart.
  const int head = (width - 1) / 2;
  return fit(text, head) + "~" + std::string(last_columns(text, width - head - 1));
}

std::string clip(const std::string& text, int width) {
  return columns(text) > width ? fit(text, width) : text;
}

// Cells side by side, but for those without a width.
std::string joined(std::initializer_list<std::string> cells) {
  std::string text;
  for (const std::string& cell : cells) {
    if (!cell.empty()) text += (text.empty() ? "" : " ") + cell;
  }
  return text;
}

std::string header_row(const Layout& layout) {
  return joined(
      {fit("WHOSE", layout.whose), fit("LISTENER", layout.endpoint), "LEN/LIMIT",
       fit("FULL", layout.bar), fit("TREND", layout.trend), fit("WHY", layout.why),
       fmt::format("{:<4} {:>5} {:>5} {:>5} {:>5}", "BY", "REF/s", "ACC/s", "P50", "P99")});
}

std::string list_row(const TermStyle& style, const Layout& layout, const TopRow& row) {
  const std::string limit = row.limit ? std::to_string(*row.limit) : "?";
  const std::uint64_t capacity = row.limit ? std::uint64_t{*row.limit} + 1 : 1;
  const auto shown =
      std::min<std::size_t>(row.trend.size(), static_cast<std::size_t>(layout.trend));
  const std::vector<std::uint32_t> trend(row.trend.end() - static_cast<std::ptrdiff_t>(shown),
                                         row.trend.end());
  return joined(
      {cut(row.whose, layout.whose), cut(short_endpoint(row.endpoint), layout.endpoint),
       fmt::format("{:>9}", fmt::format("{}/{}", row.length, limit)),
       layout.bar > 0 ? bar(style, row.fullness(), layout.bar) : "",
       fit(row.limit ? sparkline(style, trend, capacity) : "", layout.trend),
       fit(row.why, layout.why),
       fmt::format("{:<4} {:>5} {:>5} {:>5} {:>5}", set_by(row.limit_set_by),
                   rate_text(row.refused_per_s), rate_text(row.accepts_per_s),
                   row.p50_ms ? wait_text(row.p50_ms) : estimate_text(row.estimated_wait_ms),
                   wait_text(row.p99_ms))});
}

std::string title(const TermStyle& style, const TopFrame& frame) {
  const facts::Snapshot& after = frame.observation.after;
  const std::string_view dot = style.unicode ? " · " : " | ";
  const std::string text = fmt::format(
      "acceptq top{0}{1}{0}Linux {2}{0}{3}{0}{4}", dot, printable(after.host.name),
      printable(after.host.kernel), counted(after.listeners.size(), "listener", "listeners"),
      frame.observation.tracing ? facts::source_name(*frame.observation.tracing) : "not traced");
  // The time of day, in UTC as everywhere.
  const std::string clock = utc_time(after.realtime_ns).substr(11);
  const int room = style.width - columns(clock) - 1;
  return fit(text, std::max(room, 0)) + " " + clock;
}

std::string status(const TermStyle& style, const TopFrame& frame, const TopState& state) {
  const Headline head = headline(frame.report, frame.observation);
  std::string text = head.text;
  if (std::ranges::any_of(frame.observation.after.blind_spots, &facts::BlindSpot::unobserved)) {
    text += ", not all was seen (acceptq check says what)";
  }
  text += fmt::format(", sorted by {}", name_of(state.choice.sort));
  if (!state.choice.busy_only) text += ", all shown";
  if (!state.choice.filter.empty() || state.typing_filter) {
    text += ", only /" + printable(state.choice.filter) + (state.typing_filter ? "_" : "");
  }
  if (state.paused) text += ", PAUSED";
  return ink(style, head.ink, clip(text, style.width));
}

std::vector<std::string> help_lines() {
  return {"",
          "  up, down, j, k, PgUp, PgDn   move            Enter   open a listener",
          "  s, S   sort by the next, the previous        Esc, q  back, end",
          "  /      show only what matches; Enter, Esc    p       pause",
          "  a      also listeners that nothing came to   h, ?    this page",
          "",
          "  LEN/LIMIT  connections that wait for accept(), and the limit; one more fits",
          "  FULL       the longest in this interval, as a share of what fits",
          "  TREND      the same over the last intervals",
          "  WHY        why accept() is slow, where that is known (Enter tells more)",
          "  BY         who set the limit: smax (somaxconn), app (the backlog that the",
          "             application asked for), kern (the kernel), acq (acceptq), ?",
          "  REF/s      refused packets of handshakes a second, retries included",
          "  ACC/s      connections that accept() took, a second",
          "  P50, P99   how long connections waited for accept(): half of them, 99 %",
          "             (~: not measured, but the length by the rate of accept())",
          "  -          not known: see `acceptq check` for the reason"};
}

std::vector<std::string> listener_lines(const TermStyle& style, const TopFrame& frame,
                                        const std::string& key) {
  const auto& listeners = frame.report.listeners;
  const auto found = std::ranges::find(listeners, key, &diagnose::ListenerReport::key);
  if (found == listeners.end()) return {"", "  this listener is gone"};
  const facts::Listener& listener =
      frame.observation.after.listeners[static_cast<std::size_t>(found - listeners.begin())];
  std::string text = "\n" + listener_block(style, frame.observation, listener, *found,
                                           diagnose::findings_of(frame.report, key));
  for (const facts::Ledger& ledger : frame.totals) {
    if (facts::find_listener(frame.observation.after, ledger) != &listener || ledger.closed_at_ns) {
      continue;
    }
    text += "\n" + ink(style, Ink::kDim, "since acceptq top began") +
            ledger_text(style, ledger, frame.observation.after);
  }
  return lines_of(for_terminal(style, text));
}

// The row that is selected: the listener that was, as long as it is shown.
std::size_t selected_index(const std::vector<TopRow>& rows, const std::string& key) {
  const auto found = std::ranges::find(rows, key, &TopRow::key);
  return found != rows.end() ? static_cast<std::size_t>(found - rows.begin()) : 0;
}

std::vector<std::string> list_lines(const TermStyle& style, std::size_t room, const TopFrame& frame,
                                    const TopHistory& history, const TopState& state) {
  const std::vector<TopRow> rows = top_rows(frame.observation, frame.report, history, state.choice);
  const bool has_causes =
      std::ranges::any_of(rows, [](const TopRow& row) { return !row.why.empty(); });
  const Layout layout(style.width, has_causes);
  const std::size_t selected = selected_index(rows, state.selected);
  std::vector<std::string> lines = {
      ink(style, Ink::kDim, clip(" " + header_row(layout), style.width))};
  const std::size_t fits = room == 0 ? rows.size() : room - 1;
  const std::size_t first = selected >= fits ? selected - fits + 1 : 0;
  for (std::size_t i = first; i < rows.size() && i < first + fits; ++i) {
    const TopRow& row = rows[i];
    const bool is_selected = room > 0 && i == selected;
    std::string line = clip((is_selected ? ">" : " ") + list_row(style, layout, row), style.width);
    if (row.verdict == Verdict::kOverflowing) {
      line = ink(style, Ink::kRed, line);
    } else if (row.verdict <= Verdict::kAtRisk) {
      line = ink(style, Ink::kYellow, line);
    } else if (is_selected) {
      line = ink(style, Ink::kBold, line);
    }
    lines.push_back(std::move(line));
  }
  if (rows.empty()) {
    lines.emplace_back(state.choice.filter.empty() ? "nothing comes to any listener (a: show all)"
                                                   : "no listener matches the filter");
  }
  return lines;
}

}  // namespace

std::string top_screen(const TermStyle& style, std::size_t rows, const TopFrame& frame,
                       const TopHistory& history, const TopState& state) {
  std::vector<std::string> lines = {title(style, frame), status(style, frame, state)};
  constexpr std::size_t kFootRows = 1;
  const std::size_t room =
      rows > lines.size() + kFootRows + 1 ? rows - lines.size() - kFootRows : 0;
  std::vector<std::string> body;
  switch (state.view) {
    case TopState::View::kList:
      body =
          list_lines(style, rows == 0 ? 0 : std::max<std::size_t>(room, 2), frame, history, state);
      break;
    case TopState::View::kListener:
      body = listener_lines(style, frame, state.selected);
      break;
    case TopState::View::kHelp:
      for (const std::string& line : help_lines()) body.push_back(clip(line, style.width));
      break;
  }
  if (rows > 0) {
    if (state.view != TopState::View::kList) {
      const std::size_t last = body.size() > room ? body.size() - room : 0;
      body.erase(body.begin(),
                 body.begin() + static_cast<std::ptrdiff_t>(std::min(state.scroll, last)));
    }
    body.resize(std::max<std::size_t>(room, 1));
  }
  std::ranges::move(body, std::back_inserter(lines));
  if (rows > 0) {
    lines.push_back(ink(
        style, Ink::kDim,
        clip(state.typing_filter ? "type a part of a name or address, then Enter"
                                 : "q end  Enter open  s sort  / filter  p pause  a all  h help",
             style.width)));
  }
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += lines[i];
    if (rows == 0 || i + 1 < lines.size()) text += "\n";
  }
  return text;
}

}  // namespace acceptq::render
