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

// kNotFound, naming the selector, where one matches nothing and nothing may hide it. `live`: the
// snapshot is of this host and of now.
[[nodiscard]] Result<Selection> select(const std::vector<Selector>& selectors,
                                       const facts::Snapshot& snapshot, bool live);

// Keeps the listeners that a selector matches, in the observation and in the report alike, with
// their findings, their namespaces and the blind spots that concern them. No selectors: everything
// stays. Fails as select() does, and returns its warnings; the blind spots behind these stay.
[[nodiscard]] Result<std::vector<std::string>> narrow(const std::vector<Selector>& selectors,
                                                      facts::Observation& observation,
                                                      diagnose::Report& report, bool live);

}  // namespace acceptq::cli
