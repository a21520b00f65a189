// The block of text about one listener that is in trouble.
#pragma once

#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

// Lines that a listener takes in a report that is not verbose, on a terminal of 80 columns.
inline constexpr int kMostLines = 14;

// All that is known of it.
[[nodiscard]] std::string listener_block(const TermStyle& style,
                                         const facts::Observation& observation,
                                         const facts::Listener& listener,
                                         const diagnose::ListenerReport& report,
                                         const std::vector<const diagnose::Finding*>& findings);

// Whose, why, how long its queue is, and who set its limit.
[[nodiscard]] std::string listener_head(const TermStyle& style,
                                        const facts::Observation& observation,
                                        const facts::Listener& listener,
                                        const diagnose::ListenerReport& report,
                                        const std::vector<const diagnose::Finding*>& findings);

// What, how bad, whose, why, and the first thing to do.
[[nodiscard]] std::string short_listener_block(
    const TermStyle& style, const facts::Observation& observation, const facts::Listener& listener,
    const diagnose::ListenerReport& report, const std::vector<const diagnose::Finding*>& findings);

struct ListenerInTrouble {
  const facts::Listener* listener = nullptr;
  const diagnose::ListenerReport* report = nullptr;
  const std::vector<const diagnose::Finding*>* findings = nullptr;
};

// Several that have the same program, limit and findings, worst first; what to do is the first
// one's.
[[nodiscard]] std::string listener_group_block(const TermStyle& style,
                                               const facts::Observation& observation,
                                               const std::vector<ListenerInTrouble>& group);

// The numbers of the findings that a listener's rows tell already, and the others in a sentence.
[[nodiscard]] std::string findings_row(const TermStyle& style,
                                       const std::vector<const diagnose::Finding*>& findings);

// A finding that belongs to no listener.
[[nodiscard]] std::string finding_block(const TermStyle& style, const facts::Snapshot& after,
                                        const diagnose::Finding& finding);

}  // namespace acceptq::render
