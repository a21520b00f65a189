// Threads of which one works at a time: under an interpreter's lock, or under one of their own.
// Pure.
#pragma once

#include <cstdint>

#include "diagnose/causes/thread_habits.h"
#include "diagnose/causes/unseen.h"

namespace acceptq::diagnose {

// One of them runs at a time, and the others wait until they may: together they fill one core for
// that long, or wait for it. Of those that wait for a core several may have been woken.
[[nodiscard]] bool take_turns(const Threads& threads, double for_ns,
                              const facts::Listener& listener);

// Threads of which one runs at a time, handing on what lets it run many times a second, as under an
// interpreter's lock. Those beside them have nothing to do.
[[nodiscard]] Unseen that_take_turns(const Threads& all, const facts::Listener& listener,
                                     const Clues& clues);

// Threads that try many times a second to have their turn, while one of them at a time waits for
// something with it: a call that keeps the interpreter's lock.
[[nodiscard]] Unseen that_wait_for_one_with_the_turn(const Threads& all,
                                                     const facts::Listener& listener,
                                                     const Clues& clues);

// Threads that hand one lock around and work while they have it, where nobody else can have given
// them work: all but a first thread that never moved.
[[nodiscard]] Unseen that_share_a_lock(const Threads& all, const facts::Listener& listener,
                                       const Clues& clues);

// Threads that serve connections, of which one at a time has the lock that all others wait for, and
// waits for something with it.
[[nodiscard]] Unseen that_serve_under_a_lock(const Threads& all, const facts::Listener& listener,
                                             const Clues& clues);

// Threads that serve connections and log into one full pipe, one after the other: whoever has the
// log's lock waits for room, and the others wait for that lock, wherever it is.
[[nodiscard]] Unseen that_log_in_turns(const Threads& all, const facts::Listener& listener,
                                       const Clues& clues);

// Threads, each of a process of its own, at one lock around accept(): whoever waits for it has no
// connection of the listener, and whoever has it keeps all others from accepting. Perhaps, where
// their connections are not known: these may be for whom they want that lock.
enum class InTurns : std::uint8_t { kNo, kPerhaps, kYes };
[[nodiscard]] InTurns accept_in_turns(const Threads& threads, const facts::Listener& listener,
                                      const facts::Acceptors& acceptors);

}  // namespace acceptq::diagnose
