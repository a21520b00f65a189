#include "collect/traced_handshakes.h"

#include <utility>

#include "base/text.h"

namespace acceptq::collect {

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

std::optional<facts::Source> TracedHandshakes::source() const {
  return tracer_ ? std::optional(tracer_->source()) : std::nullopt;
}

int TracedHandshakes::event_fd() const { return tracer_ ? tracer_->event_fd() : -1; }

void TracedHandshakes::take(const Taker& taker) {
  if (!tracer_) return;
  const Status polled = tracer_->poll(std::chrono::milliseconds(0), [&](const auto& record) {
    if (taker) taker(record.refusal);
  });
  if (!polled) give_up(polled.error());
}

void TracedHandshakes::look_every(std::chrono::nanoseconds period) {
  if (tracer_) tracer_->look_every(period);
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

void TracedHandshakes::note_shortfall(facts::Snapshot& snapshot) {
  if (level_ == bpf::TraceLevel::kNone) return;
  if (!refusal_.empty()) {
    snapshot.blind_spots.push_back(
        {.id = "AQ601",
         .scope = "host",
         .reason = refusal_,
         .cost = tracer_ ? "tracepoints do not tell the backlog that was asked for, nor why "
                           "accept() fails"
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
