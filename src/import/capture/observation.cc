#include "import/capture/observation.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "base/text.h"

namespace acceptq::imports::capture {
namespace {

using evidence::Tally;
using evidence::Vantage;
using facts::CaptureSide;

constexpr double kNsPerSecond = 1e9;
// Servers that clients of one capture spoke to; those with most trouble come first.
constexpr std::size_t kMostServers = 1000;

// The place that nearly all handshakes speak for.
CaptureSide side_of(const Vantage& vantage) {
  const std::pair<std::uint64_t, CaptureSide> votes[] = {{vantage.at_client, CaptureSide::kClient},
                                                         {vantage.at_server, CaptureSide::kServer},
                                                         {vantage.between, CaptureSide::kBetween},
                                                         {vantage.at_both, CaptureSide::kBoth}};
  const std::uint64_t all =
      vantage.at_client + vantage.at_server + vantage.between + vantage.at_both;
  constexpr std::uint64_t kNearlyAll = 10;
  for (const auto& [count, side] : votes) {
    if (all > 0 && (all - count) * kNearlyAll <= all) return side;
  }
  return CaptureSide::kUnknown;
}

std::optional<bool> retries_of(const Tally& tally) {
  if (tally.repeated_evenly > 0 && tally.repeated_doubling == 0) return true;
  if (tally.repeated_doubling > 0 && tally.repeated_evenly == 0) return false;
  return std::nullopt;
}

facts::Captured captured_of(const Tally& tally, const Vantage& of_address, bool answers,
                            bool others) {
  facts::Captured captured{.side = side_of(tally.vantage),
                           .behind_router = tally.vantage.not_client > 0,
                           .attempts = tally.attempts,
                           .completed = tally.completed,
                           .unanswered = tally.attempts_unanswered,
                           .never_answered = tally.never_answered,
                           .pending = tally.pending - (others ? 0 : tally.pending_answered),
                           .turned_away = tally.turned_away,
                           // Without packets behind the handshake none is acknowledged.
                           .half_open = others ? tally.half_open : 0,
                           .half_open_long = others ? tally.half_open_long : 0,
                           .half_open_silent = others ? tally.half_open_silent : 0,
                           .resets = tally.resets,
                           .unheard_acks = tally.unheard_acks,
                           .unheard_with_data = tally.unheard_with_data,
                           .attempts_unheard = tally.attempts_unheard,
                           .holds_others = others,
                           .holds_answers = answers,
                           .translated_from = {},
                           .even_retries = retries_of(tally)};
  if (const auto cookies = evidence::cookies_of(tally.cookies)) {
    captured.no_cookies = cookies->ordinary;
  }
  // A port that never answers shows less than another one of the same address.
  if (captured.side == CaptureSide::kUnknown) captured.side = side_of(of_address);
  if (tally.translated) {
    captured.translated_from =
        facts::host_and_port(tally.translated->address, tally.translated->port);
  }
  return captured;
}

facts::Ledger ledger_of(const Tally& tally, std::int64_t since_ns) {
  using enum facts::LedgerTerm;
  facts::Ledger ledger;
  ledger.address = tally.endpoint.address;
  ledger.port = tally.endpoint.port;
  ledger.source = facts::Source::kPackets;
  ledger.since_ns = since_ns;
  ledger.set(kSynReceived, tally.syn_packets);
  if (const auto cookies = evidence::cookies_of(tally.cookies)) {
    ledger.set(kSynCookie, cookies->cookies);
  }
  ledger.set(kSynackSent, tally.synack_packets);
  ledger.set(kSynackRetransmitted, tally.synacks_repeated);
  ledger.set(kAckReset, tally.resets);
  ledger.set(kAttemptsRefused, tally.attempts_refused);
  ledger.set(kAttemptsRecovered, tally.attempts_recovered);
  ledger.gave_up = tally.gave_up;
  ledger.syn_unanswered = tally.unanswered_syns;
  if (!tally.clients_left_out) ledger.addresses = tally.clients.size();
  for (const auto& [address, client] : tally.clients) ledger.clients.push_back(client);
  facts::keep_most_refused(ledger.clients);
  for (const auto& [below, count] : tally.delay_s) {
    ledger.delay_s.push_back({.below = below, .count = count});
  }
  return ledger;
}

// The network namespace is not known; its number stands for it.
constexpr NetnsId kUnknownNamespace{0};

facts::Listener listener_of(const Tally& tally, const std::string& capture) {
  facts::Listener listener;
  listener.netns = kUnknownNamespace;
  listener.pasted_at = capture;
  listener.address = tally.endpoint.address;
  listener.port = tally.endpoint.port;
  listener.queue_seen = false;
  return listener;
}

class BlindSpots {
 public:
  BlindSpots(const evidence::Handshakes& handshakes, const CaptureSummary& summary)
      : handshakes_(handshakes), summary_(summary) {}

