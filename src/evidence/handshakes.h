// What packets tell of handshakes: a SYN that is repeated without an answer, an answer that is
// repeated after the final ACK, a reset. Pure; for packets of a live interface and of a capture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "evidence/flat_index.h"
#include "evidence/syn_cookies.h"
#include "evidence/tcp_packet.h"
#include "facts/course.h"
#include "facts/ledger.h"

namespace acceptq::evidence {

struct HandshakeOptions {
  std::vector<std::uint16_t> ports;         // that servers listen on; empty: any
  std::vector<facts::IpAddress> addresses;  // of servers; empty: any. The rest passes through
  std::int64_t answer_ns = 1'000'000'000;   // a SYN without an answer for so long has none
  // A capture's filter may have kept SYNs and nothing else: then one that was not repeated when its
  // client would have done so may have been answered.
  bool may_be_filtered = false;
  std::size_t most_attempts = 65536;  // at once
  std::size_t most_endpoints = 16384;
  std::size_t most_clients = 4096;  // with refused packets, of one endpoint
  std::size_t most_clients_in_all = 262144;
};

struct Endpoint {
  facts::IpAddress address;
  std::uint16_t port = 0;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// From where handshakes look as if they had been seen, in handshakes that show it.
struct Vantage {
  std::uint64_t at_client = 0;
  std::uint64_t at_server = 0;
  std::uint64_t between = 0;     // forwarded on the host of the capture, or hops away from both
  std::uint64_t at_both = 0;     // one host
  std::uint64_t not_client = 0;  // the SYN has come over a router

  Vantage& operator+=(const Vantage& others);
};

// What was seen of one address and port that clients spoke to. Packets, where a name says so;
// attempts otherwise.
struct Tally {
  Endpoint endpoint;
  std::uint64_t syn_packets = 0;
  std::uint64_t synack_packets = 0;    // the first of each attempt
  std::uint64_t synacks_repeated = 0;  // packets
  std::uint64_t unanswered_syns = 0;   // packets
  // Final ACKs after which the SYN-ACK was repeated; of them, those behind which data came, too,
  // so that no TCP_DEFER_ACCEPT waits for it.
  std::uint64_t unheard_acks = 0;
  std::uint64_t unheard_with_data = 0;

  std::uint64_t attempts = 0;
  std::uint64_t completed = 0;
  std::uint64_t attempts_unanswered = 0;  // at one SYN or more
  std::uint64_t never_answered = 0;
  std::uint64_t pending = 0;           // too young, when all ended, to say
  std::uint64_t pending_answered = 0;  // of these: a SYN-ACK had come
  std::uint64_t turned_away = 0;       // the SYN was answered by a reset
  std::uint64_t half_open = 0;         // answered, and the client did not acknowledge it
  std::uint64_t half_open_long = 0;    // of them, those that were seen for 3 s or more
  std::uint64_t half_open_silent = 0;  // of those, without a repeated SYN-ACK
  std::uint64_t resets = 0;            // by the server, its first packet behind the handshake
  std::uint64_t attempts_unheard = 0;
  std::uint64_t attempts_refused = 0;  // with an unanswered SYN or an unheard ACK
  std::uint64_t attempts_recovered = 0;
  std::uint64_t gave_up = 0;
  std::uint64_t answers_unseen = 0;  // the client went on though no answer was seen
  std::map<facts::IpAddress, facts::RefusedClient> clients;  // refused
  bool clients_left_out = false;                             // there were more
  std::map<std::uint64_t, std::uint64_t> delay_s;            // of the recovered: below → count
  std::uint64_t repeated_evenly = 0;    // clients that repeated their SYN twice at 1 s
  std::uint64_t repeated_doubling = 0;  // at 1 s, then 2 s
  Vantage vantage;
  CookieSigns cookies;
  facts::HandshakeCourse course;       // the same counts by time
  std::optional<Endpoint> translated;  // the same handshakes were seen with this destination
};

class Handshakes {
 public:
  explicit Handshakes(HandshakeOptions options) : options_(std::move(options)) {}

  // Where the course of time begins; else with the first packet.
  void begin(std::int64_t at_ns) { begin_ns_ = at_ns; }
  // In the order of their time. One that is seen again within 100 ms, on its way from one interface
  // to the next, counts once: TCP repeats nothing of a handshake sooner than after 200 ms. The same
  // SYN with another address is one that was translated on the way.
  void add(const TcpPacket& packet);

  // As it is at `now_ns`.
  [[nodiscard]] std::vector<Tally> tallies(std::int64_t now_ns) const;

  // Attempts that were forgotten because there were too many at once, and those to endpoints beyond
  // the number that is kept.
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }
  [[nodiscard]] std::uint64_t left_out() const { return settled_.left_out; }

  struct Totals {
    std::uint64_t syns = 0;
    std::uint64_t synacks = 0;
    std::uint64_t resets = 0;
    std::uint64_t others = 0;
    std::uint64_t synacks_without_syn = 0;
  };
  [[nodiscard]] const Totals& totals() const { return totals_; }
  [[nodiscard]] bool has_syns_alone() const {
    return totals_.synacks + totals_.resets + totals_.others == 0;
  }

