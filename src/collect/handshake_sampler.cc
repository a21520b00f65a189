#include "collect/handshake_sampler.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "collect/dead_syns.h"
#include "facts/socket_index.h"

namespace acceptq::collect {
namespace {

// listen() may have been seen.
void take_over_backlogs(facts::Observation& observation) {
  const std::vector<const facts::Ledger*> ledgers = facts::ledgers_of(observation);
  for (std::size_t i = 0; i < ledgers.size(); ++i) {
    if (ledgers[i] == nullptr || !ledgers[i]->listen) continue;
    const auto& requested = ledgers[i]->listen->requested;
    // listen() takes its argument for unsigned: -1 is the largest of all (__sys_listen).
    if (requested) {
      observation.after.listeners[i].backlog_requested = static_cast<std::uint32_t>(*requested);
    }
  }
}

// Listeners that were closed meanwhile with refused packets stay in it, as they were.
void keep_the_closed(const facts::Snapshot& known, facts::Observation& observation) {
  const auto is_missed = [](const facts::Ledger& ledger) {
    return ledger.closed_at_ns && facts::refused_packets(ledger) > 0;
  };
  if (std::ranges::none_of(observation.ledgers, is_missed)) return;
  facts::Snapshot& after = observation.after;
  const facts::SocketIndex there(after.listeners);
  const facts::ListenersByPort by_port(known);
  std::set<const facts::Listener*> missed;  // one may have several ledgers
  std::vector<facts::Listener> kept;
  for (const facts::Ledger& ledger : observation.ledgers) {
    if (!is_missed(ledger)) continue;
    const facts::Listener* listener = by_port.find(ledger);
    if (listener == nullptr || there.find(*listener) != nullptr) continue;
    if (!missed.insert(listener).second) continue;
    kept.push_back(*listener);
    kept.back().closed = true;
    kept.back().accept_queue_len = QueueLength(0);
    for (const facts::OwnerRef& owner : listener->owners) {
      const facts::Process* process = facts::find_process(known, owner.pid);
      if (process != nullptr) after.processes.push_back(*process);
    }
  }
  std::ranges::move(kept, std::back_inserter(after.listeners));
  facts::normalize(after);
}

// Between two looks nothing tells when: as many came in each part after that of the first, as far
// as is known.
void add_refused(std::int64_t from_ns, std::int64_t to_ns, std::uint64_t packets,
                 facts::HandshakeCourse& course) {
  const std::int64_t part_ns = course.part_ns;
  const auto index = [&](std::int64_t at_ns) { return (at_ns - course.begin_ns) / part_ns; };
  const auto parts =
      static_cast<std::uint64_t>(std::max<std::int64_t>(index(to_ns) - index(from_ns), 1));
  for (std::uint64_t part = 0; part < parts; ++part) {
    const std::uint64_t count = packets * (part + 1) / parts - packets * part / parts;
    const std::int64_t at_ns = to_ns - static_cast<std::int64_t>(parts - 1 - part) * part_ns;
    if (count > 0) facts::add_to_course(at_ns, &facts::CoursePart::refused, course, count);
  }
}

}  // namespace

HandshakeSampler::LedgerKey HandshakeSampler::key_of(const facts::Ledger& ledger) {
  return {ledger.netns, ledger.port, ledger.address, ledger.since_ns};
}

// What was counted since.
std::vector<facts::Ledger> HandshakeSampler::growth(const std::vector<facts::Ledger>& base,
                                                    const std::vector<facts::Ledger>& ledgers) {
  std::map<LedgerKey, const facts::Ledger*> earlier;
  for (const facts::Ledger& ledger : base) earlier.emplace(key_of(ledger), &ledger);
  std::vector<facts::Ledger> grown;
  grown.reserve(ledgers.size());
  for (const facts::Ledger& ledger : ledgers) {
    const auto old = earlier.find(key_of(ledger));
    grown.push_back(old != earlier.end() ? facts::ledger_growth(*old->second, ledger) : ledger);
    facts::keep_most_refused(grown.back());
  }
  return grown;
}

void HandshakeSampler::follow_course() {
  constexpr std::int64_t kPeriodNs = 100'000'000;
  constexpr std::int64_t kRestFactor = 50;
  course_pace_ = Pace(kPeriodNs, kRestFactor);
  followed_since_ns_ = 0;
  followed_.clear();
}

void HandshakeSampler::note_course(const Books& books) {
  if (!course_pace_) return;
  const std::int64_t now_ns = source_.now_ns();
  const bool begins = followed_since_ns_ == 0;
  if (begins) followed_since_ns_ = now_ns;
  for (const facts::Ledger& ledger : books.ledgers) {
    const std::uint64_t refused = facts::refused_packets(ledger);
    Followed& followed = followed_[key_of(ledger)];
    const std::uint64_t before = std::exchange(followed.refused, refused);
    followed.course.begin_ns = followed_since_ns_;
    if (begins || refused <= before) continue;
    add_refused(noted_ns_, now_ns, refused - before, followed.course);
  }
  noted_ns_ = now_ns;
}

void HandshakeSampler::put_course(facts::Observation& observation) const {
  const facts::Snapshot& after = observation.after;
  for (facts::Ledger& ledger : observation.ledgers) {
    const auto followed = followed_.find(key_of(ledger));
    if (followed == followed_.end() || followed->second.course.parts.empty()) continue;
    ledger.course = followed->second.course;
    ledger.course->end_ns = after.monotonic_ns;
    ledger.course->realtime_ns = after.realtime_ns - (after.monotonic_ns - followed_since_ns_);
  }
}

void HandshakeSampler::look_every(std::int64_t period_ns, std::int64_t rest_factor) {
  pace_ = Pace(period_ns, rest_factor);
  handshakes_.look_every(std::chrono::nanoseconds(period_ns));
}

const std::vector<facts::Ledger>& HandshakeSampler::totals(Mark mark) const {
  static const std::vector<facts::Ledger> kNone;
  const auto books = books_.find(mark);
  return books != books_.end() ? books->second.before.ledgers : kNone;
}

void HandshakeSampler::tend(std::int64_t now_ns) {
  handshakes_.take(taker_);
  if (course_pace_ && course_pace_->is_due(now_ns)) {
    const std::int64_t begin_ns = source_.now_ns();
    note_course(handshakes_.books());
    course_pace_->done(begin_ns, source_.now_ns());
  }
  pace_.done(now_ns, source_.now_ns());
}

void HandshakeSampler::before_counters(Mark mark) {
  const Books& before = books_[mark].before = handshakes_.books();
  note_course(before);
}

void HandshakeSampler::after_counters(Mark mark) {
  if (!begins_after(books_[mark])) return;
  Base& base = books_[mark].base;
  base.books = handshakes_.books();
  base.at_ns = source_.now_ns();
  if (followed_since_ns_ == 0) note_course(base.books);
}

void HandshakeSampler::put(Mark from, Mark to, facts::Observation& observation) {
  observation.tracing = handshakes_.source();
  const BesideCounters& beside = books_.at(from);
  const Books& base = begins_after(beside) ? beside.base.books : beside.before;
  const Books& books = books_.at(to).before;
  observation.ledgers = growth(base.ledgers, books.ledgers);
  put_course(observation);
  observation.dead_syns = dead_syns_between(
      base, books, [this](const auto& namespaces) { return source_.local_addresses(namespaces); });
  keep_the_closed(observation.before, observation);
  if (known_) keep_the_closed(*known_, observation);
  take_over_backlogs(observation);
  handshakes_.note_shortfall(observation.after);
  if (observation.tracing && !observation.dead_syns) {
    observation.after.blind_spots.push_back(
        {.id = "AQ613",
         .scope = "host",
         .reason = "the tracepoint kfree_skb of this kernel tells no reason (Linux 5.17)",
         .cost = "SYNs that a packet filter or another rule of this host dropped before a listener "
                 "saw them are not in the report"});
  }
}

}  // namespace acceptq::collect
