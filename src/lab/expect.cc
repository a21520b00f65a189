#include "lab/expect.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "render/names.h"

namespace acceptq::lab {
namespace {

std::string join(const std::set<std::string>& words) {
  if (words.empty()) return "nothing";
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

struct Seen {
  std::set<std::string> keys, verdicts, limits, limit_setters, owners, findings;
  std::optional<GivenCause> cause;
};

Seen collect(NetnsId netns, std::uint16_t port, const Diagnosis& diagnosis) {
  Seen seen;
  const facts::Snapshot& snapshot = diagnosis.observation.after;
  for (const facts::Listener& listener : snapshot.listeners) {
    if (listener.protocol != facts::Protocol::kTcp || listener.netns != netns ||
        listener.port != port) {
      continue;
    }
    seen.keys.insert(facts::listener_key(listener));
    if (listener.limit) seen.limits.insert(std::to_string(listener.limit->value()));
    for (const facts::OwnerRef& owner : listener.owners) {
      const facts::Process* process = facts::find_process(snapshot, owner.pid);
      if (process != nullptr) seen.owners.insert(process->comm);
    }
  }
  for (const diagnose::ListenerReport& listener : diagnosis.report.listeners) {
    if (seen.keys.count(listener.key) == 0) continue;
    seen.verdicts.insert(render::name_of(listener.verdict));
    seen.limit_setters.insert(render::name_of(listener.limit_set_by));
  }
  for (const diagnose::Finding& finding : diagnosis.report.findings) {
    if (finding.listener && seen.keys.count(*finding.listener) == 0) continue;
    if (!finding.listener && finding.netns && *finding.netns != netns) continue;
    seen.findings.insert(finding.id);
    // A cause of the host as a whole would be that of every listener on it.
    const bool of_the_listener = finding.listener || finding.netns;
    if (of_the_listener && finding.cause && !seen.cause) {
      seen.cause = GivenCause{finding.cause->kind, finding.confidence};
    }
  }
  return seen;
}

}  // namespace

std::vector<std::string> compare(const Expect& expect, NetnsId netns, std::uint16_t port,
                                 const Diagnosis& diagnosis) {
  const Seen seen = collect(netns, port, diagnosis);
  std::vector<std::string> mismatches;
  if (seen.keys.empty()) {
    mismatches.push_back(fmt::format("no listener on port {} was found", port));
    return mismatches;
  }
  const auto want = [&mismatches](const char* what, const std::optional<std::string>& wanted,
                                  const std::set<std::string>& found) {
    if (wanted && found.count(*wanted) == 0) {
      mismatches.push_back(fmt::format("{}: expected {}, got {}", what, *wanted, join(found)));
    }
  };
  want("verdict", expect.verdict, seen.verdicts);
  want("limit", expect.limit ? std::optional(std::to_string(*expect.limit)) : std::nullopt,
       seen.limits);
  want("limit_set_by", expect.limit_set_by, seen.limit_setters);
  want("owner", expect.owner, seen.owners);
  for (const std::string& id : expect.must) want("finding", id, seen.findings);
  for (const std::string& prefix : expect.must_not) {
    for (const std::string& id : seen.findings) {
      if (id.starts_with(prefix)) {
        mismatches.push_back(fmt::format("finding {} must not be there", id));
      }
    }
  }
  const bool some_cause_fits =
      seen.cause && std::ranges::find(expect.causes, seen.cause->kind) != expect.causes.end();
  if ((expect.no_cause && seen.cause) || (!expect.causes.empty() && !some_cause_fits)) {
    std::string wanted;
    for (const diagnose::CauseKind kind : expect.causes) {
      wanted += fmt::format("{}{}", wanted.empty() ? "" : " or ", diagnose::cause_name(kind));
    }
    mismatches.push_back(fmt::format("cause: expected {}, got {}", wanted.empty() ? "none" : wanted,
                                     seen.cause ? diagnose::cause_name(seen.cause->kind) : "none"));
  }
  return mismatches;
}

std::optional<GivenCause> cause_given(NetnsId netns, std::uint16_t port,
                                      const Diagnosis& diagnosis) {
  return collect(netns, port, diagnosis).cause;
}

}  // namespace acceptq::lab
