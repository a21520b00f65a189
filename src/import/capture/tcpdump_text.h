// What tcpdump prints: one packet a line, or two with -v. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/tcp_packet.h"
#include "facts/snapshot.h"

namespace acceptq::imports::capture {

// The form of the time that a line begins with.
enum class TimeColumn {
  kNone,        // -t
  kClock,       // the time of day
  kEpoch,       // -tt
  kGap,         // -ttt: since the line before
  kDate,        // -tttt
  kSinceFirst,  // -ttttt
};

// One line, as it stands there.
struct TcpdumpLine {
  evidence::TcpPacket packet;              // at_ns: what the time column says
  TimeColumn column = TimeColumn::kNone;   // kClock for every HH:MM:SS, whatever it means
  std::optional<std::uint32_t> timestamp;  // TS val
};

// Reads lines of which some are tcpdump's, with others and prompts between them; any of -n, -e, -v,
// -S and the forms of -t. Addresses and ports that tcpdump printed by name get a number that stands
// for them: 240.0.0.1 and so on, which no host has.
class TcpdumpText {
 public:
  void add(std::string_view line);

  [[nodiscard]] bool empty() const { return lines_.empty(); }
  [[nodiscard]] const std::vector<TcpdumpLine>& lines() const { return lines_; }
  // Packets, in their order, with their times on one scale.
  struct Packets {
    std::vector<evidence::TcpPacket> packets;
    TimeColumn column = TimeColumn::kNone;
    bool is_assumed = false;  // that the column means this
  };
  [[nodiscard]] Packets packets() const;
  [[nodiscard]] const std::map<std::string, facts::IpAddress>& stand_ins() const {
    return stand_ins_;
  }
  // Lines of TCP packets without their flags (-q), or with a port by an unknown name.
  [[nodiscard]] std::uint64_t unread() const { return unread_; }

 private:
  // What the first of two lines says of the packet.
  struct Head {
    TimeColumn column = TimeColumn::kNone;
    std::int64_t at_ns = 0;
    std::uint8_t ttl = 0;
    std::int32_t ip_id = -1;
    evidence::Direction direction = evidence::Direction::kUnknown;
  };

  void note_command(std::string_view line);
  [[nodiscard]] static Head read_head(std::string_view prefix);
  [[nodiscard]] bool read_endpoint(std::string_view text, facts::IpAddress& address,
                                   std::uint16_t& port);

  std::vector<TcpdumpLine> lines_;
  std::map<std::string, facts::IpAddress> stand_ins_;
  std::optional<Head> open_;           // a first line whose second has not come yet
  std::optional<TimeColumn> command_;  // the form that a command line in the text asks for
  std::uint64_t unread_ = 0;
};

// The handshakes of the packets in a text; nothing where it holds none of tcpdump's lines.
[[nodiscard]] std::optional<facts::Observation> read_tcpdump_text(std::string_view text,
                                                                  const std::string& name);

}  // namespace acceptq::imports::capture
