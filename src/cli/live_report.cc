#include "cli/live_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "render/listener_names.h"

namespace acceptq::cli {
namespace {

using apply::MemberOutcome;
using apply::ResizePlan;
using apply::SomaxconnEnd;
using apply::SomaxconnOutcome;

std::string limit_text(const std::optional<QueueLimit>& limit) {
  return limit ? std::to_string(limit->value()) : "unknown";
}

QueueLimit largest(const ResizePlan& plan) {
  QueueLimit most;
  for (const ResizePlan::Member& member : plan.members) most = std::max(most, member.to);
  return most;
}

std::string somaxconn_intent(const LiveReport& report, const LiveItem& item,
                             const facts::Snapshot& snapshot) {
  const facts::Listener& listener = item.plan.members.front().listener;
  const facts::Namespace* ns = facts::find_namespace(snapshot, listener.netns);
  if (ns == nullptr) return "";
  const auto found = ns->sysctls.find(facts::kSomaxconn);
  if (found == ns->sysctls.end() || found->second.state != facts::SysctlState::kValue) return "";
  if (found->second.value >= largest(item.plan).value()) return "";
  return fmt::format(
      "net.core.somaxconn of {} network namespace would clamp it: {} becomes {}{}.",
      render::namespace_owner(snapshot, listener), found->second.value, largest(item.plan).value(),
      report.keep_sysctl ? " and stays so (--keep-sysctl)"
                         : fmt::format(" for that moment, then {} again", found->second.value));
}

std::string member_name(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  const std::string owner = render::owner_name(snapshot, listener);
  const std::string endpoint = facts::listener_endpoint(listener);
  return owner.empty() ? endpoint : fmt::format("{} of {}", endpoint, owner);
}

std::string somaxconn_outcome(const SomaxconnOutcome& somaxconn) {
  switch (somaxconn.end) {
    case SomaxconnEnd::kNotNeeded:
      return "";
    case SomaxconnEnd::kPutBack:
      return fmt::format("net.core.somaxconn of its namespace, {} for that, is {} again.",
                         *somaxconn.raised_to, somaxconn.after);
    case SomaxconnEnd::kKept:
      return fmt::format("net.core.somaxconn of its namespace is {} now (it was {}).",
                         somaxconn.after, somaxconn.before);
    case SomaxconnEnd::kChangedByOther:
      return fmt::format(
          "net.core.somaxconn of its namespace, which acceptq raised to {}, is {} by now: somebody "
          "else has set it meanwhile, and it was left so (it was {}).",
          *somaxconn.raised_to, somaxconn.after, somaxconn.before);
    case SomaxconnEnd::kNotPutBack:
      return fmt::format(
          "net.core.somaxconn of its namespace is still {}, and could not be put back to {}: {}",
          *somaxconn.raised_to, somaxconn.before,
          somaxconn.error ? somaxconn.error->message() : "unknown");
  }
  return "";
}

std::string member_outcome(const LiveReport& report, const ResizePlan::Member& member,
                           const MemberOutcome& outcome) {
  const std::string endpoint = facts::listener_endpoint(member.listener);
  if (!outcome.done()) {
    std::string text = fmt::format("{}: {}.", endpoint, outcome.error->message());
    if (outcome.after) text += fmt::format(" Its limit is {}.", limit_text(outcome.after));
    return text;
  }
  return fmt::format("{}: its accept queue's limit is {} {}, read back from the kernel.", endpoint,
                     limit_text(outcome.after),
                     report.action == LiveAction::kUndo
                         ? "again"
                         : fmt::format("(it was {})", limit_text(outcome.before)));
}

std::string item_outcome(const render::TermStyle& style, const LiveReport& report,
                         const LiveItem& item) {
  std::string text;
  const auto add = [&](const std::string& line) {
    if (!line.empty()) text += render::wrap(style, 0, line);
  };
  const apply::ResizeOutcome& resize = item.outcome->resize;
  if (resize.error) {
    add(fmt::format("Nothing was changed: {}.", resize.error->message()));
  } else {
    for (std::size_t i = 0; i < resize.members.size(); ++i) {
      add(member_outcome(report, item.plan.members[i], resize.members[i]));
    }
  }
  if (resize.somaxconn) add(somaxconn_outcome(*resize.somaxconn));
  if (item.restored) add(somaxconn_outcome(*item.restored));
  for (const Error& error : item.outcome->journal_errors) {
    add(fmt::format("The journal is not up to date: {}.", error.message()));
  }
  return text;
}

}  // namespace

bool LiveReport::done() const {
  return !refused && std::ranges::all_of(items, [](const LiveItem& item) {
    return item.outcome && item.outcome->resize.done() && item.outcome->journal_errors.empty() &&
           (!item.restored || item.restored->end != SomaxconnEnd::kNotPutBack);
  }) && std::ranges::all_of(applied, &ChangeItem::done);
}

std::string intent_text(const render::TermStyle& style, const LiveReport& report,
                        const facts::Snapshot& snapshot) {
  std::string text;
  for (const LiveItem& item : report.items) {
    for (const ResizePlan::Member& member : item.plan.members) {
      text += render::wrap(style, 0,
                           fmt::format("{}: the limit of its accept queue goes {}from {} to {}, by "
                                       "listen() on its own socket.",
                                       member_name(snapshot, member.listener),
                                       report.action == LiveAction::kUndo ? "back " : "",
                                       limit_text(member.listener.limit), member.to.value()));
    }
    const std::string somaxconn = somaxconn_intent(report, item, snapshot);
    if (!somaxconn.empty()) text += render::wrap(style, 2, somaxconn);
    for (const remedy::LiveObjection& objection : item.objections) {
      text += render::wrap(style, 2, objection.text);
    }
  }
  return render::for_terminal(style, text);
}

std::string outcome_text(const render::TermStyle& style, const LiveReport& report) {
  std::string text;
  bool any = false;
  for (const LiveItem& item : report.items) {
    if (!item.outcome) continue;
    text += item_outcome(style, report, item);
    any = any || std::ranges::any_of(item.outcome->resize.members, &MemberOutcome::done);
  }
  if (!any || report.action == LiveAction::kUndo) return render::for_terminal(style, text);
  text += render::wrap(style, 0,
                       "It does not survive a restart of the server, nor its own next listen(). "
                       "acceptq fix SELECTOR --undo takes it back.");
  for (const LiveItem& item : report.items) {
    if (!item.permanent.empty()) text += "To make it last:\n" + item.permanent;
  }
  return render::for_terminal(style, text);
}

}  // namespace acceptq::cli