  std::vector<facts::BlindSpot> take(std::uint64_t pending, std::size_t left_out) {
    add("packets show no queue, no counter and no process",
        "how long queues are and were, who owns them, and which of them refused is not known");
    about_the_capture();
    about_its_ends(pending);
    about_its_size(left_out);
    return std::move(spots_);
  }

 private:
  void add(std::string reason, std::string cost) {
    spots_.push_back({.id = "AQ615",
                      .scope = summary_.name,
                      .reason = std::move(reason),
                      .cost = std::move(cost)});
  }

  void about_the_capture() {
    if (summary_.dropped.value_or(0) > 0) {
      add(counted(*summary_.dropped, "packet was", "packets were") +
              " lost by the capturing kernel",
          "SYNs that seem to have no answer may have had one");
    }
    if (summary_.cut_packets > 0) {
      add(fmt::format("of {} the capture kept too few bytes (tcpdump -s)",
                      counted(summary_.cut_packets, "packet", "packets")),
          "they are missing");
    }
    if (summary_.fragments > 0) {
      add(counted(summary_.fragments, "packet is a fragment", "packets are fragments"),
          "they are missing");
    }
    for (const auto& [type, frames] : summary_.unknown_links) {
      add(fmt::format("{} of link type {}, which is not read",
                      counted(frames, "frame is", "frames are"), type),
          "they are missing");
    }
    if (summary_.unread_lines > 0) {
      add(counted(summary_.unread_lines, "line looks", "lines look") +
              " like tcpdump's and could not be read",
          "their packets are missing");
    }
    for (const auto& [name, address] : summary_.stand_ins) {
      add(fmt::format("tcpdump printed the name {} (-n prints addresses)", name),
          "it is shown as " + address.to_string());
    }
    if (!summary_.has_times) {
      add("tcpdump printed no times (-t)", "how long handshakes took is not known");
    }
    if (!summary_.assumption.empty()) add(summary_.assumption, "times may be others");
    const evidence::Handshakes::Totals& totals = handshakes_.totals();
    if (totals.synacks > 0 && totals.others == 0) {
      add("the capture holds only packets of connection set-up (SYN, RST), as by its filter",
          "whether handshakes were completed is not known");
    }
    if (totals.syns > 0 && handshakes_.has_syns_alone()) {
      add("the capture holds no packet but SYNs: its filter left out answers, or there were none",
          "whether a SYN was answered is only known where the client repeated it");
      spots_.back().unobserved = true;
    }
  }

  void about_its_ends(std::uint64_t pending) {
    if (summary_.is_cut) {
      add("the file ends in the middle of a packet", "what came after that is missing");
    }
    if (pending > 0) {
      add(counted(pending, "handshake was", "handshakes were") +
              " under way for less than a second when the capture ended",
          "what became of them is not known");
    }
    if (const std::uint64_t alone = handshakes_.totals().synacks_without_syn; alone > 0) {
      add(counted(alone, "SYN-ACK answers a SYN", "SYN-ACKs answer SYNs") +
              " that the capture does not hold: it began later, or shows one direction",
          "these handshakes are not counted");
    }
    if (handshakes_.totals().syns == 0) {
      add("the capture holds no SYN", "no handshake can be followed");
      spots_.back().unobserved = true;
    }
  }

