#include "diagnose/diagnose.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "diagnose/listener_state.h"
#include "diagnose/rules.h"
#include "listenpath/kernel.h"

namespace acceptq::diagnose {
namespace {

// Worst first: by severity, then by how much their listener refused, then by number.
void sort_findings(const std::vector<ListenerReport>& listeners, std::vector<Finding>& findings) {
  std::unordered_map<std::string, std::uint64_t> refused;
  for (const ListenerReport& listener : listeners) {
    refused[listener.key] = listener.refused.total.value_or(0);
  }
  const auto weight = [&](const Finding& finding) {
    const auto it = finding.listener ? refused.find(*finding.listener) : refused.end();
    return it != refused.end() ? it->second : 0;
  };
  std::ranges::stable_sort(findings, [&](const Finding& a, const Finding& b) {
    return std::tuple(b.severity, weight(b), std::string_view(a.id)) <
           std::tuple(a.severity, weight(a), std::string_view(b.id));
  });
}

}  // namespace

Verdict overall_verdict(const Report& report) {
  // A host without listeners has nothing to be wrong with.
  Verdict verdict = report.listeners.empty() ? Verdict::kHealthy : Verdict::kUnknown;
  for (const ListenerReport& listener : report.listeners) {
    verdict = std::min(verdict, listener.verdict);
  }
  const bool overflow = std::ranges::any_of(
      report.findings, [](const Finding& finding) { return finding.id == "AQ101"; });
  return overflow ? Verdict::kOverflowing : verdict;
}

Report diagnose(const facts::Observation& observation) {
  const listenpath::KernelRules rules = listenpath::rules_for(observation.after.host.kernel);
  std::vector<ListenerState> states = listener_states(observation, rules);
  judge_listeners(observation, states);
  Report report;
  for (const ListenerState& state : states) {
    add_accept_queue_findings(observation, state, states, report.findings);
  }
  for (const facts::Namespace& ns : observation.after.namespaces) {
    add_namespace_findings(observation, rules, ns.id, states, report.findings);
  }
  for (ListenerState& state : states) report.listeners.push_back(std::move(state.report));
  report.verdict = overall_verdict(report);
  sort_findings(report.listeners, report.findings);
  return report;
}

}  // namespace acceptq::diagnose
