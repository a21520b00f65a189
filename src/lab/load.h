// The process that opens a scenario's connections.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "lab/lab.h"
#include "lab/scenario.h"

namespace acceptq::lab {

class Load {
 public:
  // Starts it in a child process. `result_path` is where that leaves what its clients lived
  // through; nothing else may use the path while the load runs.
  [[nodiscard]] static Result<Load> start(const LoadSpec& spec, double rate_per_s, int netns_fd,
                                          std::string result_path);

  // Ends it and says what its clients lived through. Fails where it could not open connections at
  // all. To be called once.
  [[nodiscard]] Result<LoadResult> end();

 private:
  Load(std::string name, double rate_per_s, std::string result_path, pid_t pid)
      : name_(std::move(name)),
        rate_per_s_(rate_per_s),
        result_path_(std::move(result_path)),
        pid_(pid) {}

  std::string name_;
  double rate_per_s_;
  std::string result_path_;
  pid_t pid_;
};

}  // namespace acceptq::lab
