// Which listeners of a report deserve a block of their own, which a line, and which a number.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "render/listener_block.h"

namespace acceptq::render {

// By the listener's key, worst first.
using FindingsByListener = std::map<std::string, std::vector<const diagnose::Finding*>>;
[[nodiscard]] FindingsByListener findings_by_listener(const diagnose::Report& report);

// Listeners with a finding that is more than a notice, worst first; equal ones together, each group
// where its worst member stands, or each by itself. What they point to is the arguments'.
[[nodiscard]] std::vector<std::vector<ListenerInTrouble>> groups_in_trouble(
    const diagnose::Report& report, const facts::Observation& observation,
    const FindingsByListener& findings, bool each_by_itself);

// Groups that a report that is not verbose shows.
inline constexpr std::size_t kMostBlocks = 10;

// "3 more listeners are in trouble (--verbose shows all)"
[[nodiscard]] std::string left_out_text(std::size_t left_out);

// Those that have no block.
struct OtherListeners {
  std::vector<std::size_t> listed;  // their places in the report: worth a look, or all of them
  std::size_t unlisted = 0;
};
[[nodiscard]] OtherListeners other_listeners(const diagnose::Report& report,
                                             const facts::Observation& observation,
                                             const std::set<std::string>& shown, bool all);

// "2 more listeners with an empty queue (--all lists them)"
[[nodiscard]] std::string unlisted_text(const facts::Observation& observation, std::size_t unlisted,
                                        bool more);

}  // namespace acceptq::render
