// Which namespaces are the host's own, the initial ones.
//
// The kernel gives numbers below 0xF0000000 (PROC_DYNAMIC_FIRST, fs/proc/generic.c) to initial
// namespaces alone, so that no other namespace, on any release, ever has one of these.
#pragma once

#include <string>

#include "base/units.h"

namespace acceptq::collect::netns {

// Of the initial network namespace from Linux 6.18 on (NET_NS_INIT_INO, include/uapi/linux/nsfs.h).
// Before, it had a number like any other.
inline constexpr NetnsId kInitialNetns{0xEFFFFFF9};

// Whether the caller, and with it PROC_ROOT, is in the initial PID namespace (PROC_PID_INIT_INO,
// Linux 3.8): /proc then shows every process of the host.
[[nodiscard]] bool in_initial_pid_namespace(const std::string& proc_root);

// Whether PROC_ROOT/2 is kthreadd, which is in the initial network namespace as all kernel threads
// are: PID 2 of the initial PID namespace always is. PID 1, a program, can have left it.
[[nodiscard]] bool shows_kernel_threads(const std::string& proc_root);

}  // namespace acceptq::collect::netns
