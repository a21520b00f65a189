#include "render/trouble.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "render/listener_names.h"

namespace acceptq::render {
namespace {

using diagnose::Finding;
using diagnose::ListenerReport;
using diagnose::Report;
using diagnose::Severity;
using diagnose::Verdict;

// By their places in the report, worst first.
std::vector<std::size_t> in_trouble(const Report& report, const FindingsByListener& findings) {
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    const auto it = findings.find(report.listeners[i].key);
    if (it == findings.end()) continue;
    if (worst_severity(it->second) > Severity::kNotice) indexes.push_back(i);
  }
  std::stable_sort(indexes.begin(), indexes.end(), [&report](std::size_t a, std::size_t b) {
    const ListenerReport& left = report.listeners[a];
    const ListenerReport& right = report.listeners[b];
    return std::tuple(left.verdict, right.refused.total.value_or(0)) <
           std::tuple(right.verdict, left.refused.total.value_or(0));
  });
  return indexes;
}

}  // namespace

FindingsByListener findings_by_listener(const Report& report) {
  FindingsByListener findings;
  for (const Finding& finding : report.findings) {
    if (finding.listener) findings[*finding.listener].push_back(&finding);
  }
  return findings;
}

std::vector<std::vector<ListenerInTrouble>> groups_in_trouble(const Report& report,
                                                              const facts::Observation& observation,
                                                              const FindingsByListener& findings,
                                                              bool each_by_itself) {
  using Likeness = std::tuple<std::string, Verdict, std::string, std::optional<QueueLimit>,
                              diagnose::LimitSetBy>;
  std::map<Likeness, std::size_t> places;
  std::vector<std::vector<ListenerInTrouble>> groups;
  for (const std::size_t i : in_trouble(report, findings)) {
    const facts::Listener& listener = observation.after.listeners[i];
    const ListenerReport& each = report.listeners[i];
    const auto& its_findings = findings.at(each.key);
    std::string ids;
    for (const Finding* finding : its_findings) ids += finding->id + " ";
    const auto [place, is_new] =
        places.try_emplace(Likeness(program_name(observation.after, listener), each.verdict, ids,
                                    listener.limit, each.limit_set_by),
                           groups.size());
    if (is_new || each_by_itself) {
      place->second = groups.size();
      groups.emplace_back();
    }
    groups[place->second].push_back({&listener, &each, &its_findings});
  }
  return groups;
}

std::string left_out_text(std::size_t left_out) {
  return counted(left_out, "more listener is", "more listeners are") +
         " in trouble (--verbose shows all)";
}

OtherListeners other_listeners(const Report& report, const facts::Observation& observation,
                               const std::set<std::string>& shown, bool all) {
  OtherListeners others;
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    const ListenerReport& listener = report.listeners[i];
    if (shown.contains(listener.key)) continue;
    // Of pasted text most is unknown of most.
    const bool unknown = listener.verdict == Verdict::kUnknown && !observation.imported;
    // Nothing is known of its queue, and there is a notice about it.
    const bool noticed = listener.captured && listener.verdict != Verdict::kHealthy;
    if (all || unknown || noticed || listener.longest.value() > 0) {
      others.listed.push_back(i);
    } else {
      ++others.unlisted;
    }
  }
  return others;
}

std::string unlisted_text(const facts::Observation& observation, std::size_t unlisted, bool more) {
  const bool captured = observation.after.scan_method == "capture";
  const std::string one = captured ? " server" : " listener";
  return fmt::format("{}{}{} {} (--all lists them)", unlisted, more ? " more" : "",
                     unlisted == 1 ? one : one + "s",
                     captured ? "without trouble" : "with an empty queue");
}

}  // namespace acceptq::render
