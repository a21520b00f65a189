#include "collect/packets/packet_tap.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "collect/netns/enter.h"
#include "collect/packets/packet_socket.h"
#include "collect/packets/shared_ports.h"
#include "evidence/tcp_packet.h"

namespace acceptq::collect::packets {
namespace {

// In one go from one namespace: more than its buffer holds.
constexpr std::size_t kMostAtOnce = 65536;

// A SYN without an answer for so long has none: the server is this host.
constexpr std::int64_t kAnswerNs = 100'000'000;

// What this namespace calls its own; everything else passes through.
std::vector<facts::IpAddress> local_addresses() {
  std::vector<facts::IpAddress> addresses;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return addresses;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, ::freeifaddrs);
  for (const ifaddrs* entry = all; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    std::array<std::uint8_t, 16> bytes{};
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in address{};
      std::memcpy(&address, entry->ifa_addr, sizeof address);
      std::memcpy(bytes.data(), &address.sin_addr, 4);
      addresses.push_back(
          facts::IpAddress::v4(std::span<const std::uint8_t, 16>(bytes).first<4>()));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 address{};
      std::memcpy(&address, entry->ifa_addr, sizeof address);
      std::memcpy(bytes.data(), &address.sin6_addr, 16);
      addresses.push_back(facts::IpAddress::v6(bytes));
    }
  }
  return addresses;
}

facts::Ledger& ledger_of(const facts::Listener& listener, std::int64_t since_ns,
                         std::map<std::string, facts::Ledger>& ledgers) {
  const auto [entry, is_new] = ledgers.try_emplace(facts::listener_key(listener));
  facts::Ledger& ledger = entry->second;
  if (is_new) {
    ledger.netns = listener.netns;
    ledger.address = listener.address;
    ledger.port = listener.port;
    ledger.ifindex = listener.ifindex.value_or(0);
    ledger.cookie = listener.cookie;
    ledger.source = facts::Source::kPackets;
    ledger.since_ns = since_ns;
    ledger.addresses = 0;
    ledger.gave_up = 0;
    ledger.syn_unanswered = 0;
  }
  return ledger;
}

// Whether cookies were sent in between, as far as is known.
bool may_have_sent_cookies(const facts::Namespace* before, const facts::Namespace* after) {
  if (before == nullptr || after == nullptr) return true;
  constexpr const char* kSent = "TcpExtSyncookiesSent";
  const auto then = before->counters.find(kSent);
  const auto now = after->counters.find(kSent);
  return then == before->counters.end() || now == after->counters.end() ||
         now->second != then->second;
}

void add(facts::LedgerTerm term, std::uint64_t count, facts::Ledger& ledger) {
  ledger.set(term, ledger[term].value_or(0) + count);
}

void add_tally(const evidence::Tally& tally, facts::Ledger& ledger) {
  using enum facts::LedgerTerm;
  add(kSynReceived, tally.syn_packets, ledger);
  add(kSynackSent, tally.synack_packets, ledger);
  add(kSynackRetransmitted, tally.synacks_repeated, ledger);
  // Packets do not tell why.
  add(kSynRefusedOther, tally.unanswered_syns, ledger);
  add(kAckRefusedOther, tally.unheard_acks, ledger);
  add(kAckReset, tally.resets, ledger);
  add(kAttemptsRefused, tally.attempts_refused, ledger);
  add(kAttemptsRecovered, tally.attempts_recovered, ledger);
  *ledger.gave_up += tally.gave_up;
  if (ledger.syn_unanswered) *ledger.syn_unanswered += tally.unanswered_syns;
  *ledger.addresses += tally.clients.size();
  for (const auto& [address, client] : tally.clients) ledger.clients.push_back(client);
  for (const auto& [below, count] : tally.delay_s) {
    const auto bucket = std::ranges::find(ledger.delay_s, below, &facts::Bucket::below);
    if (bucket != ledger.delay_s.end()) {
      bucket->count += count;
    } else {
      ledger.delay_s.push_back({.below = below, .count = count});
    }
  }
}

}  // namespace

PacketTap::PacketTap(std::span<const TapChoice> choices)
    : to_monotonic_ns_(monotonic_ns() - realtime_ns()) {
  std::vector<netns::Handle> handles;
  handles.reserve(choices.size());
  places_.reserve(choices.size());
  for (const TapChoice& choice : choices) {
    handles.push_back(choice.handle);
    places_.push_back({.id = choice.handle.id,
                       .ports = choice.ports,
                       .socket = {},
                       .book = evidence::Handshakes({})});
  }
  netns::for_each_namespace(handles, 1, [&](std::size_t index, const Status& entered) {
    if (entered) {
      open(choices[index], places_[index]);
    } else {
      places_[index].error = entered.error();
    }
  });
}

