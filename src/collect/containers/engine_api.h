// Names from Docker's and Podman's own local API, GET /containers/json over their Unix sockets
// (Podman serves Docker's form of it).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "collect/containers/names.h"

namespace acceptq::collect::containers {

using NamesById = std::map<std::string, ContainerNames, std::less<>>;

// The body of GET /containers/json: an array of objects with Id, Names ("/web") and Labels. The
// labels io.kubernetes.{container.name,pod.name,pod.namespace,pod.uid}, which the kubelet sets
// through cri-dockerd, give the pod, and the container its name there. `runtime` stays empty.
// Fails with kMalformed where it is not an array of JSON; elements of another form are passed over.
[[nodiscard]] Result<NamesById> parse_engine_containers(std::string_view json);

struct Engine {
  std::string runtime;      // "docker"
  std::string socket_path;  // RUN_ROOT/docker.sock
};

// The sockets where Docker and Podman (of root) listen below `run_root`.
[[nodiscard]] Engine docker_engine(const std::string& run_root);
[[nodiscard]] Engine podman_engine(const std::string& run_root);

// The engine's running containers. Waits no longer than until `deadline_ns` (CLOCK_MONOTONIC)
// whatever the engine does, and reads no more than 16 MiB. No socket, or a socket that nobody
// listens on: an empty map. (Where systemd listens in the engine's place, asking starts it.)
[[nodiscard]] Result<NamesById> list_engine_containers(const Engine& engine,
                                                       std::int64_t deadline_ns);

}  // namespace acceptq::collect::containers
