#include "collect/traced_handshakes.h"

#include <algorithm>
#include <thread>
#include <utility>

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
    const std::string key = facts::listener_key(*listener);
    if (std::ranges::find(after.listeners, key, facts::listener_key) != after.listeners.end()) {
      continue;
    }
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

std::vector<facts::Ledger> TracedHandshakes::books() {
  if (!tracer_) return {};
  auto books = tracer_->books();
  if (books) return std::move(*books);
  give_up(books.error());
  return {};
}

void TracedHandshakes::give_up(const Error& error) {
  refusal_ = error.message();
  tracer_.reset();
}

void TracedHandshakes::finish(facts::Observation& observation, const facts::Snapshot& known,
                              const std::vector<facts::Ledger>& base,
                              const std::vector<facts::Ledger>& books) {
  if (tracer_) observation.tracing = tracer_->source();
  observation.ledgers.reserve(books.size());
  for (const facts::Ledger& ledger : books) {
    const auto earlier = std::ranges::find_if(base, [&](const facts::Ledger& old) {
      return old.netns == ledger.netns && old.port == ledger.port &&
             old.address == ledger.address && old.since_ns == ledger.since_ns;
    });
    observation.ledgers.push_back(earlier != base.end() ? facts::ledger_growth(*earlier, ledger)
                                                        : ledger);
    facts::keep_most_refused(observation.ledgers.back());
  }
  keep_the_closed(known, observation);
  take_over_backlogs(observation);
  note_shortfall(observation.after);
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
                           "and attempt"});
  }
  if (!tracer_) return;
  // Each is counted elsewhere, or a limit of memory: what the ledgers do not hold.
  const bpf::TraceLosses losses = tracer_->losses();
  const auto note = [&](std::uint64_t count, const char* what) {
    if (count == 0) return;
    snapshot.blind_spots.push_back({.id = "AQ611",
                                    .scope = "host",
                                    .reason = std::to_string(count) + " " + what,
                                    .cost = "the ledgers hold less than what happened"});
  };
  note(losses.listeners, "packets came to listeners for which tracing had no room");
  note(losses.packets, "SYNs came to listeners that tracing could not tell");
  note(losses.refusals, "refused packets were counted by the kernel, and not seen");
  note(losses.attempts, "refused attempts were forgotten, and counted again if they came back");
}

}  // namespace acceptq::collect
