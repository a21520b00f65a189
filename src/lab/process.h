// Starting programs inside the sandbox. For its single-threaded parts: children are forked.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace acceptq::lab {

struct SpawnOptions {
  std::vector<std::string> command;  // looked up in PATH
  int netns_fd = -1;                 // -1: ours
  std::string directory = "/";
  std::map<std::string, std::string> environment;  // added to ours
  std::string output_path;                         // for stdout and stderr; empty: dropped
  std::vector<std::string> cgroup_procs;           // files of cgroups, to join these
  std::optional<std::uint64_t> open_files;
};

// Starts it as the leader of its own session and process group. Fails where it cannot be executed.
[[nodiscard]] Result<pid_t> spawn(const SpawnOptions& options);

// Runs to its end, at most `seconds`, and returns what it wrote to stdout. Fails where it cannot be
// started, is too slow (it is killed) or ends with another status than 0; the error then holds what
// it wrote to stderr.
[[nodiscard]] Result<std::string> run_command(const std::vector<std::string>& command, int netns_fd,
                                              double seconds = 10, const std::string& input = {});

// Asks `condition` every 50 ms until it holds; false where it does not within `seconds`.
[[nodiscard]] bool eventually(const std::function<bool()>& condition, double seconds);

// Sends `signal` to the process group of a child and waits until the child, its leader, is gone.
[[nodiscard]] bool end_group(pid_t leader, int signal, double seconds);

// Whether a child, or anything else of its process group, is still there. Reaps what of it has
// ended, also the orphans that came to PID 1.
[[nodiscard]] bool group_runs(pid_t leader);

// Replaces every "@NAME@" of `text` that `values` knows.
[[nodiscard]] std::string substitute(std::string text,
                                     const std::map<std::string, std::string>& values);

}  // namespace acceptq::lab
