#include "cli/selection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"
#include "cli/commands.h"
#include "diagnose/diagnose.h"

namespace acceptq::cli {
namespace {

using select::Selector;

// "/run/netns/x" → the inode behind it. A link such as /proc/PID/ns/net works as well.
Result<std::uint64_t> namespace_inode(const Selector& selector) {
  const UniqueFd fd(::open(selector.name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, "cannot open " + selector.name);
  // Only descriptors of nsfs answer this (ioctl_ns(2), Linux 4.11).
  struct stat status{};
  if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET || ::fstat(fd.get(), &status) != 0) {
    return fail(ErrorCode::kMalformed, fmt::format("selector \"{}\": {} is no network namespace",
                                                   selector.text, selector.name));
  }
  return status.st_ino;
}

}  // namespace

Status resolve(std::vector<Selector>& selectors) {
  for (Selector& selector : selectors) {
    if (selector.kind != Selector::Kind::kNetnsPath) continue;
    const Result<std::uint64_t> inode = namespace_inode(selector);
    if (!inode) return fail(inode.error());
    selector.kind = Selector::Kind::kNetns;
    selector.number = *inode;
  }
  return {};
}

bool is_process(Pid pid) {
  return ::access(("/proc/" + std::to_string(pid.value())).c_str(), F_OK) == 0;
}

int code_of_selection(const Error& error) {
  return error.code == ErrorCode::kMalformed ? kExitUsage : kExitBlind;
}

Result<std::vector<std::string>> narrow(const std::vector<Selector>& selectors,
                                        facts::Observation& observation, diagnose::Report& report,
                                        const select::IsProcess& ask_host) {
  if (selectors.empty()) return std::vector<std::string>{};
  facts::Snapshot& after = observation.after;
  Result<select::Selection> selection = select::select(selectors, after, ask_host);
  if (!selection) return fail(std::move(selection.error()));
  const std::set<std::string>& keys = selection->keys;
  const std::set<NetnsId>& namespaces = selection->namespaces;
  const std::vector<facts::BlindSpot>& hiding = selection->hiding;
  std::erase_if(after.listeners, [&](const facts::Listener& listener) {
    return !keys.contains(facts::listener_key(listener));
  });
  std::erase_if(report.listeners, [&](const diagnose::ListenerReport& listener) {
    return !keys.contains(listener.key);
  });
  std::erase_if(report.findings, [&](const diagnose::Finding& finding) {
    if (finding.listener) return !keys.contains(*finding.listener);
    return finding.netns && !namespaces.contains(*finding.netns);
  });
  std::erase_if(after.namespaces, [&](const facts::Namespace& ns) {
    return !namespaces.contains(ns.id) && ns.is_host != true;
  });
  std::erase_if(after.blind_spots, [&](const facts::BlindSpot& spot) {
    if (!spot.scope.starts_with("netns:") || std::ranges::find(hiding, spot) != hiding.end()) {
      return false;
    }
    return std::ranges::none_of(namespaces, [&](NetnsId id) {
      return spot.scope == "netns:" + std::to_string(id.value());
    });
  });
  // A host-wide gap says nothing about listeners that were found and seen.
  for (facts::BlindSpot& spot : after.blind_spots) {
    if (spot.scope == "host" && hiding.empty()) spot.unobserved = false;
  }
  for (const facts::Listener& listener : after.listeners) {
    if (!listener.closed) continue;
    selection->warnings.push_back(facts::listener_endpoint(listener) +
                                  " ended while acceptq watched");
  }
  report.verdict = diagnose::overall_verdict(report);
  return std::move(selection->warnings);
}

}  // namespace acceptq::cli
