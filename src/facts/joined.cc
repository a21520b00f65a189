#include "facts/joined.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

namespace acceptq::facts {

Result<Observation> joined(std::span<Recording> recordings) {
  if (recordings.size() == 1) return std::move(recordings.front().observation);
  Observation all;
  const Recording* previous = &recordings.front();
  for (const Recording& recording : recordings) {
    const Observation& earlier = previous->observation;
    const Observation& next = recording.observation;
    if (next.before.host.boot_id != earlier.before.host.boot_id) {
      return fail(ErrorCode::kMalformed,
                  previous->name + " and " + recording.name + " are of different hosts or boots");
    }
    if (next.before.monotonic_ns < earlier.before.monotonic_ns ||
        next.after.monotonic_ns < earlier.after.monotonic_ns) {
      return fail(ErrorCode::kMalformed, recording.name + " is older than " + previous->name +
                                             ": give recordings in their order");
    }
    previous = &recording;
    for (const auto& [key, queue] : next.samples) all.samples[key] += queue;
  }
  constexpr double kNsPerSecond = 1e9;
  all.before = std::move(recordings.front().observation.before);
  all.after = std::move(recordings.back().observation.after);
  all.seconds =
      static_cast<double>(all.after.monotonic_ns - all.before.monotonic_ns) / kNsPerSecond;
  all.after.blind_spots.push_back(
      {.id = "AQ614",
       .scope = "host",
       .reason = "several recordings were joined, and handshakes were not followed between them",
       .cost = "refused packets are known by counters alone, and not by step, client and attempt"});
  return all;
}

void add_pasted(Observation pasted, Observation& recorded) {
  const auto add = [](Snapshot& from, Snapshot& to) {
    const auto append = [](auto& items, auto& all) {
      all.insert(all.end(), std::make_move_iterator(items.begin()),
                 std::make_move_iterator(items.end()));
    };
    append(from.namespaces, to.namespaces);
    append(from.listeners, to.listeners);
    append(from.blind_spots, to.blind_spots);
    // A pid of the paste may be another process's here.
    for (Listener& listener : to.listeners) {
      if (!listener.pasted_at.empty()) listener.owners.clear();
    }
    normalize(to);
  };
  add(pasted.before, recorded.before);
  add(pasted.after, recorded.after);
  recorded.samples.merge(pasted.samples);
}

namespace {

const Pasted* pasted_of(const Snapshot& snapshot, const Listener& listener) {
  const Namespace* ns = find_namespace(snapshot, listener.netns);
  return ns != nullptr && ns->pasted ? &*ns->pasted : nullptr;
}

// The listener that packets to a server came to.
struct Destination {
  const Listener* listener = nullptr;  // null: none, or one of several
  bool has_predecessors = false;       // it is the last of several, one after the other
};

Destination destination_of(const Snapshot& snapshot, const IpAddress& address, std::uint16_t port) {
  std::vector<const Listener*> all;
  for (const Listener& listener : snapshot.listeners) {
    const bool serves = listener.protocol == Protocol::kTcp && listener.port == port &&
                        serves_address(listener, address);
    if (serves) all.push_back(&listener);
  }
  const auto keep = [&](auto&& is_better) {
    if (std::ranges::any_of(all, is_better)) std::erase_if(all, std::not_fn(is_better));
  };
  keep([&](const Listener* one) {
    const Pasted* pasted = pasted_of(snapshot, *one);
    return pasted != nullptr &&
           std::ranges::find(pasted->addresses, address.to_string()) != pasted->addresses.end();
  });
  const std::size_t before = all.size();
  keep([&](const Listener* one) {
    const Pasted* pasted = pasted_of(snapshot, *one);
    return pasted == nullptr || !pasted->superseded;
  });
  if (all.size() != 1) return {};
  return {.listener = all.front(), .has_predecessors = before > 1};
}

BlindSpot joined_by_port(const Snapshot& snapshot, const Destination& destination,
                         const IpAddress& address) {
  const Listener& listener = *destination.listener;
  const std::string packets = "packets to " + host_and_port(address, listener.port);
  BlindSpot spot{.id = "AQ615",
                 .scope = listener_key(listener),
                 .reason = packets + " were taken for this listener's, by address and port",
                 .cost = "where an address is translated on the way, they may be another one's"};
  const Pasted* pasted = pasted_of(snapshot, listener);
  const bool has_another =
      pasted != nullptr && !pasted->addresses.empty() &&
      std::ranges::find(pasted->addresses, address.to_string()) == pasted->addresses.end();
  if (has_another) {
    std::string own;
    for (const std::string& one : pasted->addresses) own += (own.empty() ? "" : ", ") + one;
    spot.reason = packets + " were taken for this listener's, by the port alone: its network " +
                  "namespace has another address (" + own + ")";
    spot.cost = "unless the address is translated on the way, they are another one's";
  }
  if (destination.has_predecessors) {
    spot.reason += "; of the sockets that had it one after the other, this is the last";
    spot.cost += "; they may have come to an earlier one";
  }
  return spot;
}

}  // namespace

void add_capture(Observation capture, Observation& other) {
  std::vector<Listener>& listeners = other.after.listeners;
  std::vector<Listener> unknown;
  for (Ledger& ledger : capture.ledgers) {
    const Destination found = destination_of(other.after, ledger.address, ledger.port);
    if (found.listener == nullptr) {
      const auto placeholder =
          std::ranges::find_if(capture.after.listeners, [&](const Listener& listener) {
            return listener.port == ledger.port && listener.address == ledger.address;
          });
      if (placeholder != capture.after.listeners.end()) unknown.push_back(*placeholder);
    } else {
      capture.after.blind_spots.push_back(joined_by_port(other.after, found, ledger.address));
      ledger.netns = found.listener->netns;
      ledger.address = found.listener->address;
      ledger.cookie = found.listener->cookie;
    }
    other.ledgers.push_back(std::move(ledger));
  }
  other.tracing = capture.tracing;
  const auto append = [](auto& items, auto& all) {
    all.insert(all.end(), std::make_move_iterator(items.begin()),
               std::make_move_iterator(items.end()));
  };
  append(unknown, listeners);
  append(capture.after.blind_spots, other.after.blind_spots);
  if (!unknown.empty()) append(capture.after.namespaces, other.after.namespaces);
  normalize(other.after);
}

void add_own_capture(Observation capture, NetnsId netns, Observation& other) {
  for (Ledger& ledger : capture.ledgers) {
    ledger.netns = netns;
    const Listener* listener = find_listener(other.after, ledger);
    if (listener == nullptr) continue;  // this host is the client
    ledger.address = listener->address;
    ledger.cookie = listener->cookie;
    const auto known = std::ranges::find_if(other.ledgers, [&](const Ledger& each) {
      return each.netns == netns && each.port == ledger.port && each.cookie == ledger.cookie &&
             each.address == ledger.address;
    });
    if (known == other.ledgers.end()) {
      if (!other.tracing) other.tracing = Source::kPackets;
      other.ledgers.push_back(std::move(ledger));
    } else if (!known->course) {
      known->course = std::move(ledger.course);
    } else if (ledger.course) {
      merge(std::move(*ledger.course), *known->course);
    }
  }
}

}  // namespace acceptq::facts
