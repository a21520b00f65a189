#include "diagnose/causes/accept_time.h"

#include <algorithm>
#include <map>
#include <set>

#include "diagnose/causes/class_shares.h"
#include "diagnose/causes/runtimes.h"
#include "diagnose/causes/thread_pools.h"
#include "diagnose/causes/unseen_threads.h"
#include "diagnose/rules.h"
#include "facts/holders.h"

namespace acceptq::diagnose {
namespace {

using facts::AcceptLink;
using facts::ThreadWatch;

constexpr double kNsPerSecond = 1e9;

std::set<Pid> owners_of(const facts::Listener& listener) {
  std::set<Pid> pids;
  for (const facts::OwnerRef& owner : listener.owners) pids.insert(owner.pid);
  return pids;
}

// Owners that have a parent among the owners: by parent.
std::map<Pid, std::set<Pid>> children_at(const facts::Snapshot& snapshot,
                                         const std::set<Pid>& owners) {
  std::map<Pid, std::set<Pid>> children;
  for (const Pid pid : owners) {
    const facts::Process* process = facts::find_process(snapshot, pid);
    if (process != nullptr && owners.contains(process->parent)) {
      children[process->parent].insert(pid);
    }
  }
  return children;
}

bool has_other_than(const std::set<Pid>& some, const std::set<Pid>& others) {
  return !std::ranges::includes(others, some);
}

// The parents that fork a process for each connection: their children come and go, and have the
// listener by inheritance alone. Workers of a pool stay.
std::set<Pid> that_fork(const facts::Observation& observation, const ListenerState& state) {
  if (state.before == nullptr) return {};
  const std::set<Pid> earlier = owners_of(*state.before);
  const std::set<Pid> later = owners_of(*state.listener);
  const auto children_before = children_at(observation.before, earlier);
  std::set<Pid> parents;
  for (const auto& [parent, children] : children_at(observation.after, later)) {
    const auto before = children_before.find(parent);
    if (before == children_before.end()) continue;
    if (has_other_than(children, earlier) && has_other_than(before->second, later)) {
      parents.insert(parent);
    }
  }
  return parents;
}

Threads join(Threads some, const Threads& more) {
  some.insert(some.end(), more.begin(), more.end());
  return some;
}

// They waited for events while the queue was as full as it gets.
bool wait_in_vain(const Threads& threads, const ListenerState& state) {
  double share = 0;
  for (const ThreadWatch* thread : threads) {
    if (thread->link == AcceptLink::kAccept) return false;
    share += class_shares(*thread, *state.listener)
                 .at(static_cast<std::size_t>(WaitClass::kConnections));
  }
  return does_not_empty(state) && share / static_cast<double>(threads.size()) >= kHasTime;
}

// One of them has gone on with what the one that waits began, or does something of its own.
bool one_computes(const Threads& threads, const facts::Listener& listener) {
  constexpr double kMostly = 0.6;
  return std::ranges::any_of(threads, [&](const ThreadWatch* thread) {
    return class_shares(*thread, listener).at(static_cast<std::size_t>(WaitClass::kRuns)) >=
           kMostly;
  });
}

bool has_closed(const Threads& threads) {
  return std::ranges::any_of(
      threads, [](const ThreadWatch* thread) { return thread->closed.value_or(0) > 0; });
}

// It begins workers and waits for what they, or whoever gives it orders, have to say: a server that
// does not accept for the clients that it has would wait for these. Of a single child it may wait
// for what that does for it.
bool is_master(const Threads& threads, std::size_t workers, const facts::Listener& listener) {
  constexpr double kAll = 0.95;
  double looks = 0;
  double at_orders = 0;
  if (has_closed(threads)) return false;
  for (const ThreadWatch* thread : threads) {
    for (const facts::Wait& wait : thread->waits) {
      looks += wait.looks;
      const bool has_none = wait.polled == facts::Polled::kNothing ||
                            wait.polled == facts::Polled::kPipes ||
                            (workers > 1 && classify(wait, listener) == WaitClass::kProcesses);
      if (has_none && !facts::is_about_socket(wait)) at_orders += wait.looks;
    }
  }
  return looks > 0 && at_orders >= kAll * looks;
}

// Those that have the listener and do not accept from it: masters of workers that have it, too, and
// whoever has none of its clients, and lets none go, where another has some. A parent may be the
// one that accepts and gives each client to a child.
void leave_out_bystanders(const facts::Observation& observation, const facts::Listener& listener,
                          const facts::Acceptors& acceptors, std::map<Pid, Threads>& others) {
  const auto parents = children_at(observation.after, owners_of(listener));
  const auto held = [&](Pid pid) { return held_connections(acceptors, pid); };
  const bool one_serves = std::ranges::any_of(
      others, [&](const auto& each) { return held(each.first).value_or(0) > 0; });
  std::set<Pid> present;
  for (const auto& each : others) present.insert(each.first);
  std::erase_if(others, [&](const auto& each) {
    const auto& [pid, threads] = each;
    if (const auto children = parents.find(pid); children != parents.end()) {
      const auto is_here = [&](Pid child) { return present.contains(child); };
      const auto workers = std::ranges::count_if(children->second, is_here);
      return is_master(threads, static_cast<std::size_t>(workers), listener);
    }
    return one_serves && held(pid) == 0U && !has_closed(threads);
  });
}

// A child that its parent has not waited for.
bool has_ended(const ThreadWatch& thread) {
  return !thread.waits.empty() &&
         (thread.waits.front().state == "Z" || thread.waits.front().state == "X");
}

// It accepts for another listener.
bool accepts_elsewhere(const ThreadWatch& thread, const facts::Listener& listener) {
  const auto is_elsewhere = [&](const facts::Wait& wait) {
    const bool accepts = wait.syscall == "accept" || wait.syscall == "accept4";
    return accepts && wait.fd && !facts::is_held_at(listener, {thread.pid, *wait.fd});
  };
  return !thread.waits.empty() && is_elsewhere(thread.waits.front());
}

void choose_threads(const facts::Observation& observation, const ListenerState& state,
                    const facts::Acceptors& acceptors, AcceptTime& time) {
  const facts::Listener& listener = *state.listener;
  const facts::Holders holders = facts::holders_of(observation.after, listener);
  std::map<Pid, Threads> seen;
  std::map<Pid, Threads> others;
  const std::set<Pid> forking = that_fork(observation, state);
  for (const ThreadWatch& thread : acceptors.threads) {
    if (thread.looks == 0 || has_ended(thread) || accepts_elsewhere(thread, listener)) continue;
    // Whoever was not seen at the listener is one of their children.
    if (!forking.empty() && thread.link == AcceptLink::kOwner && !forking.contains(thread.pid)) {
      continue;
    }
    if (holders.manager != nullptr && thread.pid == holders.manager->pid &&
        !holders.servers.empty()) {
      continue;
    }
    (thread.link != AcceptLink::kOwner ? seen : others)[thread.pid].push_back(&thread);
  }
  time.certainty = Certainty::kSeen;
  for (const auto& [pid, threads] : seen) {
    const Threads of_process = join(threads, others[pid]);
    others.erase(pid);
    // In a process that goes on with its work in any of its threads, those that wait for events are
    // not those that accept when they should.
    if (wait_in_vain(threads, state)) {
      if (Unseen pool = exhausted_pool(of_process, listener, state.report.left_queue.value_or(0));
          !pool.threads.empty()) {
        time.take_turns = pool.take_turns;
        time.threads.insert(time.threads.end(), pool.threads.begin(), pool.threads.end());
        time.certainty = std::max(time.certainty, pool.certainty);
        continue;
      }
      if (one_computes(of_process, listener)) {
        time.threads.insert(time.threads.end(), of_process.begin(), of_process.end());
        time.certainty = Certainty::kGroup;
        continue;
      }
    }
    time.threads.insert(time.threads.end(), threads.begin(), threads.end());
  }
  leave_out_bystanders(observation, listener, acceptors, others);
  // Workers that were somewhere else all the time; not a master, which waits for its children.
  std::vector<Unseen> unseen;
  unseen.reserve(others.size());
  const Clues clues{.taken = state.report.left_queue.value_or(0),
                    .is_in_epoll = acceptors.in_epoll > 0,
                    .has_event_loop = acceptors.in_epoll > 0 && acceptors.waited_for == 0,
                    .has_no_waiter = has_no_waiter(acceptors)};
  for (const auto& [pid, threads] : others) {
    unseen.push_back(unseen_threads(threads, listener, clues));
  }
  const bool some_are_busy =
      std::ranges::any_of(unseen, [](const Unseen& each) { return each.busy; });
  for (const Unseen& each : unseen) {
    // Whoever has its connections, or closes them, serves them, between whatever else it waits for.
    const bool serves = has_closed(each.threads) ||
                        held_connections(acceptors, each.threads.front()->pid).value_or(0) > 0;
    if (!each.busy && !serves && (some_are_busy || !seen.empty())) continue;
    time.threads.insert(time.threads.end(), each.threads.begin(), each.threads.end());
    time.certainty = std::max(time.certainty, each.certainty);
    time.take_turns = each.take_turns;
  }
  // Of several processes each has turns of its own.
  const auto of_one = [&](const ThreadWatch* thread) {
    return thread->pid == time.threads.front()->pid;
  };
  time.take_turns = time.take_turns && std::ranges::all_of(time.threads, of_one);
}

void add_times(const facts::Listener& listener, AcceptTime& time) {
  const auto has_more_looks = [](const facts::Wait& wait, const auto& than) {
    return !than || wait.looks > than->looks;
  };
  for (const ThreadWatch* thread : time.threads) {
    const facts::ExactTime* exact = exact_time(*thread);
    if (exact != nullptr) ++time.exact_threads;
    time.looks = std::max(time.looks, thread->looks);
    time.watched_seconds =
        std::max(time.watched_seconds, static_cast<double>(thread->watched_ns) / kNsPerSecond);
    time.seconds = std::max(time.seconds, watched_ns(*thread) / kNsPerSecond);
    const bool serves = time.certainty == Certainty::kServe;
    const ClassShares shares =
        serves ? shares_at_work(*thread, listener) : class_shares(*thread, listener);
    for (std::size_t i = 0; i < kWaitClasses; ++i) {
      time.classes.at(i).share += shares.at(i) / static_cast<double>(time.threads.size());
    }
    for (const facts::Wait& wait : thread->waits) {
      ClassTime& seen = time.classes.at(static_cast<std::size_t>(classify(wait, listener)));
      if (wait.target && has_more_looks(wait, seen.with_target)) seen.with_target = &wait;
      if (has_more_looks(wait, seen.most_seen)) seen.most_seen = wait;
    }
  }
}

// Threads that come and go, one for each connection, are watched for as long as their process is.
void add_watch_of_process(const facts::Acceptors& acceptors, AcceptTime& time) {
  const auto is_of_them = [&](const ThreadWatch& thread) {
    return std::ranges::any_of(time.threads,
                               [&](const ThreadWatch* other) { return other->pid == thread.pid; });
  };
  for (const ThreadWatch& thread : acceptors.threads) {
    if (!is_of_them(thread)) continue;
    time.looks = std::max(time.looks, thread.looks);
    time.seconds = std::max(time.seconds, watched_ns(thread) / kNsPerSecond);
    time.watched_seconds =
        std::max(time.watched_seconds, static_cast<double>(thread.watched_ns) / kNsPerSecond);
  }
}

// What was over before a look met it is known by its place alone.
void add_unseen_places(const facts::Listener& listener, AcceptTime& time) {
  const auto add = [&](facts::Wait wait) {
    ClassTime& what = time.classes.at(static_cast<std::size_t>(classify(wait, listener)));
    if (what.share > 0 && !what.most_seen) what.most_seen = std::move(wait);
  };
  for (const ThreadWatch* thread : time.threads) {
    const facts::ExactTime* exact = exact_time(*thread);
    if (exact == nullptr) continue;
    if (exact->on_core_ns + exact->ready_ns > 0) add({.state = "R"});
    for (const facts::BlockedTime& blocked : exact->blocked) {
      add({.state = blocked.state, .syscall = blocked.syscall, .stack = blocked.stack});
    }
  }
}

using Share = std::optional<double>;

// The mean over the threads; empty where it is not known of each.
template <typename Of>
Share mean(const AcceptTime& time, Of share_of) {
  double sum = 0;
  for (const ThreadWatch* thread : time.threads) {
    const Share share = share_of(*thread);
    if (!share) return std::nullopt;
    sum += std::min(*share, 1.0);
  }
  return sum / static_cast<double>(time.threads.size());
}

Share sampled(const ThreadWatch& thread, const std::optional<std::uint64_t>& ns) {
  if (!ns || thread.watched_ns <= 0) return std::nullopt;
  return static_cast<double>(*ns) / static_cast<double>(thread.watched_ns);
}

Share on_core(const ThreadWatch& thread) {
  if (const facts::ExactTime* exact = exact_time(thread)) {
    return static_cast<double>(exact->on_core_ns) / static_cast<double>(exact->counted_ns);
  }
  const Share user = sampled(thread, thread.times.user_ns);
  const Share system = sampled(thread, thread.times.system_ns);
  if (!user || !system) return std::nullopt;
  return *user + *system;
}

Share delayed(const ThreadWatch& thread) {
  if (const facts::ExactTime* exact = exact_time(thread)) {
    return static_cast<double>(exact->ready_ns) / static_cast<double>(exact->counted_ns);
  }
  return sampled(thread, thread.times.delay_ns);
}

// The same of threads of which one runs at a time, and which may come and go: of the time that one
// of them was watched for at most. Empty where it is not known of most of that.
template <typename Of>
Share together(const AcceptTime& time, Of share_of) {
  constexpr double kMost = 0.8;
  double longest = 0;
  double all = 0;
  double known = 0;
  double sum = 0;
  for (const ThreadWatch* thread : time.threads) {
    const double watched = watched_ns(*thread);
    longest = std::max(longest, watched);
    all += watched;
    const Share share = share_of(*thread);
    if (!share) continue;
    known += watched;
    sum += *share * watched;
  }
  if (longest <= 0 || known < kMost * all) return std::nullopt;
  return std::min(sum / longest, 1.0);
}

void add_cpu(AcceptTime& time) {
  const auto user = [](const ThreadWatch& thread) { return sampled(thread, thread.times.user_ns); };
  const auto system = [](const ThreadWatch& thread) {
    return sampled(thread, thread.times.system_ns);
  };
  const auto of = [&](auto share_of) {
    return time.take_turns ? together(time, share_of) : mean(time, share_of);
  };
  time.on_core = of(on_core);
  time.user = of(user);
  time.system = of(system);
  time.delayed = of(delayed);
}

// What a thread waits for its turn in, another runs in.
void add_turns(const facts::Listener& listener, AcceptTime& time) {
  constexpr auto kRuns = static_cast<std::size_t>(WaitClass::kRuns);
  const Share run = together(time, [&](const ThreadWatch& thread) -> Share {
    return class_shares(thread, listener).at(kRuns);
  });
  double& runs = time.classes.at(kRuns).share;
  const double rest = runs < 1 ? (1 - run.value_or(runs)) / (1 - runs) : 0;
  for (ClassTime& what : time.classes) what.share *= rest;
  runs = run.value_or(runs);
}

}  // namespace

double AcceptTime::idle() const {
  double share = 0;
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    if (is_idle(static_cast<WaitClass>(i))) share += classes.at(i).share;
  }
  return share;
}

