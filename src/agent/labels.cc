#include "agent/labels.h"

#include <string_view>

#include "facts/holders.h"

namespace acceptq::agent {
namespace {

// As `docker ps` and `crictl ps` show it.
constexpr std::size_t kShortId = 12;

std::string file_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace

std::string Labeller::netns_name(NetnsId id) const {
  const facts::Namespace* ns = facts::find_namespace(snapshot_, id);
  if (ns != nullptr && ns->is_host == true) return "host";
  if (ns != nullptr && !ns->mount_path.empty()) return file_name(ns->mount_path);
  return std::to_string(id.value());
}

Labels Labeller::of(const facts::Namespace& ns) const {
  Labels labels;
  labels.netns = netns_name(ns.id);
  return labels;
}

Labels Labeller::of(const facts::Listener& listener) const {
  Labels labels;
  const facts::Holders holders = facts::holders_of(snapshot_, listener);
  const facts::Process* owner = holders.master();
  if (owner == nullptr) owner = holders.first();
  if (owner != nullptr) {
    labels.process = owner->comm;
    if (owner->pod) {
      labels.ns = owner->pod->ns.value_or("");
      labels.pod = owner->pod->name.value_or(owner->pod->uid.value_or(""));
    }
    if (owner->container) {
      labels.container = owner->container->name.value_or(owner->container->id.substr(0, kShortId));
    }
  }
  const facts::Namespace* ns = facts::find_namespace(snapshot_, listener.netns);
  // A pod with hostNetwork shares its ports with everything else of the host.
  const bool is_host = ns != nullptr && ns->is_host == true;
  const bool is_workload = !labels.pod.empty() || !labels.container.empty();
  if (!is_workload || is_host) labels.netns = netns_name(listener.netns);
  if (listener.protocol == facts::Protocol::kUnix) {
    labels.address = "unix:" + listener.path;
  } else {
    labels.address = listener.address.to_string();
    if (listener.device) labels.address += "%" + *listener.device;
    labels.port = std::to_string(listener.port);
  }
  return labels;
}

Labels namespace_labels(const Labels& listener) {
  Labels labels;
  labels.netns = listener.netns;
  // The host's is not that of a pod which lives in it.
  if (!listener.netns.empty()) return labels;
  labels.ns = listener.ns;
  labels.pod = listener.pod;
  // Containers of one pod share it.
  if (labels.pod.empty()) labels.container = listener.container;
  return labels;
}

}  // namespace acceptq::agent
