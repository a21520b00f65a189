// acceptq fix --from: the configuration that a server printed and somebody pasted, as a diff.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "facts/snapshot.h"
#include "import/import.h"
#include "remedy/plan.h"

namespace acceptq::cli {

// What one run shows: each diff begins where those before it end.
class PastedConfigs {
 public:
  explicit PastedConfigs(std::vector<imports::ServerFiles> configs)
      : configs_(std::move(configs)) {}

  // Where the configuration of nginx for the listener's network namespace was pasted, has the knob
  // of its own backlog show the edit. Where that fails, a note says why.
  void add_to(remedy::Plan& plan, const facts::Snapshot& snapshot, const facts::Listener& listener);

 private:
  std::vector<imports::ServerFiles> configs_;  // as edited so far
};

}  // namespace acceptq::cli
