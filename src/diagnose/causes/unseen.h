// What is concluded of a process of which no thread was seen to accept: which of them decide.
#pragma once

#include <cstdint>
#include <optional>

#include "diagnose/causes/thread_habits.h"

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

struct Unseen {
  Threads threads;
  Certainty certainty = Certainty::kGroup;
  bool busy = false;        // with what a server does
  bool take_turns = false;  // one runs at a time, as under an interpreter's lock
};

struct Clues {
  std::uint64_t taken = 0;      // connections that somebody took
  bool is_only = false;         // the process has no other listener
  bool is_in_epoll = false;     // an epoll holds the listener
  bool has_event_loop = false;  // and nobody waited on it
  bool has_no_waiter = false;   // neither an epoll nor a thread waited for it, as far as was looked
  // By the process, at most, of its connections: those that it has, and at which a client may wait
  // for an answer. Empty: unknown.
  std::optional<std::uint32_t> held;
  bool held_steadily = false;  // as many at each look, as far as is known
  std::optional<std::uint32_t> unanswered;
  std::optional<std::uint32_t> asked;  // others of whom an answer is due, at least
};

}  // namespace acceptq::diagnose
