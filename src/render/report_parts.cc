#include "render/report_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "base/bytes.h"
#include "base/text.h"
#include "render/listener_names.h"
#include "render/names.h"

namespace acceptq::render {
namespace {

using diagnose::Finding;
using diagnose::Report;
using diagnose::Severity;

bool warns_of(const Report& report, std::string_view family) {
  return std::ranges::any_of(report.findings, [&](const Finding& finding) {
    return finding.severity > Severity::kNotice && finding.id.starts_with(family);
  });
}

// Of a TCP listener's: who waits for a Unix socket does not try again by itself.
bool warns_of_accept_queue(const Report& report) {
  return std::ranges::any_of(report.findings, [](const Finding& finding) {
    return finding.severity > Severity::kNotice && finding.id.starts_with("AQ1") &&
           finding.id != "AQ110" && finding.id != "AQ107" && finding.listener &&
           finding.listener->starts_with("tcp:");
  });
}

std::string where_is(const Report& report, const facts::Observation& observation,
                     const std::string& key) {
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    if (report.listeners[i].key != key) continue;
    const facts::Listener& listener = observation.after.listeners[i];
    return fmt::format("{} of {}", printable(facts::listener_endpoint(listener)),
                       Twins(observation.after).workload_name(listener));
  }
  return printable(key);
}

}  // namespace

std::vector<std::string> host_parts(const facts::Observation& observation) {
  const facts::Snapshot& after = observation.after;
  if (after.scan_method == "capture") {
    return {"a capture", counted(after.listeners.size(), "server", "servers"),
            fmt::format("{:.1f} s", observation.seconds)};
  }
  std::vector<std::string> parts;
  if (!after.host.name.empty()) parts.push_back(printable(after.host.name));
  if (!after.host.kernel.empty()) parts.push_back("Linux " + printable(after.host.kernel));
  parts.push_back(observation.imported
                      ? "read from pasted text"
                      : counted(after.namespaces.size(), "namespace", "namespaces"));
  parts.push_back(counted(after.listeners.size(), "listener", "listeners"));
  if (observation.seconds > 0) {
    parts.push_back(observation.imported
                        ? fmt::format("{:.1f} s between its samples", observation.seconds)
                        : fmt::format("watched {:.1f} s", observation.seconds));
  }
  if (observation.incident) {
    parts.push_back(fmt::format("overflow at {}", utc_time(incident_realtime_ns(observation))));
  }
  return parts;
}

std::vector<std::string> primer(const Report& report) {
  std::vector<std::string> paragraphs;
  if (warns_of(report, "AQ110")) {
    paragraphs.emplace_back(
        "A connection to a Unix socket waits in its listener's queue until the program takes it "
        "with accept(). While the queue is full, connect() waits, or fails at once on a "
        "non-blocking socket (EAGAIN).");
  }
  if (warns_of_accept_queue(report)) {
    paragraphs.push_back(
        "A complete connection waits in its listener's accept queue until the program takes it "
        "with accept(). " +
        std::string(report.verdict == diagnose::Verdict::kSlow
                        ? "To its client it is open, but silent until then."
                        : "While the queue is full, the kernel drops what arrives, and the "
                          "program's log says nothing: clients try again for seconds, then give "
                          "up."));
  }
  if (warns_of(report, "AQ2")) {
    paragraphs.emplace_back(
        "A handshake that is not complete waits in its listener's SYN queue until the client "
        "answers. Distant clients, and senders that never answer, fill it. With SYN cookies the "
        "kernel then answers without keeping state; without them it drops what arrives.");
  }
  return paragraphs;
}

std::vector<std::string> notices(const Report& report, const facts::Observation& observation,
                                 const std::set<std::string>& shown, bool each) {
  std::map<std::pair<std::string, std::string>, std::vector<const Finding*>> by_title;
  for (const Finding& finding : report.findings) {
    if (finding.severity != Severity::kNotice) continue;
    if (finding.listener && shown.contains(*finding.listener)) continue;
    by_title[{finding.id, finding.title}].push_back(&finding);
  }
  const auto where_of = [&](const Finding& finding) -> std::string {
    if (finding.listener) return where_is(report, observation, *finding.listener);
    return finding.netns ? namespace_name(observation.after, *finding.netns) : std::string();
  };
  std::vector<std::string> sentences;
  for (const auto& [name, findings] : by_title) {
    const auto& [id, title] = name;
    if (findings.size() > 1 && !each) {
      constexpr std::size_t kNamed = 2;
      std::string places;
      for (std::size_t i = 0; i < std::min(findings.size(), kNamed); ++i) {
        const std::string where = where_of(*findings[i]);
        if (!where.empty()) places += (places.empty() ? "" : ", ") + where;
      }
      if (findings.size() > kNamed) places += fmt::format(" and {} more", findings.size() - kNamed);
      sentences.push_back(fmt::format("{} in {} places: {}: {} (--verbose tells of each)", id,
                                      findings.size(), title, places));
      continue;
    }
    for (const Finding* finding : findings) {
      std::string where = where_of(*finding);
      if (!where.empty()) where += ": ";
      sentences.push_back(
          fmt::format("{} {}{}. {}", id, where, title, printable(finding->explanation)));
    }
  }
  return sentences;
}

std::vector<facts::BlindSpot> blind_spots_by_cause(const facts::Snapshot& snapshot) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<std::string>> grouped;
  for (const facts::BlindSpot& spot : snapshot.blind_spots) {
    grouped[{spot.id, spot.reason, spot.cost}].push_back(spot.scope);
  }
  std::vector<facts::BlindSpot> spots;
  for (const auto& [what, scopes] : grouped) {
    const auto& [id, reason, cost] = what;
    spots.push_back({.id = id,
                     .scope = scopes.size() == 1 ? scopes.front()
                                                 : fmt::format("{} and {} more", scopes.front(),
                                                               scopes.size() - 1),
                     .reason = reason,
                     .cost = cost});
  }
  return spots;
}

}  // namespace acceptq::render
