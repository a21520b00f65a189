#include "remedy/advise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "remedy/combine.h"
#include "remedy/namespace_sysctl.h"
#include "remedy/servers.h"
#include "remedy/syn_advise.h"

namespace acceptq::remedy {
namespace {

using diagnose::LimitSetBy;
using diagnose::ListenerReport;
using diagnose::Remedy;

constexpr std::array<std::string_view, 7> kAdvised = {"AQ101", "AQ103", "AQ104", "AQ105",
                                                      "AQ108", "AQ110", "AQ202"};
// A queue that is full in this share of the samples does not suffer from bursts.
constexpr double kFullAllTheTime = 0.5;
constexpr std::uint32_t kUsual = 4096;  // the kernel's own default from Linux 5.4 on

// Everything that advice about one listener is made from.
struct Subject {
  const facts::Listener& listener;
  const ListenerReport& report;
  const facts::Namespace* ns;
  const facts::Process* owner;       // the first; null where there is none
  const Server* server;              // null where the owner is not known by name
  std::vector<const Server*> alike;  // ServerMatch's
  std::uint32_t wanted;              // an example of a larger limit
};

std::string server_name(const Subject& subject) {
  if (subject.server != nullptr) return subject.server->name;
  return subject.owner != nullptr ? subject.owner->comm : "the application";
}

// What limits the queue once somaxconn is out of the way.
std::string behind_somaxconn(const Subject& subject) {
  const std::uint32_t limit = subject.listener.limit->value();
  const Server* server = subject.server;
  if (server != nullptr && server->default_backlog && *server->default_backlog > limit) {
    return fmt::format("{}'s own backlog, {} by default, becomes the limit: raise both.",
                       server->name, *server->default_backlog);
  }
  return fmt::format(
      "{}'s own backlog, the number that it passes to listen(), may be the next limit.",
      server_name(subject));
}

Remedy slow_accept() {
  return {.form = "cause",
          .summary =
              "Find out why accept() is slow, or let more workers accept: a longer queue only "
              "makes clients wait longer.",
          .takes_effect = "now"};
}

Remedy cause_first(const Subject& subject) {
  Remedy remedy{.form = "cause",
                .summary =
                    "Find out why accept() is slow: the queue is full most of the time, so a "
                    "longer one only makes clients wait longer.",
                .takes_effect = "now"};
  const auto& accepts = subject.report.accepts_per_s;
  if (accepts && *accepts > 0) {
    remedy.content = fmt::format(
        "{:.3g} connections per second are accepted: a queue of {} would mean a wait of {:.0f} s.",
        *accepts, subject.wanted, subject.wanted / *accepts);
  } else if (accepts) {
    remedy.content = "Nothing was accepted while acceptq watched: is the server stopped or stuck?";
  }
  return remedy;
}

Setting wanted_somaxconn(const Subject& subject) {
  return {.name = facts::kSomaxconn, .value = subject.wanted};
}

void add_pod_forms(const Subject& subject, std::vector<Remedy>& remedies) {
  remedies.push_back({.form = "pod.sysctls",
                      .summary = fmt::format(
                          "Set net.core.somaxconn to {} for the pod (the kubelet must allow it: "
                          "--allowed-unsafe-sysctls=net.core.somaxconn, else the pod fails with "
                          "SysctlForbidden).",
                          subject.wanted),
                      .content = pod_sysctls(wanted_somaxconn(subject)),
                      .takes_effect = "new_pod",
                      .then = behind_somaxconn(subject)});
  remedies.push_back(
      {.form = "pod.init_container",
       .summary = "Where the kubelet does not allow it: a privileged init container sets it before "
                  "the server starts.",
       .content = fmt::format(
           "spec:\n  initContainers:\n  - name: somaxconn\n    image: busybox\n    command: "
           "[\"sysctl\", \"-w\", \"net.core.somaxconn={}\"]\n    securityContext:\n      "
           "privileged: true\n",
           subject.wanted),
       .takes_effect = "new_pod",
       .then = behind_somaxconn(subject)});
}

void add_somaxconn_forms(const Subject& subject, std::vector<Remedy>& remedies) {
  const Setting setting = wanted_somaxconn(subject);
  if (subject.ns != nullptr && subject.ns->is_host == true) {
    remedies.push_back(
        {.form = "sysctl.d",
         .summary = fmt::format("Raise net.core.somaxconn of the host to {}.", subject.wanted),
         .content = sysctl_file("60-somaxconn.conf", setting),
         .takes_effect = "restart",
         .then = behind_somaxconn(subject)});
    return;
  }
  const bool in_pod = subject.owner != nullptr && subject.owner->pod.has_value();
  const bool in_container = subject.owner != nullptr && subject.owner->container.has_value();
  if (in_pod) {
    add_pod_forms(subject, remedies);
  } else if (in_container) {
    remedies.push_back(
        {.form = "docker.sysctl",
         .summary = fmt::format("Start the container with net.core.somaxconn {}.", subject.wanted),
         .content = docker_run(setting),
         .takes_effect = "restart",
         .then = behind_somaxconn(subject)});
  } else if (subject.ns != nullptr && subject.ns->own_container) {
    remedies.push_back(
        {.form = "container.sysctl",
         .summary = fmt::format("Start this container with net.core.somaxconn {}.", subject.wanted),
         .content = container_sysctls(setting),
         .takes_effect = "restart",
         .then = behind_somaxconn(subject)});
  }
  if (subject.owner != nullptr) {
    remedies.push_back({.form = "netns.sysctl",
                        .summary = fmt::format(
                            "Raise net.core.somaxconn in this namespace now; {} must call listen() "
                            "again (restart it inside the same namespace).",
                            server_name(subject)),
                        .content = set_now(subject.ns, subject.owner->pid, setting),
                        .takes_effect = "restart",
                        .then = behind_somaxconn(subject)});
  }
}

// What is known of the backlog that the application passes to listen().
std::string present_backlog(const Subject& subject) {
  const std::uint32_t limit = subject.listener.limit ? subject.listener.limit->value() : 0;
  const auto& usual = subject.server->default_backlog;
  if (subject.report.limit_set_by == LimitSetBy::kSomaxconn) {
    return usual ? fmt::format("{} by default", *usual) : fmt::format("{} or more", limit);
  }
  return usual == limit ? fmt::format("{} is its default", limit) : fmt::format("now {}", limit);
}

// "Apache Tomcat (acceptCount) or Akka HTTP (backlog)": enough to know one's own again.
std::string settings_of(const std::vector<const Server*>& servers) {
  constexpr std::size_t kNamed = 4;
  std::string text;
  for (std::size_t i = 0; i < servers.size() && i < kNamed; ++i) {
    text += i == 0 ? "" : i + 1 < servers.size() ? ", " : " or ";
    text += servers[i]->name;
    if (!servers[i]->key.empty()) text += fmt::format(" ({})", servers[i]->key);
  }
  return servers.size() > kNamed ? text + " and others" : text;
}

void add_application_form(const Subject& subject, std::vector<Remedy>& remedies) {
  const Server* server = subject.server;
  Remedy remedy{.form = "application", .takes_effect = "restart"};
  const std::uint32_t limit = subject.listener.limit ? subject.listener.limit->value() : 0;
  const auto& somaxconn = subject.report.somaxconn;
  if (somaxconn && std::cmp_less(*somaxconn, subject.wanted)) {
    remedy.then = fmt::format(
        "net.core.somaxconn of its namespace, {}, becomes the limit: raise both.", *somaxconn);
  } else if (somaxconn) {
    remedy.then = fmt::format("net.core.somaxconn of its namespace, {}, allows it.", *somaxconn);
  }
  if (!subject.alike.empty()) {
    remedy.summary = fmt::format(
        "Have {} pass a larger backlog to listen(). Its limit of {} is the "
        "default of {}.",
        subject.owner->comm, limit, settings_of(subject.alike));
  } else if (server == nullptr) {
    const bool clamped = subject.report.limit_set_by == LimitSetBy::kSomaxconn;
    remedy.summary = fmt::format("Have {} pass a larger backlog to listen() ({} {}).",
                                 server_name(subject), clamped ? "at least" : "now", limit);
  } else if (server->key.empty()) {
    remedy.summary = fmt::format("{} has no setting for its backlog.", server->name);
  } else {
    const bool reload = server->apply == ApplyBy::kReload;
    remedy.summary =
        fmt::format("Raise {}'s own backlog ({}): {}. It takes effect after a {}.", server->name,
                    present_backlog(subject), server->key, reload ? "reload" : "restart");
    remedy.content = server->example;
    remedy.takes_effect = reload ? "reload" : "restart";
  }
  remedies.push_back(std::move(remedy));
}

std::vector<Remedy> advise(const Subject& subject) {
  std::vector<Remedy> remedies;
  if (subject.report.full_fraction.value_or(0) >= kFullAllTheTime) {
    remedies.push_back(cause_first(subject));
  }
  if (!subject.listener.limit) return remedies;
  switch (subject.report.limit_set_by) {
    case LimitSetBy::kSomaxconn:
      add_somaxconn_forms(subject, remedies);
      add_application_form(subject, remedies);
      break;
    case LimitSetBy::kApplication:
    case LimitSetBy::kUnknown:
      add_application_form(subject, remedies);
      break;
    case LimitSetBy::kKernel:
    case LimitSetBy::kAcceptq:
      break;
  }
  return remedies;
}

// At least the kernel's default, and at least twice what there is.
std::uint32_t wanted_limit(const facts::Listener& listener) {
  constexpr std::uint32_t kCeiling = 65535;
  const std::uint32_t limit = listener.limit ? listener.limit->value() : 0;
  return std::clamp(std::min(limit, kCeiling) * 2, kUsual, kCeiling);
}

}  // namespace

void add_remedies(diagnose::Report& report, const facts::Observation& observation) {
  std::unordered_map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < report.listeners.size(); ++i) index[report.listeners[i].key] = i;
  for (diagnose::Finding& finding : report.findings) {
    const facts::Listener* listener = nullptr;
    const ListenerReport* told = nullptr;
    if (const auto it = finding.listener ? index.find(*finding.listener) : index.end();
        it != index.end()) {
      listener = &observation.after.listeners[it->second];
      told = &report.listeners[it->second];
    }
    const facts::Process* owner =
        listener == nullptr || listener->owners.empty()
            ? nullptr
            : facts::find_process(observation.after, listener->owners.front().pid);
    const std::optional<NetnsId> netns = listener != nullptr ? listener->netns : finding.netns;
    const facts::Namespace* ns = netns ? facts::find_namespace(observation.after, *netns) : nullptr;
    if (finding.id == "AQ113") {
      finding.remedies = {slow_accept()};
    } else if (listener != nullptr && std::ranges::find(kAdvised, finding.id) != kAdvised.end()) {
      const auto limit = listener->limit ? std::optional(listener->limit->value()) : std::nullopt;
      const ServerMatch match = owner != nullptr ? find_server(*owner, limit) : ServerMatch{};
      finding.remedies = advise({.listener = *listener,
                                 .report = *told,
                                 .ns = ns,
                                 .owner = owner,
                                 .server = match.server,
                                 .alike = match.alike,
                                 .wanted = wanted_limit(*listener)});
    } else if (ns != nullptr) {
      finding.remedies = syn_remedies(finding, *ns, owner);
    }
  }
  combine_remedies(report);
}

}  // namespace acceptq::remedy
