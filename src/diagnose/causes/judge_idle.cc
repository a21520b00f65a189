// Threads that have time, while connections wait or are refused.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "diagnose/causes/judges.h"
#include "diagnose/causes/thread_pools.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

constexpr double kIdle = 0.8;

// The share of the looks at all threads for which `is` holds.
template <typename Is>
double share_of_looks(const Scene& scene, Is is) {
  double share = 0;
  for (const facts::ThreadWatch* thread : scene.time.threads) {
    for (const facts::Wait& wait : thread->waits) {
      if (is(wait)) share += static_cast<double>(wait.looks) / thread->looks;
    }
  }
  return share / static_cast<double>(scene.time.threads.size());
}

// The share of time in poll() of which it is not known whether that was for one connection, of a
// client say: only wait queues tell.
double may_be_for_one(const Scene& scene) {
  const facts::Acceptors* acceptors = acceptors_of(scene);
  if (acceptors != nullptr && acceptors->queue_looks > 0) return 0;
  return share_of_looks(scene, facts::is_polling);
}

// The share of time in io_uring_enter() of threads whose ring does not hold the listener: what they
// wait for is in the ring, and anything may be.
double may_be_for_anything(const Scene& scene) {
  const facts::Acceptors* acceptors = acceptors_of(scene);
  if (acceptors != nullptr && acceptors->in_epoll > 0) return 0;
  return share_of_looks(scene,
                        [](const facts::Wait& wait) { return wait.syscall == "io_uring_enter"; });
}

// Of threads of which any may be the one that accepts, one is not idle.
bool one_may_be_busy(const Scene& scene) {
  return scene.time.certainty == Certainty::kGroup &&
         std::ranges::any_of(scene.time.threads, [&](const facts::ThreadWatch* thread) {
           return idle_share(class_shares(*thread, *scene.state.listener)) < kIdle;
         });
}

// Of all, or of any, of the processes it is known that they have some of the listener's
// connections.
enum class Serves : std::uint8_t { kNobody, kSomebody, kUnknown };

Serves serves(const Scene& scene) {
  const facts::Acceptors* acceptors = acceptors_of(scene);
  Serves all = Serves::kNobody;
  for (const facts::ThreadWatch* thread : scene.time.threads) {
    const auto held = acceptors != nullptr ? held_connections(*acceptors, thread->pid)
                                           : std::optional<std::uint32_t>();
    if (held.value_or(0) > 0) return Serves::kSomebody;
    if (!held) all = Serves::kUnknown;
  }
  return all;
}

// Empty where one of them is not known.
std::optional<double> sum_of(std::optional<double> some, std::optional<double> more) {
  return some && more ? std::optional(*some + *more) : std::nullopt;
}

// What the connections of these processes wait for, of those that were looked into.
facts::HeldConnections held_by_all(const Scene& scene) {
  facts::HeldConnections all;
  const facts::Acceptors* acceptors = acceptors_of(scene);
  if (acceptors == nullptr) return all;
  all.mean = all.mean_asked = 0;
  const std::set<Pid> pids = scene.processes();
  for (const facts::HeldConnections& held : acceptors->held) {
    if (!pids.contains(held.pid)) continue;
    all.mean = sum_of(all.mean, held.mean);
    all.mean_asked = sum_of(all.mean_asked, held.mean_asked);
    all.most += held.most;
    // Of one that is not known, nothing of all is.
    if (!held.silent || !held.asked) return {};
    all.silent = all.silent.value_or(0) + *held.silent;
    all.asked = all.asked.value_or(0) + *held.asked;
    // In earlier recordings any of its clients may wait for an answer.
    all.unanswered = all.unanswered.value_or(0) + held.unanswered.value_or(held.most);
    if (!all.peer) {
      all.peer = held.peer;
      all.peer_port = held.peer_port;
    }
  }
  return all;
}

// It has one client, who has said nothing. Several keep it at its limit, as others would.
bool has_a_silent_client(const facts::HeldConnections& held) {
  return held.most == 1 && held.silent == 1U;
}

