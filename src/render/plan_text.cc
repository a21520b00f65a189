#include "render/plan_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "diagnose/findings_of.h"
#include "render/listener_block.h"
#include "render/listener_names.h"
#include "render/listener_rows.h"
#include "render/remedy_text.h"

namespace acceptq::render {
namespace {

using remedy::Knob;
using remedy::Piece;
using remedy::Plan;
using remedy::Way;

std::string_view arrow(const TermStyle& style) { return style.unicode ? "→" : "->"; }

// " (takes effect in a new pod)"; empty where the summary says it.
std::string when(const diagnose::Remedy& remedy) {
  if (remedy.summary.find("takes effect") != std::string::npos) return "";
  if (remedy.takes_effect == "new_pod") return " (takes effect in a new pod)";
  if (remedy.takes_effect == "new_node") return " (takes effect on a new node)";
  if (remedy.takes_effect == "now") return " (takes effect at once)";
  return fmt::format(" (takes effect after a {})", remedy.takes_effect);
}

std::string now_text(const Knob& knob) {
  if (!knob.now) return "not known";
  return fmt::format("{}{}", *knob.now, knob.by_default ? " by default" : "");
}

std::string knob_line(const TermStyle& style, const Knob& knob) {
  return fmt::format("{}: {} {} {}{}", knob.name, now_text(knob), arrow(style), knob.wanted,
                     knob.binds ? " (the limit now)" : "");
}

std::string pieces_text(const TermStyle& style, const std::vector<Piece>& pieces, int indent) {
  std::string text;
  for (const Piece& piece : pieces) {
    text +=
        wrap(style, indent, "# " + printable(piece.where)) + text_to_copy(piece.text, indent + 2);
  }
  return text;
}

std::string way_text(const TermStyle& style, const Way& way) {
  constexpr int kIndent = 5;
  constexpr int kCode = 9;
  const diagnose::Remedy& remedy = way.remedy;
  std::string text = wrap(style, kIndent,
                          fmt::format("{}: {}{}", ink(style, Ink::kBold, remedy.form),
                                      printable(remedy.summary), when(remedy)));
  if (way.pieces.empty()) return text + text_to_copy(remedy.content, kCode);
  return text + pieces_text(style, way.pieces, kIndent + 2);
}

std::string knobs_text(const TermStyle& style, const std::vector<Knob>& knobs) {
  std::string text;
  for (std::size_t i = 0; i < knobs.size(); ++i) {
    const Knob& knob = knobs[i];
    text += "\n  " +
            ink(style, Ink::kBold,
                fmt::format("{}. {} {} {}", i + 1, knob.name, arrow(style), knob.wanted)) +
            "\n";
    if (knob.ways.size() > 1) text += wrap(style, 5, "one of");
    for (const Way& way : knob.ways) text += way_text(style, way);
  }
  return text;
}

// What one of them alone gives: the other's value.
std::string both_text(const Knob& first, const Knob& second) {
  if (!first.now || !second.now) {
    return fmt::format("Both may be needed, in this order: the {} one is not known.",
                       first.now ? "second" : "first");
  }
  return fmt::format(
      "Both are needed, in this order: the first alone gives {}, the second alone {}.", *second.now,
      *first.now);
}

std::string target_text(const TermStyle& style, const Plan& plan, const facts::Listener& listener) {
  const std::string present = listener.limit ? std::to_string(listener.limit->value()) : "?";
  std::string text = row(
      style, "longer queue",
      fmt::format("{} {} {}: {}.", present, arrow(style), plan.target->limit, plan.target->why));
  for (std::size_t i = 0; i < plan.knobs.size(); ++i) {
    text += row(style, "", fmt::format("{}. {}", i + 1, knob_line(style, plan.knobs[i])));
  }
  if (plan.knobs.size() > 1) text += row(style, "", both_text(plan.knobs[0], plan.knobs[1]));
  return text;
}

// The forms that acceptq can carry out, where these are all that is needed: one for each knob.
std::string applied_forms(const Plan& plan) {
  std::string forms;
  for (const Knob& knob : plan.knobs) {
    const auto way =
        std::ranges::find_if(knob.ways, [](const Way& each) { return !each.change.empty(); });
    if (way == knob.ways.end()) return "";
    forms += fmt::format("{}{}", forms.empty() ? "" : ",", way->remedy.form);
  }
  return forms;
}

std::string plan_text(const TermStyle& style, const Plan& plan, const facts::Snapshot& snapshot,
                      const facts::Listener& listener) {
  std::string text;
  for (std::size_t i = 0; i < plan.first.size(); ++i) {
    const diagnose::Remedy& remedy = plan.first[i].remedy;
    text += row(style, i == 0 ? "first" : "", printable(remedy.summary));
    if (!plan.first[i].pieces.empty()) {
      text += pieces_text(style, plan.first[i].pieces, kLabel + 2);
    } else {
      text += remedy.form == "cause" ? row(style, "", printable(remedy.content))
                                     : text_to_copy(remedy.content, kLabel + 4);
    }
  }
  if (!plan.target) return text + row(style, "longer queue", "no: " + plan.no_change + ".");
  text += target_text(style, plan, listener);
  for (std::size_t i = 0; i < plan.notes.size(); ++i) {
    text += row(style, i == 0 ? "mind" : "", printable(plan.notes[i]));
  }
  const std::string limit =
      plan.target->given ? fmt::format(" --limit {}", plan.target->limit) : "";
  if (plan.live) {
    text += row(style, "meanwhile",
                fmt::format("acceptq fix {} --live{} enlarges the queue of the running server, "
                            "without a restart; it lasts until one.",
                            selector_of(snapshot, listener), limit));
  }
  if (const std::string forms = applied_forms(plan); !forms.empty()) {
    text += row(style, "or",
                fmt::format("acceptq fix {} --apply {}{} does it for you, and asks.",
                            selector_of(snapshot, listener), forms, limit));
  }
  return text + knobs_text(style, plan.knobs);
}

}  // namespace

std::string plans_text(const TermStyle& style, const std::vector<Plan>& plans,
                       const diagnose::Report& report, const facts::Observation& observation) {
  std::string text;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const facts::Listener& listener = observation.after.listeners[i];
    text += (i == 0 ? "" : "\n") +
            listener_head(style, observation, listener, report.listeners[i],
                          diagnose::findings_of(report, plans[i].listener)) +
            plan_text(style, plans[i], observation.after, listener);
  }
  return for_terminal(style, text);
}

}  // namespace acceptq::render