 private:
  // Both ends of a connection, whichever way a packet goes.
  struct Key {
    facts::IpAddress low;
    facts::IpAddress high;
    std::uint16_t low_port = 0;
    std::uint16_t high_port = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Attempt {
    Key key;
    bool client_is_low = false;
    bool in_use = false;
    bool reset = false;
    bool turned_away = false;
    bool client_reset = false;
    bool answer_unseen = false;
    bool syn_in = false;
    bool syn_out = false;
    bool repeated_evenly = false;
    bool repeated_doubling = false;
    std::uint8_t syn_ttl = 0;      // of the first copy
    std::uint8_t syn_ttl_low = 0;  // the lowest of its copies
    std::uint8_t answer_ttl = 0;
    std::uint32_t isn = 0;
    TcpOptions asked;                // of the last SYN
    std::uint32_t answer_stamp = 0;  // TSval of the first SYN-ACK
    std::int8_t cookie_bits = -1;    // that it holds, if it is a cookie; -1: not known
    std::int32_t ip_id = -1;
    std::uint32_t syns = 0;
    std::uint32_t synacks = 0;
    std::uint32_t unanswered = 0;  // SYNs before the last that got no answer
    std::uint32_t unheard = 0;
    std::uint32_t unheard_with_data = 0;
    std::uint32_t alias_of = FlatIndex::kNone;
    std::uint32_t alias = FlatIndex::kNone;  // the next that is one of this
    std::int64_t first_ns = 0;
    std::int64_t syn_ns = 0;           // the last SYN
    std::int64_t syn_gap_ns = 0;       // from the one before to it
    std::int64_t first_synack_ns = 0;  // 0: none
    std::int64_t synack_ns = 0;        // the last
    std::int64_t acked_ns = 0;         // the first final ACK; 0: none
    std::int64_t data_ns = 0;          // the client's first; 0: none
    std::int64_t alive_ns = 0;         // the server sent something else; 0: no
    std::int64_t last_ns = 0;

    [[nodiscard]] bool answered() const { return synacks > 0 || turned_away || answer_unseen; }
  };

  [[nodiscard]] static Key key_of(const TcpPacket& packet, bool& source_is_low);
  [[nodiscard]] static std::uint64_t hash_of(const Key& key);
  [[nodiscard]] static std::uint64_t hash_of_isn(std::uint32_t isn, std::uint16_t port);
  [[nodiscard]] static Endpoint server_of(const Attempt& attempt);
  [[nodiscard]] static Endpoint client_of(const Attempt& attempt);
  [[nodiscard]] bool is_to_server(const TcpPacket& packet) const;

  void add_syn(const Key& key, bool client_is_low, const TcpPacket& packet);
  void repeat_syn(Attempt& attempt, const TcpPacket& packet);
  void add_synack(Attempt& attempt, const TcpPacket& packet);
  void note_options(Attempt& attempt, const TcpPacket& answer);
  void note_timestamps(const Attempt& attempt, const TcpPacket& next);
  static void add_from_client(Attempt& attempt, const TcpPacket& packet);
  [[nodiscard]] std::uint32_t find(const Key& key, std::uint64_t hash) const;
  [[nodiscard]] std::uint32_t find_twin(const TcpPacket& packet) const;
  void insert(const Attempt& attempt, std::uint64_t hash);
  void remove(std::uint32_t number);
  void remove_one(std::uint32_t number);
  void settle_and_remove(std::uint32_t number, std::int64_t now_ns);
  void sweep(std::int64_t now_ns);
  void make_room(std::int64_t now_ns);

  struct Settled {
    std::map<Endpoint, Tally> tallies;
    std::uint64_t left_out = 0;
    std::size_t clients = 0;  // of all of them
  };
  // Whose it is in the end: behind a translation, the one that is translated to.
  [[nodiscard]] Endpoint endpoint_of(const Attempt& attempt) const;
  // Null where there are too many.
  [[nodiscard]] Tally* tally_of(const Endpoint& endpoint, Settled& settled) const;
  void note(const Attempt& attempt, std::int64_t at_ns, std::uint64_t facts::CoursePart::* what);
  void settle(const Attempt& attempt, std::int64_t now_ns, Settled& settled) const;
  void add_client(const Attempt& attempt, std::uint64_t packets, Tally& tally,
                  Settled& settled) const;

  HandshakeOptions options_;
  std::vector<Attempt> attempts_;
  std::vector<std::uint32_t> free_;
  FlatIndex by_key_;
  FlatIndex by_isn_;
  Settled settled_;  // of attempts that ended and were let go, or whose ports were used again
  std::uint64_t forgotten_ = 0;
  std::optional<std::int64_t> begin_ns_;
  std::int64_t swept_ns_ = 0;
  std::uint64_t since_sweep_ = 0;  // packets
  Totals totals_;
};

}  // namespace acceptq::evidence
