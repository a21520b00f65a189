#include "remedy/syn_advise.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "remedy/namespace_sysctl.h"

namespace acceptq::remedy {
namespace {

using diagnose::Remedy;

constexpr const char* kCookiesOn =
    "Turn on SYN cookies, so that SYNs are answered although the SYN queue is full";
constexpr Setting kCookiesWhenFull{.name = facts::kSyncookies, .value = 1};

// A sysctl of the namespace in the form that its owner needs: to stay, and at once.
void add_sysctl_forms(const std::string& why, const Setting& setting, const facts::Namespace& ns,
                      const facts::Process* owner, std::vector<Remedy>& remedies) {
  if (ns.is_host == true) {
    remedies.push_back({.form = "sysctl.d",
                        .summary = why + ".",
                        .content = sysctl_file("60-syn.conf", setting),
                        .takes_effect = "now"});
    return;
  }
  std::optional<Pid> inside;
  if (!ns.pids.empty()) inside = ns.pids.front();
  if (owner != nullptr) inside = owner->pid;
  if (inside) {
    remedies.push_back({.form = "netns.sysctl",
                        .summary = why + ", for as long as this network namespace lives.",
                        .content = set_now(&ns, *inside, setting),
                        .takes_effect = "now"});
  }
  if (owner != nullptr && owner->pod) {
    const bool safe = setting.name == std::string_view(facts::kSyncookies);
    remedies.push_back({.form = "pod.sysctls",
                        .summary = std::string("The same for new pods ") +
                                   (safe ? "(a safe sysctl, which every kubelet allows)."
                                         : "(the kubelet must allow it: "
                                           "--allowed-unsafe-sysctls)."),
                        .content = pod_sysctls(setting),
                        .takes_effect = "new_pod"});
  } else if (owner != nullptr && owner->container) {
    remedies.push_back({.form = "docker.sysctl",
                        .summary = "The same for the container, when it is started again.",
                        .content = docker_run(setting),
                        .takes_effect = "restart"});
  } else if (ns.own_container) {
    remedies.push_back({.form = "container.sysctl",
                        .summary = "The same for this container, when it is started again.",
                        .content = container_sysctls(setting),
                        .takes_effect = "restart"});
  }
}

bool cookies_are_off(const facts::Namespace& ns) {
  const auto it = ns.sysctls.find(facts::kSyncookies);
  return it != ns.sysctls.end() && it->second.state != facts::SysctlState::kUnreadable &&
         it->second.value == 0;
}

}  // namespace

std::vector<Remedy> syn_remedies(const diagnose::Finding& finding, const facts::Namespace& ns,
                                 const facts::Process* owner) {
  std::vector<Remedy> remedies;
  if (finding.id == "AQ203") {
    remedies.push_back({.form = "cause",
                        .summary = "See whose handshakes they are (ss -tn state syn-recv). A few "
                                   "addresses again and again are clients whose answers are lost: "
                                   "find out where. Many that come once are forged: filter them "
                                   "before they arrive (firewall, load balancer, provider). Longer "
                                   "queues do not help.",
                        .takes_effect = "now"});
    if (cookies_are_off(ns)) {
      add_sysctl_forms(kCookiesOn, kCookiesWhenFull, ns, owner, remedies);
    }
  } else if (finding.id == "AQ201" || finding.id == "AQ205") {
    add_sysctl_forms(kCookiesOn, kCookiesWhenFull, ns, owner, remedies);
    if (std::ranges::find(finding.evidence, diagnose::kSynQueueUnanswered,
                          &diagnose::Evidence::name) != finding.evidence.end()) {
      remedies.push_back({.form = "cause",
                          .summary = "Most of what fills the SYN queue never answers, and cookies "
                                     "do not let it in: follow its SYN-ACKs (the route back, "
                                     "filters behind this host), or filter strangers before they "
                                     "arrive.",
                          .takes_effect = "now"});
    }
  } else if (finding.id == "AQ109") {
    add_sysctl_forms("Let the kernel try again instead of resetting the client",
                     {.name = facts::kAbortOnOverflow, .value = 0}, ns, owner, remedies);
  }
  return remedies;
}

}  // namespace acceptq::remedy
