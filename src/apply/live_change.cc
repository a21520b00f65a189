#include "apply/live_change.h"

#include <algorithm>
#include <span>
#include <utility>

#include "apply/this_author.h"
#include "base/clock.h"
#include "collect/netns/enter.h"

namespace acceptq::apply {
namespace {

using facts::Listener;
using facts::Resize;

Resize record_of(const facts::Snapshot& snapshot, const ResizePlan::Member& member,
                 const Resize* earlier, const std::string& why) {
  const Listener& listener = member.listener;
  Resize record{.boot_id = snapshot.host.boot_id,
                .netns = listener.netns,
                .address = listener.address,
                .port = listener.port,
                .mptcp = listener.mptcp,
                .cookie = listener.cookie,
                .inode = listener.inode,
                .before = listener.limit.value_or(QueueLimit{}),
                .after = member.to,
                .realtime_ns = realtime_ns(),
                .why = why};
  if (const facts::Namespace* ns = facts::find_namespace(snapshot, listener.netns)) {
    record.netns_cookie = ns->cookie;
  }
  for (const Holder& holder : member.holders) {
    if (std::ranges::find(record.pids, holder.pid) == record.pids.end()) {
      record.pids.push_back(holder.pid);
    }
  }
  if (earlier != nullptr) {
    if (listener.limit == earlier->after) record.before = earlier->before;
    // What an earlier change left raised is still to be put back.
    if (earlier->somaxconn && !earlier->somaxconn->put_back) record.somaxconn = earlier->somaxconn;
  }
  record.author = this_author();
  return record;
}

void note_somaxconn(const SomaxconnOutcome& somaxconn, Resize& record) {
  if (!somaxconn.raised_to) return;
  const std::int64_t before =
      record.somaxconn && !record.somaxconn->put_back ? record.somaxconn->before : somaxconn.before;
  record.somaxconn = facts::RaisedSysctl{.before = before, .raised_to = *somaxconn.raised_to};
  // What another has set is another's: nothing is left to put back.
  const bool is_left =
      somaxconn.end == SomaxconnEnd::kKept || somaxconn.end == SomaxconnEnd::kNotPutBack;
  record.somaxconn->put_back = !is_left && somaxconn.end != SomaxconnEnd::kNotNeeded;
}

void note(const Status& status, LiveOutcome& outcome) {
  if (!status) outcome.journal_errors.push_back(status.error());
}

// somaxconn of the namespace, if it is still what it was raised to.
SomaxconnOutcome put_back(const facts::RaisedSysctl& raised,
                          const collect::netns::Handle& entrance) {
  SomaxconnOutcome outcome{
      .before = raised.before, .after = raised.raised_to, .raised_to = raised.raised_to};
  outcome.end = SomaxconnEnd::kNotPutBack;
  outcome.error = Error{ErrorCode::kNotFound, 0, "no way into this network namespace is known"};
  collect::netns::for_each_namespace(
      std::span(&entrance, 1), 1, [&](std::size_t, const Status& entered) {
        if (entered) {
          outcome = put_back_somaxconn(raised.before, raised.raised_to);
        } else {
          outcome.error = entered.error();
        }
      });
  return outcome;
}

}  // namespace

LiveOutcome change_live(const facts::Snapshot& snapshot, const ResizePlan& plan,
                        const collect::netns::Handle& entrance, const std::vector<Resize>& earlier,
                        const Journal& journal, const std::string& why) {
  std::vector<const Resize*> kept;
  std::vector<Resize> records;
  for (const ResizePlan::Member& member : plan.members) {
    const facts::Namespace* ns = facts::find_namespace(snapshot, member.listener.netns);
    kept.push_back(facts::find_resize(earlier, snapshot.host, ns, member.listener));
    records.push_back(record_of(snapshot, member, kept.back(), why));
  }
  LiveOutcome outcome;
  bool begun = false;
  outcome.resize = resize(plan, entrance, [&](const SomaxconnOutcome& somaxconn) -> Status {
    begun = true;
    for (std::size_t i = 0; i < records.size(); ++i) {
      note_somaxconn(somaxconn, records[i]);
      if (const Status written = journal.keep(plan.members[i].listener, records[i]); !written) {
        return written;
      }
    }
    return {};
  });
  if (!begun) return outcome;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Listener& listener = plan.members[i].listener;
    const MemberOutcome& member = outcome.resize.members[i];
    if (outcome.resize.somaxconn) note_somaxconn(*outcome.resize.somaxconn, records[i]);
    const bool left_raised = records[i].somaxconn && !records[i].somaxconn->put_back;
    const bool changed = member.done() || (member.after && member.after != member.before);
    if (!changed && (outcome.resize.error || !left_raised)) {
      note(kept[i] != nullptr ? journal.keep(listener, *kept[i]) : journal.forget(listener),
           outcome);
      continue;
    }
    records[i].after = member.after.value_or(records[i].after);
    records[i].done = member.done();
    note(journal.keep(listener, records[i]), outcome);
  }
  return outcome;
}

UndoOutcome undo_live(const facts::Snapshot& snapshot, const std::vector<Undo>& undos,
                      const collect::netns::Handle& entrance, const Journal& journal) {
  UndoOutcome outcome;
  ResizePlan plan;
  plan.only_if_unchanged = true;
  std::optional<facts::RaisedSysctl> raised;
  for (const Undo& undo : undos) {
    ResizePlan::Member member{.listener = undo.listener,
                              .holders = holders_of(snapshot, undo.listener),
                              .to = undo.resize.before};
    // An acceptq that was killed before its listen() has left nothing to undo but somaxconn.
    const bool never_came_to_it = !undo.resize.done && undo.listener.limit == undo.resize.before;
    member.listener.limit = never_came_to_it ? undo.resize.before : undo.resize.after;
    plan.members.push_back(std::move(member));
    plan.netns_cookie = undo.resize.netns_cookie;
    if (undo.resize.somaxconn && !undo.resize.somaxconn->put_back) raised = undo.resize.somaxconn;
  }
  outcome.live.resize = resize(plan, entrance);
  if (!outcome.live.resize.error && raised) outcome.somaxconn = put_back(*raised, entrance);
  for (std::size_t i = 0; i < undos.size(); ++i) {
    if (outcome.live.resize.error || !outcome.live.resize.members[i].done()) continue;
    note(journal.forget(undos[i].listener), outcome.live);
  }
  return outcome;
}

}  // namespace acceptq::apply
