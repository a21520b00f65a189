// Advice about a server's own bound: on its connections, or on those who serve them.
#pragma once

#include <cstdint>
#include <optional>

#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "remedy/subject.h"

namespace acceptq::remedy {

// The processes of the server that each serve one connection at a time, as far as can be seen:
// those of one program with one thread each, all started by one that does not accept. Nothing where
// it is built otherwise, or where not all of them were looked at.
[[nodiscard]] std::optional<std::uint32_t> worker_processes(const facts::Observation& observation,
                                                            const facts::Holders& holders,
                                                            const std::string& listener_key);

// Attempts to connect, each once however often it was refused; nothing where that was not counted.
[[nodiscard]] std::optional<double> attempts_per_s(const diagnose::ListenerReport& report,
                                                   double seconds);

// For a listener that has the limit of its server's cap (is_at_cap).
[[nodiscard]] diagnose::Remedy raise_cap(const Subject& subject);

// More of its workers, where all are busy and more would take more.
[[nodiscard]] std::optional<diagnose::Remedy> more_workers(const Subject& subject);
// How many of them, where the evidence gives a number.
[[nodiscard]] std::optional<std::uint32_t> number_of_workers(const Subject& subject);

}  // namespace acceptq::remedy
