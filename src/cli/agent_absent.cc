// acceptq agent in the static binary: Debian has no archives of the libraries that serve its
// metrics.
#include "cli/commands.h"
#include "cli/terminal.h"

namespace acceptq::cli {

int run_agent(const AgentCommand& /*command*/) {
  print_err(
      "acceptq: this static binary was built without the agent; build acceptq from source "
      "for it\n");
  return kExitUsage;
}

}  // namespace acceptq::cli