void PacketTap::open(const TapChoice& choice, Place& place) {
  place.book = evidence::Handshakes(
      {.ports = choice.ports, .addresses = local_addresses(), .answer_ns = kAnswerNs});
  place.since_ns = monotonic_ns();
  place.book.begin(place.since_ns);
  Result<UniqueFd> socket = open_packet_socket(choice.ports);
  if (socket) {
    place.socket = std::move(*socket);
  } else {
    place.error = std::move(socket.error());
  }
}

void PacketTap::take() {
  for (Place& place : places_) {
    if (!place.socket.valid()) continue;
    // What has come by now, and no more: on a busy port there is always a next one.
    const std::int64_t until = monotonic_ns();
    receive_packets(place.socket.get(), kMostAtOnce, [&](const ReceivedPacket& received) {
      auto packet = evidence::parse_packet(received.bytes);
      if (!packet) return true;
      packet->at_ns =
          received.realtime_ns != 0 ? received.realtime_ns + to_monotonic_ns_ : monotonic_ns();
      place.book.add(*packet);
      return packet->at_ns < until;
    });
    place.dropped += packets_dropped(place.socket.get());
  }
}

std::vector<facts::Ledger> PacketTap::ledgers(const facts::Snapshot& snapshot) const {
  std::map<std::string, facts::Ledger> by_listener;
  // What came after the counters were read is in none of them.
  const std::int64_t now = std::min(monotonic_ns(), snapshot.monotonic_ns + kAnswerNs);
  for (const Place& place : places_) {
    for (const evidence::Tally& tally : place.book.tallies(now)) {
      facts::Ledger wanted;
      wanted.netns = place.id;
      wanted.address = tally.endpoint.address;
      wanted.port = tally.endpoint.port;
      const facts::Listener* listener = facts::find_listener(snapshot, wanted);
      if (listener == nullptr) continue;
      facts::Ledger& ledger = ledger_of(*listener, place.since_ns, by_listener);
      add_tally(tally, ledger);
      if (!ledger.course) {
        ledger.course.emplace(tally.course).realtime_ns = tally.course.begin_ns - to_monotonic_ns_;
      } else {
        facts::merge(tally.course, *ledger.course);
      }
      // The answer may be among what was lost.
      if (place.dropped + place.book.forgotten() > 0) ledger.syn_unanswered.reset();
    }
  }
  std::vector<facts::Ledger> ledgers;
  ledgers.reserve(by_listener.size());
  for (auto& [key, ledger] : by_listener) {
    facts::keep_most_refused(ledger.clients);
    std::ranges::sort(ledger.delay_s, {}, &facts::Bucket::below);
    ledgers.push_back(std::move(ledger));
  }
  return ledgers;
}

std::vector<facts::BlindSpot> PacketTap::blind_spots(const facts::Snapshot& before,
                                                     const facts::Snapshot& after) const {
  std::vector<facts::BlindSpot> spots;
  for (const Place& place : places_) {
    const std::string scope = "netns:" + std::to_string(place.id.value());
    if (place.error) {
      spots.push_back({.id = "AQ612",
                       .scope = scope,
                       .reason = place.error->message(),
                       .cost = "handshakes of this namespace were not followed"});
    }
    if (place.error) continue;
    const std::uint64_t lost = place.dropped + place.book.forgotten();
    if (lost > 0) {
      spots.push_back(
          {.id = "AQ611",
           .scope = scope,
           .reason = std::to_string(lost) + " packets came faster than they could be read",
           .cost = "what they would have told is missing"});
    }
    if (may_have_sent_cookies(facts::find_namespace(before, place.id),
                              facts::find_namespace(after, place.id))) {
      spots.push_back({.id = "AQ611",
                       .scope = scope,
                       .reason = "handshakes by SYN cookie: the answer to a final ACK that was "
                                 "refused is the same as to one that was taken, none",
                       .cost = "final ACKs of SYN cookies that were refused are not counted"});
    }
    if (auto shared = shared_ports_unseen(after, place.id, place.ports)) {
      spots.push_back(std::move(*shared));
    }
  }
  return spots;
}

}  // namespace acceptq::collect::packets
