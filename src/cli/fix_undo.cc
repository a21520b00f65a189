#include "cli/fix_undo.h"

#include <algorithm>
#include <map>
#include <set>

#include "cli/change_report.h"
#include "cli/consent.h"
#include "cli/host_now.h"
#include "cli/live_report.h"
#include "cli/selection.h"
#include "cli/surroundings.h"
#include "cli/terminal.h"

namespace acceptq::cli {
namespace {

using select::Selector;

// Whether the selector means a listener at this place, also while nobody listens there: that may be
// what the change has done.
bool means(const Selector& selector, const facts::ExpectedLimit& place) {
  switch (selector.kind) {
    case Selector::Kind::kPort:
      return selector.port == place.port &&
             (!selector.address || *selector.address == place.address);
    case Selector::Kind::kNetns:
      return select::selects_namespace(selector, place.netns);
    default:
      return false;
  }
}

// The changes of selected listeners, the latest first.
std::vector<facts::KeptChange> changes_of(const std::vector<Selector>& selectors,
                                          const std::set<std::uint16_t>& ports) {
  apply::KeptChanges kept = apply::read_changes();
  for (const Error& error : kept.errors) print_error(error);
  std::erase_if(kept.changes, [&](const facts::KeptChange& change) {
    return std::ranges::none_of(change.change.limits, [&](const facts::ExpectedLimit& place) {
      return ports.contains(place.port) ||
             std::ranges::any_of(selectors,
                                 [&](const Selector& each) { return means(each, place); });
    });
  });
  std::ranges::reverse(kept.changes);
  return std::move(kept.changes);
}

using UndosByNamespace = std::map<NetnsId, std::vector<apply::Undo>>;

void add_live_items(const UndosByNamespace& undos, LiveReport& report) {
  for (const auto& [netns, each] : undos) {
    LiveItem& item = report.items.emplace_back();
    for (const apply::Undo& undo : each) {
      item.plan.members.push_back({.listener = undo.listener, .to = undo.resize.before});
      item.why = undo.resize.why;
    }
  }
}

std::string intent(const UndoOptions& options, const LiveReport& report, const HostNow& host) {
  const render::TermStyle style = style_of_intent(options.json, options.color);
  std::string text = intent_text(style, report, host.snapshot);
  for (const ChangeItem& item : report.applied) text += undo_intent(style, item);
  return text;
}

// Nothing may be changed: the report so far, in the form that was asked for.
int refuse(const UndoOptions& options, LiveReport report, std::string why) {
  print_error({ErrorCode::kInterrupted, 0, why});
  if (!options.json) return exit_code(kExitUsage);
  report.refused = std::move(why);
  return finish(live_json(report), kExitUsage);
}

Status undo_live_changes(const HostNow& host, const UndosByNamespace& undos, LiveReport& report) {
  if (undos.empty()) return {};
  const Result<apply::Journal> journal = apply::Journal::Open();
  if (!journal) return fail(journal.error());
  std::size_t index = 0;
  for (const auto& [netns, each] : undos) {
    apply::UndoOutcome outcome =
        apply::undo_live(host.snapshot, each, host.entrance(netns), *journal);
    report.items[index].outcome = std::move(outcome.live);
    report.items[index].restored = std::move(outcome.somaxconn);
    ++index;
  }
  return {};
}

Status undo_lasting_changes(HostNow& host, const std::vector<facts::KeptChange>& changes,
                            LiveReport& report) {
  if (changes.empty()) return {};
  const Result<apply::ChangeJournal> journal = apply::ChangeJournal::Open();
  if (!journal) return fail(journal.error());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    report.applied[i].outcome =
        apply::take_back(changes[i], host.snapshot.host.boot_id, *journal, surroundings_of(host));
  }
  return {};
}

}  // namespace

int run_fix_undo(const UndoOptions& options, const std::vector<Selector>& selectors) {
  Result<HostNow> host = look_at_host();
  if (!host) return print_refusal(host.error(), kExitBlind);
  const Result<select::Selection> selection = select::select(selectors, host->snapshot, is_process);
  UndosByNamespace undos;
  std::set<std::uint16_t> ports;
  for (const facts::Listener& listener : host->snapshot.listeners) {
    if (!selection || !selection->holds(listener)) continue;
    ports.insert(listener.port);
    if (const facts::Resize* resize = host->resize_of(listener)) {
      undos[listener.netns].push_back({.listener = listener, .resize = *resize});
    }
  }
  const std::vector<facts::KeptChange> changes = changes_of(selectors, ports);
  if (!selection && changes.empty()) {
    return print_refusal(selection.error(), code_of_selection(selection.error()));
  }
  LiveReport report{.action = LiveAction::kUndo};
  add_live_items(undos, report);
  for (const facts::KeptChange& kept : changes) {
    report.applied.push_back({.change = kept.change, .id = kept.id, .why = kept.why});
  }
  if (report.items.empty() && report.applied.empty()) {
    return print_refusal({ErrorCode::kNotFound, 0,
                          "there is nothing to undo: neither journal (/run/acceptq/resizes, "
                          "/var/lib/acceptq/changes) has a change of what was selected"},
                         kExitBlind);
  }
  show_intent(options.json, intent(options, report, *host));
  if (auto why = not_agreed(options.yes))
    return refuse(options, std::move(report), std::move(*why));
  for (const Status& done :
       {undo_live_changes(*host, undos, report), undo_lasting_changes(*host, changes, report)}) {
    if (!done) return print_refusal(done.error(), kExitBlind);
  }
  std::string text;
  if (options.json) {
    text = live_json(report);
  } else {
    const render::TermStyle style = style_of_stdout(options.color);
    text = outcome_text(style, report);
    for (const ChangeItem& item : report.applied) text += undo_outcome(style, item);
  }
  return finish(text, report.done() ? kExitNothingWrong : kExitBlind);
}

}  // namespace acceptq::cli
