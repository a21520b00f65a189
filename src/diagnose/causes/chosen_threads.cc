#include "diagnose/causes/chosen_threads.h"

#include <algorithm>
#include <map>
#include <set>

#include "diagnose/causes/class_shares.h"
#include "diagnose/causes/goroutines.h"
#include "diagnose/causes/runtimes.h"
#include "diagnose/causes/taking_turns.h"
#include "diagnose/causes/thread_pools.h"
#include "diagnose/causes/unseen_threads.h"
#include "diagnose/rules.h"
#include "facts/holders.h"

namespace acceptq::diagnose {
namespace {

using facts::AcceptLink;
using facts::ThreadWatch;

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
  return std::ranges::any_of(threads, [&](const ThreadWatch* thread) {
    return class_shares(*thread, listener).at(static_cast<std::size_t>(WaitClass::kRuns)) >=
           kMostOfTime;
  });
}

// One of them waits, and not for work: whoever is to accept may wait for it.
bool one_is_stuck(const Threads& threads, const facts::Listener& listener) {
  return std::ranges::any_of(threads, [&](const ThreadWatch* thread) {
    const WaitClass what = mostly(*thread, listener);
    const bool is_known = is_at_work(what) && what != WaitClass::kSleep && is_never_idle(what);
    return is_known || (what == WaitClass::kOther && !may_have_nothing_to_do(*thread, listener));
  });
}

bool one_has_closed(const Threads& threads) {
  return std::ranges::any_of(threads,
                             [](const ThreadWatch* thread) { return has_closed(*thread); });
}

// It begins workers and waits for what they, or whoever gives it orders, have to say: a server that
// does not accept for the clients that it has would wait for these. Of a single child it may wait
// for what that does for it.
bool is_master(const Threads& threads, std::size_t workers, const facts::Listener& listener) {
  constexpr double kAll = 0.95;
  double looks = 0;  // of which it is known what it waited for
  double at_orders = 0;
  if (one_has_closed(threads)) return false;
  for (const ThreadWatch* thread : threads) {
    for (const facts::Wait& wait : thread->waits) {
      const bool waits_for_any = facts::is_polling(wait) || facts::waits_by_epoll(wait);
      if (wait.state == "R" || (waits_for_any && !wait.polled)) continue;
      looks += wait.looks;
      const bool has_none = wait.polled == facts::Polled::kNothing ||
                            wait.polled == facts::Polled::kPipes ||
                            (workers > 1 && classify(wait, listener) == WaitClass::kProcesses);
      if (has_none && !facts::is_about_socket(wait)) at_orders += wait.looks;
    }
  }
  return looks > 0 && at_orders >= kAll * looks;
}

Threads threads_of(const facts::Acceptors& acceptors, Pid pid) {
  Threads threads;
  for (const ThreadWatch& thread : acceptors.threads) {
    if (thread.pid == pid) threads.push_back(&thread);
  }
  return threads;
}

// The parents that fork a process for each connection: their children come and go, and have the
// listener by inheritance alone. Workers of a pool stay, but for those that their master ends and
// begins anew; and it waits for orders.
std::set<Pid> that_fork(const facts::Observation& observation, const ListenerState& state,
                        const facts::Acceptors& acceptors) {
  if (state.before == nullptr) return {};
  const std::set<Pid> earlier = owners_of(*state.before);
  const std::set<Pid> later = owners_of(*state.listener);
  const auto children_before = children_at(observation.before, earlier);
  std::set<Pid> parents;
  for (const auto& [parent, children] : children_at(observation.after, later)) {
    const auto before = children_before.find(parent);
    if (before == children_before.end()) continue;
    const bool come_and_go =
        has_other_than(children, earlier) && has_other_than(before->second, later);
    if (come_and_go && !is_master(threads_of(acceptors, parent), 1, *state.listener)) {
      parents.insert(parent);
    }
  }
  return parents;
}

// It may not run since it waited for events, as one without a client does.
bool is_held_back_idle(const ThreadWatch* thread, const facts::Listener& listener) {
  if (thread == nullptr || thread->waits.empty()) return false;
  const WaitClass what = mostly(*thread, listener);
  facts::Wait before = thread->waits.front();
  before.state = "S";
  before.stack = {};
  return (what == WaitClass::kStopped || what == WaitClass::kFrozen) &&
         classify(before, listener) == WaitClass::kConnections;
}

// A process of the same name and parent as one that has clients, a worker as it is, that may not
// run and has none for that reason.
bool is_stopped_worker(const facts::Snapshot& snapshot, const facts::Listener& listener,
                       const Threads& threads, const std::set<Pid>& serving) {
  const facts::Process* own = facts::find_process(snapshot, threads.front()->pid);
  return own != nullptr && is_held_back_idle(main_thread(threads), listener) &&
         std::ranges::any_of(serving, [&](Pid pid) {
           const facts::Process* other = facts::find_process(snapshot, pid);
           return other != nullptr && other->parent == own->parent && other->comm == own->comm;
         });
}

// Those that have the listener and do not accept from it: masters of workers that have it, too, and
// whoever has none of its clients, and lets none go, where another has some. A parent may be the
// one that accepts and gives each client to a child.
void leave_out_bystanders(const facts::Observation& observation, const facts::Listener& listener,
                          const facts::Acceptors& acceptors, std::map<Pid, Threads>& others) {
  const auto parents = children_at(observation.after, owners_of(listener));
  const auto held = [&](Pid pid) { return held_connections(acceptors, pid); };
  std::set<Pid> present;
  std::set<Pid> serving;
  for (const auto& [pid, threads] : others) {
    present.insert(pid);
    if (held(pid).value_or(0) > 0 || one_has_closed(threads)) serving.insert(pid);
  }
  std::erase_if(others, [&](const auto& each) {
    const auto& [pid, threads] = each;
    if (const auto children = parents.find(pid); children != parents.end()) {
      const auto is_here = [&](Pid child) { return present.contains(child); };
      const auto workers =
          static_cast<std::size_t>(std::ranges::count_if(children->second, is_here));
      if (is_master(threads, workers, listener)) return true;
      // It may have threads for other things as well.
      const bool they_serve = std::ranges::any_of(
          children->second, [&](Pid child) { return held(child).value_or(0) > 0; });
      const ThreadWatch* first = main_thread(threads);
      return they_serve && held(pid) == 0U && !one_has_closed(threads) && first != nullptr &&
             is_master({first}, workers, listener);
    }
    return !serving.empty() && !serving.contains(pid) && held(pid) == 0U &&
           !is_stopped_worker(observation.after, listener, threads, serving);
  });
}

// A child that its parent has not waited for.
bool has_ended(const ThreadWatch& thread) {
  return !thread.waits.empty() &&
         (thread.waits.front().state == "Z" || thread.waits.front().state == "X");
}

// Null where its descriptors were not looked into.
const facts::HeldConnections* held_by(const facts::Acceptors& acceptors, Pid pid) {
  const auto found = std::ranges::find(acceptors.held, pid, &facts::HeldConnections::pid);
  return found != acceptors.held.end() ? &*found : nullptr;
}

bool has_another(const facts::Snapshot& snapshot, const facts::Listener& listener, Pid pid) {
  return std::ranges::any_of(snapshot.listeners, [&](const facts::Listener& other) {
    return std::ranges::find(other.owners, pid, &facts::OwnerRef::pid) != other.owners.end() &&
           !facts::has_same_key(other, listener);
  });
}

Clues clues_of(const facts::Observation& observation, const ListenerState& state,
               const facts::Acceptors& acceptors, Pid pid) {
  constexpr double kSteady = 0.95;
  const facts::HeldConnections* held = held_by(acceptors, pid);
  return {.taken = state.report.left_queue.value_or(0),
          .is_only = !has_another(observation.after, *state.listener, pid),
          .is_in_epoll = acceptors.in_epoll > 0,
          .has_event_loop = acceptors.in_epoll > 0 && acceptors.waited_for == 0,
          .has_no_waiter = has_no_waiter(acceptors),
          .held = held != nullptr ? std::optional(held->most) : std::nullopt,
          .held_steadily = held != nullptr && held->mean && *held->mean >= kSteady * held->most,
          .unanswered = held != nullptr ? held->unanswered : std::nullopt,
          .asked = held != nullptr ? held->asked : std::nullopt};
}

// It has no client, as far as is known, for whom it would wait for another server.
bool asks_for_itself(const Unseen& process, const facts::Listener& listener, const Clues& clues) {
  return clues.taken == 0 && clues.held.value_or(0) == 0 &&
         std::ranges::all_of(process.threads, [&](const ThreadWatch* thread) {
           return mostly(*thread, listener) == WaitClass::kPeer;
         });
}

// It accepts for another listener.
bool accepts_elsewhere(const ThreadWatch& thread, const facts::Listener& listener) {
  const auto is_elsewhere = [&](const facts::Wait& wait) {
    const bool accepts = wait.syscall == "accept" || wait.syscall == "accept4";
    return accepts && wait.fd && !facts::is_held_at(listener, {thread.pid, *wait.fd});
  };
  return !thread.waits.empty() && is_elsewhere(thread.waits.front());
}

}  // namespace

