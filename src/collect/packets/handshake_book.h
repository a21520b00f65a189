// What packets on the wire tell of handshakes with one namespace's listeners: a SYN that is
// repeated without an answer, an answer that is repeated after the final ACK, a reset. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "collect/packets/handshake_packet.h"
#include "facts/ledger.h"

namespace acceptq::collect::packets {

// A SYN without an answer for so long has none.
inline constexpr std::int64_t kAnswerNs = 100'000'000;

struct BookOptions {
  std::vector<std::uint16_t> ports;  // of listeners: packets to and from others are not looked at
  std::vector<facts::IpAddress>
      addresses;  // of this namespace; empty: any. The rest passes through
  std::size_t most_attempts = 65536;
};

// What was seen of one address and port that clients spoke to.
struct Tally {
  facts::IpAddress address;
  std::uint16_t port = 0;
  std::uint64_t syns = 0;
  std::uint64_t synacks = 0;
  std::uint64_t synacks_repeated = 0;
  std::uint64_t unanswered_syns = 0;
  std::uint64_t unheard_acks = 0;  // final ACKs after which the SYN-ACK was repeated
  std::uint64_t resets = 0;        // by the server, behind a complete handshake
  std::uint64_t attempts_refused = 0;
  std::uint64_t attempts_recovered = 0;
  std::uint64_t gave_up = 0;
  std::map<facts::IpAddress, facts::RefusedClient> clients;  // refused
  std::map<std::uint64_t, std::uint64_t> delay_s;            // of the recovered: below → count
};

class HandshakeBook {
 public:
  explicit HandshakeBook(BookOptions options) : options_(std::move(options)) {}

  // In the order of their time. One that is seen again within 100 ms, on its way from one interface
  // to the next, counts once: TCP repeats nothing of a handshake sooner than after 200 ms.
  void add(const HandshakePacket& packet);

  // As it is at `now_ns`: a SYN without an answer for 100 ms is an unanswered one.
  [[nodiscard]] std::vector<Tally> tallies(std::int64_t now_ns) const;

  // Attempts that were forgotten because there were too many at once.
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

 private:
  struct Key {
    facts::IpAddress client;
    std::uint16_t client_port = 0;
    facts::IpAddress address;
    std::uint16_t port = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Attempt {
    std::uint32_t isn = 0;
    std::int64_t first_ns = 0;
    std::int64_t syn_ns = 0;     // the last SYN
    std::int64_t synack_ns = 0;  // the last SYN-ACK; 0: none
    std::int64_t acked_ns = 0;   // the first final ACK; 0: none
    std::uint32_t syns = 0;
    std::uint32_t synacks = 0;
    std::uint32_t unanswered = 0;  // SYNs before the last that got no answer
    std::uint32_t unheard = 0;
    bool reset = false;
    bool turned_away = false;  // the SYN was answered by a RST
  };

  void add_syn(const Key& key, const HandshakePacket& packet);
  static void add_synack(Attempt& attempt, const HandshakePacket& packet);
  void make_room();
  void settle(const Key& key, const Attempt& attempt, std::int64_t now_ns,
              std::map<std::pair<facts::IpAddress, std::uint16_t>, Tally>& tallies) const;

  BookOptions options_;
  std::map<Key, Attempt> attempts_;
  // Of attempts that ended and were let go, or whose ports were used again.
  std::map<std::pair<facts::IpAddress, std::uint16_t>, Tally> settled_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace acceptq::collect::packets
