// acceptq lab in the binary for production nodes, which carries everything but the lab.
#include "cli/commands.h"
#include "cli/terminal.h"

namespace acceptq::cli {

int run_lab(const LabCommand&) {
  print_err("acceptq: this binary was built without the lab; build acceptq from source for it\n");
  return kExitUsage;
}

}  // namespace acceptq::cli
