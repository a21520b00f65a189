#include "agent/agent.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "answer/answer.h"
#include "collect/trouble.h"
#include "diagnose/deltas.h"
#include "facts/json.h"

namespace acceptq::agent {
namespace {

constexpr double kNsPerSecond = 1e9;
// Looks that have not come, before what is shown is too old.
constexpr std::int64_t kMissed = 10;

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

// What a diagnosis of these namespaces needs: not thousands of listeners of others.
facts::Observation part_of(const facts::Observation& observation, const std::set<NetnsId>& ids) {
  facts::Observation part;
  const auto take = [&](const facts::Snapshot& from, facts::Snapshot& to) {
    to.host = from.host;
    to.realtime_ns = from.realtime_ns;
    to.monotonic_ns = from.monotonic_ns;
    to.scan_method = from.scan_method;
    to.blind_spots = from.blind_spots;
    std::set<Pid> owners;
    for (const facts::Listener& listener : from.listeners) {
      if (!ids.contains(listener.netns)) continue;
      to.listeners.push_back(listener);
      for (const facts::OwnerRef& owner : listener.owners) owners.insert(owner.pid);
    }
    for (const facts::Namespace& ns : from.namespaces) {
      if (ids.contains(ns.id) || ns.is_host == true) to.namespaces.push_back(ns);
    }
    for (const facts::Process& process : from.processes) {
      if (owners.contains(process.pid)) to.processes.push_back(process);
    }
  };
  take(observation.before, part.before);
  take(observation.after, part.after);
  part.seconds = observation.seconds;
  part.tracing = observation.tracing;
  part.accept_evidence = observation.accept_evidence;
  for (const facts::Listener& listener : part.after.listeners) {
    const std::string key = facts::listener_key(listener);
    if (const auto found = observation.samples.find(key); found != observation.samples.end()) {
      part.samples.insert(*found);
    }
  }
  std::ranges::copy_if(observation.ledgers, std::back_inserter(part.ledgers),
                       [&](const facts::Ledger& ledger) { return ids.contains(ledger.netns); });
  if (observation.dead_syns) {
    part.dead_syns.emplace();
    std::ranges::copy_if(*observation.dead_syns, std::back_inserter(*part.dead_syns),
                         [&](const facts::DeadSyn& syn) { return ids.contains(syn.netns); });
  }
  return part;
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
  take(*first, begin_ns);
  return {};
}

void Agent::tend(std::int64_t until_ns) {
  if (is_wanted()) watch_.hurry();
  watch_.tend(until_ns);
  const std::int64_t begin_ns = source_.now_ns();
  std::optional<Result<facts::Observation>> next = watch_.next();
  if (!next) return;
  if (*next) {
    take(**next, begin_ns);
    hand_over(**next);
  } else {
    note_failure(next->error());
  }
}

void Agent::take(const facts::Observation& observation, std::int64_t begin_ns) {
  book_.add(observation);
  std::set<NetnsId> ids = troubled(observation);
  ids.insert(book_.unjudged().begin(), book_.unjudged().end());
  if (!ids.empty()) {
    const answer::Answer answer = answer::answer(part_of(observation, ids));
    book_.add(answer.observation, answer.report);
  }
  ++state_.scans;
  const std::optional<facts::Source> source = handshakes_.source();
  state_.tracing = source ? facts::source_name(*source) : "none";
  state_.blind_spots.clear();
  for (const facts::BlindSpot& spot : observation.after.blind_spots) {
    ++state_.blind_spots[{spot.id, spot.unobserved}];
  }
  const std::int64_t now_ns = source_.now_ns();
  state_.stale_ns = now_ns + kMissed * watch_.longest_pause_ns();
  state_.scan_s = static_cast<double>(now_ns - begin_ns) / kNsPerSecond;
  state_.scan_ended_s =
      static_cast<double>(observation.after.realtime_ns) / kNsPerSecond + state_.scan_s;
  Frame frame = book_.frame();
  frame.agent = state_;
  publish(std::move(frame));
}

// What was known before is shown on, with its time.
void Agent::note_failure(const Error& error) {
  teller_(error);
  Frame last = *frame();
  last.agent.failed_scans = ++state_.failed_scans;
  publish(std::move(last));
}

void Agent::publish(Frame frame) {
  auto next = std::make_shared<const Frame>(std::move(frame));
  const std::scoped_lock lock(mutex_);
  frame_ = std::move(next);
}

std::shared_ptr<const Frame> Agent::frame() const {
  const std::scoped_lock lock(mutex_);
  return frame_;
}

bool Agent::is_wanted() const {
  const std::scoped_lock lock(mutex_);
  return wanting_ > 0;
}

void Agent::hand_over(const facts::Observation& observation) {
  if (!is_wanted()) return;
  auto json = std::make_shared<const std::string>(facts::to_json(observation));
  const std::scoped_lock lock(mutex_);
  ++handed_over_;
  observation_ = std::move(json);
  handed_over_now_.notify_all();
}

std::shared_ptr<const std::string> Agent::next_observation(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  ++wanting_;
  const std::uint64_t before = handed_over_;
  handed_over_now_.wait_for(lock, patience, [&] { return ended_ || handed_over_ != before; });
  auto observation = handed_over_ != before ? observation_ : nullptr;
  if (--wanting_ == 0) observation_.reset();
  return observation;
}

void Agent::end() {
  const std::scoped_lock lock(mutex_);
  ended_ = true;
  handed_over_now_.notify_all();
}

}  // namespace acceptq::agent
