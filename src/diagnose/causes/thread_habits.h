// What one thread of a server does most of the time, and whether it may have nothing to do. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "diagnose/causes/class_shares.h"
#include "facts/listener.h"
#include "facts/threads.h"

namespace acceptq::diagnose {

using Threads = std::vector<const facts::ThreadWatch*>;

// From this share on, what is done is done most of the time.
inline constexpr double kMostOfTime = 0.6;

// What a thread did most of the time.
[[nodiscard]] WaitClass mostly(const facts::ThreadWatch& thread, const facts::Listener& listener);

// It waits for another server to say something of itself, as one that is told of events does.
[[nodiscard]] bool waits_for_events_of_a_peer(const facts::ThreadWatch& thread,
                                              const facts::Listener& listener);

// At a mutex that another thread of its process has.
[[nodiscard]] bool waits_for_mutex(const facts::ThreadWatch& thread);

// At a lock that somebody else has, in memory or of a file: nobody waits for work so.
[[nodiscard]] bool is_for_taken_lock(const facts::Wait& wait);
[[nodiscard]] bool waits_for_taken_lock(const facts::ThreadWatch& thread);

// In a place that a thread without anything to do is in as well. In a pool, those wait at a lock
// until there is work.
[[nodiscard]] bool may_have_nothing_to_do(const facts::ThreadWatch& thread,
                                          const facts::Listener& listener);

// It has nothing to do, perhaps, or is told of events by another server: no work keeps it.
[[nodiscard]] bool is_beside_the_work(const facts::ThreadWatch& thread,
                                      const facts::Listener& listener);

// A sleep that a lock's timer ends, in which it may be instead of accepting.
[[nodiscard]] bool may_sleep(const facts::ThreadWatch& thread, const facts::Listener& listener);

// It waits where those wait that have nothing to do, and was not woken: it is not at work.
[[nodiscard]] bool is_parked(const facts::ThreadWatch& thread, const facts::Listener& listener);

// What a thread is at that has something to do; locks are where others wait for it.
[[nodiscard]] bool is_at_work(WaitClass what);

[[nodiscard]] bool has_closed(const facts::ThreadWatch& thread);

[[nodiscard]] Threads that_closed(const Threads& all);

// Work that a thread of no server is seldom in for long.
[[nodiscard]] std::optional<WaitClass> blocked_at_work(const facts::ThreadWatch& thread,
                                                       const facts::Listener& listener);

[[nodiscard]] const facts::ThreadWatch* main_thread(const Threads& threads);

// How long a process was watched: its threads may come and go meanwhile.
[[nodiscard]] double longest_watch(const Threads& all);

[[nodiscard]] bool moves_often(const facts::ThreadWatch& thread);

// How often it left its core.
[[nodiscard]] std::uint64_t turns_of(const facts::ThreadWatch& thread);

// It was counted in accept(), if never seen there: it waits elsewhere most of the time.
[[nodiscard]] bool was_counted_in_accept(const facts::ThreadWatch& thread);

// A timer ends its waits at a lock, once for each connection that is taken, as the sleeps of Java
// and Ruby end that are between two calls of accept().
[[nodiscard]] bool sleeps_for_each(const facts::ThreadWatch& thread,
                                   const facts::Listener& listener, std::uint64_t taken);

// The shares of such a thread, whose waits for a lock with a timer are sleeps.
[[nodiscard]] ClassShares sleeping(ClassShares shares);

// The shares of a thread, of which a wait for a lock with a timer is a sleep where it serves
// connections between such waits, and nobody of its process ends them.
[[nodiscard]] ClassShares shares_at_work(const facts::ThreadWatch& thread,
                                         const facts::Listener& listener);

// Of a wait at work: no thread waits there for work, or for events.
[[nodiscard]] bool is_never_idle(WaitClass work);

// Whether what threads do is over once for each few of the connections that were taken. What waits
// beside them for its own sake is not.
[[nodiscard]] bool keep_pace(std::uint64_t turns, std::uint64_t taken);

}  // namespace acceptq::diagnose
