// Everything that advice about one listener is made from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "diagnose/report.h"
#include "facts/holders.h"
#include "facts/snapshot.h"
#include "remedy/servers.h"

namespace acceptq::remedy {

// Whether anything left the queue by accept() while it was watched.
enum class Accepts { kYes, kNo, kUnknown };

struct Subject {
  const facts::Listener& listener;
  const diagnose::ListenerReport& report;
  const facts::Namespace* ns;
  facts::Holders holders;
  Accepts accepts;
  // The process that can be told to change something: its program is seen to accept, or is a server
  // that is known by name. Null where nothing shows which of the holders accepts, if any does.
  const facts::Process* acceptor;
  ServerMatch server;                    // the acceptor's
  std::uint32_t wanted;                  // a limit that holds what was seen
  bool has_idle_siblings = false;        // in its SO_REUSEPORT group (AQ111)
  std::optional<std::uint32_t> workers;  // processes that serve one connection each (cap_advice.h)
  std::optional<double> attempts_per_s;  // to connect, refused ones included
  // Why accept() is slow: the greatest cause that is known well enough to be acted on; else null.
  const diagnose::Finding* cause = nullptr;
};

[[nodiscard]] Subject subject_of(const facts::Observation& observation,
                                 const facts::Listener& listener,
                                 const diagnose::ListenerReport& report,
                                 const diagnose::Finding* cause = nullptr);

// By listener's key: the causes that are known well enough to be acted on, the greatest of each.
[[nodiscard]] std::unordered_map<std::string, const diagnose::Finding*> causes_by_listener(
    const diagnose::Report& report);

// Whether accept() keeps pace, and only more came at once than the queue holds.
[[nodiscard]] bool is_burst(const Subject& subject);

// From what `wanted` was made, as a clause: "twice the longest queue seen (129), …".
[[nodiscard]] std::string reason_of_wanted(const Subject& subject);

// "Redis", "my-own", "the server".
[[nodiscard]] std::string server_name(const Subject& subject);

// Whether the queue is full in so many samples that bursts do not explain it.
[[nodiscard]] bool is_full_all_the_time(const Subject& subject);

// Whether it is full all the time, and its places mean so long a wait already that clients give up
// before their turn comes.
[[nodiscard]] bool is_long_enough(const Subject& subject);

// What the places of a full queue, `limit` of them, mean at the present rate; empty where it is not
// full all the time, or nothing is accepted.
[[nodiscard]] std::string wait_when_full(const Subject& subject, std::uint32_t limit);

// Whether accept() does not keep pace: a cause is known, other than a burst, or the queue is full
// all the time.
[[nodiscard]] bool is_slow_to_accept(const Subject& subject);

// Whether the listener has the limit that its server gives it at its own cap, so that the cap is to
// be raised and not the backlog.
[[nodiscard]] bool is_at_cap(const Subject& subject);

}  // namespace acceptq::remedy
