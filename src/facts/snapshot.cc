#include "facts/snapshot.h"

#include <algorithm>
#include <utility>

namespace acceptq::facts {
namespace {

template <typename T, typename Key>
const T* find_sorted(const std::vector<T>& items, Key key, Key T::* member) {
  const auto it = std::ranges::lower_bound(items, key, {}, member);
  return it != items.end() && (*it).*member == key ? &*it : nullptr;
}

template <typename T, typename Key>
void sort_unique(std::vector<T>& items, Key T::* member) {
  const auto out_of_order = std::ranges::adjacent_find(items, std::ranges::greater_equal{}, member);
  if (out_of_order == items.end()) return;
  std::ranges::stable_sort(items, {}, member);
  const auto rest = std::ranges::unique(items, {}, member);
  items.erase(rest.begin(), rest.end());
}

// By listener_key, which is made once for each. The first of equal ones stays.
void sort_unique_by_key(std::vector<Listener>& listeners) {
  using Keyed = std::pair<std::string, std::size_t>;  // with its place
  std::vector<Keyed> keys;
  keys.reserve(listeners.size());
  for (const Listener& listener : listeners) keys.emplace_back(listener_key(listener), keys.size());
  const auto out_of_order =
      std::ranges::adjacent_find(keys, std::ranges::greater_equal{}, &Keyed::first);
  if (out_of_order == keys.end()) return;
  std::ranges::sort(keys);
  const auto rest = std::ranges::unique(keys, {}, &Keyed::first);
  keys.erase(rest.begin(), rest.end());
  std::vector<Listener> sorted;
  sorted.reserve(keys.size());
  for (const auto& [key, place] : keys) sorted.push_back(std::move(listeners[place]));
  listeners = std::move(sorted);
}

}  // namespace

QueueSamples& QueueSamples::operator+=(const QueueSamples& others) {
  count += others.count;
  full += others.full;
  longest = std::max(longest, others.longest);
  return *this;
}

const Namespace* find_namespace(const Snapshot& snapshot, NetnsId id) {
  return find_sorted(snapshot.namespaces, id, &Namespace::id);
}

const Process* find_process(const Snapshot& snapshot, Pid pid) {
  return find_sorted(snapshot.processes, pid, &Process::pid);
}

std::vector<DeadSyn> reset_syns(const Observation& observation) {
  std::vector<DeadSyn> syns;
  if (!observation.dead_syns) return syns;
  for (const DeadSyn& syn : *observation.dead_syns) {
    const auto serves = [&](const Listener& listener) {
      return listens_on(listener, syn.netns, syn.port) && serves_address(listener, syn.address);
    };
    if (syn.reason == kNoSocket && !syn.after_syn &&
        std::ranges::none_of(observation.after.listeners, serves)) {
      syns.push_back(syn);
    }
  }
  return syns;
}

std::vector<const Ledger*> ledgers_of(const Observation& observation) {
  const std::vector<Listener>& listeners = observation.after.listeners;
  std::vector<const Ledger*> found(listeners.size());
  const ListenersByPort by_port(observation.after);
  for (const Ledger& ledger : observation.ledgers) {
    const Listener* listener = by_port.find(ledger);
    if (listener == nullptr || listener->closed != ledger.closed_at_ns.has_value()) continue;
    const Ledger*& newest = found[static_cast<std::size_t>(listener - listeners.data())];
    if (newest == nullptr || ledger.since_ns > newest->since_ns) newest = &ledger;
  }
  return found;
}

const Namespace* host_namespace(const Snapshot& snapshot) {
  const auto it = std::ranges::find(snapshot.namespaces, true, &Namespace::is_host);
  return it != snapshot.namespaces.end() ? &*it : nullptr;
}

bool is_compared(const Observation& observation, NetnsId id) {
  const Namespace* ns = find_namespace(observation.after, id);
  return ns != nullptr && ns->pasted ? ns->pasted->compared : observation.seconds > 0;
}

std::optional<double> seconds_of(const Observation& observation, NetnsId id) {
  const Namespace* ns = find_namespace(observation.after, id);
  if (ns != nullptr && ns->pasted) return ns->pasted->seconds;
  return observation.seconds > 0 ? std::optional(observation.seconds) : std::nullopt;
}

bool is_pasted_inside(const Namespace& ns) {
  return ns.pasted && (ns.pasted->pod || ns.pasted->container);
}

void normalize(Snapshot& snapshot) {
  sort_unique(snapshot.namespaces, &Namespace::id);
  sort_unique(snapshot.processes, &Process::pid);
  for (Listener& listener : snapshot.listeners) {
    std::ranges::sort(listener.owners);
    const auto rest = std::ranges::unique(listener.owners);
    listener.owners.erase(rest.begin(), rest.end());
  }
  sort_unique_by_key(snapshot.listeners);
}

}  // namespace acceptq::facts
