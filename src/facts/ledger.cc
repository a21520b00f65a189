#include "facts/ledger.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <span>
#include <tuple>

#include "facts/snapshot.h"

namespace acceptq::facts {
namespace {

struct Term {
  std::string_view name;
  std::string_view reason;
};

constexpr std::array<Term, kLedgerTerms> kTerms = {{
    {"syn_received", ""},
    {"syn_duplicate", ""},
    {"syn_queued", ""},
    {"syn_lost_race", ""},
    {"syn_cookie", ""},
    {"syn_fastopen", ""},
    {"syn_refused_accept_full", "accept queue full"},
    {"syn_refused_syn_full", "SYN queue full"},
    {"syn_refused_reserve", "last quarter of the SYN queue"},
    {"syn_refused_no_memory", "no memory"},
    {"syn_refused_no_route", "no route back"},
    {"syn_refused_security", "security module"},
    {"syn_refused_other", "other"},
    {"syn_both_full", ""},
    {"synack_sent", ""},
    {"synack_retransmitted", ""},
    {"synack_failed", ""},
    {"ack_queued", ""},
    {"ack_refused_full", "accept queue full"},
    {"ack_refused_other", "other"},
    {"cookie_ack_refused_full", "accept queue full"},
    {"cookie_ack_refused_other", "other"},
    {"ack_reset", ""},
    {"cookie_valid", ""},
    {"cookie_invalid", ""},
    {"request_expired", ""},
    {"request_reset", ""},
    {"request_unreachable", ""},
    {"accepted", ""},
    {"accepted_untimed", ""},
    {"accepted_dead", ""},
    {"accept_again", ""},
    {"accept_interrupted", ""},
    {"accept_emfile", ""},
    {"accept_enfile", ""},
    {"accept_aborted", ""},
    {"accept_other", ""},
    {"closed_waiting", ""},
    {"migrated_in", ""},
    {"listen_calls", ""},
    {"attempts_refused", ""},
    {"attempts_recovered", ""},
}};

std::vector<const Listener*> listeners_at(const Snapshot& snapshot, NetnsId netns,
                                          std::uint16_t port) {
  std::vector<const Listener*> listeners;
  for (const Listener& listener : snapshot.listeners) {
    if (listener.protocol == Protocol::kTcp && listener.netns == netns && listener.port == port) {
      listeners.push_back(&listener);
    }
  }
  return listeners;
}

std::pair<NetnsId, std::uint16_t> place_of(const Listener* listener) {
  return {listener->netns, listener->port};
}

// Of those at its namespace and port, the one that is meant.
const Listener* choose(std::span<const Listener* const> listeners, SocketCookie cookie,
                       const IpAddress& address) {
  const Listener* found = nullptr;
  bool is_ambiguous = false;
  for (const Listener* candidate : listeners) {
    const Listener& listener = *candidate;
    if (cookie.value() != 0 && listener.cookie == cookie) return &listener;
    if (cookie.value() != 0 && listener.cookie.value() != 0) continue;  // known to be another
    if (!serves_address(listener, address)) continue;
    // The kernel asks those bound to the address first (__inet_lookup_listener).
    const bool is_bound = !listener.address.is_unspecified();
    const bool was_bound = found != nullptr && !found->address.is_unspecified();
    if (found != nullptr && is_bound == was_bound) is_ambiguous = true;
    if (found != nullptr && (was_bound || !is_bound)) continue;
    is_ambiguous = false;
    found = &listener;
  }
  return is_ambiguous ? nullptr : found;
}

// One that had the same inode at another time.
bool is_of_another_namespace(const Snapshot& snapshot, const Ledger& ledger) {
  const Namespace* ns = find_namespace(snapshot, ledger.netns);
  const bool is_known = ns != nullptr && ns->cookie && ledger.netns_cookie;
  return is_known && ns->cookie != ledger.netns_cookie;
}

// Of those that are known; where reasons are not told apart, kSynRefusedOther holds the rest.
std::optional<std::uint64_t> sum(const Ledger& ledger, std::initializer_list<LedgerTerm> terms) {
  std::optional<std::uint64_t> total;
  for (const LedgerTerm term : terms) {
    if (const auto value = ledger[term]) total = total.value_or(0) + *value;
  }
  return total;
}

// Buckets that were there stay there: counts only grow.
void subtract(const Histogram& before, Histogram& after) {
  for (const Bucket& old : before) {
    const auto bucket = std::ranges::find(after, old.below, &Bucket::below);
    if (bucket != after.end()) bucket->count -= old.count;
  }
  std::erase_if(after, [](const Bucket& bucket) { return bucket.count == 0; });
}

// Clients that have been forgotten meanwhile, and were met again, begin anew.
void subtract(const std::vector<RefusedClient>& before, std::vector<RefusedClient>& after) {
  std::map<IpAddress, const RefusedClient*> known;
  for (const RefusedClient& client : before) known[client.address] = &client;
  for (RefusedClient& client : after) {
    const auto old = known.find(client.address);
    if (old == known.end() || old->second->packets > client.packets) continue;
    client.packets -= old->second->packets;
    client.attempts -= std::min(client.attempts, old->second->attempts);
  }
  std::erase_if(after, [](const RefusedClient& client) { return client.packets == 0; });
}

}  // namespace

std::string_view ledger_term_name(LedgerTerm term) {
  return kTerms[static_cast<std::size_t>(term)].name;
}

std::string_view refusal_reason(LedgerTerm term) {
  return kTerms[static_cast<std::size_t>(term)].reason;
}

std::string refusal_reason_of_ack(LedgerTerm term) {
  using enum LedgerTerm;
  const bool by_cookie = term == kCookieAckRefusedFull || term == kCookieAckRefusedOther;
  return std::string(refusal_reason(term)) + (by_cookie ? " at the ACK of a cookie" : "");
}

const Listener* find_listener(const Snapshot& snapshot, const Refusal& refusal) {
  return choose(listeners_at(snapshot, refusal.netns, refusal.port), refusal.cookie,
                refusal.address);
}

const Listener* find_listener(const Snapshot& snapshot, const Ledger& ledger) {
  if (is_of_another_namespace(snapshot, ledger)) return nullptr;
  return choose(listeners_at(snapshot, ledger.netns, ledger.port), ledger.cookie, ledger.address);
}

ListenersByPort::ListenersByPort(const Snapshot& snapshot) : snapshot_(snapshot) {
  for (const Listener& listener : snapshot.listeners) {
    if (listener.protocol == Protocol::kTcp) by_port_.push_back(&listener);
  }
  std::ranges::stable_sort(by_port_, {}, place_of);
}

const Listener* ListenersByPort::find(const Ledger& ledger) const {
  if (is_of_another_namespace(snapshot_, ledger)) return nullptr;
  const auto here =
      std::ranges::equal_range(by_port_, std::pair(ledger.netns, ledger.port), {}, place_of);
  return choose({here.begin(), here.end()}, ledger.cookie, ledger.address);
}

std::string_view stage_name(Stage stage) {
  constexpr std::string_view kNames[] = {"syn", "ack", "cookie_ack"};
  return kNames[static_cast<std::size_t>(stage)];
}

bool is_mostly_timed(const Ledger& ledger) {
  std::uint64_t timed = 0;
  for (const Bucket& bucket : ledger.time_in_queue_ns) timed += bucket.count;
  const std::uint64_t untimed = ledger[LedgerTerm::kAcceptedUntimed].value_or(0);
  constexpr std::uint64_t kOneIn = 10;
  return timed > 0 && untimed * kOneIn <= timed + untimed;
}

std::optional<std::uint64_t> quantile(const Histogram& histogram, double share) {
  std::uint64_t total = 0;
  for (const Bucket& bucket : histogram) total += bucket.count;
  if (total == 0) return std::nullopt;
  if (share > 0.5 && share < 1 && (1 - share) * static_cast<double>(total) < 1) return std::nullopt;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (const Bucket& bucket : histogram) {
    seen += bucket.count;
    if (seen >= wanted) return bucket.below;
  }
  return histogram.back().below;
}

Ledger ledger_growth(const Ledger& before, const Ledger& after) {
  Ledger growth = after;
  growth.since_ns = before.since_ns;
  for (std::size_t i = 0; i < kLedgerTerms; ++i) {
    if (growth.counts[i] && before.counts[i]) *growth.counts[i] -= *before.counts[i];
  }
  subtract(before.depth, growth.depth);
  subtract(before.delay_s, growth.delay_s);
  subtract(before.time_in_queue_ns, growth.time_in_queue_ns);
  subtract(before.clients, growth.clients);
  subtract(before.prefixes, growth.prefixes);
  if (growth.addresses) growth.addresses = growth.clients.size();
  if (before.course) growth.course.reset();  // it has what was before, too
  // Those that had given up and came back after all are no longer among the later ones.
  if (before.gave_up && growth.gave_up) {
    growth.gave_up = *growth.gave_up >= *before.gave_up
                         ? std::optional(*growth.gave_up - *before.gave_up)
                         : std::nullopt;
  }
  return growth;
}

void keep_most_refused(std::vector<RefusedClient>& clients) {
  std::ranges::sort(clients, [](const RefusedClient& a, const RefusedClient& b) {
    return std::tuple(b.attempts, b.packets, a.address) <
           std::tuple(a.attempts, a.packets, b.address);
  });
  if (clients.size() > kMostClients) clients.resize(kMostClients);
}

void keep_most_refused(Ledger& ledger) {
  keep_most_refused(ledger.clients);
  keep_most_refused(ledger.prefixes);
}

std::optional<std::uint64_t> refused_at_syn(const Ledger& ledger) {
  using enum LedgerTerm;
  return sum(ledger,
             {kSynRefusedAcceptFull, kSynRefusedSynFull, kSynRefusedReserve, kSynRefusedNoMemory,
              kSynRefusedNoRoute, kSynRefusedSecurity, kSynRefusedOther});
}

std::optional<std::uint64_t> refused_at_ack(const Ledger& ledger) {
  using enum LedgerTerm;
  return sum(ledger,
             {kAckRefusedFull, kAckRefusedOther, kCookieAckRefusedFull, kCookieAckRefusedOther});
}

std::uint64_t refused_packets(const Ledger& ledger) {
  return refused_at_syn(ledger).value_or(0) + refused_at_ack(ledger).value_or(0);
}

std::uint64_t refused_otherwise(const Ledger& ledger) {
  using enum LedgerTerm;
  return sum(ledger, {kSynRefusedNoMemory, kSynRefusedNoRoute, kSynRefusedSecurity,
                      kSynRefusedOther, kAckRefusedOther, kCookieAckRefusedOther})
      .value_or(0);
}

std::string_view side_name(CaptureSide side) {
  constexpr std::string_view kNames[] = {"unknown", "client", "server", "between", "both"};
  return kNames[static_cast<std::size_t>(side)];
}

std::string_view route_name(RouteBack route) {
  constexpr std::string_view kNames[] = {"found", "none", "unreachable", "blackhole", "prohibit"};
  return kNames[static_cast<std::size_t>(route)];
}

}  // namespace acceptq::facts
