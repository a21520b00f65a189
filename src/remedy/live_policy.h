// When a live listener's limit should not be changed in place, though it could be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "diagnose/report.h"
#include "facts/listener.h"

namespace acceptq::remedy {

// Entries that a queue is given without being asked twice. Kernels before 4.1 could hold no more
// (sk_max_ack_backlog had 16 bits), and each entry is a connection, with what its client has sent,
// in memory that no container is charged for until accept() takes it.
inline constexpr QueueLimit kLiveCeiling{65535};

// What is known of one listener that is to have another limit.
struct LiveChange {
  const diagnose::Report& report;
  const diagnose::ListenerReport& told;  // of it, in the report
  const facts::Listener& listener;
  QueueLimit to;
  bool listened_again = false;  // its owner called listen() on it while it was watched
  bool undone_before = false;   // acceptq gave it a limit, and it has another one since
};

enum class Objection {
  kCause,        // accept() is slow, and why is known
  kAlwaysFull,   // accept() is slow, and why is not known
  kFlood,        // it would hold more of a SYN flood's connections
  kTooLarge,     // above kLiveCeiling
  kShorter,      // less than it has
  kOwnerUndoes,  // the owner sets the limit itself, again and again
};

struct LiveObjection {
  Objection kind;
  std::string text;  // whole sentences
};

// Empty: nothing speaks against it. In the order of the enumeration.
[[nodiscard]] std::vector<LiveObjection> live_objections(const LiveChange& change);

// "cause", "always_full" …: its name in JSON.
[[nodiscard]] const char* objection_name(Objection objection);

}  // namespace acceptq::remedy
