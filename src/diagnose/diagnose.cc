#include "diagnose/diagnose.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>

#include "diagnose/books.h"
#include "diagnose/capture_rules.h"
#include "diagnose/causes/accept_course.h"
#include "diagnose/listener_state.h"
#include "diagnose/rules.h"
#include "diagnose/unanswered.h"
#include "listenpath/kernel.h"

namespace acceptq::diagnose {
namespace {

// Worst first: by severity, then by how much their listener refused, then by number; causes by how
// much of the time they explain.
void sort_findings(const std::vector<ListenerReport>& listeners, std::vector<Finding>& findings) {
  std::unordered_map<std::string, std::uint64_t> refused;
  for (const ListenerReport& listener : listeners) {
    refused[listener.key] = listener.refused.total.value_or(0);
  }
  const auto weight = [&](const Finding& finding) {
    const auto it = finding.listener ? refused.find(*finding.listener) : refused.end();
    return it != refused.end() ? it->second : 0;
  };
  const auto family = [](const Finding& finding) {
    return std::string_view(finding.id).substr(0, 3);
  };
  const auto share = [](const Finding& finding) {
    return finding.cause ? finding.cause->share.value_or(1) : 0;
  };
  std::ranges::stable_sort(findings, [&](const Finding& a, const Finding& b) {
    return std::tuple(b.severity, weight(b), family(a), share(b), std::string_view(a.id)) <
           std::tuple(a.severity, weight(a), family(b), share(a), std::string_view(b.id));
  });
}

void add_accept_courses(const facts::Observation& observation, const std::vector<Finding>& findings,
                        std::vector<ListenerState>& states) {
  std::set<std::string_view> explained;
  for (const Finding& finding : findings) {
    if (says_why(finding) && finding.listener) explained.insert(*finding.listener);
  }
  for (ListenerState& state : states) {
    if (!explained.contains(state.report.key)) continue;
    state.report.accept_course = accept_course(observation, state);
  }
}

}  // namespace

Verdict verdict_of_finding(std::string_view id) {
  struct Row {
    std::string_view id;
    Verdict verdict;
  };
  static constexpr Row kRows[] = {
      {"AQ101", Verdict::kOverflowing},
      {"AQ102", Verdict::kOverflowed},
      {"AQ103", Verdict::kAtRisk},
      {"AQ107", Verdict::kDroppedElsewhere},
      {"AQ108", Verdict::kAtRisk},
      {"AQ110", Verdict::kAtRisk},
      {"AQ113", Verdict::kSlow},
      {"AQ201", Verdict::kOverflowing},
      {"AQ202", Verdict::kAtRisk},
      {"AQ203", Verdict::kAtRisk},
      {"AQ205", Verdict::kOverflowing},
      {"AQ401", Verdict::kDroppedElsewhere},
      {"AQ402", Verdict::kDroppedElsewhere},
      {"AQ403", Verdict::kFailing},
      {"AQ404", Verdict::kFailing},
      {"AQ405", Verdict::kFailing},
      {"AQ604", Verdict::kUnknown},
      {"AQ606", Verdict::kUnknown},
      {"AQ608", Verdict::kUnknown},
  };
  const auto* row = std::ranges::find(kRows, id, &Row::id);
  return row != std::end(kRows) ? row->verdict : Verdict::kHealthy;
}

Verdict overall_verdict(const Report& report) {
  // A host without listeners has nothing to be wrong with.
  Verdict verdict = Verdict::kHealthy;
  for (const ListenerReport& listener : report.listeners) {
    verdict = std::min(verdict, listener.verdict);
  }
  for (const Finding& finding : report.findings) {
    // That something is not known of a listener is that listener's own verdict.
    const Verdict meant = verdict_of_finding(finding.id);
    if (!finding.listener && meant != Verdict::kUnknown) verdict = std::min(verdict, meant);
  }
  return verdict;
}

Report diagnose(const facts::Observation& observation) {
  const listenpath::KernelRules rules = listenpath::rules_for(observation.after.host.kernel);
  std::vector<ListenerState> states = listener_states(observation, rules);
  attribute_dead_syns(observation, states);
  judge_listeners(rules, states);
  Report report;
  for (const ListenerState& state : states) {
    add_accept_queue_findings(observation, rules, state, states, report.findings);
    add_cause_findings(observation, state, report.findings);
    add_elsewhere_findings(state, report.findings);
    add_capture_findings(state, report.findings);
    add_unanswered_findings(state, report.findings);
  }
  quiet_scans(states, report.findings);
  add_waiting_client_findings(observation, states, report.findings);
  std::set<NetnsId> namespaces;
  for (const facts::Namespace& ns : observation.after.namespaces) namespaces.insert(ns.id);
  for (const ListenerState& state : states) namespaces.insert(state.listener->netns);
  for (const NetnsId id : namespaces) {
    add_namespace_findings(observation, rules, id, states, report.findings);
    add_unread_findings(states, id, report.findings);
  }
  add_accept_courses(observation, report.findings, states);
  for (ListenerState& state : states) report.listeners.push_back(std::move(state.report));
  report.books = balance_books(observation.ledgers, observation.before, observation.after);
  report.verdict = overall_verdict(report);
  sort_findings(report.listeners, report.findings);
  return report;
}

}  // namespace acceptq::diagnose
