#include "cli/interrupt.h"

#include <csignal>

namespace acceptq::cli {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void on_signal(int number) {
  flag.store(true);
  if (number == SIGINT) std::signal(SIGINT, SIG_DFL);
}

}  // namespace

const std::atomic<bool>& interrupted() {
  static const bool installed = [] {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
      // What whoever started us had ignored stays so: nohup does it with SIGHUP, a shell's & with
      // SIGINT.
      if (std::signal(number, SIG_IGN) != SIG_IGN) std::signal(number, on_signal);
    }
    return true;
  }();
  static_cast<void>(installed);
  return flag;
}

}  // namespace acceptq::cli
