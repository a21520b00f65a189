#include "render/listener_names.h"

#include <fmt/format.h>

#include <set>

#include "base/bytes.h"

namespace acceptq::render {
namespace {

const facts::Process* first_owner(const facts::Snapshot& snapshot,
                                  const facts::Listener& listener) {
  for (const facts::OwnerRef& owner : listener.owners) {
    if (const facts::Process* process = facts::find_process(snapshot, owner.pid)) return process;
  }
  return nullptr;
}

}  // namespace

std::string workload_name(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  const facts::Process* process = first_owner(snapshot, listener);
  if (process == nullptr) {
    if (!listener.owners.empty()) return fmt::format("pid {}", listener.owners.front().pid.value());
    return listener.owners_complete ? "no process" : "owner unknown";
  }
  if (process->pod && process->pod->name) {
    return printable(process->pod->ns.value_or("?") + "/" + *process->pod->name);
  }
  if (process->pod && process->pod->uid) return "pod " + printable(*process->pod->uid);
  if (process->container) {
    constexpr std::size_t kShort = 12;  // as docker ps shows it
    const std::string id = printable(process->container->id.substr(0, kShort));
    if (!process->container->name) return "container " + id;
    return fmt::format("container {} ({})", id, printable(*process->container->name));
  }
  return printable(process->comm);
}

std::string program_name(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  const facts::Process* process = first_owner(snapshot, listener);
  return process != nullptr ? printable(process->comm) : workload_name(snapshot, listener);
}

std::string owner_name(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  const facts::Process* process = first_owner(snapshot, listener);
  if (process == nullptr) return "";
  std::set<Pid> pids;
  for (const facts::OwnerRef& owner : listener.owners) pids.insert(owner.pid);
  if (pids.size() == 1)
    return fmt::format("{} (pid {})", printable(process->comm), process->pid.value());
  return fmt::format("{} (pid {} and {} more)", printable(process->comm), process->pid.value(),
                     pids.size() - 1);
}

std::string namespace_owner(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  const facts::Namespace* ns = facts::find_namespace(snapshot, listener.netns);
  if (ns != nullptr && ns->is_host == true) return "the host's";
  const facts::Process* process = first_owner(snapshot, listener);
  if (process != nullptr && process->pod) return "the pod's own";
  if (process != nullptr && process->container) return "the container's own";
  if (ns != nullptr && ns->own_container) return "this container's";
  return "its own";
}

}  // namespace acceptq::render
