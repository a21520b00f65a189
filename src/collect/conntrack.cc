#include "collect/conntrack.h"

#include <algorithm>
#include <set>
#include <vector>

#include "collect/in_namespaces.h"
#include "collect/netns/sysctls.h"

namespace acceptq::collect {
namespace {

std::set<NetnsId> concerned_in(const facts::Observation& observation) {
  std::set<NetnsId> concerned;
  if (observation.dead_syns) {
    for (const facts::DeadSyn& syn : *observation.dead_syns) {
      if (syn.reason == facts::kNetfilterDrop) concerned.insert(syn.netns);
    }
  }
  for (const facts::Ledger& ledger : observation.ledgers) {
    if (ledger.syn_unanswered.value_or(0) > 0) concerned.insert(ledger.netns);
  }
  return concerned;
}

}  // namespace

void look_at_conntrack(const Scanner& scanner, facts::Observation& observation) {
  std::vector<facts::Namespace>& namespaces = observation.after.namespaces;
  in_namespaces(scanner, concerned_in(observation), [&](NetnsId id) {
    const auto ns = std::ranges::find(namespaces, id, &facts::Namespace::id);
    if (ns != namespaces.end()) netns::add_conntrack_sysctls(ns->sysctls);
  });
}

}  // namespace acceptq::collect
