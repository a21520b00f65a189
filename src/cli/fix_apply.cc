#include "cli/fix_apply.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "cli/change_report.h"
#include "cli/consent.h"
#include "cli/host_now.h"
#include "cli/surroundings.h"
#include "cli/sysctl_files.h"
#include "cli/terminal.h"

namespace acceptq::cli {
namespace {

std::vector<const remedy::Way*> ways_of(const remedy::Plan& plan) {
  std::vector<const remedy::Way*> ways;
  for (const remedy::Knob& knob : plan.knobs) {
    for (const remedy::Way& way : knob.ways) ways.push_back(&way);
  }
  return ways;
}

// A form that no plan has, or that acceptq cannot apply: the first, as an error.
Status check_forms(const std::vector<std::string>& forms, const std::vector<remedy::Plan>& plans) {
  std::set<std::string> possible;
  std::set<std::string> printed;
  for (const remedy::Plan& plan : plans) {
    for (const remedy::Way* way : ways_of(plan)) {
      (way->change.empty() ? printed : possible).insert(way->remedy.form);
    }
  }
  for (const std::string& form : forms) {
    if (possible.contains(form)) continue;
    const std::string others = possible.empty()
                                   ? "it can apply none here"
                                   : fmt::format("it can apply {} here", fmt::join(possible, ", "));
    return fail(ErrorCode::kMalformed,
                printed.contains(form)
                    ? fmt::format("{} is not acceptq's to apply: acceptq fix without --apply shows "
                                  "what to do ({})",
                                  form, others)
                    : fmt::format("--apply {}: no such form is in the plan ({})", form, others));
  }
  return {};
}

// A file of sysctl.d that holds this one sysctl, and nothing that would be lost, may be there.
Status complete(facts::FileStep& step, const std::vector<facts::SysctlStep>& sysctls) {
  Result<std::string> present = read_file(step.path, std::size_t{1} << 20);
  if (!present)
    return present.error().code == ErrorCode::kNotFound ? Status{} : fail(present.error());
  std::string_view rest = *present;
  while (!rest.empty()) {
    const std::string_view line = trim(next_line(rest));
    const bool is_ours = std::ranges::any_of(
        sysctls, [&](const facts::SysctlStep& sysctl) { return line.starts_with(sysctl.name); });
    if (line.empty() || line.starts_with('#') || line.starts_with(';') || is_ours) continue;
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} is there and holds more than this: {}", step.path, line));
  }
  step.before = std::move(*present);
  return {};
}

// It would get a shorter queue than it has: its limit is from a time when more was allowed.
std::vector<remedy::LiveObjection> shorter(const facts::ExpectedLimit& expected) {
  if (!expected.limit || !expected.before || *expected.limit >= *expected.before) return {};
  return {{.kind = remedy::Objection::kShorter,
           .text = fmt::format("Port {} has a limit of {} and would get {}: apply the other forms "
                               "of the plan with it.",
                               expected.port, *expected.before, *expected.limit)}};
}

// What one listener's plan comes to, of the forms that were asked for.
struct Chosen {
  facts::Change change;
  std::vector<std::string> mind;
};

Chosen choose(const ApplyOptions& options, const remedy::Plan& plan,
              const facts::Listener& listener) {
  Chosen chosen;
  std::uint32_t limit = plan.target->limit;
  for (const remedy::Knob& knob : plan.knobs) {
    bool is_turned = false;
    for (const remedy::Way& way : knob.ways) {
      const bool wanted = std::ranges::find(options.forms, way.remedy.form) != options.forms.end();
      if (!wanted || way.change.empty()) continue;
      chosen.change.add(way.change);
      is_turned = true;
    }
    if (is_turned) continue;
    chosen.mind.push_back(knob.now ? fmt::format("This alone does not give {}: {} stays {}.",
                                                 plan.target->limit, knob.name, *knob.now)
                                   : fmt::format("This alone may not give {}: {} is not known.",
                                                 plan.target->limit, knob.name));
    if (knob.now && *knob.now >= 0) {
      limit = static_cast<std::uint32_t>(std::min<std::int64_t>(limit, *knob.now));
    }
  }
  if (chosen.change.empty()) return {};
  facts::ExpectedLimit expected{
      .netns = listener.netns, .address = listener.address, .port = listener.port};
  if (listener.limit) expected.before = listener.limit->value();
  // Only a server that is told to calls listen() again.
  if (chosen.change.signals()) expected.limit = limit;
  chosen.change.limits.push_back(expected);
  if (!chosen.change.signals() && chosen.change.sysctls.empty()) {
    chosen.mind.emplace_back("It takes effect when the server is restarted, which is left to you.");
  }
  return chosen;
}

Result<ChangeItem> item_of(const ApplyOptions& options, const answer::Answer& answer,
                           const std::vector<remedy::Plan>& plans) {
  if (const Status status = check_forms(options.forms, plans); !status) return fail(status.error());
  ChangeItem item;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const remedy::Plan& plan = plans[i];
    const facts::Listener& listener = answer.observation.after.listeners[i];
    const diagnose::ListenerReport& told = answer.report.listeners[i];
    if (!plan.target) continue;
    Chosen chosen = choose(options, plan, listener);
    if (chosen.change.empty()) continue;
    item.change.add(chosen.change);
    if (item.why.empty()) item.why = plan.target->why;
    for (std::string& line : chosen.mind) {
      if (std::ranges::find(item.mind, line) == item.mind.end())
        item.mind.push_back(std::move(line));
    }
    for (remedy::LiveObjection& objection :
         remedy::live_objections({.report = answer.report,
                                  .told = told,
                                  .listener = listener,
                                  .to = QueueLimit(plan.target->limit)})) {
      item.objections.push_back(std::move(objection));
    }
    for (remedy::LiveObjection& objection : shorter(chosen.change.limits.front())) {
      item.objections.push_back(std::move(objection));
    }
  }
  for (facts::FileStep& step : item.change.files) {
    if (step.before) continue;
    if (const Status done = complete(step, item.change.sysctls); !done) return fail(done.error());
    for (const facts::SysctlStep& sysctl : item.change.sysctls) {
      if (const auto later = set_later(step.path, sysctl.name)) {
        item.mind.push_back(
            fmt::format("At boot {}, which is read later, sets {} again.", *later, sysctl.name));
      }
    }
  }
  return item;
}

