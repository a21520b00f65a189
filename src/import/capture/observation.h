// From followed handshakes to facts. Pure: nothing is concluded here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "evidence/handshakes.h"
#include "facts/snapshot.h"

namespace acceptq::imports::capture {

// What is known of a capture as a whole.
struct CaptureSummary {
  std::string name;           // of the file, for people
  std::int64_t first_ns = 0;  // since 1970, or of no known beginning
  std::int64_t last_ns = 0;
  bool has_times = true;
  bool has_dates = true;      // times are since 1970
  std::uint64_t packets = 0;  // frames, or lines, of all kinds
  std::uint64_t fragments = 0;
  std::uint64_t cut_packets = 0;  // kept too short
  std::uint64_t unread_lines = 0;
  std::optional<std::uint64_t> dropped;                  // by the capturing kernel, where it says
  bool is_cut = false;                                   // ends in the middle of a packet
  std::map<std::uint16_t, std::uint64_t> unknown_links;  // link type → frames
  std::map<std::string, facts::IpAddress> stand_ins;     // host names, and what stands for them
  std::string assumption;  // what had to be assumed about the times; empty: nothing
};

// One listener and one ledger for each server that clients spoke to.
[[nodiscard]] facts::Observation to_observation(const evidence::Handshakes& handshakes,
                                                const CaptureSummary& summary);

}  // namespace acceptq::imports::capture
