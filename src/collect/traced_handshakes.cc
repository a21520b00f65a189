#include "collect/traced_handshakes.h"

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

void TracedHandshakes::tend() {
  if (!tracer_) return;
  const Status polled = tracer_->poll(std::chrono::milliseconds(0), [](const auto&) {});
  if (polled) return;
  refusal_ = polled.error().message();
  tracer_.reset();
}

void TracedHandshakes::finish(facts::Observation& observation) {
  if (tracer_) {
    auto books = tracer_->books();
    if (books) {
      observation.tracing = tracer_->source();
      observation.ledgers = std::move(*books);
      take_over_backlogs(observation);
    } else {
      refusal_ = books.error().message();
      tracer_.reset();
    }
  }
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
  note(losses.attempts, "refused attempts were forgotten, and counted again if they came back");
}

}  // namespace acceptq::collect
