#include "cli/fix_live.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/consent.h"
#include "cli/host_now.h"
#include "cli/live_report.h"
#include "cli/terminal.h"

namespace acceptq::cli {
namespace {

using apply::ResizePlan;

// Nothing may be changed: the report so far, in the form that was asked for.
int refuse(const LiveOptions& options, LiveReport report, std::string why) {
  print_error({ErrorCode::kInterrupted, 0, why});
  if (!options.json) return exit_code(kExitUsage);
  report.refused = std::move(why);
  return finish(live_json(report), kExitUsage);
}

// Whether its owner called listen() on it while it was watched, though it listened before.
bool listened_again(const facts::Observation& observation, const facts::Listener& listener) {
  if (listener.resized_from) return false;  // that may have been acceptq
  const std::string key = facts::listener_key(listener);
  if (std::ranges::find(observation.before.listeners, key, facts::listener_key) ==
      observation.before.listeners.end()) {
    return false;
  }
  const std::vector<const facts::Ledger*> ledgers = facts::ledgers_of(observation);
  for (std::size_t i = 0; i < ledgers.size(); ++i) {
    if (facts::listener_key(observation.after.listeners[i]) != key) continue;
    return ledgers[i] != nullptr && ledgers[i]->listen.has_value();
  }
  return false;
}

const facts::Listener* find_listener(const facts::Snapshot& snapshot, const std::string& key) {
  const auto found = std::ranges::find_if(snapshot.listeners, [&](const facts::Listener& listener) {
    return !listener.closed && facts::listener_key(listener) == key;
  });
  return found != snapshot.listeners.end() ? &*found : nullptr;
}

std::vector<remedy::LiveObjection> objections_to(const answer::Answer& answer,
                                                 const HostNow& present,
                                                 const facts::Listener& listener, QueueLimit to) {
  const std::string key = facts::listener_key(listener);
  const auto told = std::ranges::find(answer.report.listeners, key, &diagnose::ListenerReport::key);
  if (told == answer.report.listeners.end()) return {};
  const facts::Resize* before = present.resize_of(listener);
  return remedy::live_objections(
      {.report = answer.report,
       .told = *told,
       .listener = listener,
       .to = to,
       .listened_again = listened_again(answer.observation, listener),
       .undone_before = before != nullptr && before->done && listener.limit != before->after});
}

// Adds what the wish comes to. A listener that an item holds already, as another's sibling, gets
// the larger of the two limits.
Status add_item(const answer::Answer& answer, const HostNow& present, const LiveWish& wish,
                LiveReport& report) {
  const facts::Listener* listener = find_listener(present.snapshot, wish.key);
  if (listener == nullptr) {
    return fail(ErrorCode::kNotFound, wish.key + " has been closed; look again (acceptq check)");
  }
  if (!wish.limit) {
    return fail(
        ErrorCode::kMalformed,
        fmt::format("nothing that was seen asks for another limit of {}{}{} (--limit N "
                    "gives it one)",
                    facts::listener_endpoint(*listener), wish.why.empty() ? "" : ": ", wish.why));
  }
  const QueueLimit to{*wish.limit};
  for (LiveItem& item : report.items) {
    for (const ResizePlan::Member& member : item.plan.members) {
      if (facts::listener_key(member.listener) != wish.key) continue;
      for (ResizePlan::Member& each : item.plan.members) each.to = std::max(each.to, to);
      return {};
    }
  }
  Result<ResizePlan> plan = apply::plan_resize(present.snapshot, *listener, to);
  if (!plan) return fail(std::move(plan.error()));
  if (report.keep_sysctl) plan->afterwards = apply::RaisedSomaxconn::Afterwards::kKeep;
  report.items.push_back({.plan = std::move(*plan),
                          .why = wish.why,
                          .objections = objections_to(answer, present, *listener, to),
                          .permanent = wish.permanent});
  return {};
}

int finish_live(const LiveOptions& options, const LiveReport& report) {
  const std::string text =
      options.json ? live_json(report) : outcome_text(style_of_stdout(options.color), report);
  return finish(text, report.done() ? kExitNothingWrong : kExitBlind);
}

}  // namespace

int run_fix_live(const LiveOptions& options, const answer::Answer& answer,
                 const std::vector<LiveWish>& wishes) {
  const Result<HostNow> present = look_at_host();
  if (!present) return print_refusal(present.error(), kExitBlind);
  LiveReport report{.action = LiveAction::kResize, .keep_sysctl = options.keep_sysctl};
  for (const LiveWish& wish : wishes) {
    if (const Status added = add_item(answer, *present, wish, report); !added) {
      const bool is_gone = added.error().code == ErrorCode::kNotFound;
      return print_refusal(added.error(), is_gone ? kExitBlind : kExitUsage);
    }
  }
  show_intent(options.json,
              intent_text(style_of_intent(options.json, options.color), report, present->snapshot));
  const bool objected = std::ranges::any_of(
      report.items, [](const LiveItem& item) { return !item.objections.empty(); });
  if (objected && !options.even_so) {
    return refuse(options, std::move(report),
                  "nothing was changed, for the reason above (--even-so to do it even so)");
  }
  const Result<apply::Journal> journal = apply::Journal::Open();
  if (!journal) return print_refusal(journal.error(), kExitBlind);
  if (auto why = not_agreed(options.yes))
    return refuse(options, std::move(report), std::move(*why));
  for (LiveItem& item : report.items) {
    const NetnsId netns = item.plan.members.front().listener.netns;
    item.outcome = apply::change_live(present->snapshot, item.plan, present->entrance(netns),
                                      present->journal.resizes, *journal, item.why);
  }
  return finish_live(options, report);
}

}  // namespace acceptq::cli
