// How many workers a server needs that gives each connection to one of them, by Little's law: those
// at work = connections a second × how long each takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "diagnose/cause_kind.h"

namespace acceptq::remedy {

struct Workers {
  diagnose::CauseKind waits_for = diagnose::CauseKind::kUnknown;  // why accept() is slow
  bool busy = false;                    // all of them, for all of the time
  std::optional<std::uint32_t> number;  // of them
  std::optional<double> accepts_per_s;  // that they took together
  // To connect, refused ones included, each client once: those that were refused before and try
  // again are among them, so that it is an upper bound.
  std::optional<double> attempts_per_s;
};

// Whether more of them would take more. Not where they share what keeps them (cores, a disk, a file
// system, a lock, memory), nor where it is not known.
[[nodiscard]] bool would_help(diagnose::CauseKind waits_for);

struct WorkersWanted {
  // At most; empty where the evidence does not give it, and `why` says what is missing.
  std::optional<std::uint32_t> number;
  std::string why;  // a clause
};

// Nothing where more would not help, or are not needed.
[[nodiscard]] std::optional<WorkersWanted> workers_wanted(const Workers& workers);

}  // namespace acceptq::remedy
