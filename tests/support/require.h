// For what must not fail in a test's own preparations.
#pragma once

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

// Not below a chroot (kernel/user_namespace.c, create_user_ns).
inline bool may_make_user_namespaces() { return std::system("unshare -U true 2>/dev/null") == 0; }

}  // namespace acceptq::test