// Of plans that change nothing: why.
Error nothing_to_apply(const std::vector<remedy::Plan>& plans) {
  for (const remedy::Plan& plan : plans) {
    if (!plan.target) {
      return {ErrorCode::kMalformed, 0,
              fmt::format("nothing that was seen asks for another limit of {}: {} (--limit N gives "
                          "it one)",
                          plan.listener, plan.no_change)};
    }
  }
  return {ErrorCode::kMalformed, 0, "there is nothing to apply"};
}

int refuse(const ApplyOptions& options, const ChangeItem& item, const std::string& why) {
  print_error({ErrorCode::kInterrupted, 0, why});
  if (!options.json) return exit_code(kExitUsage);
  return finish(apply_json(item, why), kExitUsage);
}

}  // namespace

int run_fix_apply(const ApplyOptions& options, const answer::Answer& answer,
                  const std::vector<remedy::Plan>& plans) {
  if (std::ranges::none_of(plans,
                           [](const remedy::Plan& plan) { return plan.target.has_value(); })) {
    return print_refusal(nothing_to_apply(plans), kExitUsage);
  }
  Result<ChangeItem> item = item_of(options, answer, plans);
  if (!item) return print_refusal(item.error(), kExitUsage);
  show_intent(options.json, apply_intent(style_of_intent(options.json, options.color), *item,
                                         answer.observation.after));
  if (!item->objections.empty() && !options.even_so) {
    return refuse(options, *item,
                  "nothing was changed, for the reason above (--even-so to do it even so)");
  }
  Result<HostNow> host = look_at_host();
  if (!host) return print_refusal(host.error(), kExitBlind);
  const Result<apply::ChangeJournal> journal = apply::ChangeJournal::Open();
  if (!journal) return print_refusal(journal.error(), kExitBlind);
  if (const auto why = not_agreed(options.yes)) return refuse(options, *item, *why);
  item->outcome = apply::execute(item->change, host->snapshot.host.boot_id, item->why, *journal,
                                 surroundings_of(*host));
  const std::string text = options.json ? apply_json(*item, std::nullopt)
                                        : apply_outcome(style_of_stdout(options.color), *item);
  return finish(text, item->done() ? kExitNothingWrong : kExitBlind);
}

}  // namespace acceptq::cli