bool does_not_empty(const ListenerState& state) {
  constexpr double kMostly = 0.8;
  return state.report.full_fraction.value_or(0) >= kMostly || is_stuck(state);
}

bool has_no_waiter(const facts::Acceptors& acceptors) {
  return acceptors.queue_looks > 0 && acceptors.waited_for == 0 && acceptors.in_epoll == 0;
}

std::optional<std::uint32_t> held_connections(const facts::Acceptors& acceptors, Pid pid) {
  const auto found = std::ranges::find(acceptors.held, pid, &facts::HeldConnections::pid);
  return found != acceptors.held.end() ? std::optional(found->most) : std::nullopt;
}

bool AcceptTime::has_shares() const {
  constexpr std::uint32_t kFewest = 5;
  constexpr double kShortest = 0.2;
  return (looks >= kFewest || is_exact()) && seconds >= kShortest;
}

std::optional<AcceptTime> accept_time(const facts::Observation& observation,
                                      const ListenerState& state) {
  const facts::Listener& listener = *state.listener;
  const auto& all = observation.accept_evidence.acceptors;
  const auto found = all.find(state.report.key);
  if (found == all.end()) return std::nullopt;
  AcceptTime time;
  time.retold = with_parked_threads(observation.after, found->second);
  const facts::Acceptors& acceptors = time.retold ? *time.retold : found->second;
  choose_threads(observation, state, acceptors, time);
  if (time.threads.empty()) return std::nullopt;
  add_times(listener, time);
  if (time.certainty == Certainty::kServe) add_watch_of_process(acceptors, time);
  add_unseen_places(listener, time);
  add_cpu(time);
  if (time.take_turns) add_turns(listener, time);
  return time;
}

}  // namespace acceptq::diagnose
