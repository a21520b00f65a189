// The command that a user wants to run in the moment of an overflow: a profiler, a stack dump, a
// page to somebody.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "facts/snapshot.h"

namespace acceptq::cli {

class IncidentCommand {
 public:
  // Runs `command` by /bin/sh in the background, its stdout with our stderr, with these variables:
  // ACCEPTQ_LISTENER (its key), ACCEPTQ_ENDPOINT, ACCEPTQ_NETNS, ACCEPTQ_PIDS (of its owners, with
  // blanks between); empty for a listener that is not known.
  static Result<IncidentCommand> Start(const std::string& command, const facts::Listener* listener);

  // Waits until it has ended, or Ctrl-C. How it ended where that was not well: "exit status 3",
  // "signal 9", "it still runs (pid 4711)".
  [[nodiscard]] std::optional<std::string> wait() const;

 private:
  explicit IncidentCommand(pid_t pid) : pid_(pid) {}

  pid_t pid_;
};

}  // namespace acceptq::cli
