// Pools of threads that serve connections, and what whoever accepts waits for in them. Pure.
#pragma once

#include <cstdint>

#include "diagnose/causes/thread_habits.h"
#include "diagnose/causes/unseen.h"

namespace acceptq::diagnose {

// Those of a pool without a free thread: they do the same, and what they do is what an acceptor
// waits for that is not met. None where there is no such pool.
[[nodiscard]] Unseen exhausted_pool(const Threads& all, const facts::Listener& listener,
                                    const Clues& clues);

// Whoever accepts waits at a condition, not for a mutex that another thread has, while more clients
// wait than there are threads that serve them, or an unknown number: for room, perhaps, in the
// queue by which it hands them over.
[[nodiscard]] bool may_wait_for_room(const Threads& accepting, const Threads& all,
                                     const facts::Listener& listener, const Clues& clues);

// Threads that serve connections wait for others, of a second pool, which all do one thing: whoever
// accepts waits for these in the end.
[[nodiscard]] Unseen pool_behind_the_pool(const Threads& all, const facts::Listener& listener,
                                          const Clues& clues);

// Threads with a client each, of whom none is free: as many as clients that wait for an answer are
// blocked at their work, or at a lock. Where some are blocked, the others wait for these.
[[nodiscard]] Unseen threads_with_clients(const Threads& all, const facts::Listener& listener,
                                          const Clues& clues);

// Threads that serve connections wait for work, and one other thread can be the one that gives it
// to them. In an event loop's process any thread may go on with what another began.
[[nodiscard]] const facts::ThreadWatch* acceptor_beside_a_free_pool(const Threads& all,
                                                                    const facts::Listener& listener,
                                                                    const Clues& clues);

// Half of those that serve connections hang, or some that ask on behalf of all clients that there
// are, and the others wait for threads of theirs: in Varnish one fetches what another's client
// wants.
[[nodiscard]] Unseen pool_that_waits_for_itself(const Threads& all, const facts::Listener& listener,
                                                const Clues& clues);

// Two counts that differ by one in five at most.
[[nodiscard]] bool are_about_as_many(std::uint32_t some, std::uint32_t others);

// For each client that waits for an answer about one other server is asked. Of one or two, it may
// be for its own sake, as those ask who wait for a broker's events.
[[nodiscard]] bool asks_for_each(std::uint32_t asked, std::uint32_t waiting);

}  // namespace acceptq::diagnose
