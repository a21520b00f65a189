#include "agent/agent.h"

#include <set>
#include <string_view>
#include <utility>

#include "answer/answer.h"
#include "collect/trouble.h"
#include "diagnose/deltas.h"
#include "facts/json.h"

namespace acceptq::agent {
namespace {

constexpr double kNsPerSecond = 1e9;

// What a refused handshake, or a SYN queue that fills, shows in.
constexpr std::string_view kTelling[] = {"TcpExtListenDrops", "TcpExtListenOverflows",
                                         "TcpExtTCPReqQFullDrop", "TcpExtTCPReqQFullDoCookies"};

// Namespaces in which something happens that is worth a diagnosis.
std::set<NetnsId> troubled(const facts::Observation& observation) {
  std::set<NetnsId> ids;
  for (const facts::Namespace& ns : observation.after.namespaces) {
    const diagnose::NamespaceDelta delta = diagnose::namespace_delta(observation, ns.id);
    for (const std::string_view counter : kTelling) {
      if (delta.grew(counter) > 0) ids.insert(ns.id);
    }
  }
  for (const facts::Listener& listener : observation.after.listeners) {
    if (collect::is_filling(listener)) ids.insert(listener.netns);
  }
  return ids;
}

// What a diagnosis of these namespaces needs. Owners stay: few are of others, and none is in doubt.
void narrow(const std::set<NetnsId>& ids, facts::Observation& observation) {
  const auto is_other = [&](NetnsId id) { return !ids.contains(id); };
  for (facts::Snapshot* snapshot : {&observation.before, &observation.after}) {
    std::erase_if(snapshot->listeners,
                  [&](const facts::Listener& listener) { return is_other(listener.netns); });
    std::erase_if(snapshot->namespaces, [&](const facts::Namespace& ns) {
      return is_other(ns.id) && ns.is_host != true;
    });
  }
  std::erase_if(observation.ledgers,
                [&](const facts::Ledger& ledger) { return is_other(ledger.netns); });
}

}  // namespace

Agent::Agent(const Options& options, collect::WatchSource& source, collect::Handshakes& handshakes,
             collect::ThreadLooks& threads, Teller teller)
    : source_(source),
      handshakes_(handshakes),
      teller_(std::move(teller)),
      watch_(options.interval_ns, options.looks_for_causes, source, handshakes, threads),
      book_(options.book) {}

Status Agent::begin() {
  const std::int64_t begin_ns = source_.now_ns();
  Result<facts::Observation> first = watch_.begin();
  if (!first) return fail(std::move(first.error()));
  take(std::move(*first), begin_ns);
  return {};
}

void Agent::tend(std::int64_t until_ns) {
  watch_.tend(until_ns);
  const std::int64_t begin_ns = source_.now_ns();
  std::optional<Result<facts::Observation>> next = watch_.next();
  if (!next) return;
  if (*next) {
    take(std::move(**next), begin_ns);
  } else {
    note_failure(next->error());
  }
}

void Agent::take(facts::Observation observation, std::int64_t begin_ns) {
  book_.add(observation);
  std::set<NetnsId> ids = troubled(observation);
  ids.insert(book_.unjudged().begin(), book_.unjudged().end());
  if (!ids.empty()) {
    facts::Observation part = observation;
    narrow(ids, part);
    const answer::Answer answer = answer::answer(std::move(part));
    book_.add(answer.observation, answer.report);
  }
  ++state_.scans;
  const std::optional<facts::Source> source = handshakes_.source();
  state_.tracing = source ? facts::source_name(*source) : "none";
  state_.blind_spots.clear();
  for (const facts::BlindSpot& spot : observation.after.blind_spots) {
    ++state_.blind_spots[{spot.id, spot.unobserved}];
  }
  state_.scan_s = static_cast<double>(source_.now_ns() - begin_ns) / kNsPerSecond;
  state_.scan_ended_s =
      static_cast<double>(observation.after.realtime_ns) / kNsPerSecond + state_.scan_s;
  publish(std::move(observation));
}

// What was known before is shown on, with its time.
void Agent::note_failure(const Error& error) {
  ++state_.failed_scans;
  teller_(error);
  const auto last = published();
  auto next = std::make_shared<Published>(*last);
  next->frame.agent.failed_scans = state_.failed_scans;
  const std::scoped_lock lock(mutex_);
  published_ = std::move(next);
}

void Agent::publish(facts::Observation observation) {
  auto next = std::make_shared<Published>();
  next->frame = book_.frame();
  next->frame.agent = state_;
  next->observation = std::move(observation);
  const std::scoped_lock lock(mutex_);
  published_ = std::move(next);
}

std::shared_ptr<const Published> Agent::published() const {
  const std::scoped_lock lock(mutex_);
  return published_;
}

}  // namespace acceptq::agent