// For its client, or between two, it looks up a name most of the time: nobody waits for events of a
// name server.
bool looks_up_names(const facts::HeldConnections& held) {
  constexpr double kMostly = 0.8;
  return held.peer && answers_for_names(held.peer_port) && held.mean_asked.value_or(0) >= kMostly &&
         are_about_as_many(held.asked.value_or(0), std::max(held.unanswered.value_or(0), 1U));
}

bool asks_for_clients(const facts::HeldConnections& held) {
  return held.peer && (looks_up_names(held) ||
                       asks_for_each(held.asked.value_or(0), held.unanswered.value_or(0)));
}

// A Go program at its own limit of connections has about as many at each look: whoever ends one
// lets one in. Without, whatever the goroutine that accepts waits for decides: a timer, an answer.
bool may_be_below_its_limit(const facts::HeldConnections& held) {
  constexpr double kAbout = 0.8;
  return held.mean && *held.mean < kAbout * held.most;
}

// What it waits for may be its only client, who says nothing, or somebody else who is asked, for
// its clients' sake or not.
bool waits_for_either(const Scene& scene) {
  const facts::HeldConnections held = held_by_all(scene);
  // Whoever asks again and again has had his answer at one look or another.
  const double asked = held.mean_asked.value_or(held.asked.value_or(0));
  constexpr double kMostly = 0.5;
  if (asked < kMostly) return false;
  const std::uint32_t wait = held.unanswered.value_or(0);
  return has_a_silent_client(held) || (wait > 0 && asked * 2 >= wait && !asks_for_clients(held));
}

// Its process serves another socket of the same SO_REUSEPORT group, which has room: its connections
// may be of that one, and nothing keeps it from taking more.
bool serves_another_of_the_group(const Scene& scene) {
  const auto& group = scene.state.report.reuseport_group;
  if (!group) return false;
  return std::ranges::any_of(scene.observation.after.listeners, [&](const auto& other) {
    return has_much_room(other, other.accept_queue_len) && facts::reuseport_key(other) == *group &&
           !facts::has_same_key(other, *scene.state.listener) &&
           facts::has_common_owner(other, *scene.state.listener);
  });
}

// Of one that has time, and takes nothing for it waits at its connections: for answers of another
// server on behalf of its clients, or for a client that has said nothing.
std::optional<JudgedCause> waits_at_connections(const Scene& scene, double idle) {
  const facts::HeldConnections held = held_by_all(scene);
  const std::uint32_t asked = held.asked.value_or(0);
  JudgedCause judged{
      .cause = {.kind = CauseKind::kUpstream, .share = std::min(idle, 1.0), .detail = {}},
      .confidence = 0.6,
      .words = {},
      .consequence = {}};
  if (asks_for_clients(held)) {
    const std::string peer = facts::host_and_port(*held.peer, held.peer_port.value_or(0));
    judged.cause.detail["peer"] = peer;
    judged.cause.detail["connections"] = std::to_string(asked);
    judged.words =
        fmt::format("waits for answers, at {} of its connections (one to {})", asked, peer);
    if (looks_up_names(held)) {
      judged.cause.detail["waits_for"] = "name";
      judged.words = fmt::format("waits for an answer of {}, a name server", peer);
    }
    judged.consequence =
        "Its threads have time, and it accepts nothing meanwhile: it has as many requests under "
        "way "
        "as it may have, or waits for an answer before it accepts again.";
    return judged;
  }
  if (has_a_silent_client(held)) {
    judged.cause.kind = CauseKind::kClient;
    judged.cause.detail["waits_for"] = "data";
    judged.words = "waits for its only client, of whom nothing has come";
    judged.consequence = "Its threads have time, and it accepts nothing before that one speaks.";
    return judged;
  }
  return std::nullopt;
}

bool has_moved(const AcceptTime& time) {
  return std::ranges::any_of(time.threads, [](const facts::ThreadWatch* thread) {
    return thread->times.voluntary.value_or(1) > 0;
  });
}

// It only sleeps, and is known to serve nobody, or slept by one timer all the time.
bool has_nothing_to_do(const Scene& scene) {
  return only_sleeps(scene) && (!has_moved(scene.time) || serves(scene) == Serves::kNobody);
}

