#include "diagnose/listener_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "diagnose/capture_rules.h"
#include "diagnose/diagnose.h"
#include "facts/socket_index.h"
#include "listenpath/limits.h"

namespace acceptq::diagnose {
namespace {

using facts::Listener;
using facts::Protocol;

Cookies cookies_of(std::int64_t syncookies) {
  if (syncookies == 0) return Cookies::kOff;
  return syncookies == 2 ? Cookies::kAlways : Cookies::kWhenFull;
}

void describe_queue(const facts::Observation& observation, ListenerState& state) {
  ListenerReport& report = state.report;
  const Listener& listener = *state.listener;
  report.longest = listener.accept_queue_len;
  if (state.before != nullptr) {
    report.longest = std::max(report.longest, state.before->accept_queue_len);
  }
  const auto samples = observation.samples.find(report.key);
  if (samples != observation.samples.end() && samples->second.count > 0) {
    report.longest = std::max(report.longest, samples->second.longest);
    if (listener.limit)
      report.full_fraction = double{1} * samples->second.full / samples->second.count;
  }
}

void describe_syn_queue(const listenpath::KernelRules& rules, ListenerState& state) {
  const Listener& listener = *state.listener;
  if (listener.protocol != Protocol::kTcp) return;
  const facts::Namespace* ns = state.ns.after();
  const auto syncookies = sysctl_value(ns, facts::kSyncookies);
  const auto max_syn_backlog = sysctl_value(ns, facts::kMaxSynBacklog);
  if (syncookies) state.report.cookies = cookies_of(*syncookies);
  if (!listener.limit) return;
  state.report.syn_queue_limit = listener.limit;
  const bool backlog_matters =
      rules.syn_queue == listenpath::SynQueueRule::kTable || syncookies.value_or(0) == 0;
  if (!syncookies || (backlog_matters && !max_syn_backlog)) return;
  state.report.syn_queue_capacity = listenpath::syn_queue_capacity(
      rules, {.accept_limit = *listener.limit,
              .max_syn_backlog = static_cast<std::uint32_t>(max_syn_backlog.value_or(0)),
              .syncookies = static_cast<std::uint32_t>(*syncookies)});
}

// A somaxconn, other than the present one, that can have been in force when listen() was called.
std::vector<std::string> earlier_somaxconn(const facts::Observation& observation,
                                           const listenpath::KernelRules& rules,
                                           const ListenerState& state, std::int64_t limit) {
  std::vector<std::string> candidates;
  constexpr std::int64_t kOldDefault = 128;  // before Linux 5.4, and in many settings ever since
  if (limit == rules.default_somaxconn) {
    candidates.emplace_back("this kernel's default");
  } else if (limit == kOldDefault) {
    candidates.emplace_back("a usual setting");
  }
  const facts::Namespace* host = facts::host_namespace(observation.after);
  if (host != nullptr && host->id != state.listener->netns &&
      sysctl_value(host, facts::kSomaxconn) == limit) {
    candidates.emplace_back("the host's value");
  }
  return candidates;
}

void attribute_limit(const facts::Observation& observation, const listenpath::KernelRules& rules,
                     ListenerState& state) {
  const Listener& listener = *state.listener;
  ListenerReport& report = state.report;
  report.somaxconn = sysctl_value(state.ns.after(), facts::kSomaxconn);
  if (!listener.limit) return;
  if (listener.resized_from) {
    report.limit_set_by = LimitSetBy::kAcceptq;
    return;
  }
  const std::int64_t limit = listener.limit->value();
  const facts::Namespace* ns_before = facts::find_namespace(observation.before, listener.netns);
  const auto somaxconn_before = sysctl_value(ns_before, facts::kSomaxconn);
  const bool limit_unchanged = state.before != nullptr && state.before->limit == listener.limit;
  const bool somaxconn_changed = state.ns.comparable() && report.somaxconn && somaxconn_before &&
                                 *report.somaxconn != *somaxconn_before;
  // The limit did not follow a change that was seen, and it had been what somaxconn allowed.
  if (somaxconn_changed && limit_unchanged && limit == *somaxconn_before) report.stale = true;

  if (state.kernel_owned && listener.protocol == Protocol::kTcp) {
    // Only the kernel's own listeners get more than somaxconn (kernel_listen does not clamp).
    if (report.somaxconn && limit > *report.somaxconn) {
      report.limit_set_by = LimitSetBy::kKernel;
    } else {
      state.limit_candidates.emplace_back("the kernel, if the socket is its own");
    }
    return;
  }
  if (listener.backlog_requested) {
    const bool clamped = *listener.backlog_requested > static_cast<std::uint64_t>(limit);
    report.limit_set_by = clamped ? LimitSetBy::kSomaxconn : LimitSetBy::kApplication;
    return;
  }
  if (!report.somaxconn) {
    state.limit_candidates.emplace_back("somaxconn of its namespace, which could not be read");
    return;
  }
  if (report.stale == true || limit == *report.somaxconn) {
    report.limit_set_by = LimitSetBy::kSomaxconn;
    return;
  }
  if (limit > *report.somaxconn) {
    // listen() of a process never grants more than somaxconn: it was lowered since.
    report.stale = true;
    state.limit_candidates.emplace_back("a larger somaxconn at the time of listen()");
    return;
  }
  state.limit_candidates = earlier_somaxconn(observation, rules, state, limit);
  if (state.limit_candidates.empty()) report.limit_set_by = LimitSetBy::kApplication;
}

// Could this listener have had a share in what its namespace's counters grew by?
bool may_have_refused(const ListenerState& state) {
  if (state.listener->protocol != Protocol::kTcp) return false;
  // Of one that has been closed nothing was read since.
  if (state.listener->closed || !state.listener->drops) return true;
  // A socket that is new counts from 0.
  if (*state.listener->drops == 0) return false;
  if (state.before == nullptr || !state.before->drops) return true;
  return *state.before->drops != *state.listener->drops;
}

// The namespace's counters are this listener's where no other socket can have moved them.
void attribute_drops(std::vector<ListenerState>& states, const facts::Observation& observation,
                     const listenpath::KernelRules& rules) {
  std::map<NetnsId, std::size_t> suspects;
  std::map<NetnsId, std::size_t> tcp_listeners;
  for (const ListenerState& state : states) {
    if (state.listener->protocol != Protocol::kTcp) continue;
    ++tcp_listeners[state.listener->netns];
    if (!rules.socket_drops_counted || may_have_refused(state)) ++suspects[state.listener->netns];
  }
  // A listener that closed meanwhile took its share of the counters with it.
  const facts::SocketIndex alive(observation.after.listeners);
  for (const Listener& listener : observation.before.listeners) {
    if (listener.protocol == Protocol::kTcp && alive.find(listener) == nullptr) {
      ++suspects[listener.netns];
      ++tcp_listeners[listener.netns];
    }
  }
  // A list of which a part was pasted may leave out the one that it was.
  for (const facts::Namespace& ns : observation.after.namespaces) {
    if (!ns.pasted || ns.pasted->all_listeners) continue;
    ++suspects[ns.id];
    ++tcp_listeners[ns.id];
  }
  for (ListenerState& state : states) {
    ListenerReport& report = state.report;
    const Listener& listener = *state.listener;
    if (listener.protocol != Protocol::kTcp) continue;
    state.only_listener = tcp_listeners[listener.netns] == 1;
    // One moment says nothing of what changes.
    if (!facts::is_compared(observation, listener.netns)) continue;
    state.seconds = facts::seconds_of(observation, listener.netns);
    const facts::Source counters =
        listener.pasted_at.empty() ? facts::Source::kCounters : facts::Source::kImported;
    if (rules.socket_drops_counted && listener.drops == 0U && !listener.closed) {
      report.socket_drops_delta = 0;
    } else if (state.before != nullptr && state.before->drops && listener.drops &&
               !listener.closed) {
      report.socket_drops_delta = socket_drops_growth(*state.before->drops, *listener.drops);
    }
    const bool own = report.socket_drops_delta != 0U;  // unknown counts as "may have"
    const bool alone = suspects[listener.netns] == 1;
    const auto listen_drops = state.ns.delta("TcpExtListenDrops");
    if (state.ns.comparable() && own && alone && listen_drops) {
      state.refusals = refusals_of(state.ns, rules);
      report.refused = {.total = state.refusals->total(), .source = counters};
    } else if (report.socket_drops_delta == 0U || (listen_drops == 0U && state.ns.comparable())) {
      state.refusals = Refusals{};
      report.refused = {.total = 0, .source = counters};
    } else if (report.socket_drops_delta) {
      report.refused = {.total = report.socket_drops_delta, .source = facts::Source::kSocketDrops};
    }
    if (!state.only_listener) continue;
    // Cookies, and connections completed in this namespace, are this listener's, as its only one.
    state.cookies_sent = state.ns.delta("TcpExtSyncookiesSent");
    if (const auto opens = state.ns.delta("TcpPassiveOpens"); opens && state.before != nullptr) {
      const double growth = double{1} * listener.accept_queue_len.value() -
                            double{1} * state.before->accept_queue_len.value();
      const double refused = static_cast<double>(report.refused.total.value_or(0));
      const double completed = static_cast<double>(*opens);
      const double left = std::max(0.0, completed - growth);
      report.left_queue = static_cast<std::uint64_t>(left);
      if (!state.seconds) continue;
      report.arrivals_per_s = (completed + refused) / *state.seconds;
      report.accepts_per_s = left / *state.seconds;
    }
  }
}

double milliseconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e6; }

std::optional<TimeInQueue> time_in_queue(const facts::Ledger& ledger) {
  if (!facts::is_mostly_timed(ledger)) return std::nullopt;
  TimeInQueue time{
      .p50_ms = milliseconds(facts::quantile(ledger.time_in_queue_ns, 0.5).value_or(0)),
      .source = ledger.source};
  if (const auto p99 = facts::quantile(ledger.time_in_queue_ns, 0.99)) {
    time.p99_ms = milliseconds(*p99);
  }
  return time;
}

// A SYN that gets no answer may have died in a firewall: packets prove no more refusals than the
// kernel's counters have grown by.
void take_packets(const facts::Ledger& ledger, ListenerState& state) {
  using enum facts::LedgerTerm;
  ListenerReport& report = state.report;
  const std::uint64_t at_syn = facts::refused_at_syn(ledger).value_or(0);
  const std::uint64_t at_ack = facts::refused_at_ack(ledger).value_or(0);
  const std::optional<std::uint64_t> drops =
      state.refusals ? std::optional(state.refusals->total()) : state.ns.delta("TcpExtListenDrops");
  const std::uint64_t proven = std::min(at_syn + at_ack, drops.value_or(0));
  const std::uint64_t proven_at_ack = std::min(at_ack, proven);
  const std::uint64_t proven_at_syn = proven - proven_at_ack;
  if (drops && ledger.syn_unanswered) {
    report.syn_unanswered =
        *ledger.syn_unanswered - std::min(*ledger.syn_unanswered, proven_at_syn);
    state.syns_lost = *ledger.syn_unanswered - std::min(*ledger.syn_unanswered, *drops);
    state.syns_seen = ledger[kSynReceived].value_or(0);
  }
  if (proven == 0) {
    state.ledger = nullptr;
    return;
  }
  report.refused = {.total = proven,
                    .at_syn = proven_at_syn,
                    .at_ack = proven_at_ack,
                    .source = ledger.source,
                    .at_least = true};
  // Which of the attempts were refused and which died elsewhere is not known where both happened.
  if (proven < at_syn + at_ack) return;
  report.refused.attempts = ledger[kAttemptsRefused];
  // Where packets explain but a part of what the counters say, what became of that part is not what
  // became of all: a refused ACK that answers a SYN cookie leaves no trace in the packets.
  constexpr std::uint64_t kNearlyAll = 10;  // all but one in so many
  if ((*drops - proven) * kNearlyAll <= *drops) {
    report.refused.recovered = ledger[kAttemptsRecovered];
    report.refused.gave_up = ledger.gave_up;
  }
  report.refused.addresses = ledger.addresses;
  report.refused.top = ledger.clients;
}

// Refused packets of a namespace: in the ledgers of tracepoints, and by its counters.
struct Books {
  std::uint64_t claimed = 0;
  std::uint64_t counted = 0;

