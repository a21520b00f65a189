#include "answer/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "base/text.h"
#include "diagnose/diagnose.h"
#include "remedy/advise.h"

namespace acceptq::answer {
namespace {

// A listener that waits for another one is not understood without it.
void follow_causes(const diagnose::Report& report, const facts::Snapshot& snapshot,
                   select::Selection& selection) {
  for (bool grew = true; grew;) {
    grew = false;
    for (const diagnose::Finding& finding : report.findings) {
      if (!finding.listener || !selection.keys.contains(*finding.listener) || !finding.cause) {
        continue;
      }
      const auto behind = finding.cause->detail.find("listener");
      if (behind == finding.cause->detail.end()) continue;
      grew = selection.keys.insert(behind->second).second || grew;
    }
  }
  for (const facts::Listener& listener : snapshot.listeners) {
    if (selection.holds(listener)) selection.namespaces.insert(listener.netns);
  }
}

void narrow_snapshot(const select::Selection& selection, facts::Snapshot& snapshot) {
  std::erase_if(snapshot.listeners,
                [&](const facts::Listener& listener) { return !selection.holds(listener); });
  std::erase_if(snapshot.namespaces, [&](const facts::Namespace& ns) {
    return !selection.namespaces.contains(ns.id) && ns.is_host != true;
  });
  std::erase_if(snapshot.blind_spots, [&](const facts::BlindSpot& spot) {
    if (!spot.scope.starts_with("netns:") ||
        std::ranges::find(selection.hiding, spot) != selection.hiding.end()) {
      return false;
    }
    return std::ranges::none_of(selection.namespaces, [&](NetnsId id) {
      return spot.scope == "netns:" + std::to_string(id.value());
    });
  });
  // A host-wide gap says nothing about listeners that were found and seen.
  for (facts::BlindSpot& spot : snapshot.blind_spots) {
    if (spot.scope == "host" && selection.hiding.empty()) spot.unobserved = false;
  }
}

void narrow_report(const select::Selection& selection, diagnose::Report& report) {
  std::erase_if(report.listeners, [&](const diagnose::ListenerReport& listener) {
    return !selection.keys.contains(listener.key);
  });
  std::erase_if(report.findings, [&](const diagnose::Finding& finding) {
    if (finding.listener) return !selection.keys.contains(*finding.listener);
    return finding.netns && !selection.namespaces.contains(*finding.netns);
  });
  std::erase_if(report.books, [&](const diagnose::NamespaceBook& book) {
    return !selection.namespaces.contains(book.netns);
  });
  report.verdict = diagnose::overall_verdict(report);
}

// What there is of clients where nothing listens: "20 SYNs to 10.0.0.5:81 were answered by a
// reset".
std::vector<std::string> reset_where_selected(const std::vector<select::Selector>& selectors,
                                              const facts::Observation& observation) {
  std::vector<std::string> sentences;
  for (const facts::DeadSyn& syn : facts::reset_syns(observation)) {
    const bool is_meant = std::ranges::any_of(selectors, [&](const select::Selector& selector) {
      return select::means_clients_of(selector, syn.address, syn.port);
    });
    if (!is_meant) continue;
    sentences.push_back(fmt::format(
        "in {:.1f} s {} to {} {} answered by a reset (\"connection refused\")", observation.seconds,
        counted(syn.packets, "SYN", "SYNs"), facts::host_and_port(syn.address, syn.port),
        syn.packets == 1 ? "was" : "were"));
  }
  return sentences;
}

}  // namespace

Answer answer(facts::Observation observation) {
  Answer answer{.observation = std::move(observation)};
  answer.report = diagnose::diagnose(answer.observation);
  remedy::add_remedies(answer.report, answer.observation);
  std::ranges::move(diagnose::disbelieved_ledgers(answer.observation),
                    std::back_inserter(answer.observation.after.blind_spots));
  return answer;
}

Status narrow(const std::vector<select::Selector>& selectors, const select::IsProcess& is_process,
              Answer& answer) {
  if (selectors.empty()) return {};
  facts::Snapshot& after = answer.observation.after;
  Result<select::Selection> selection = select::select(selectors, after, is_process);
  if (!selection) {
    const auto resets = reset_where_selected(selectors, answer.observation);
    if (resets.empty()) return fail(std::move(selection.error()));
    return fail(selection.error().code,
                fmt::format("{}; {}", selection.error().context, fmt::join(resets, "; ")));
  }
  follow_causes(answer.report, after, *selection);
  narrow_snapshot(*selection, after);
  narrow_report(*selection, answer.report);
  std::ranges::move(selection->warnings, std::back_inserter(answer.warnings));
  for (const facts::Listener& listener : after.listeners) {
    if (!listener.closed) continue;
    answer.warnings.push_back(facts::listener_endpoint(listener) + " ended while acceptq watched");
  }
  return {};
}

Result<Answer> answer(facts::Observation observation,
                      const std::vector<select::Selector>& selectors,
                      const select::IsProcess& is_process) {
  Answer whole = answer(std::move(observation));
  if (const Status narrowed = narrow(selectors, is_process, whole); !narrowed) {
    return fail(narrowed.error());
  }
  return whole;
}

}  // namespace acceptq::answer
