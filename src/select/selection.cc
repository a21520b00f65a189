#include "select/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "facts/socket_index.h"
#include "select/suggestions.h"

namespace acceptq::select {
namespace {

using Kind = Selector::Kind;

std::string what_there_is(const Selector& selector, const facts::Snapshot& snapshot) {
  constexpr std::size_t kMost = 5;
  const std::vector<std::string> nearest = suggestions(selector, snapshot, kMost);
  if (nearest.empty()) return "no TCP listener was seen";
  return fmt::format("seen were {}{}", fmt::join(nearest, ", "),
                     snapshot.listeners.size() > nearest.size() ? ", …" : "");
}

bool is_gone(const Selector& selector, const IsProcess& is_process) {
  return selector.kind == Kind::kPid && is_process &&
         !is_process(Pid(static_cast<std::int32_t>(selector.number)));
}

// Whether what was not observed at all may hold what the selector means.
bool may_hide(const facts::BlindSpot& spot, const Selector& selector) {
  if (!spot.unobserved) return false;
  if (selector.kind != Kind::kNetns || !spot.scope.starts_with("netns:")) return true;
  return spot.scope == fmt::format("netns:{}", selector.number);
}

// Whether what the snapshot does not show of that namespace may be there nevertheless.
bool may_be_unseen(const facts::Snapshot& snapshot, NetnsId netns) {
  const std::string scope = fmt::format("netns:{}", netns.value());
  return std::ranges::any_of(snapshot.blind_spots, [&](const facts::BlindSpot& spot) {
    return spot.unobserved && (spot.scope == scope || !spot.scope.starts_with("netns:"));
  });
}

bool has_no_listener(const facts::Snapshot& snapshot, NetnsId netns) {
  return !may_be_unseen(snapshot, netns) &&
         std::ranges::none_of(snapshot.listeners, [&](const facts::Listener& listener) {
           return listener.netns == netns;
         });
}

// The listeners that the clients of an address reach by connection tracking, where the selector
// means that address and nothing listens there; and what is to be said of it.
bool add_translated(const Selector& selector, const facts::Snapshot& snapshot,
                    Selection& selection) {
  bool found = false;
  for (const facts::Translation& translation : snapshot.translations) {
    if (!means_clients_of(selector, translation.address, translation.port)) continue;
    found = true;
    bool listens = false;
    for (const facts::Listener& listener : snapshot.listeners) {
      if (!translation.to_netns ||
          !facts::listens_on(listener, *translation.to_netns, translation.to_port) ||
          !facts::serves_address(listener, translation.to_address)) {
        continue;
      }
      listens = true;
      selection.keys.insert(facts::listener_key(listener));
      selection.namespaces.insert(listener.netns);
    }
    selection.warnings.push_back(fmt::format(
        "nothing listens on \"{}\" itself: connection tracking sends clients of {} to {}{} ({})",
        selector.text, facts::host_and_port(translation.address, translation.port),
        facts::host_and_port(translation.to_address, translation.to_port),
        listens                ? ""
        : translation.to_netns ? ", where nothing listens"
                               : ", which is no address of this host's that was seen",
        counted(translation.connections, "connection", "connections")));
  }
  return found;
}

Error nothing_selected(const Selector& selector, const facts::Snapshot& snapshot, bool gone) {
  if (gone) {
    return {ErrorCode::kNotFound, 0, fmt::format("there is no process {}", selector.name)};
  }
  return {ErrorCode::kNotFound, 0,
          fmt::format("no listener matches \"{}\"; {}", selector.text,
                      what_there_is(selector, snapshot))};
}

}  // namespace

bool is_selected(const std::vector<Selector>& selectors, const facts::Snapshot& snapshot,
                 const facts::Listener& listener) {
  return std::ranges::any_of(selectors, [&](const Selector& selector) {
    return matches(selector, snapshot, listener) || selects_namespace(selector, listener.netns);
  });
}

std::function<bool(const facts::Snapshot&, const facts::Listener&)> selected_by(
    const std::vector<Selector>& selectors) {
  return [&selectors](const facts::Snapshot& snapshot, const facts::Listener& listener) {
    return selectors.empty() || is_selected(selectors, snapshot, listener);
  };
}

Result<Selection> select(const std::vector<Selector>& selectors, const facts::Snapshot& snapshot,
                         const IsProcess& is_process) {
  Selection selection;
  for (const Selector& selector : selectors) {
    bool found = false;
    for (const facts::Listener& listener : snapshot.listeners) {
      if (!matches(selector, snapshot, listener)) continue;
      found = true;
      selection.keys.insert(facts::listener_key(listener));
      selection.namespaces.insert(listener.netns);
    }
    for (const facts::Namespace& ns : snapshot.namespaces) {
      if (!selects_namespace(selector, ns.id)) continue;
      found = true;
      selection.namespaces.insert(ns.id);
      if (has_no_listener(snapshot, ns.id)) {
        selection.warnings.push_back(
            fmt::format("nothing listens in the network namespace of \"{}\"", selector.text));
      }
    }
    if (found || add_translated(selector, snapshot, selection)) continue;
    const bool gone = is_gone(selector, is_process);
    const Error nothing = nothing_selected(selector, snapshot, gone);
    bool hidden = false;
    for (const facts::BlindSpot& spot : snapshot.blind_spots) {
      if (!may_hide(spot, selector) || gone) continue;
      hidden = true;
      selection.hiding.push_back(spot);
    }
    selection.warnings.push_back(
        hidden ? nothing.context + "; it may be where acceptq could not look" : nothing.context);
  }
  const bool nothing_matched = selection.keys.empty() && selection.namespaces.empty();
  if (!selectors.empty() && nothing_matched && selection.hiding.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}", fmt::join(selection.warnings, "; ")));
  }
  return selection;
}

void keep_the_ended(const std::vector<Selector>& selectors, facts::Observation& observation) {
  facts::Snapshot& after = observation.after;
  const facts::SocketIndex there(after.listeners);
  std::vector<facts::Listener> kept;
  for (const facts::Listener& listener : observation.before.listeners) {
    if (there.find(listener) != nullptr || !is_selected(selectors, observation.before, listener) ||
        may_be_unseen(after, listener.netns)) {
      continue;
    }
    facts::Listener& ended = kept.emplace_back(listener);
    ended.closed = true;
    ended.accept_queue_len = QueueLength(0);
    for (const facts::OwnerRef& owner : listener.owners) {
      const facts::Process* process = facts::find_process(observation.before, owner.pid);
      if (process != nullptr) after.processes.push_back(*process);
    }
    if (facts::find_namespace(after, listener.netns) == nullptr) {
      const facts::Namespace* ns = facts::find_namespace(observation.before, listener.netns);
      if (ns != nullptr) after.namespaces.push_back(*ns);
    }
  }
  if (kept.empty()) return;
  std::ranges::move(kept, std::back_inserter(after.listeners));
  facts::normalize(after);
}

}  // namespace acceptq::select