  // These ledgers are wrong, and the counters are not. (Tracing by tracepoints once took a SYN
  // behind a reset for a refused one.)
  [[nodiscard]] bool claim_too_much() const { return exceeds(claimed, counted); }
  // They are not whole: packets came to listeners before they were known, as those of other
  // containers are not where acceptq runs in a PID namespace.
  [[nodiscard]] bool lack_some() const { return exceeds(counted, claimed); }

 private:
  // By more than comes between the two readings.
  static bool exceeds(std::uint64_t more, std::uint64_t less) {
    constexpr std::uint64_t kBetween = 10;
    return more > less + less / 10 + kBetween;
  }
};

std::map<NetnsId, Books> books_of(const facts::Observation& observation,
                                  const std::vector<const facts::Ledger*>& ledgers) {
  std::map<NetnsId, Books> books;
  for (const facts::Ledger* ledger : ledgers) {
    if (ledger == nullptr || ledger->source != facts::Source::kTracepoints) continue;
    const auto grew = namespace_delta(observation, ledger->netns).delta("TcpExtListenDrops");
    if (!grew) continue;
    Books& here = books[ledger->netns];
    here.counted = *grew;
    here.claimed += facts::refused_packets(*ledger);
  }
  return books;
}

// What tracing counted is better than what is concluded from counters.
void take_ledgers(const facts::Observation& observation, std::vector<ListenerState>& states) {
  using enum facts::LedgerTerm;
  const std::vector<const facts::Ledger*> ledgers = facts::ledgers_of(observation);
  const std::map<NetnsId, Books> books = books_of(observation, ledgers);
  for (std::size_t i = 0; i < states.size(); ++i) {
    ListenerState& state = states[i];
    const auto here = books.find(state.listener->netns);
    if (here != books.end() && here->second.claim_too_much()) continue;
    state.ledger = ledgers[i];
    if (state.ledger == nullptr) {
      // Traced, and nothing came.
      const bool is_tcp = state.listener->protocol == Protocol::kTcp;
      const bool traced = state.listener->pasted_at.empty() && observation.tracing &&
                          observation.tracing != facts::Source::kPackets;
      if (traced && is_tcp && state.report.refused.total == 0U) {
        state.report.refused = {.total = 0,
                                .at_syn = 0,
                                .at_ack = 0,
                                .attempts = 0,
                                .recovered = 0,
                                .gave_up = 0,
                                .addresses = 0,
                                .source = observation.tracing};
        if (!state.refusals) state.refusals = Refusals{};
        if (!state.report.left_queue && state.before != nullptr &&
            state.before->accept_queue_len == state.listener->accept_queue_len) {
          state.report.left_queue = 0;
        }
      }
      continue;
    }
    const facts::Ledger& ledger = *state.ledger;
    ListenerReport& report = state.report;
    if (ledger.longest) report.longest = std::max(report.longest, *ledger.longest);
    report.time_in_queue = time_in_queue(ledger);
    report.course = ledger.course;
    if (ledger.captured) {
      take_capture(ledger, state);
      continue;
    }
    const auto at_syn = facts::refused_at_syn(ledger);
    const auto at_ack = facts::refused_at_ack(ledger);
    if (!at_syn || !at_ack) continue;
    const std::uint64_t refused = *at_syn + *at_ack;
    if (ledger.source == facts::Source::kPackets) {
      take_packets(ledger, state);
      continue;
    }
    state.refusals = refusals_of(ledger);
    if (ledger[kSynCookie]) state.cookies_sent = ledger[kSynCookie];
    report.refused = {.total = refused,
                      .at_syn = at_syn,
                      .at_ack = at_ack,
                      .attempts = ledger[kAttemptsRefused],
                      .recovered = ledger[kAttemptsRecovered],
                      .gave_up = ledger.gave_up,
                      .addresses = ledger.addresses,
                      .top = ledger.clients,
                      .source = ledger.source,
                      .at_least = here != books.end() && here->second.lack_some()};
    const auto queued = ledger[kAckQueued];
    const auto accepted = ledger[kAccepted];
    if (!queued || !accepted || observation.seconds <= 0) continue;
    report.arrivals_per_s = static_cast<double>(*queued + refused) / observation.seconds;
    report.accepts_per_s = static_cast<double>(*accepted) / observation.seconds;
    report.left_queue = accepted;
  }
}

void estimate_wait(ListenerReport& report, QueueLength length) {
  constexpr double kMsPerSecond = 1000;
  if (length.value() == 0 || report.accepts_per_s.value_or(0) <= 0) return;
  report.estimated_wait_ms = length.value() / *report.accepts_per_s * kMsPerSecond;
}

void group_reuseport(std::vector<ListenerState>& states) {
  std::map<std::string, std::vector<ListenerState*>> groups;
  for (ListenerState& state : states) {
    // One that was closed is followed by another, and not beside it.
    if (state.listener->protocol == Protocol::kTcp && !state.listener->closed) {
      groups[facts::reuseport_key(*state.listener)].push_back(&state);
    }
  }
  for (const auto& [key, members] : groups) {
    if (members.size() < 2) continue;
    for (ListenerState* member : members) member->report.reuseport_group = key;
  }
}

}  // namespace

