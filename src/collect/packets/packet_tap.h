// Packets of handshakes, as they pass the interfaces of network namespaces.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "collect/netns/discover.h"
#include "evidence/handshakes.h"
#include "facts/snapshot.h"

namespace acceptq::collect::packets {

// Where to listen, and for what.
struct TapChoice {
  netns::Handle handle;
  std::vector<std::uint16_t> ports;
};

// Needs CAP_NET_RAW in each namespace. Not thread-safe.
class PacketTap {
 public:
  // Opens one packet socket in each namespace. Where that fails, the blind spot says so.
  explicit PacketTap(std::span<const TapChoice> choices);

  // Takes what has come until it is called, and never waits for more. To be called every few dozen
  // milliseconds: what comes in between waits in a buffer of some thousand packets.
  void take();

  // One ledger, of Source::kPackets, for each listener of the snapshot that packets came to.
  [[nodiscard]] std::vector<facts::Ledger> ledgers(const facts::Snapshot& snapshot) const;

  // What could not be opened, what was lost, and what packets do not show.
  [[nodiscard]] std::vector<facts::BlindSpot> blind_spots(const facts::Snapshot& before,
                                                          const facts::Snapshot& after) const;

 private:
  struct Place {
    NetnsId id;
    std::vector<std::uint16_t> ports;
    UniqueFd socket;
    evidence::Handshakes book;
    std::int64_t since_ns = 0;
    std::uint64_t dropped = 0;  // by the kernel, its buffer being full
    std::optional<Error> error;
  };

  static void open(const TapChoice& choice, Place& place);

  std::vector<Place> places_;
  std::int64_t to_monotonic_ns_;
};

}  // namespace acceptq::collect::packets