// No connection of the listener, now or while it was watched, and nothing of it waits for one.
bool has_taken_nothing(const Scene& scene) {
  const facts::Acceptors* acceptors = acceptors_of(scene);
  return acceptors != nullptr && has_no_waiter(*acceptors) && scene.state.report.left_queue == 0U &&
         serves(scene) != Serves::kSomebody;
}

// How long the youngest of these processes has run, where it has not run for long; empty of others.
std::optional<double> just_started(const Scene& scene) {
  constexpr double kNsPerSecond = 1e9;
  constexpr double kTicksPerSecond = 100;  // USER_HZ of every architecture that is built for
  constexpr double kLong = 60;
  const facts::Snapshot& after = scene.observation.after;
  std::optional<double> youngest;
  for (const facts::ThreadWatch* thread : scene.time.threads) {
    const facts::Process* process = facts::find_process(after, thread->pid);
    if (process == nullptr || process->start_ticks == 0) continue;
    const double age = static_cast<double>(after.monotonic_ns) / kNsPerSecond -
                       static_cast<double>(process->start_ticks) / kTicksPerSecond;
    if (age < 0 || age >= kLong) continue;
    youngest = std::min(youngest.value_or(age), age);
  }
  return youngest;
}

}  // namespace

const facts::Acceptors* acceptors_of(const Scene& scene) {
  const auto& all = scene.observation.accept_evidence.acceptors;
  const auto it = all.find(scene.state.report.key);
  return it != all.end() ? &it->second : nullptr;
}

bool is_in_epoll(const Scene& scene) {
  const facts::Acceptors* acceptors = acceptors_of(scene);
  return acceptors != nullptr && acceptors->in_epoll > 0;
}

bool only_sleeps(const Scene& scene) {
  // But for what it does in between: it starts a worker again, or waits for a core to go to sleep.
  constexpr double kAlways = 0.9;
  constexpr double kMostRuns = 0.5;
  const double runs = scene.time.of(WaitClass::kRuns).share;
  const double sleeps = scene.time.of(WaitClass::kSleep).share;
  // A shell waits for the child that sleeps.
  const double waits = scene.time.of(WaitClass::kProcesses).share;
  return runs <= kMostRuns && sleeps > 0 && sleeps + waits >= kAlways * (1 - runs) &&
         scene.state.report.left_queue.value_or(0) == 0 && serves(scene) != Serves::kSomebody &&
         !is_in_epoll(scene);
}

bool waits_for_children(const Scene& scene) {
  return scene.time.of(WaitClass::kProcesses).share >= kIdle &&
         held_by_all(scene).unanswered.value_or(0) > 0;
}

