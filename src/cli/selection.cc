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

#include "base/bytes.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "cli/commands.h"
#include "cli/suggestions.h"
#include "diagnose/diagnose.h"
#include "facts/socket_index.h"

namespace acceptq::cli {
namespace {

using Kind = Selector::Kind;

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

std::string what_there_is(const Selector& selector, const facts::Snapshot& snapshot) {
  constexpr std::size_t kMost = 5;
  const std::vector<std::string> nearest = suggestions(selector, snapshot, kMost);
  if (nearest.empty()) return "no TCP listener was seen";
  return fmt::format("seen were {}{}", fmt::join(nearest, ", "),
                     snapshot.listeners.size() > nearest.size() ? ", …" : "");
}

bool is_gone(const Selector& selector) {
  return selector.kind == Kind::kPid && ::access(("/proc/" + selector.name).c_str(), F_OK) != 0;
}

// Whether what was not observed at all may hold what the selector means.
bool may_hide(const facts::BlindSpot& spot, const Selector& selector) {
  if (!spot.unobserved) return false;
  if (selector.kind != Kind::kNetns || !spot.scope.starts_with("netns:")) return true;
  return spot.scope == fmt::format("netns:{}", selector.number);
}

// Whether what the snapshot does not show of that namespace may be there nevertheless.
bool may_be_unseen(const facts::Snapshot& snapshot, NetnsId netns) {
  const std::string scope = fmt::format("netns:{}", netns.value());
  return std::ranges::any_of(snapshot.blind_spots, [&](const facts::BlindSpot& spot) {
    return spot.unobserved && (spot.scope == scope || !spot.scope.starts_with("netns:"));
  });
}

bool is_selected(const std::vector<Selector>& selectors, const facts::Snapshot& snapshot,
                 const facts::Listener& listener) {
  return std::ranges::any_of(selectors, [&](const Selector& selector) {
    return matches(selector, snapshot, listener) || selects_namespace(selector, listener.netns);
  });
}

Error nothing_selected(const Selector& selector, const facts::Snapshot& snapshot, bool live) {
  if (live && is_gone(selector)) {
    return {ErrorCode::kNotFound, 0, fmt::format("there is no process {}", selector.name)};
  }
  return {ErrorCode::kNotFound, 0,
          fmt::format("no listener matches \"{}\"; {}", selector.text,
                      what_there_is(selector, snapshot))};
}

}  // namespace

Status resolve(std::vector<Selector>& selectors) {
  for (Selector& selector : selectors) {
    if (selector.kind != Kind::kNetnsPath) continue;
    const Result<std::uint64_t> inode = namespace_inode(selector);
    if (!inode) return fail(inode.error());
    selector.kind = Kind::kNetns;
    selector.number = *inode;
  }
  return {};
}

std::function<bool(const facts::Snapshot&, const facts::Listener&)> selected_by(
    const std::vector<Selector>& selectors) {
  return [&selectors](const facts::Snapshot& snapshot, const facts::Listener& listener) {
    return selectors.empty() || is_selected(selectors, snapshot, listener);
  };
}

Result<Selection> select(const std::vector<Selector>& selectors, const facts::Snapshot& snapshot,
                         bool live) {
  Selection selection;
  for (const Selector& selector : selectors) {
    bool found = false;
    for (const facts::Listener& listener : snapshot.listeners) {
      if (!matches(selector, snapshot, listener)) continue;
      found = true;
      selection.keys.insert(facts::listener_key(listener));
      selection.namespaces.insert(listener.netns);
    }
    for (const facts::Namespace& ns : snapshot.namespaces) {
      if (!selects_namespace(selector, ns.id)) continue;
      found = true;
      selection.namespaces.insert(ns.id);
    }
    if (found) continue;
    const Error nothing = nothing_selected(selector, snapshot, live);
    bool hidden = false;
    for (const facts::BlindSpot& spot : snapshot.blind_spots) {
      if (!may_hide(spot, selector) || (live && is_gone(selector))) continue;
      hidden = true;
      selection.hiding.push_back(spot);
    }
    selection.warnings.push_back(
        hidden ? nothing.context + "; it may be where acceptq could not look" : nothing.context);
  }
  const bool nothing_matched = selection.keys.empty() && selection.namespaces.empty();
  if (!selectors.empty() && nothing_matched && selection.hiding.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}", fmt::join(selection.warnings, "; ")));
  }
  return selection;
}

int code_of_selection(const Error& error) {
  return error.code == ErrorCode::kMalformed ? kExitUsage : kExitBlind;
}

void keep_the_ended(const std::vector<Selector>& selectors, facts::Observation& observation) {
  facts::Snapshot& after = observation.after;
  const facts::SocketIndex there(after.listeners);
  std::vector<facts::Listener> kept;
  for (const facts::Listener& listener : observation.before.listeners) {
    if (there.find(listener) != nullptr || !is_selected(selectors, observation.before, listener) ||
        may_be_unseen(after, listener.netns)) {
      continue;
    }
    facts::Listener& ended = kept.emplace_back(listener);
    ended.closed = true;
    ended.accept_queue_len = QueueLength(0);
    for (const facts::OwnerRef& owner : listener.owners) {
      const facts::Process* process = facts::find_process(observation.before, owner.pid);
      if (process != nullptr) after.processes.push_back(*process);
    }
    if (facts::find_namespace(after, listener.netns) == nullptr) {
      const facts::Namespace* ns = facts::find_namespace(observation.before, listener.netns);
      if (ns != nullptr) after.namespaces.push_back(*ns);
    }
  }
  if (kept.empty()) return;
  std::ranges::move(kept, std::back_inserter(after.listeners));
  facts::normalize(after);
}

Result<std::vector<std::string>> narrow(const std::vector<Selector>& selectors,
                                        facts::Observation& observation, diagnose::Report& report,
                                        bool live) {
  if (selectors.empty()) return std::vector<std::string>{};
  facts::Snapshot& after = observation.after;
  Result<Selection> selection = select(selectors, after, live);
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
