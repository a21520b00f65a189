// The block of text about one listener that is in trouble.
#pragma once

#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "render/listener_rows.h"
#include "render/term.h"

namespace acceptq::render {

// Lines that a listener takes in a report that is not verbose, on a terminal of 80 columns.
inline constexpr int kMostLines = 14;

[[nodiscard]] diagnose::Severity worst_severity(
    const std::vector<const diagnose::Finding*>& findings);

// What to do about all of them: the worst that has remedies has them all.
[[nodiscard]] const std::vector<diagnose::Remedy>& remedies_of(
    const std::vector<const diagnose::Finding*>& findings);

struct ListenerTitle {
  std::string name;     // the workload's, or "nginx (pid 3985)"
  std::string holders;  // "held by nginx (pid 3985)"; empty where the name says so
  std::string endpoint;
  std::string netns;  // empty where it goes without saying
};
[[nodiscard]] ListenerTitle title_of(const facts::Observation& observation,
                                     const facts::Listener& listener,
                                     const diagnose::ListenerReport& report);

// How full, what was refused, and who set the limit. The text of a row is empty where nothing is
// known; a row without a label belongs to the one above.
[[nodiscard]] std::vector<Row> listener_facts(const TermStyle& style,
                                              const facts::Observation& observation,
                                              const facts::Listener& listener,
                                              const diagnose::ListenerReport& report);

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

struct GroupTitle {
  std::string who;   // "3 listeners of nginx"
  std::string rest;  // ", in 3 network namespaces, are in the same trouble"
};
[[nodiscard]] GroupTitle title_of(const facts::Snapshot& after,
                                  const std::vector<ListenerInTrouble>& group);

// Several that have the same program, limit and findings, worst first; what to do is the first
// one's.
[[nodiscard]] std::string listener_group_block(const TermStyle& style,
                                               const facts::Observation& observation,
                                               const std::vector<ListenerInTrouble>& group);

// A finding that belongs to no listener.
[[nodiscard]] std::string finding_block(const TermStyle& style, const facts::Snapshot& after,
                                        const diagnose::Finding& finding);

}  // namespace acceptq::render
