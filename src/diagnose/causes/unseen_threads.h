// Which threads of a process decide how fast it accepts, where none was seen to. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "diagnose/causes/class_shares.h"
#include "facts/listener.h"
#include "facts/threads.h"

namespace acceptq::diagnose {

// How certain it is that these threads are those that accept.
enum class Certainty : std::uint8_t {
  kSeen,   // each was seen waiting for the listener
  kOnly,   // the only thread of its process, or all are alike
  kMain,   // the main thread of each process, which is busy elsewhere
  kServe,  // they serve the connections, and none of them is free: whoever accepts waits for them
  kRest,   // the only thread of its process that it can have been
  kGroup,  // all threads of the processes, or all that are not free
};

using Threads = std::vector<const facts::ThreadWatch*>;

struct Unseen {
  Threads threads;
  Certainty certainty = Certainty::kGroup;
  bool busy = false;        // with what a server does
  bool take_turns = false;  // one runs at a time, as under an interpreter's lock
};

struct Clues {
  std::uint64_t taken = 0;      // connections that somebody took
  bool is_in_epoll = false;     // an epoll holds the listener
  bool has_event_loop = false;  // and nobody waited on it
  bool has_no_waiter = false;   // neither an epoll nor a thread waited for it, as far as was looked
};

// Of a process with at least one thread.
[[nodiscard]] Unseen unseen_threads(const Threads& all, const facts::Listener& listener,
                                    const Clues& clues);

// Those of a pool without a free thread: they do the same, and what they do is what an acceptor
// waits for that is not met. None where there is no such pool. `taken`: connections, by anybody.
[[nodiscard]] Unseen exhausted_pool(const Threads& all, const facts::Listener& listener,
                                    std::uint64_t taken);

// The shares of a thread, of which a wait for a lock with a timer is a sleep where it serves
// connections between such waits, and nobody of its process ends them.
[[nodiscard]] ClassShares shares_at_work(const facts::ThreadWatch& thread,
                                         const facts::Listener& listener);

}  // namespace acceptq::diagnose
