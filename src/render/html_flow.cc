#include "render/html_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "render/html.h"
#include "render/term.h"

namespace acceptq::render {
namespace {

using facts::Ledger;
using facts::LedgerTerm;
using enum facts::LedgerTerm;

std::uint64_t value(const Ledger& ledger, LedgerTerm term) { return ledger[term].value_or(0); }

void add_loss(std::uint64_t count, std::string what, FlowStep& step) {
  if (count > 0) step.losses.push_back({.count = count, .what = std::move(what)});
}

void add_refusals(const Ledger& ledger, LedgerTerm first, LedgerTerm last, std::string_view what,
                  FlowStep& step) {
  for (auto i = static_cast<int>(first); i <= static_cast<int>(last); ++i) {
    const auto term = static_cast<LedgerTerm>(i);
    add_loss(value(ledger, term),
             fmt::format("{} refused: {}", what, facts::refusal_reason_of_ack(term)), step);
  }
}

// The picture is read from top to bottom, so that it fits a telephone as it is: the handshakes on
// the left, as wide as they are many, and what was lost on the right. All in pixels at 340 wide.
constexpr double kWidth = 340;
constexpr double kMiddle = 80;     // of the column on the left
constexpr double kWidest = 150;    // of the stream
constexpr double kNarrowest = 3;   // of what is not nothing
constexpr double kLine = 16;       // of text
constexpr double kBox = 44;        // a step
constexpr double kGap = 26;        // at least, between two steps
constexpr double kLossesAt = 196;  // their text begins
constexpr int kLossColumns = 21;   // that fit there

std::string count_text(const FlowStep& step) {
  return step.count ? std::to_string(*step.count) : "?";
}

double width_of(std::uint64_t count, std::uint64_t most) {
  if (count == 0) return 0;
  return std::max(kNarrowest, static_cast<double>(count) / static_cast<double>(most) * kWidest);
}

class Picture {
 public:
  explicit Picture(const std::vector<FlowStep>& steps) {
    std::uint64_t most = 1;
    for (const FlowStep& step : steps) most = std::max(most, step.count.value_or(0));
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const double top = y_;
      box(steps[i]);
      losses(steps[i], most, top);
      if (i + 1 == steps.size()) break;
      const double end = std::max(y_, top + kBox + kGap);
      // What is not known is drawn as wide as what came before it.
      const std::uint64_t above =
          steps[i].count.value_or(i > 0 ? steps[i - 1].count.value_or(0) : 0);
      stream(width_of(above, most), width_of(steps[i + 1].count.value_or(above), most), top + kBox,
             end);
      y_ = end;
    }
  }

  [[nodiscard]] double height() const { return y_; }
  [[nodiscard]] const std::string& shapes() const { return shapes_; }

 private:
  void box(const FlowStep& step) {
    shapes_ += fmt::format(
        "<rect class=\"step\" x=\"0.5\" y=\"{:.1f}\" width=\"159\" height=\"{}\" rx=\"4\"/>\n",
        y_ + 0.5, kBox - 1);
    line("count", kMiddle, y_ + 18, count_text(step));
    line("what", kMiddle, y_ + 35, step.what);
    y_ += kBox;
  }

  void losses(const FlowStep& step, std::uint64_t most, double top) {
    double y = top;
    for (const FlowStep::Loss& loss : step.losses) {
      const double thick = std::min(width_of(loss.count, most) / 4, kLine);
      shapes_ +=
          fmt::format("<path class=\"loss\" d=\"M160 {0:.1f}H{1}\" stroke-width=\"{2:.1f}\"/>\n",
                      y + kLine / 2 + 2, kLossesAt - 6, std::max(thick, 1.5));
      const TermStyle narrow{.width = kLossColumns};
      const std::string lines = wrap(narrow, 0, fmt::format("{} {}", loss.count, loss.what));
      for (std::string_view rest = lines; !rest.empty();) {
        y += kLine;
        line("lost", kLossesAt, y - 2, next_line(rest));
      }
      y += kLine / 4;
    }
    y_ = std::max(y_, y);
  }

  void stream(double above, double below, double top, double bottom) {
    if (above <= 0) return;
    shapes_ +=
        fmt::format("<path class=\"stream\" d=\"M{:.1f} {:.1f}H{:.1f}L{:.1f} {:.1f}H{:.1f}Z\"/>\n",
                    kMiddle - above / 2, top, kMiddle + above / 2, kMiddle + below / 2, bottom,
                    kMiddle - below / 2);
  }

  void line(std::string_view kind, double x, double y, std::string_view text) {
    shapes_ += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{:.1f}\">{}</text>\n", kind, x, y,
                           html_escaped(text));
  }

  double y_ = 0;
  std::string shapes_;
};

}  // namespace

std::vector<FlowStep> flow_steps(const Ledger& ledger) {
  FlowStep syns{.count = ledger[kSynReceived], .what = "SYNs received", .losses = {}};
  add_refusals(ledger, kSynRefusedAcceptFull, kSynRefusedOther, "SYNs", syns);
  FlowStep answered{.count = {}, .what = "answered", .losses = {}};
  if (ledger[kSynQueued]) {
    answered.count =
        value(ledger, kSynQueued) + value(ledger, kSynCookie) + value(ledger, kSynFastopen);
  }
  add_refusals(ledger, kAckRefusedFull, kCookieAckRefusedOther, "final ACKs", answered);
  add_loss(value(ledger, kRequestExpired), "requests expired", answered);
  add_loss(value(ledger, kRequestReset), "reset by the client", answered);
  add_loss(value(ledger, kRequestUnreachable), "given up by ICMP", answered);
  FlowStep queued{.count = ledger[kAckQueued], .what = "into the accept queue", .losses = {}};
  add_loss(value(ledger, kClosedWaiting), "reset when the listener was closed", queued);
  return {std::move(syns),
          std::move(answered),
          std::move(queued),
          {.count = ledger[kAccepted], .what = "taken by accept()", .losses = {}}};
}

std::string html_flow(const Ledger& ledger, const std::string& id) {
  const std::vector<FlowStep> steps = flow_steps(ledger);
  const Picture picture(steps);
  std::string words;
  for (const FlowStep& step : steps) {
    words +=
        fmt::format("{}{} {}", words.empty() ? "" : "; ",
                    step.count ? std::to_string(*step.count) : "not known how many", step.what);
    for (const FlowStep::Loss& loss : step.losses) {
      words += fmt::format(", {} {}", loss.count, loss.what);
    }
  }
  return fmt::format(
      "<svg class=\"flow\" role=\"img\" aria-labelledby=\"{0}\" viewBox=\"0 0 {1} {2:.0f}\">\n"
      "<title id=\"{0}\">{3}</title>\n{4}</svg>\n",
      id, kWidth, picture.height() + 1,
      html_escaped("Packets, from SYN to accept(): " + words + "."), picture.shapes());
}

}  // namespace acceptq::render
