// Whose time counts, of the threads of those that hold a listener. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "diagnose/causes/thread_habits.h"
#include "diagnose/causes/unseen.h"
#include "diagnose/listener_state.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

// From this share of idle time a thread could have accepted more.
inline constexpr double kHasTime = 0.3;

// In most samples the queue was as full as it gets, or what waited there was not taken.
[[nodiscard]] bool does_not_empty(const ListenerState& state);

// Neither a thread nor an epoll waited for the listener whenever its wait queue was looked at.
[[nodiscard]] bool has_no_waiter(const facts::Acceptors& acceptors);

// How many of the listener's connections the process had open, at most; empty where that is not
// known.
[[nodiscard]] std::optional<std::uint32_t> held_connections(const facts::Acceptors& acceptors,
                                                            Pid pid);

struct Chosen {
  Threads threads;
  Certainty certainty = Certainty::kSeen;
  bool take_turns = false;  // as of Unseen
  bool may_take_turns = false;

  void add(const Unseen& more);
};

// Those that were seen to accept, and of processes without one those that decide how fast it
// accepts. None where no thread was looked at.
[[nodiscard]] Chosen choose_threads(const facts::Observation& observation,
                                    const ListenerState& state, const facts::Acceptors& acceptors);

}  // namespace acceptq::diagnose
