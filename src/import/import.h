// Evidence that was pasted, as an observation: the same facts that acceptq collects itself.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "facts/snapshot.h"

namespace acceptq::imports {

struct Text {
  std::string name;  // for places: "ticket.txt"
  std::string bytes;
  std::string command;  // that printed it, where that is known from elsewhere; else empty
};

// All that the texts tell, in their order. What is not in them is among the blind spots, with the
// command that would supply it, and so are lines that could not be read. kMalformed where nothing
// could be read at all.
[[nodiscard]] Result<facts::Observation> import_texts(std::span<const Text> texts);

}  // namespace acceptq::imports
