// Narrows a report to what was selected.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/selector.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"

namespace acceptq::cli {

// Turns netns:PATH into netns:INODE; fails where the path is no network namespace.
[[nodiscard]] Status resolve(std::vector<Selector>& selectors);

// Whether one of the selectors means a listener; without selectors, every one. They are resolved,
// and outlive the result.
[[nodiscard]] std::function<bool(const facts::Snapshot&, const facts::Listener&)> selected_by(
    const std::vector<Selector>& selectors);

// What selectors mean in a snapshot.
struct Selection {
  std::set<std::string> keys;  // of listeners
  std::set<NetnsId> namespaces;
  std::vector<facts::BlindSpot> hiding;  // what may hold something that a selector means
  std::vector<std::string> warnings;     // of selectors that match nothing because of that

  [[nodiscard]] bool holds(const facts::Listener& listener) const {
    return keys.contains(facts::listener_key(listener));
  }
};

// A selector that matches nothing is a warning, with what there is instead; where none of them
// matches anything, and nothing may hide it, kNotFound. `live`: the snapshot is of this host and of
// now.
[[nodiscard]] Result<Selection> select(const std::vector<Selector>& selectors,
                                       const facts::Snapshot& snapshot, bool live);

// The exit code for an error of resolve(), select() or narrow(): a selector that means nothing is
// bad usage; one that nothing matches, something that could not be observed.
[[nodiscard]] int code_of_selection(const Error& error);

// Selected listeners that were there at the beginning and have ended since stay in the later
// snapshot, as closed, with their owners. (Those that ended where the later look failed are not
// known to have ended.)
void keep_the_ended(const std::vector<Selector>& selectors, facts::Observation& observation);

// Keeps the listeners that a selector matches, in the observation and in the report alike, with
// their findings, their namespaces and the blind spots that concern them. No selectors: everything
// stays. Fails as select() does, and returns its warnings; the blind spots behind these stay.
[[nodiscard]] Result<std::vector<std::string>> narrow(const std::vector<Selector>& selectors,
                                                      facts::Observation& observation,
                                                      diagnose::Report& report, bool live);

}  // namespace acceptq::cli
