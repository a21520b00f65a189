// A process that owns a listener, and the container and pod that it belongs to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/units.h"

namespace acceptq::facts {

struct Container {
  std::string id;                      // as the runtime writes it, normally 64 hex digits
  std::optional<std::string> runtime;  // "containerd", "docker", "cri-o", "podman"
  std::optional<std::string> name;

  friend bool operator==(const Container&, const Container&) = default;
};

struct Pod {
  std::optional<std::string> ns;  // Kubernetes namespace
  std::optional<std::string> name;
  std::optional<std::string> uid;  // with dashes

  friend bool operator==(const Pod&, const Pod&) = default;
};

struct Process {
  Pid pid;
  Pid parent;
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat: with the PID, one process for good
  std::string comm;
  std::optional<std::string> exe;  // target of /proc/PID/exe, not resolved further
  std::optional<std::uint32_t> uid;
  std::optional<std::string> cgroup;  // path in the hierarchy that places the workload
  std::optional<NetnsId> netns;       // of its main thread
  std::optional<Container> container;
  std::optional<Pod> pod;
  // Of owners of a listener in trouble alone, where they could be read.
  std::optional<std::string>
      program;  // what its command line runs: "uvicorn" of python3 -m uvicorn
  std::optional<std::string> language;            // "go", where its executable says so
  std::optional<std::uint32_t> open_files;        // descriptors that it has
  std::optional<std::uint32_t> open_files_limit;  // its soft RLIMIT_NOFILE

  friend bool operator==(const Process&, const Process&) = default;
};

}  // namespace acceptq::facts
