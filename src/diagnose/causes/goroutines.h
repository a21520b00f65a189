// Threads of a runtime that runs its program's tasks in any of them and parks those that have none
// (with_parked_threads): which of them tell what the program does. Pure.
#pragma once

#include "diagnose/causes/thread_habits.h"
#include "diagnose/causes/unseen.h"

namespace acceptq::diagnose {

// The one thread in a call that does not end, or that ends once for each few of the connections
// that are taken, where all others have nothing to do: nothing else of the program is in the way.
// Null where there is none, or several.
[[nodiscard]] const facts::ThreadWatch* only_one_blocked(const Threads& threads,
                                                         const facts::Listener& listener,
                                                         const Clues& clues);

// Whether they are threads of such a runtime, as far as is known.
[[nodiscard]] bool has_parked(const Threads& threads);

// Nothing is taken, none of the clients that the process has waits for an answer, and nobody is
// asked for one. While a thread waits for events, a processor of the runtime has nothing to run
// (findRunnable, runtime/proc.go of Go): what other threads compute keeps no client.
[[nodiscard]] bool has_no_requests(const Threads& threads, const Clues& clues);

// The threads that run while none is blocked, where together they fill a core most of the time,
// connections are taken, and no other server is asked: what the program computes is what it does.
[[nodiscard]] Unseen goroutines_that_run(const Threads& all, const facts::Listener& listener,
                                         const Clues& clues);

}  // namespace acceptq::diagnose
