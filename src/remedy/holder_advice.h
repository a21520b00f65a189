// What to look at in the processes that hold a listener: whether one of them accepts, and what may
// keep it from that.
#pragma once

#include <vector>

#include "diagnose/report.h"
#include "remedy/subject.h"

namespace acceptq::remedy {

// No process that was seen has a descriptor of it.
[[nodiscard]] bool is_held_by_nobody(const Subject& subject);

// For a queue that is full all the time, or long to wait in: the cause comes before a longer queue,
// and the server's own cap (a hint, not a claim) before other causes. Names the holders where none
// is known to accept.
[[nodiscard]] diagnose::Remedy cause_first(const Subject& subject);

// For a socket of a SO_REUSEPORT group whose others have room.
[[nodiscard]] diagnose::Remedy find_the_stuck_member(const Subject& subject);

// The first holder that has used up its descriptors; null where none has, or it is not known.
[[nodiscard]] const facts::Process* without_descriptors(const Subject& subject);

// How many it should be allowed to have instead.
[[nodiscard]] std::uint32_t descriptors_wanted(const facts::Process& process);

// A hint, not a claim, where a process has used up its descriptors.
void add_descriptor_hint(const Subject& subject, std::vector<diagnose::Remedy>& remedies);

}  // namespace acceptq::remedy