  void about_its_size(std::size_t left_out) {
    if (const std::uint64_t forgotten = handshakes_.forgotten(); forgotten > 0) {
      add(fmt::format("{} under way at one time were more than are kept",
                      counted(forgotten, "handshake that was", "handshakes that were")),
          "answers that came later were not seen");
    }
    if (const std::uint64_t attempts = handshakes_.left_out(); attempts > 0) {
      add(counted(attempts, "attempt went", "attempts went") + " to further servers than are kept",
          "they are in no count");
    }
    if (left_out > 0) {
      add(counted(left_out, "further server", "further servers") +
              " to which clients spoke, with less trouble",
          "left out of the report");
    }
  }

  const evidence::Handshakes& handshakes_;
  const CaptureSummary& summary_;
  std::vector<facts::BlindSpot> spots_;
};

}  // namespace

facts::Observation to_observation(const evidence::Handshakes& handshakes,
                                  const CaptureSummary& summary) {
  std::vector<Tally> tallies = handshakes.tallies(summary.last_ns);
  std::map<facts::IpAddress, Vantage> by_address;
  std::map<facts::IpAddress, bool> answers;
  std::uint64_t pending = 0;
  for (const Tally& tally : tallies) {
    by_address[tally.endpoint.address] += tally.vantage;
    answers[tally.endpoint.address] |= tally.synack_packets + tally.turned_away > 0;
    const bool others = handshakes.totals().others > 0;
    pending += tally.pending - (others ? 0 : tally.pending_answered);
  }
  std::ranges::stable_sort(tallies, [](const Tally& a, const Tally& b) {
    return std::tuple(a.attempts_refused + a.turned_away + a.resets, a.attempts) >
           std::tuple(b.attempts_refused + b.turned_away + b.resets, b.attempts);
  });
  const std::size_t left_out = tallies.size() - std::min(tallies.size(), kMostServers);
  if (left_out > 0) tallies.resize(kMostServers);

  facts::Observation observation;
  observation.tracing = facts::Source::kPackets;
  if (summary.has_times) {
    observation.seconds = static_cast<double>(summary.last_ns - summary.first_ns) / kNsPerSecond;
  }
  facts::Snapshot& after = observation.after;
  after.scan_method = "capture";
  after.monotonic_ns = summary.last_ns;
  after.realtime_ns = summary.has_dates ? summary.last_ns : 0;
  observation.before.scan_method = after.scan_method;
  observation.before.monotonic_ns = summary.first_ns;
  observation.before.realtime_ns = summary.has_dates ? summary.first_ns : 0;
  for (const Tally& tally : tallies) {
    after.listeners.push_back(listener_of(tally, summary.name));
    facts::Ledger ledger = ledger_of(tally, summary.first_ns);
    ledger.captured = captured_of(tally, by_address[tally.endpoint.address],
                                  answers[tally.endpoint.address], handshakes.totals().others > 0);
    if (summary.has_times) {
      ledger.course = tally.course;
      if (summary.has_dates) ledger.course->realtime_ns = tally.course.begin_ns;
    }
    observation.ledgers.push_back(std::move(ledger));
  }
  facts::Namespace& ns = after.namespaces.emplace_back();
  ns.id = kUnknownNamespace;
  ns.pasted = facts::Pasted{.label = summary.name, .compared = true, .seconds = {}};
  if (summary.has_times) ns.pasted->seconds = observation.seconds;
  after.blind_spots = BlindSpots(handshakes, summary).take(pending, left_out);
  facts::normalize(after);
  return observation;
}

}  // namespace acceptq::imports::capture
