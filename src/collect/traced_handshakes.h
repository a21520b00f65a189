// Tracing as a part of a watch: begun where the kernel lets it, and done without where not.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "collect/bpf/handshake_tracer.h"
#include "collect/handshakes.h"

namespace acceptq::collect {

class TracedHandshakes final : public Handshakes {
 public:
  // Puts hooks in place; kNone: does nothing at all.
  explicit TracedHandshakes(const bpf::TraceOptions& options);

  void start() override;
  [[nodiscard]] std::optional<facts::Source> source() const override;
  [[nodiscard]] int event_fd() const override;
  void take(const Taker& taker) override;
  void look_every(std::chrono::nanoseconds period) override;
  [[nodiscard]] Books books() override;
  void note_shortfall(facts::Snapshot& snapshot) override;

 private:
  void give_up(const Error& error);

  bpf::TraceLevel level_;
  std::optional<bpf::HandshakeTracer> tracer_;
  std::string refusal_;  // why there is no tracer, or a lesser one
};

}  // namespace acceptq::collect
