// What selectors mean in a snapshot.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "facts/snapshot.h"
#include "select/selector.h"

namespace acceptq::select {

// Selectors are resolved here: a kNetnsPath, which only the host can tell, means nothing.

// Whether one of the selectors means the listener, itself or by its namespace.
[[nodiscard]] bool is_selected(const std::vector<Selector>& selectors,
                               const facts::Snapshot& snapshot, const facts::Listener& listener);

// The same as a function; without selectors, every listener. The selectors outlive the result.
[[nodiscard]] std::function<bool(const facts::Snapshot&, const facts::Listener&)> selected_by(
    const std::vector<Selector>& selectors);

// Whether the process is there now: of a "pid:N" that matches nothing, it says why. Empty where the
// snapshot is not of this host and of now.
using IsProcess = std::function<bool(Pid)>;

struct Selection {
  std::set<std::string> keys;  // of listeners
  std::set<NetnsId> namespaces;
  std::vector<facts::BlindSpot> hiding;  // what may hold something that a selector means
  std::vector<std::string> warnings;     // of selectors that match nothing because of that

  [[nodiscard]] bool holds(const facts::Listener& listener) const {
    return keys.contains(facts::listener_key(listener));
  }
};

// A port on which nothing listens means the listeners that connection tracking sends its clients
// to, with a warning that says so. A selector that matches nothing, or a namespace without a
// listener, is a warning, with what there is instead; where none of them matches anything, and
// nothing may hide it, kNotFound.
[[nodiscard]] Result<Selection> select(const std::vector<Selector>& selectors,
                                       const facts::Snapshot& snapshot,
                                       const IsProcess& is_process);

// Selected listeners that were there at the beginning and have ended since stay in the later
// snapshot, as closed, with their owners. (Those that ended where the later look failed are not
// known to have ended.)
void keep_the_ended(const std::vector<Selector>& selectors, facts::Observation& observation);

}  // namespace acceptq::select
