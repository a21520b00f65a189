// For what must not fail in a test's own preparations.
#pragma once

#include <sys/utsname.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace acceptq::test {

// Aborts the test program, saying errno's text, where `ok` is false.
inline void require(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

// Whether the tests run where all of the host's processes are seen: in the first PID namespace,
// whose number is the kernel's (PROC_PID_INIT_INO, include/linux/proc_ns.h).
inline bool sees_all_processes() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/ns/pid", error) == "pid:[4026531836]";
}

// Of the running kernel, whatever its distribution brought into it.
inline bool kernel_is_at_least(int major, int minor) {
  utsname name{};
  int running_major = 0;
  int running_minor = 0;
  require(::uname(&name) == 0, "uname");
  // NOLINTNEXTLINE(cert-err34-c): two numbers that the kernel itself wrote
  require(std::sscanf(name.release, "%d.%d", &running_major, &running_minor) == 2, "release");
  return running_major > major || (running_major == major && running_minor >= minor);
}

// Not below a chroot (kernel/user_namespace.c, create_user_ns).
inline bool may_make_user_namespaces() { return std::system("unshare -U true 2>/dev/null") == 0; }

}  // namespace acceptq::test
