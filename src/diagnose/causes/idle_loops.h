// Event loops that have time and do not accept, as they have taken the listener out. Pure.
#pragma once

#include "diagnose/causes/thread_habits.h"

namespace acceptq::diagnose {

// Threads of an event loop that has taken the listener out have time, and its timer's sleeps.
[[nodiscard]] Threads idle_beside_timers(const Threads& all, const facts::Listener& listener);

// Threads that wait for the listener's clients, while all others have nothing to do: event loops
// that have taken the listener out of what they wait for.
[[nodiscard]] Threads loops_of_clients(const Threads& all, const facts::Listener& listener);

// The event loops of a process that has no request under way: it is known of each of its clients
// that nothing is due to them. What its other threads wait for is not on behalf of a client, and a
// nap that is over again and again would have let one accept.
[[nodiscard]] Threads loops_without_requests(const Threads& all, const facts::Listener& listener);

// The event loops of such a process that wait for its clients, while one thread waits at a lock by
// itself all the time, as one does at a limit of connections (Tomcat's LimitLatch); others may
// sleep or compute.
[[nodiscard]] Threads loops_of_clients_beside_a_latch(const Threads& all,
                                                      const facts::Listener& listener);

}  // namespace acceptq::diagnose