bool does_not_empty(const ListenerState& state) {
  constexpr double kMostly = 0.8;
  return state.report.full_fraction.value_or(0) >= kMostly || is_stuck(state);
}

bool has_no_waiter(const facts::Acceptors& acceptors) {
  return acceptors.queue_looks > 0 && acceptors.waited_for == 0 && acceptors.in_epoll == 0;
}

std::optional<std::uint32_t> held_connections(const facts::Acceptors& acceptors, Pid pid) {
  const facts::HeldConnections* held = held_by(acceptors, pid);
  return held != nullptr ? std::optional(held->most) : std::nullopt;
}

void Chosen::add(const Unseen& more) {
  threads.insert(threads.end(), more.threads.begin(), more.threads.end());
  certainty = std::max(certainty, more.certainty);
  take_turns = more.take_turns;
}

Chosen choose_threads(const facts::Observation& observation, const ListenerState& state,
                      const facts::Acceptors& acceptors) {
  Chosen chosen;
  const facts::Listener& listener = *state.listener;
  const facts::Holders holders = facts::holders_of(observation.after, listener);
  std::map<Pid, Threads> seen;
  std::map<Pid, Threads> others;
  const std::set<Pid> forking = that_fork(observation, state, acceptors);
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
  chosen.certainty = Certainty::kSeen;
  for (const auto& [pid, threads] : seen) {
    const Threads of_process = join(threads, others[pid]);
    others.erase(pid);
    const Clues clues = clues_of(observation, state, acceptors, pid);
    if (Unseen running = goroutines_that_run(of_process, listener, clues);
        !running.threads.empty()) {
      chosen.add(running);
      continue;
    }
    // In a process that goes on with its work in any of its threads, those that wait for events are
    // not those that accept when they should.
    if (wait_in_vain(threads, state) && !has_no_requests(of_process, clues)) {
      if (Unseen pool = exhausted_pool(of_process, listener, clues); !pool.threads.empty()) {
        chosen.add(pool);
        continue;
      }
      if (const ThreadWatch* blocked = only_one_blocked(of_process, listener, clues)) {
        chosen.threads.push_back(blocked);
        chosen.certainty = std::max(chosen.certainty, Certainty::kRest);
        continue;
      }
      // Of Go it may have none, if these are not known.
      const bool may_have_no_requests = has_parked(of_process) && clues.taken == 0 && !clues.held;
      const bool may_be_kept = (one_computes(of_process, listener) && !may_have_no_requests) ||
                               (clues.taken == 0 && one_is_stuck(of_process, listener));
      if (may_be_kept) {
        chosen.threads.insert(chosen.threads.end(), of_process.begin(), of_process.end());
        chosen.certainty = Certainty::kGroup;
        continue;
      }
    }
    if (may_wait_for_room(threads, of_process, listener, clues)) {
      Unseen pool = clues.unanswered ? exhausted_pool(of_process, listener, clues) : Unseen{};
      if (pool.threads.empty()) pool.threads = of_process;
      chosen.add(pool);
      continue;
    }
    chosen.threads.insert(chosen.threads.end(), threads.begin(), threads.end());
  }
  leave_out_bystanders(observation, listener, acceptors, others);
  // Workers that were somewhere else all the time; not a master, which waits for its children.
  std::vector<Unseen> unseen;
  unseen.reserve(others.size());
  for (const auto& [pid, threads] : others) {
    const Clues clues = clues_of(observation, state, acceptors, pid);
    unseen.push_back(unseen_threads(threads, listener, clues));
    // Beside others that may be the ones that accept.
    if (asks_for_itself(unseen.back(), listener, clues)) unseen.back().busy = false;
  }
  const bool some_are_busy =
      std::ranges::any_of(unseen, [](const Unseen& each) { return each.busy; });
  for (const Unseen& each : unseen) {
    // Whoever has its connections, or closes them, serves them, between whatever else it waits for.
    const bool serves = one_has_closed(each.threads) ||
                        held_connections(acceptors, each.threads.front()->pid).value_or(0) > 0;
    if (!each.busy && !serves && (some_are_busy || !seen.empty())) continue;
    chosen.add(each);
  }
  // Of several processes each has turns of its own.
  const auto of_one = [&](const ThreadWatch* thread) {
    return thread->pid == chosen.threads.front()->pid;
  };
  chosen.take_turns = chosen.take_turns && std::ranges::all_of(chosen.threads, of_one);
  const InTurns in_turns = accept_in_turns(chosen.threads, listener, acceptors);
  chosen.take_turns = chosen.take_turns || in_turns == InTurns::kYes;
  chosen.may_take_turns = in_turns == InTurns::kPerhaps;
  return chosen;
}

}  // namespace acceptq::diagnose
