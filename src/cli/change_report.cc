#include "cli/change_report.h"

#include <fmt/chrono.h>

#include <cstring>

#include "base/bytes.h"
#include "config/takes_effect.h"
#include "config/unified_diff.h"
#include "render/listener_names.h"
#include "render/remedy_text.h"

namespace acceptq::cli {
namespace {

using apply::ChangeEnd;
using apply::ChangeOutcome;
using facts::ExpectedLimit;

std::string number(const std::optional<std::uint32_t>& limit) {
  return limit ? std::to_string(*limit) : "unknown";
}

std::string endpoint_of(const ExpectedLimit& limit) {
  return facts::listener_endpoint({.address = limit.address, .port = limit.port});
}

std::string reload_sentence(const facts::ReloadStep& step) {
  if (step.signal == 0) {
    return fmt::format("Where {} finds a fault, all is taken back.",
                       config::shell_line(step.check));
  }
  const char* signal = ::sigabbrev_np(step.signal);
  std::string then = fmt::format("SIG{} has {} (pid {}) read its configuration again.",
                                 signal != nullptr ? signal : std::to_string(step.signal),
                                 printable(step.name), step.pid.value());
  if (step.check.empty()) return then;
  return fmt::format("Where {} finds no fault, {}", config::shell_line(step.check), then);
}

std::string expectation(const ExpectedLimit& limit) {
  if (!limit.limit) {
    return fmt::format("The limit of {} stays {} until its server calls listen() again.",
                       endpoint_of(limit), number(limit.before));
  }
  return fmt::format("Then the limit of {} has to be {} (it is {}), or all is taken back.",
                     endpoint_of(limit), *limit.limit, number(limit.before));
}

std::string limits_text(const render::TermStyle& style, const ChangeItem& item) {
  std::string text;
  for (std::size_t i = 0; i < item.outcome->limits.size(); ++i) {
    const ExpectedLimit& limit = item.change.limits[i];
    const std::string now = number(item.outcome->limits[i]);
    text += render::wrap(
        style, 0,
        limit.limit ? fmt::format("{}: its accept queue's limit is {} (it was {}), read back from "
                                  "the kernel.",
                                  endpoint_of(limit), now, number(limit.before))
                    : fmt::format("{}: its accept queue's limit is {} until its server calls "
                                  "listen() again: restart it.",
                                  endpoint_of(limit), now));
  }
  return text;
}

std::string left_text(const render::TermStyle& style, const ChangeOutcome& outcome) {
  std::string text;
  for (const Error& error : outcome.left) {
    text += render::wrap(style, 2, fmt::format("Not put back: {}.", error.message()));
  }
  if (!outcome.left.empty()) {
    text += render::wrap(
        style, 2,
        fmt::format("The files as they were are kept in {}.", printable(outcome.kept_in)));
  }
  for (const Error& error : outcome.journal_errors) {
    text +=
        render::wrap(style, 0, fmt::format("The journal is not up to date: {}.", error.message()));
  }
  return text;
}

std::string why_not(const ChangeOutcome& outcome) {
  return outcome.error ? outcome.error->message() : "unknown";
}

}  // namespace

std::string apply_intent(const render::TermStyle& style, const ChangeItem& item,
                         const facts::Snapshot& snapshot) {
  std::string text;
  const auto add = [&](const std::string& line) { text += render::wrap(style, 0, line); };
  for (const facts::SysctlStep& step : item.change.sysctls) {
    add(fmt::format("{} of {} becomes {}.", step.name, render::namespace_name(snapshot, step.netns),
                    step.value));
  }
  for (const facts::FileStep& step : item.change.files) {
    add(fmt::format("{} is {}:", printable(step.path), step.before ? "changed" : "made"));
    text += render::text_to_copy(
        config::unified_diff({.path = step.path, .before = step.before, .after = step.after}), 2);
  }
  for (const facts::ReloadStep& step : item.change.reloads) add(reload_sentence(step));
  for (const ExpectedLimit& limit : item.change.limits) add(expectation(limit));
  for (const std::string& line : item.mind) add(line);
  for (const remedy::LiveObjection& objection : item.objections) {
    text += render::wrap(style, 2, objection.text);
  }
  return render::for_terminal(style, text);
}

std::string apply_outcome(const render::TermStyle& style, const ChangeItem& item) {
  const ChangeOutcome& outcome = *item.outcome;
  std::string text;
  switch (outcome.end) {
    case ChangeEnd::kNothingDone:
      text += render::wrap(style, 0, fmt::format("Nothing was changed: {}.", why_not(outcome)));
      break;
    case ChangeEnd::kTakenBack:
      text += render::wrap(
          style, 0, fmt::format("It failed, and all is as it was again: {}.", why_not(outcome)));
      break;
    case ChangeEnd::kNotTakenBack:
      text += render::wrap(
          style, 0,
          fmt::format("It failed, and not all could be taken back: {}.", why_not(outcome)));
      break;
    case ChangeEnd::kDone:
      text += limits_text(style, item);
      text += render::wrap(style, 0,
                           fmt::format("What was there before is kept in {}; acceptq fix SELECTOR "
                                       "--undo takes the change back.",
                                       printable(outcome.kept_in)));
      break;
  }
  return render::for_terminal(style, text + left_text(style, outcome));
}

std::string undo_intent(const render::TermStyle& style, const ChangeItem& item) {
  std::string text = render::wrap(
      style, 0, fmt::format("The change {} ({}) is taken back:", item.id, printable(item.why)));
  const auto add = [&](const std::string& line) { text += render::wrap(style, 2, line); };
  for (const facts::FileStep& step : item.change.files) {
    add(fmt::format("{} {}.", printable(step.path),
                    step.before ? "gets the text that it had" : "is removed"));
  }
  for (const facts::ReloadStep& step : item.change.reloads) {
    if (step.signal != 0) add(reload_sentence(step));
  }
  for (const facts::SysctlStep& step : item.change.sysctls) {
    if (step.before) add(fmt::format("{} becomes {} again.", step.name, *step.before));
  }
  return render::for_terminal(style, text);
}

std::string undo_outcome(const render::TermStyle& style, const ChangeItem& item) {
  std::string text =
      item.outcome->left.empty()
          ? render::wrap(style, 0, fmt::format("The change {} is taken back.", item.id))
          : render::wrap(style, 0, fmt::format("Not all of the change {} is taken back.", item.id));
  for (std::size_t i = 0; i < item.outcome->limits.size(); ++i) {
    text += render::wrap(
        style, 0,
        fmt::format("{}: its accept queue's limit is {}.", endpoint_of(item.change.limits[i]),
                    number(item.outcome->limits[i])));
  }
  return render::for_terminal(style, text + left_text(style, *item.outcome));
}

}  // namespace acceptq::cli
