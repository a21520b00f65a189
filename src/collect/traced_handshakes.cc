#include "collect/traced_handshakes.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "collect/local_addresses.h"
#include "facts/socket_index.h"

namespace acceptq::collect {
namespace {

// listen() may have been seen.
void take_over_backlogs(facts::Observation& observation) {
  const std::vector<const facts::Ledger*> ledgers = facts::ledgers_of(observation);
  for (std::size_t i = 0; i < ledgers.size(); ++i) {
    if (ledgers[i] == nullptr || !ledgers[i]->listen) continue;
    const auto& requested = ledgers[i]->listen->requested;
    // listen() takes its argument for unsigned: -1 is the largest of all (__sys_listen).
    if (requested) {
      observation.after.listeners[i].backlog_requested = static_cast<std::uint32_t>(*requested);
    }
  }
}

void keep_the_closed(const facts::Snapshot& known, facts::Observation& observation) {
  facts::Snapshot& after = observation.after;
  for (const facts::Ledger& ledger : observation.ledgers) {
    const std::uint64_t refused =
        facts::refused_at_syn(ledger).value_or(0) + facts::refused_at_ack(ledger).value_or(0);
    if (!ledger.closed_at_ns || refused == 0) continue;
    const facts::Listener* listener = facts::find_listener(known, ledger);
    if (listener == nullptr) continue;
    if (facts::SocketIndex(after.listeners).find(*listener) != nullptr) continue;
    after.listeners.push_back(*listener);
    after.listeners.back().closed = true;
    after.listeners.back().accept_queue_len = QueueLength(0);
    for (const facts::OwnerRef& owner : listener->owners) {
      const facts::Process* process = facts::find_process(known, owner.pid);
      if (process != nullptr) after.processes.push_back(*process);
    }
  }
  facts::normalize(after);
}

}  // namespace

std::optional<std::vector<facts::DeadSyn>> dead_syns_between(const Books& base, const Books& books,
                                                             const Scanner& scanner) {
  if (!books.dead_syns) return std::nullopt;
  using Key = std::tuple<NetnsId, facts::IpAddress, std::uint16_t, std::string, bool>;
  const auto key_of = [](const bpf::DeadSynCount& count) {
    const facts::DeadSyn& syn = count.syn;
    return Key(syn.netns, syn.address, syn.port, syn.reason, count.is_routed);
  };
  std::map<Key, std::uint64_t> earlier;
  if (base.dead_syns) {
    for (const auto& count : *base.dead_syns) earlier[key_of(count)] = count.syn.packets;
  }
  std::vector<bpf::DeadSynCount> counts;
  std::set<NetnsId> in_doubt;
  for (bpf::DeadSynCount count : *books.dead_syns) {
    const auto before = earlier.find(key_of(count));
    // One that was forgotten and met again begins anew.
    if (before != earlier.end() && before->second <= count.syn.packets) {
      count.syn.packets -= before->second;
    }
    if (count.syn.packets == 0) continue;
    if (!count.is_routed) in_doubt.insert(count.syn.netns);
    counts.push_back(std::move(count));
  }
  const auto addresses = local_addresses(scanner, in_doubt);
  std::vector<facts::DeadSyn> syns;
  for (bpf::DeadSynCount& count : counts) {
    const auto own = addresses.find(count.syn.netns);
    if (!count.is_routed && (own == addresses.end() || !own->second.contains(count.syn.address))) {
      continue;
    }
    syns.push_back(std::move(count.syn));
  }
  std::ranges::sort(syns, [](const facts::DeadSyn& a, const facts::DeadSyn& b) {
    return std::tie(a.netns, a.port, a.address, a.reason) <
           std::tie(b.netns, b.port, b.address, b.reason);
  });
  return syns;
}

TracedHandshakes::TracedHandshakes(const bpf::TraceOptions& options) : level_(options.level) {
  if (level_ == bpf::TraceLevel::kNone) return;
  auto tracer = bpf::HandshakeTracer::Create(options);
  if (tracer) {
    refusal_ = tracer->shortfall();
    tracer_ = std::move(*tracer);
  } else {
    refusal_ = tracer.error().message();
  }
}

void TracedHandshakes::start() {
  if (tracer_) tracer_->start();
}

void TracedHandshakes::look_every(std::chrono::nanoseconds period) {
  if (tracer_) tracer_->look_every(period);
}

void TracedHandshakes::tend() {
  if (!tracer_) return;
  const Status polled = tracer_->poll(std::chrono::milliseconds(0), [](const auto&) {});
  if (!polled) give_up(polled.error());
}

void TracedHandshakes::wait(std::chrono::milliseconds patience,
                            const std::function<void(const facts::Refusal&)>& take) {
  if (!tracer_) {
    std::this_thread::sleep_for(patience);
    return;
  }
  const Status polled = tracer_->poll(patience, [&](const auto& record) { take(record.refusal); });
  if (!polled) give_up(polled.error());
}

Books TracedHandshakes::books() {
  if (!tracer_) return {};
  auto ledgers = tracer_->books();
  if (!ledgers) {
    give_up(ledgers.error());
    return {};
  }
  auto dead_syns = tracer_->dead_syns();
  if (!dead_syns) {
    give_up(dead_syns.error());
    return {};
  }
  return {.ledgers = std::move(*ledgers), .dead_syns = std::move(*dead_syns)};
}

void TracedHandshakes::give_up(const Error& error) {
  refusal_ = error.message();
  tracer_.reset();
}

void TracedHandshakes::finish(facts::Observation& observation, const facts::Snapshot& known,
                              const Books& base, const Books& books, const Scanner& scanner) {
  if (tracer_) observation.tracing = tracer_->source();
  observation.ledgers.reserve(books.ledgers.size());
  for (const facts::Ledger& ledger : books.ledgers) {
    const auto earlier = std::ranges::find_if(base.ledgers, [&](const facts::Ledger& old) {
      return old.netns == ledger.netns && old.port == ledger.port &&
             old.address == ledger.address && old.since_ns == ledger.since_ns;
    });
    observation.ledgers.push_back(
        earlier != base.ledgers.end() ? facts::ledger_growth(*earlier, ledger) : ledger);
    facts::keep_most_refused(observation.ledgers.back());
  }
  observation.dead_syns = dead_syns_between(base, books, scanner);
  keep_the_closed(known, observation);
  take_over_backlogs(observation);
  note_shortfall(observation.after);
  if (tracer_ && !observation.dead_syns) {
    observation.after.blind_spots.push_back(
        {.id = "AQ613",
         .scope = "host",
         .reason = "the tracepoint kfree_skb of this kernel tells no reason (Linux 5.17)",
         .cost = "SYNs that a packet filter or another rule of this host dropped before a listener "
                 "saw them are not in the report"});
  }
}

void TracedHandshakes::note_shortfall(facts::Snapshot& snapshot) {
  if (level_ == bpf::TraceLevel::kNone) return;
  if (!refusal_.empty()) {
    snapshot.blind_spots.push_back(
        {.id = "AQ601",
         .scope = "host",
         .reason = refusal_,
         .cost = tracer_ ? "handshakes are traced by tracepoints, which tell less: not the backlog "
                           "that was asked for, nor why accept() fails"
                         : "refused packets are known by counters alone, and not by step, client "
                           "and attempt; SYNs that this host dropped before a listener saw them "
                           "are not known at all"});
  }
  if (!tracer_) return;
  // Each is counted elsewhere, or a limit of memory: what the ledgers do not hold.
  const bpf::TraceLosses losses = tracer_->losses();
  const auto note = [&](std::uint64_t count, const char* one, const char* many) {
    if (count == 0) return;
    snapshot.blind_spots.push_back({.id = "AQ611",
                                    .scope = "host",
                                    .reason = counted(count, one, many),
                                    .cost = "the ledgers hold less than what happened"});
  };
  note(losses.listeners, "packet came to a listener for which tracing had no room",
       "packets came to listeners for which tracing had no room");
  note(losses.packets, "SYN came to a listener that tracing could not tell",
       "SYNs came to listeners that tracing could not tell");
  note(losses.dead_syns, "kind of SYNs that died before a listener saw them was forgotten",
       "kinds of SYNs that died before a listener saw them were forgotten");
  note(losses.refusals, "refused packet was counted by the kernel, and not seen",
       "refused packets were counted by the kernel, and not seen");
  note(losses.attempts, "refused attempt was forgotten, and counted again if it came back",
       "refused attempts were forgotten, and counted again if they came back");
}

}  // namespace acceptq::collect