std::vector<ListenerState> listener_states(const facts::Observation& observation,
                                           const listenpath::KernelRules& rules) {
  const facts::SocketIndex earlier(observation.before.listeners);
  std::vector<ListenerState> states;
  states.reserve(observation.after.listeners.size());
  for (const Listener& listener : observation.after.listeners) {
    ListenerState state{.listener = &listener, .ns = namespace_delta(observation, listener.netns)};
    state.report.key = facts::listener_key(listener);
    if (state.ns.comparable()) state.before = earlier.find(listener);
    if (state.before != nullptr && state.before->limit && listener.limit &&
        state.before->limit != listener.limit && !listener.resized_from) {
      state.report.limit_before = state.before->limit;
    }
    state.kernel_owned = listener.owners.empty() && listener.owners_complete;
    describe_queue(observation, state);
    describe_syn_queue(rules, state);
    attribute_limit(observation, rules, state);
    states.push_back(std::move(state));
  }
  attribute_drops(states, observation, rules);
  take_ledgers(observation, states);
  for (ListenerState& state : states) {
    estimate_wait(state.report, state.listener->accept_queue_len);
  }
  group_reuseport(states);
  return states;
}

std::vector<facts::BlindSpot> disbelieved_ledgers(const facts::Observation& observation) {
  std::vector<facts::BlindSpot> spots;
  for (const auto& [netns, count] : books_of(observation, facts::ledgers_of(observation))) {
    if (!count.claim_too_much()) continue;
    spots.push_back(
        {.id = "AQ611",
         .scope = fmt::format("netns:{}", netns.value()),
         .reason = fmt::format("tracing by tracepoints took {} packets for refused, and the kernel "
                               "counted {}",
                               count.claimed, count.counted),
         .cost = "its listeners' refusals are known by counters alone"});
  }
  return spots;
}

}  // namespace acceptq::diagnose
