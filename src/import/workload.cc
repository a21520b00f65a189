#include "import/workload.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "facts/namespace.h"

namespace acceptq::imports {
namespace {

using Json = nlohmann::json;

const Json* member(const Json& json, std::initializer_list<const char*> path) {
  const Json* at = &json;
  for (const char* name : path) {
    if (!at->is_object()) return nullptr;
    const auto found = at->find(name);
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at;
}

std::string text_of(const Json* json) {
  return json != nullptr && json->is_string() ? json->get<std::string>() : "";
}

void each(const Json* array, auto&& take) {
  if (array == nullptr || !array->is_array()) return;
  for (const Json& item : *array) take(item);
}

void add_setting(std::string_view name, std::string_view value, Description& description) {
  const bool wanted =
      std::ranges::any_of(facts::kListenSysctls, [&](const char* known) { return name == known; });
  const auto number = parse_int<std::int64_t>(trim(value));
  if (wanted && number) description.values.push_back({std::string(name), *number});
}

// "net.core.somaxconn=8096,kernel.msgmax=1", as it was written before Kubernetes 1.11.
void add_annotation(const Json* annotation, Description& description) {
  const std::string text = text_of(annotation);
  for (const std::string_view part : split(text, ',')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    add_setting(trim(part.substr(0, equals)), part.substr(equals + 1), description);
  }
}

// "containerd://49b4…" → "49b4…".
std::string id_of(std::string_view text) {
  const std::size_t scheme = text.find("://");
  return std::string(scheme == std::string_view::npos ? text : text.substr(scheme + 3));
}

void add_container(const Json& status, Description& description) {
  const std::string id = id_of(text_of(member(status, {"containerID"})));
  if (!id.empty()) description.names.push_back("container " + id);
  const Json* count = member(status, {"restartCount"});
  if (count == nullptr || !count->is_number_unsigned() || count->get<std::uint64_t>() == 0) return;
  const std::string reason = text_of(member(status, {"lastState", "terminated", "reason"}));
  description.remarks.push_back(
      {.what = fmt::format("container {} of {} was restarted {}{}",
                           text_of(member(status, {"name"})), description.names.front(),
                           counted(count->get<std::uint64_t>(), "time", "times"),
                           reason.empty() ? "" : ", last for the reason " + reason),
       .meaning =
           "each restart makes its listeners anew, with an empty queue; a liveness probe that "
           "waits in a full accept queue fails, and then the kubelet restarts the container"});
}

void add_volume(const Json& volume, Description& description) {
  const Json* nfs = member(volume, {"nfs"});
  if (nfs == nullptr) return;
  description.remarks.push_back(
      {.what = fmt::format("{} has the NFS volume {}:{} ({})", description.names.front(),
                           text_of(member(*nfs, {"server"})), text_of(member(*nfs, {"path"})),
                           text_of(member(volume, {"name"}))),
       .meaning =
           "a program that waits for files on a slow NFS server accepts slowly; whether this "
           "one does is not known: run `acceptq check` on the node while the queue is full, "
           "or add `cat /proc/PID/mountstats` twice"});
}

std::optional<Description> of_pod(const Json& json) {
  if (member(json, {"status", "phase"}) == nullptr) return std::nullopt;
  const std::string name = text_of(member(json, {"metadata", "name"}));
  if (name.empty()) return std::nullopt;
  const std::string ns = text_of(member(json, {"metadata", "namespace"}));
  Description pod;
  if (!ns.empty()) pod.names.push_back(fmt::format("pod {}/{}", ns, name));
  pod.names.push_back("pod " + name);
  each(member(json, {"spec", "securityContext", "sysctls"}), [&](const Json& sysctl) {
    const Json* value = member(sysctl, {"value"});
    add_setting(text_of(member(sysctl, {"name"})), text_of(value), pod);
  });
  for (const char* annotation :
       {"security.alpha.kubernetes.io/sysctls", "security.alpha.kubernetes.io/unsafe-sysctls"}) {
    add_annotation(member(json, {"metadata", "annotations", annotation}), pod);
  }
  if (const std::string ip = text_of(member(json, {"status", "podIP"})); !ip.empty()) {
    pod.addresses.push_back(ip);
  }
  each(member(json, {"status", "podIPs"}), [&](const Json& one) {
    const std::string ip = text_of(member(one, {"ip"}));
    if (!ip.empty() && std::ranges::find(pod.addresses, ip) == pod.addresses.end()) {
      pod.addresses.push_back(ip);
    }
  });
  each(member(json, {"status", "containerStatuses"}),
       [&](const Json& status) { add_container(status, pod); });
  each(member(json, {"spec", "volumes"}), [&](const Json& volume) { add_volume(volume, pod); });
  return pod;
}

std::optional<Description> of_container(const Json& json) {
  const std::string id = text_of(member(json, {"Id"}));
  if (id.size() < 12 || member(json, {"HostConfig"}) == nullptr) return std::nullopt;
  Description container;
  std::string name = text_of(member(json, {"Name"}));
  if (name.starts_with('/')) name.erase(0, 1);
  if (!name.empty()) container.names.push_back("container " + name);
  container.names.push_back("container " + id);
  if (const Json* pid = member(json, {"State", "Pid"});
      pid != nullptr && pid->is_number_unsigned() && pid->get<std::uint64_t>() > 0) {
    container.names.push_back("network namespace of pid " + pid->dump());
  }
  if (const Json* sysctls = member(json, {"HostConfig", "Sysctls"});
      sysctls != nullptr && sysctls->is_object()) {
    for (const auto& [sysctl, value] : sysctls->items()) {
      add_setting(sysctl, text_of(&value), container);
    }
  }
  if (const Json* networks = member(json, {"NetworkSettings", "Networks"});
      networks != nullptr && networks->is_object()) {
    for (const Json& network : *networks) {
      const std::string ip = text_of(member(network, {"IPAddress"}));
      if (!ip.empty()) container.addresses.push_back(ip);
    }
  }
  return container;
}

}  // namespace

bool describe_workloads(const Json& json, Descriptions& descriptions) {
  const Json* items = member(json, {"items"});
  const Json& all = items != nullptr ? *items : json;
  bool found = false;
  const auto take = [&](const Json& one) {
    const bool is_pod = text_of(member(one, {"kind"})) == "Pod";
    std::optional<Description> description = is_pod ? of_pod(one) : of_container(one);
    found |= is_pod || description.has_value();
    if (description) descriptions.all.push_back(std::move(*description));
  };
  if (all.is_array()) {
    for (const Json& one : all) take(one);
  } else {
    take(all);
  }
  return found;
}

}  // namespace acceptq::imports
