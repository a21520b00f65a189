#include "collect/netns/initial.h"

#include "base/file.h"

namespace acceptq::collect::netns {

bool in_initial_pid_namespace(const std::string& proc_root) {
  const Result<std::string> link = read_link(proc_root + "/self/ns/pid");
  return link && *link == "pid:[4026531836]";  // 0xEFFFFFFC
}

bool shows_kernel_threads(const std::string& proc_root) {
  if (!in_initial_pid_namespace(proc_root)) return false;
  const Result<std::string> comm = read_file(proc_root + "/2/comm");
  return comm && *comm == "kthreadd\n";
}

}  // namespace acceptq::collect::netns
