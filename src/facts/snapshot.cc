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
  std::ranges::stable_sort(items, {}, member);
  const auto rest = std::ranges::unique(items, {}, member);
  items.erase(rest.begin(), rest.end());
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
  std::vector<std::pair<std::string, Listener>> keyed;
  keyed.reserve(snapshot.listeners.size());
  for (Listener& listener : snapshot.listeners) {
    std::string key = listener_key(listener);
    keyed.emplace_back(std::move(key), std::move(listener));
  }
  std::ranges::stable_sort(keyed, {}, &std::pair<std::string, Listener>::first);
  const auto rest = std::ranges::unique(keyed, {}, &std::pair<std::string, Listener>::first);
  keyed.erase(rest.begin(), rest.end());
  snapshot.listeners.clear();
  for (auto& [key, listener] : keyed) snapshot.listeners.push_back(std::move(listener));
}

}  // namespace acceptq::facts
