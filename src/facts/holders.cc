#include "facts/holders.h"

#include <algorithm>

namespace acceptq::facts {

bool is_socket_manager(const Process& process) {
  // comm is what prctl() may change and exe what may not be read: either will do.
  return process.comm == "systemd" ||
         (process.exe &&
          (process.exe->ends_with("/systemd") || process.exe->ends_with("/systemd (deleted)")));
}

bool same_program(const Process& one, const Process& other) {
  if (one.exe && other.exe) {
    return one.exe == other.exe && (!one.program || !other.program || one.program == other.program);
  }
  return one.comm == other.comm;
}

const Process* Holders::one_program() const {
  if (servers.empty()) return nullptr;
  const bool one = std::ranges::all_of(
      servers, [&](const Process* process) { return same_program(*process, *servers.front()); });
  return one ? servers.front() : nullptr;
}

const Process* Holders::master() const {
  if (one_program() == nullptr) return nullptr;
  const auto is_server = [&](Pid pid) {
    return std::ranges::any_of(servers, [&](const Process* other) { return other->pid == pid; });
  };
  const auto found = std::ranges::find_if(
      servers, [&](const Process* process) { return !is_server(process->parent); });
  return found != servers.end() ? *found : nullptr;
}

const Process* Holders::first() const { return servers.empty() ? manager : servers.front(); }

Holders holders_of(const Snapshot& snapshot, const Listener& listener) {
  Holders holders;
  for (const OwnerRef& owner : listener.owners) {
    const Process* process = find_process(snapshot, owner.pid);
    if (process == nullptr) continue;
    if (is_socket_manager(*process)) {
      if (holders.manager == nullptr) holders.manager = process;
    } else if (holders.servers.empty() || holders.servers.back() != process) {
      holders.servers.push_back(process);  // owners are ordered by pid
    }
  }
  return holders;
}

}  // namespace acceptq::facts
