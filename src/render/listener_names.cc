#include "render/listener_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "facts/holders.h"

namespace acceptq::render {
namespace {

const facts::Process* first_owner(const facts::Snapshot& snapshot,
                                  const facts::Listener& listener) {
  return facts::holders_of(snapshot, listener).first();
}

// Processes of one program: "gunicorn (pid 7624 and 2 more)".
struct Group {
  const facts::Process* first;
  std::size_t size = 1;
};

std::string group_name(const Group& group) {
  std::string text =
      fmt::format("{} (pid {}", printable(group.first->comm), group.first->pid.value());
  if (group.size > 1) text += fmt::format(" and {} more", group.size - 1);
  return text + ")";
}

std::vector<Group> groups_of(const facts::Holders& holders) {
  std::vector<Group> groups;
  for (const facts::Process* process : holders.servers) {
    const auto group = std::ranges::find_if(
        groups, [&](const Group& one) { return facts::same_program(*one.first, *process); });
    if (group == groups.end()) {
      groups.push_back({.first = process});
    } else {
      ++group->size;
    }
  }
  if (holders.manager != nullptr) groups.push_back({.first = holders.manager});
  return groups;
}

}  // namespace

std::string workload_name(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  const facts::Process* process = first_owner(snapshot, listener);
  if (process == nullptr) {
    const facts::Namespace* ns = facts::find_namespace(snapshot, listener.netns);
    if (ns != nullptr && facts::is_pasted_inside(*ns)) return printable(ns->pasted->label);
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
  // Nothing tells which of several programs is the server.
  std::string names = printable(process->comm);
  std::size_t others = 0;
  for (const Group& group : groups_of(facts::holders_of(snapshot, listener))) {
    const bool is_named = group.first == process || facts::is_socket_manager(*group.first) ||
                          group.first->comm == process->comm;
    if (is_named) continue;
    if (others++ == 0) names += ", " + printable(group.first->comm);
  }
  if (others > 1) names += fmt::format(" and {} more", others - 1);
  return names;
}

std::string program_name(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  const facts::Process* process = first_owner(snapshot, listener);
  return process != nullptr ? printable(process->comm) : workload_name(snapshot, listener);
}

std::string owner_name(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  constexpr std::size_t kNamed = 3;
  const std::vector<Group> groups = groups_of(facts::holders_of(snapshot, listener));
  std::string text;
  std::size_t others = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i < kNamed) {
      text += (i == 0 ? "" : ", ") + group_name(groups[i]);
    } else {
      others += groups[i].size;
    }
  }
  if (others > 0) text += fmt::format(" and {} more", others);
  return text;
}

std::string selector_of(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  constexpr std::size_t kShort = 12;
  const facts::Process* process = first_owner(snapshot, listener);
  if (process != nullptr && process->pod && process->pod->ns && process->pod->name) {
    return printable(fmt::format("pod:{}/{}", *process->pod->ns, *process->pod->name));
  }
  if (process != nullptr && process->container) {
    return "container:" + printable(process->container->id.substr(0, kShort));
  }
  if (listener.protocol == facts::Protocol::kTcp && listener.address.is_unspecified()) {
    return fmt::format(":{}", listener.port);
  }
  return printable(facts::listener_endpoint(listener));
}

std::string namespace_name(const facts::Snapshot& snapshot, NetnsId id) {
  const facts::Namespace* ns = facts::find_namespace(snapshot, id);
  if (ns != nullptr && ns->is_host == true) return "the host's network namespace";
  if (ns != nullptr && ns->pasted) return printable(ns->pasted->label);
  if (ns != nullptr && !ns->mount_path.empty()) return "netns:" + printable(ns->mount_path);
  return fmt::format("netns:{}", id.value());
}

Twins::Twins(const facts::Snapshot& snapshot) : snapshot_(snapshot) {
  std::map<std::uint16_t, NetnsId> first;
  for (const facts::Listener& listener : snapshot.listeners) {
    if (listener.protocol != facts::Protocol::kTcp) continue;
    const auto known = first.emplace(listener.port, listener.netns).first;
    if (known->second != listener.netns) shared_.insert(listener.port);
  }
}

std::string Twins::where(const facts::Listener& listener) const {
  if (listener.protocol != facts::Protocol::kTcp || !shared_.contains(listener.port)) return "";
  const facts::Process* process = first_owner(snapshot_, listener);
  if (process != nullptr && (process->pod || process->container)) return "";
  const std::string name = namespace_name(snapshot_, listener.netns);
  return name != render::workload_name(snapshot_, listener) ? name : "";
}

std::string Twins::workload_name(const facts::Listener& listener) const {
  std::string name = render::workload_name(snapshot_, listener);
  const std::string place = where(listener);
  if (place.empty()) return name;
  const facts::Namespace* ns = facts::find_namespace(snapshot_, listener.netns);
  return fmt::format("{} ({})", name, ns != nullptr && ns->is_host == true ? "host" : place);
}

std::string namespace_owner(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  const facts::Namespace* ns = facts::find_namespace(snapshot, listener.netns);
  if (ns != nullptr && ns->is_host == true) return "the host's";
  if (ns != nullptr && ns->pasted && ns->pasted->pod) return "the pod's own";
  if (ns != nullptr && ns->pasted && ns->pasted->container) return "the container's own";
  const facts::Process* process = first_owner(snapshot, listener);
  if (process != nullptr && process->pod) return "the pod's own";
  if (process != nullptr && process->container) return "the container's own";
  if (ns != nullptr && ns->own_container) return "this container's";
  return "its own";
}

}  // namespace acceptq::render
