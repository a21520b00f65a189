// How to give a listener a longer queue: the knob that binds now, and the one behind it.
#pragma once

#include <string>
#include <vector>

#include "diagnose/report.h"
#include "remedy/subject.h"

namespace acceptq::remedy {

// net.core.somaxconn of the listener's namespace, for whoever can set it.
void add_somaxconn_forms(const Subject& subject, std::vector<diagnose::Remedy>& remedies);

// The server's own backlog, or the socket unit's.
void add_application_form(const Subject& subject, std::vector<diagnose::Remedy>& remedies);

// Somaxconn was not seen, and may be what limits the queue: no kernel's default is less than 128
// (SOMAXCONN, include/linux/socket.h: 4096 since 5.4).
[[nodiscard]] bool may_be_somaxconn(const Subject& subject);

// Whether the limit is less than somaxconn and less than this server usually asks for, though it is
// a usual somaxconn: then that was in force when the server called listen().
[[nodiscard]] bool lacks_restart(const Subject& subject);

// Where that is so, or somaxconn was seen to be raised.
void add_restart_form(const Subject& subject, std::vector<diagnose::Remedy>& remedies);

// Where the limit was not seen: how to see it, and whether the queue is full if it is a known
// server's default.
[[nodiscard]] diagnose::Remedy see_limit(const Subject& subject);

// "Redis asks for 511 by default".
[[nodiscard]] std::string usual_request(const Subject& subject);

}  // namespace acceptq::remedy
