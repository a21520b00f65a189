// From a process's cgroup to the container and the pod that it belongs to. Pure text.
//
// Container runtimes and the kubelet name cgroups after what they put into them, and have done so
// in a dozen shapes: cgroupfs driver (/kubepods/burstable/pod<UID>/<ID>), systemd driver
// (/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<UID_>.slice/
// cri-containerd-<ID>.scope), plain docker and podman, and any of them nested in the container that
// a kind or minikube node is. workload_test.cc has a row for each. Instead of a pattern per shape
// two marks are looked for: 64 hex digits are a container, "pod" and a UID are a pod. The last of
// each is the innermost and wins; a container outside the innermost pod (the kind node that the pod
// runs on) is not that pod's and does not count.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "facts/process.h"

namespace acceptq::collect::cgroup {

// One line of /proc/PID/cgroup, "ID:CONTROLLERS:PATH" (cgroups(7)).
struct Membership {
  int hierarchy = 0;                     // 0: cgroup v2
  std::vector<std::string> controllers;  // "cpu", "name=systemd"; empty in v2
  std::string path;                      // without " (deleted)"
};

// The lines of /proc/PID/cgroup, in their order. Fails with kMalformed, naming the line.
[[nodiscard]] Result<std::vector<Membership>> parse_cgroup(std::string_view text);

// The path that places the workload, "/" where nothing does. Candidates in this order: v2, v1's
// cpu, v1's name=systemd, any other. The first that names a container or a pod wins; failing that
// the first that is not the root. Taking v2's whenever it is not the root would be wrong in hybrid
// mode with the cgroupfs driver: there a container is only in the v1 hierarchies, while v2 still
// says /system.slice/containerd.service, the place of the daemon that started it.
[[nodiscard]] std::string placing_path(const std::vector<Membership>& memberships);

struct Workload {
  std::optional<facts::Container> container;  // id, and runtime where the path tells it
  std::optional<std::string> pod_uid;         // with dashes; static pods: 32 hex digits
  // The process serves the container from outside (CRI-O's and podman's conmon): `container` is
  // empty, since what it listens on is not the workload's.
  bool is_infrastructure = false;
};

[[nodiscard]] Workload workload_of(std::string_view cgroup_path);

// Fills `container` and `pod` of a process from its `cgroup`; leaves them alone where that is not
// known or names nothing.
void place(facts::Process& process);

}  // namespace acceptq::collect::cgroup
