#include "remedy/somaxconn_forms.h"

#include <fmt/format.h>

#include <array>

#include "remedy/kubernetes.h"
#include "remedy/namespace_sysctl.h"

namespace acceptq::remedy {
namespace {

Setting wanted(const Subject& subject) {
  return {.name = facts::kSomaxconn, .value = subject.wanted};
}

bool in_host(const Subject& subject) {
  return subject.ns != nullptr && subject.ns->is_host == true;
}

const facts::Process* inside(const Subject& subject) { return subject.holders.first(); }

// Of the process that holds it, or of the place where it was listed.
const facts::Pod* pod_of(const Subject& subject) {
  if (inside(subject) != nullptr && inside(subject)->pod) return &*inside(subject)->pod;
  const bool told = subject.ns != nullptr && subject.ns->pasted && subject.ns->pasted->pod;
  return told ? &*subject.ns->pasted->pod : nullptr;
}

const facts::Container* container_of(const Subject& subject) {
  if (inside(subject) != nullptr && inside(subject)->container) {
    return &*inside(subject)->container;
  }
  const bool told = subject.ns != nullptr && subject.ns->pasted && subject.ns->pasted->container;
  return told ? &*subject.ns->pasted->container : nullptr;
}

bool in_pod(const Subject& subject) { return !in_host(subject) && pod_of(subject) != nullptr; }

bool is_run_by(const Subject& subject, std::string_view runtime) {
  return container_of(subject) != nullptr && container_of(subject)->runtime == runtime;
}

bool in_crio_pod(const Subject& subject) { return in_pod(subject) && is_run_by(subject, "cri-o"); }

bool in_container(const Subject& subject) {
  return !in_host(subject) && !in_pod(subject) && container_of(subject) != nullptr;
}

bool in_docker(const Subject& subject) {
  return in_container(subject) && !is_run_by(subject, "podman");
}

bool in_own_container(const Subject& subject) {
  return !in_host(subject) && !in_pod(subject) && !in_container(subject) && subject.ns != nullptr &&
         subject.ns->own_container;
}

bool can_be_entered(const Subject& subject) {
  // Pids that a container's own ps or ss prints are of no use outside.
  const bool own_pids = subject.ns != nullptr && facts::is_pasted_inside(*subject.ns);
  return !in_host(subject) && !own_pids && inside(subject) != nullptr;
}

// A patch of what makes the pod; where its name does not tell, of a template in general.
std::vector<Piece> patches(const Subject& subject, const std::string& patch) {
  const facts::Pod& pod = *pod_of(subject);
  const std::optional<facts::Workload> workload = facts::workload_of(pod);
  if (!workload) return {{"in the template of what makes the pod (its ownerReferences)", patch}};
  return {{"somaxconn.yaml, then: " + patch_command(pod, *workload), patch},
          {"or kustomization.yaml, with its resources", kustomization(*workload, patch)}};
}

Way pod_sysctls_way(const Subject& subject) {
  const Setting setting = wanted(subject);
  Way way{.remedy = {.form = "pod.sysctls",
                     .summary = fmt::format(
                         "Set net.core.somaxconn to {} for the pod (the kubelet must allow it: "
                         "--allowed-unsafe-sysctls=net.core.somaxconn, else the pod fails with "
                         "SysctlForbidden).",
                         subject.wanted),
                     .content = pod_sysctls(setting),
                     .takes_effect = "new_pod"},
          .pieces = {{"in the kubelet's configuration of each node that may run it (then restart "
                      "the kubelet)",
                      "allowedUnsafeSysctls: [\"net.core.somaxconn\"]\n"}}};
  for (Piece& piece : patches(subject, sysctl_patch(setting))) {
    way.pieces.push_back(std::move(piece));
  }
  return way;
}

Way init_container_way(const Subject& subject) {
  const Setting setting = wanted(subject);
  return {.remedy = {.form = "pod.init_container",
                     .summary = "Where the kubelet does not allow it, let a privileged init "
                                "container set it before the server starts.",
                     .content = pod_init_container(setting),
                     .takes_effect = "new_pod"},
          .pieces = patches(subject, init_container_patch(setting))};
}

Way tuning_way(const Subject& subject) {
  const std::string plugin = fmt::format(
      "{{\"type\": \"tuning\", \"sysctl\": {{\"net.core.somaxconn\": \"{}\"}}}}\n", subject.wanted);
  return {.remedy = {.form = "cni.tuning",
                     .summary = "Or let the tuning plugin of CNI set it in every new pod of the "
                                "node, past the kubelet's list (where "
                                "/etc/cni/tuning/allowlist.conf exists, it must match; what the "
                                "pod's own sysctls set goes over it). Some "
                                "network add-ons write that file again at each start.",
                     .content = plugin,
                     .takes_effect = "new_pod"},
          .pieces = {
              {"behind the last of `plugins` in the first *.conflist of /etc/cni/net.d", plugin}}};
}

Way crio_way(const Subject& subject) {
  const std::string text = fmt::format(
      "[crio.runtime]\ndefault_sysctls = [\"net.core.somaxconn={}\"]\n", subject.wanted);
  return {
      .remedy = {.form = "crio.default_sysctls",
                 .summary = "Or let CRI-O set it in every new pod of the node that has a "
                            "network namespace of its own. The list replaces the one that is "
                            "in force (crio config shows it).",
                 .content = text,
                 .takes_effect = "new_pod"},
      .pieces = {{"/etc/crio/crio.conf.d/60-somaxconn.conf, then: systemctl restart crio", text}}};
}

Way start_container_way(const Subject& subject, std::string_view engine) {
  return {.remedy = {.form = "docker.sysctl",
                     .summary = fmt::format("Start the container with net.core.somaxconn {}.",
                                            subject.wanted),
                     .content = docker_run(wanted(subject), engine),
                     .takes_effect = "restart"}};
}

Way docker_way(const Subject& subject) { return start_container_way(subject, "docker"); }
Way podman_way(const Subject& subject) { return start_container_way(subject, "podman"); }

Way compose_way(const Subject& subject) {
  const std::string text =
      fmt::format("    sysctls:\n      net.core.somaxconn: {}\n", subject.wanted);
  return {.remedy = {.form = "docker.compose",
                     .summary = "Or, if Compose makes the container, in its service.",
                     .content = text,
                     .takes_effect = "restart"},
          .pieces = {
              {"compose.yaml, in services: and its own name, then: docker compose up -d", text}}};
}

Way own_container_way(const Subject& subject) {
  return {.remedy = {.form = "container.sysctl",
                     .summary = fmt::format("Start this container with net.core.somaxconn {}.",
                                            subject.wanted),
                     .content = container_sysctls(wanted(subject)),
                     .takes_effect = "restart"}};
}

facts::SysctlStep step(const Subject& subject) {
  return {.netns = subject.listener.netns, .name = facts::kSomaxconn, .value = subject.wanted};
}

Way host_way(const Subject& subject) {
  const Setting setting = wanted(subject);
  return {.remedy = {.form = "sysctl.d",
                     .summary =
                         fmt::format("Raise net.core.somaxconn of the host to {}.", subject.wanted),
                     .content = sysctl_file(kSomaxconnFile, setting),
                     .takes_effect = "restart"},
          .change = {.sysctls = {step(subject)},
                     .files = {{.path = fmt::format("{}/{}", kSysctlFolder, kSomaxconnFile),
                                .after = sysctl_line(setting)}}}};
}

Way namespace_way(const Subject& subject) {
  return {.remedy = {.form = "netns.sysctl",
                     .summary = fmt::format(
                         "Raise net.core.somaxconn in this namespace now; {} must call listen() "
                         "again (restart it inside the same namespace).",
                         server_name(subject)),
                     .content = set_now(subject.ns, inside(subject)->pid, wanted(subject)),
                     .takes_effect = "restart"},
          .change = {.sysctls = {step(subject)}}};
}

// Nothing tells whose namespace it is: what was pasted shows no process.
bool is_nowhere(const Subject& subject) {
  const bool is_told =
      in_host(subject) || in_pod(subject) || in_container(subject) || in_own_container(subject);
  return !is_told && inside(subject) == nullptr;
}

Way somewhere_way(const Subject& subject) {
  const std::string condition =
      subject.report.somaxconn ? ""
                               : " (where cat /proc/sys/net/core/somaxconn, run there, shows less)";
  return {.remedy = {.form = "netns.sysctl",
                     .summary = fmt::format(
                         "Raise net.core.somaxconn of the network namespace that it listens in to "
                         "{}{}: for a pod by its securityContext.sysctls, for a container by "
                         "--sysctl, for a host by sysctl.d. Then restart the server.",
                         subject.wanted, condition),
                     .content = container_sysctls(wanted(subject)),
                     .takes_effect = "restart"}};
}

struct Form {
  Extent extent;
  bool (*applies)(const Subject& subject);
  Way (*make)(const Subject& subject);
};

bool in_podman(const Subject& subject) {
  return in_container(subject) && is_run_by(subject, "podman");
}

// The best first.
constexpr std::array kForms = {
    Form{Extent::kFirst, in_host, host_way},
    Form{Extent::kFirst, in_pod, pod_sysctls_way},
    Form{Extent::kFirst, in_pod, init_container_way},
    Form{Extent::kAll, in_pod, tuning_way},
    Form{Extent::kAll, in_crio_pod, crio_way},
    Form{Extent::kFirst, in_docker, docker_way},
    Form{Extent::kFirst, in_podman, podman_way},
    Form{Extent::kAll, in_docker, compose_way},
    Form{Extent::kFirst, in_own_container, own_container_way},
    Form{Extent::kFirst, can_be_entered, namespace_way},
    Form{Extent::kFirst, is_nowhere, somewhere_way},
};

}  // namespace

std::vector<Way> somaxconn_ways(const Subject& subject, Extent extent) {
  std::vector<Way> ways;
  for (const Form& form : kForms) {
    if ((extent == Extent::kAll || form.extent == Extent::kFirst) && form.applies(subject)) {
      ways.push_back(form.make(subject));
      ways.back().remedy.lengthens = true;
    }
  }
  return ways;
}

}  // namespace acceptq::remedy
