// Handshakes by their packets, where nothing may be traced: what packets tell takes its place.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "collect/packets/packet_tap.h"
#include "collect/sampler.h"
#include "collect/scan.h"

namespace acceptq::collect {

// Of TCP listeners, those whose packets are looked at on the interfaces of their namespace.
using Tapped = std::function<bool(const facts::Snapshot&, const facts::Listener&)>;

// Where to listen for them, and for what. The snapshot is of the scanner's last scan.
[[nodiscard]] std::vector<packets::TapChoice> tap_choices(const facts::Snapshot& snapshot,
                                                          const Scanner& scanner,
                                                          const Tapped& tapped);

class PacketSampler final : public Sampler {
 public:
  PacketSampler(const Scanner& scanner, Tapped tapped)
      : scanner_(scanner), tapped_(std::move(tapped)) {}

  void see(const facts::Snapshot& latest) override;
  [[nodiscard]] std::int64_t next_ns() const override { return next_ns_; }
  void tend(std::int64_t now_ns) override;
  // Counts since the first scan.
  void put(Mark from, Mark to, facts::Observation& observation) override;

 private:
  const Scanner& scanner_;
  Tapped tapped_;
  std::optional<packets::PacketTap> tap_;
  std::int64_t next_ns_ = 0;
};

}  // namespace acceptq::collect
