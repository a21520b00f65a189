// Evidence that was pasted, as an observation: the same facts that acceptq collects itself.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "config/edit.h"
#include "facts/snapshot.h"

namespace acceptq::imports {

struct Text {
  std::string name;  // for places: "ticket.txt"
  std::string bytes;
  std::string command;  // that printed it, where that is known from elsewhere; else empty
};

// The files of a server, as it printed them itself (nginx -T).
struct ServerFiles {
  NetnsId netns;                    // of the observation, whose listeners the server may hold
  std::vector<config::File> files;  // the first is where it begins
};

struct Imported {
  facts::Observation observation;
  std::vector<ServerFiles> configs;  // of nginx, which is the only one that prints them
};

// All that the texts tell, in their order. What is not in them is among the blind spots, with the
// command that would supply it, and so are lines that could not be read. kMalformed where nothing
// could be read at all.
[[nodiscard]] Result<Imported> import_texts(std::span<const Text> texts);

}  // namespace acceptq::imports
