// The configuration files of a process, as it sees them, and how it was started.
//
// They may lie on storage that is dead, and in a container that is hostile. So they are read by a
// child of ours that only looks (rooted_files.h) and that is killed when its time is over. It runs
// nothing of the container and enters none of its namespaces.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "collect/rooted_files.h"
#include "config/edit.h"

namespace acceptq::collect {

struct ConfigFilesOptions {
  std::string proc_root = "/proc";
  std::chrono::milliseconds time{3000};  // for all that is asked
  RootedLimits limits;
};

class ConfigFiles {
 public:
  // Of the process `pid` that was started at `start_ticks` (facts::Process). Fails where no child
  // can be started; what it then cannot do, its answers say.
  [[nodiscard]] static Result<ConfigFiles> of(Pid pid, std::uint64_t start_ticks,
                                              const ConfigFilesOptions& options = {});
  ConfigFiles(ConfigFiles&&) = default;
  ConfigFiles& operator=(ConfigFiles&&) = delete;
  ConfigFiles(const ConfigFiles&) = delete;
  ConfigFiles& operator=(const ConfigFiles&) = delete;
  // Ends the child; one that the kernel does not let end is left behind.
  ~ConfigFiles();

  [[nodiscard]] Result<config::Invocation> invocation();
  [[nodiscard]] Result<std::vector<config::File>> read(const std::string& pattern);

 private:
  using Clock = std::chrono::steady_clock;
  ConfigFiles(Pid pid, pid_t child, UniqueFd line, Clock::time_point until)
      : pid_(pid), child_(child), line_(std::move(line)), until_(until) {}
  [[nodiscard]] Result<std::vector<std::string>> ask(const std::string& question);

  Pid pid_;
  pid_t child_ = -1;
  UniqueFd line_;
  Clock::time_point until_;
};

}  // namespace acceptq::collect
