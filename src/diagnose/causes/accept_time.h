// Who accepts for a listener, and where their time went. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "diagnose/causes/chosen_threads.h"
#include "diagnose/causes/wait_class.h"
#include "diagnose/listener_state.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

struct ClassTime {
  double share = 0;                          // of the time of all of these threads, 0…1
  std::optional<facts::Wait> most_seen;      // the place of most looks; without any, one of it
  const facts::Wait* with_target = nullptr;  // of those with a descriptor, the same
};

struct AcceptTime {
  Certainty certainty = Certainty::kGroup;
  std::vector<const facts::ThreadWatch*> threads;  // of the observation, or of `retold`
  std::optional<facts::Acceptors> retold;          // with_parked_threads()
  // One of them runs at a time: what follows is of the time of all together.
  bool take_turns = false;
  // Or perhaps: it is not known whether a lock is what they wait for, or their turn to accept.
  bool may_take_turns = false;
  std::size_t exact_threads = 0;                // of these: whose time was counted without a gap
  std::uint32_t looks = 0;                      // at one thread, at most
  double seconds = 0;                           // that one thread's time is known of, at most
  double watched_seconds = 0;                   // from its first look to the last, at most
  std::array<ClassTime, kWaitClasses> classes;  // kRuns: on a core or waiting for one
  // Of kRuns, where the kernel tells: on a core, there for the program itself and for the kernel,
  // and ready without a core.
  std::optional<double> on_core, user, system, delayed;

  [[nodiscard]] const ClassTime& of(WaitClass what) const {
    return classes[static_cast<std::size_t>(what)];
  }
  [[nodiscard]] double idle() const;
  // Each thread's time was counted without a gap.
  [[nodiscard]] bool is_exact() const { return exact_threads == threads.size(); }
  // More than a moment: shares mean something.
  [[nodiscard]] bool has_shares() const;
};

// Nothing where no thread was looked at. Pointers go into `observation` as well.
[[nodiscard]] std::optional<AcceptTime> accept_time(const facts::Observation& observation,
                                                    const ListenerState& state);

}  // namespace acceptq::diagnose
