// Who accepts for a listener, and where their time went. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "diagnose/causes/wait_class.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

// How certain it is that these threads are those that accept.
enum class Certainty : std::uint8_t {
  kSeen,   // each was seen waiting for the listener
  kOnly,   // the only thread of its process, or all are alike
  kMain,   // the main thread of each process, which is busy elsewhere
  kGroup,  // all threads of the processes
};

struct ClassTime {
  double share = 0;                          // of the time of all of these threads, 0…1
  const facts::Wait* most_seen = nullptr;    // the place of most looks
  const facts::Wait* with_target = nullptr;  // of those with a descriptor, the same
};

struct AcceptTime {
  Certainty certainty = Certainty::kGroup;
  std::vector<const facts::ThreadWatch*> threads;
  std::uint32_t looks = 0;                      // at one thread, at most
  double seconds = 0;                           // from the first look to the last, at most
  std::array<ClassTime, kWaitClasses> classes;  // kRuns: on a core or waiting for one
  // Of kRuns, where the kernel tells: on a core for the program itself and for the kernel, and
  // ready without a core.
  std::optional<double> user, system, delayed;

  [[nodiscard]] const ClassTime& of(WaitClass what) const {
    return classes[static_cast<std::size_t>(what)];
  }
  [[nodiscard]] double idle() const;
  // More than a moment: shares mean something.
  [[nodiscard]] bool has_shares() const;
};

// Nothing where no thread was looked at. Pointers go into `observation`.
[[nodiscard]] std::optional<AcceptTime> accept_time(const facts::Observation& observation,
                                                    const facts::Listener& listener);

}  // namespace acceptq::diagnose