std::optional<JudgedCause> judge_not_accepting(const Scene& scene) {
  constexpr double kLongEnough = 1;  // seconds
  const AcceptTime& time = scene.time;
  const bool sleeps = has_nothing_to_do(scene);
  const double idle = sleeps ? time.of(WaitClass::kSleep).share + time.of(WaitClass::kRuns).share +
                                   time.of(WaitClass::kProcesses).share
                             : time.idle() - may_be_for_one(scene) - may_be_for_anything(scene);
  // It may be counted later than looked at.
  const double seconds = std::max(time.seconds, time.watched_seconds);
  if (!time.has_shares() || seconds < kLongEnough || idle < kIdle || !does_not_empty(scene.state) ||
      may_lack_descriptors(scene) || one_may_be_busy(scene)) {
    return std::nullopt;
  }
  // A goroutine that waits has no thread: only its connections tell.
  if (time.retold && serves(scene) == Serves::kUnknown) return std::nullopt;
  if (!sleeps && scene.time.of(WaitClass::kProcesses).share < kIdle &&
      !serves_another_of_the_group(scene)) {
    if (waits_for_either(scene)) return std::nullopt;
    if (auto waits = waits_at_connections(scene, idle)) return waits;
  }
  JudgedCause judged{
      .cause = {.kind = CauseKind::kNotAccepting, .share = std::min(idle, 1.0), .detail = {}},
      .confidence = 0.75,
      .words = "has time, and does not call accept()",
      .consequence =
          "It may be at its own limit of connections, wait for something else in an event loop of "
          "its own, or nothing in it is there to accept them."};
  if (waits_for_children(scene)) return std::nullopt;
  const std::uint32_t open = held_by_all(scene).most;
  const std::string may_be_at_limit =
      open > 0 ? fmt::format("It has {} of this listener open: it may be at its own limit of these",
                             connections(open))
               : "It may be at its own limit of connections";
  if (open > 0) {
    judged.cause.detail["connections"] = std::to_string(open);
    judged.consequence =
        may_be_at_limit + ", or wait for something else in an event loop of its own.";
  }
  if (time.of(WaitClass::kProcesses).share >= kIdle) {
    judged.confidence = 0.9;
    judged.words = "waits for its child processes, and does not call accept()";
    judged.consequence =
        "It may have as many of them as it may have: what they do decides when the next connection "
        "is taken.";
    judged.cause.detail["waits_for"] = "children";
    return judged;
  }
  if (const std::uint64_t taken = scene.state.report.left_queue.value_or(0); taken > 0) {
    if (time.retold && may_be_below_its_limit(held_by_all(scene))) return std::nullopt;
    judged.title = "the process seldom calls accept()";
    judged.words = "has time, and calls accept() only now and then";
    judged.consequence = may_be_at_limit +
                         ", or wait for something else in between, as in an event loop of its own.";
    judged.cause.detail["taken"] = std::to_string(taken);
  }
  const facts::Acceptors* acceptors = acceptors_of(scene);
  if (acceptors != nullptr && has_no_waiter(*acceptors)) {
    // Of a group another thread may be the one that is to accept, and wait for a lock.
    judged.confidence = scene.time.certainty == Certainty::kGroup ? 0.75 : 0.95;
    judged.words = fmt::format("{}, and no thread or epoll of it waits for this listener",
                               sleeps ? "sleeps" : "has time");
    judged.cause.detail["waiters"] = "0";
  }
  constexpr double kLongSleep = 10;  // seconds
  if (sleeps && !has_moved(time) && seconds < kLongSleep) {
    judged.confidence = 0.75;
    judged.consequence =
        "It slept all the time: either it has only inherited the socket, or it will go on later "
        "than acceptq watched (--for 10s tells).";
  }
  if (const auto age = just_started(scene); age && has_taken_nothing(scene)) {
    judged.confidence = std::min(judged.confidence, 0.75);
    judged.consequence =
        fmt::format("It was started {:.0f} s ago, and may not have come to accept yet. {}", *age,
                    judged.consequence);
    judged.cause.detail["started_s_ago"] = fmt::format("{:.0f}", *age);
  }
  if (const auto& wait = time.of(WaitClass::kConnections).most_seen; wait && wait->syscall) {
    judged.cause.detail["syscall"] = *wait->syscall;
  }
  return judged;
}

std::optional<JudgedCause> judge_burst(const Scene& scene) {
  const ListenerState& state = scene.state;
  constexpr double kSeldom = 0.25;
  const bool drains = state.report.full_fraction && *state.report.full_fraction < kSeldom &&
                      !is_slow(state) && state.report.left_queue.value_or(1) > 0;
  if (!state.by_accept_queue || !drains || !scene.time.has_shares() ||
      scene.time.idle() < kHasTime) {
    return std::nullopt;
  }
  // Also where it cannot be told why it has no core.
  if (share_without_core(scene) >= scene.time.idle()) return std::nullopt;
  JudgedCause judged{
      .cause = {.kind = CauseKind::kBurst, .share = {}, .detail = {}},
      .confidence = scene.time.certainty == Certainty::kSeen ? 0.9 : 0.7,
      .words = "keeps up: connections come in bursts that are larger than the queue",
      .consequence = "Here a longer queue helps: it has to hold a burst until it is taken."};
  judged.cause.detail["idle"] = fmt::format("{:.2f}", scene.time.idle());
  if (state.listener->limit) {
    judged.cause.detail["limit"] = std::to_string(state.listener->limit->value());
  }
  return judged;
}

}  // namespace acceptq::diagnose
