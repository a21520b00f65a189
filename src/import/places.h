// What of several texts is one place: a pod, its container and the network namespace of its
// process, by whichever of these names something was run in it.
#pragma once

#include <string>
#include <vector>

#include "import/recognise.h"

namespace acceptq::imports {

// A text, cut up.
struct Source {
  std::string name;  // of the file
  Recognised recognised;
};

// Gives the blocks of one place one context, by what descriptions tell of it, and puts what these
// tell (settings, addresses, remarks) into blocks of it.
void join_places(std::vector<Source>& sources);

}  // namespace acceptq::imports
