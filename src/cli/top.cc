// acceptq top: the live view of all listeners.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>

#include "answer/answer.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/raw_terminal.h"
#include "cli/selection.h"
#include "cli/terminal.h"
#include "cli/top_keys.h"
#include "cli/tracing.h"
#include "collect/live_view.h"
#include "render/report_json.h"
#include "render/top_screen.h"

namespace acceptq::cli {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

class Top {
 public:
  Top(const TopCommand& command, std::vector<select::Selector> selectors)
      : command_(command),
        selectors_(std::move(selectors)),
        view_({}, trace_options(command.tracing)),
        style_(style_of_stdout(command.color)) {}

  int run() {
    if (const Status begun = view_.begin(); !begun) {
      print_error(begun.error());
      return kExitBlind;
    }
    next_frame_ns_ = monotonic_ns() + period_ns();
    if (!command_.json && !command_.batch) {
      // Errors and warnings are for the screen that the user comes back to.
      std::optional<int> code;
      if (const auto terminal = RawTerminal::Open()) code = run_on(*terminal);
      if (code) {
        say_what_was_wrong();
        return *code;
      }
    }
    const int code = run_in_batch();
    say_what_was_wrong();
    return code;
  }

 private:
  void say_what_was_wrong() {
    for (const std::string& warning : std::exchange(warnings_, {})) {
      print_error({ErrorCode::kNotFound, 0, warning});
    }
    if (error_) print_error(*error_);
  }
  [[nodiscard]] std::int64_t period_ns() const {
    return static_cast<std::int64_t>(command_.every * kNsPerSecond);
  }
  [[nodiscard]] bool is_enough() const { return command_.count > 0 && frames_ >= command_.count; }

  // A new frame when its time has come. False: it could not be had, and nothing works any more.
  bool renew() {
    view_.tend();
    const std::int64_t now = monotonic_ns();
    if (now < next_frame_ns_) return true;
    Result<facts::Observation> observation = view_.frame();
    if (!observation) {
      error_ = std::move(observation.error());
      return false;
    }
    // A frame that takes long comes less often: never more than a twentieth of one core.
    constexpr std::int64_t kRestFactor = 20;
    next_frame_ns_ = now + std::max(period_ns(), kRestFactor * (monotonic_ns() - now));
    answer::Answer answer = answer::answer(std::move(*observation));
    if (const Status narrowed = answer::narrow(selectors_, is_process, answer); !narrowed) {
      // Listeners may go while they are watched: only the first frame has to find one.
      if (frames_ == 0) {
        error_ = narrowed.error();
        return false;
      }
      answer.observation.after.listeners.clear();
      answer.report = {};
    } else if (frames_ == 0) {
      warnings_ = std::move(answer.warnings);
    }
    history_.add(answer.observation, answer.report);
    newest_ = render::TopFrame{.observation = std::move(answer.observation),
                               .report = std::move(answer.report),
                               .totals = view_.totals()};
    ++frames_;
    return true;
  }

  int run_on(const RawTerminal& terminal) {
    render::TopState state;
    std::optional<render::TopFrame> shown;
    std::uint64_t shown_number = 0;
    std::optional<RawTerminal::Size> size;
    while (!interrupted() && !is_enough()) {
      constexpr std::chrono::milliseconds kPatience(50);
      const auto typed = terminal.read(kPatience);
      if (!typed) return kExitNothingWrong;
      const auto now = RawTerminal::size();
      bool changed = size != now;
      size = now;
      style_.width = std::max(now.columns, 20);
      if (!renew()) break;
      if (newest_ && !state.paused && shown_number != frames_) {
        shown = newest_;
        shown_number = frames_;
        changed = true;
      }
      for (const Key& key : parse_keys(*typed)) {
        changed = true;
        const auto page = static_cast<std::size_t>(std::max(now.rows - 5, 1));
        if (!press(key, shown ? keys_of(*shown, state) : std::vector<std::string>{}, page, state)) {
          return kExitNothingWrong;
        }
      }
      if (!changed) continue;
      const std::string screen =
          shown ? render::top_screen(style_, static_cast<std::size_t>(std::max(now.rows, 6)),
                                     *shown, history_, state)
                : std::string("acceptq top: looking …");
      if (!terminal.show(render::for_terminal(style_, screen))) return kExitNothingWrong;
    }
    return error_ ? kExitBlind : kExitNothingWrong;
  }

  std::vector<std::string> keys_of(const render::TopFrame& frame,
                                   const render::TopState& state) const {
    std::vector<std::string> keys;
    for (const render::TopRow& row :
         render::top_rows(frame.observation, frame.report, history_, state.choice)) {
      keys.push_back(row.key);
    }
    return keys;
  }

  // One frame after the other, for pipes and scripts.
  int run_in_batch() {
    std::uint64_t printed = 0;
    while (!interrupted() && !is_enough()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (!renew()) return kExitBlind;
      if (!newest_ || printed == frames_) continue;
      printed = frames_;
      say_what_was_wrong();
      const std::string text =
          command_.json ? render::report_json(newest_->report, newest_->observation,
                                              render::JsonLayout::kLine)
                        : render::for_terminal(
                              style_, render::top_screen(style_, 0, *newest_, history_, {})) +
                              "\n";
      if (!print_out(text)) return kExitNothingWrong;
    }
    return kExitNothingWrong;
  }

  const TopCommand& command_;
  std::vector<select::Selector> selectors_;
  collect::LiveView view_;
  render::TermStyle style_;
  render::TopHistory history_;
  std::optional<render::TopFrame> newest_;
  std::uint64_t frames_ = 0;
  std::int64_t next_frame_ns_ = 0;
  std::optional<Error> error_;
  std::vector<std::string> warnings_;  // not yet said
};

}  // namespace

int run_top(const TopCommand& command) {
  static_cast<void>(interrupted());  // Ctrl-C is ours from here on
  std::vector<select::Selector> selectors = command.selectors;
  if (const Status resolved = resolve(selectors); !resolved) {
    print_error(resolved.error());
    return code_of_selection(resolved.error());
  }
  return Top(command, std::move(selectors)).run();
}

}  // namespace acceptq::cli
