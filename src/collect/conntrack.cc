#include "collect/conntrack.h"

#include <set>
#include <utility>
#include <vector>

#include "collect/netns/enter.h"
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
  const std::set<NetnsId> concerned = concerned_in(observation);
  std::vector<netns::Handle> handles;
  std::vector<facts::Namespace*> namespaces;
  for (facts::Namespace& ns : observation.after.namespaces) {
    if (!concerned.contains(ns.id)) continue;
    if (auto handle = scanner.entrance(ns.id)) {
      handles.push_back(std::move(*handle));
      namespaces.push_back(&ns);
    }
  }
  netns::for_each_namespace(handles, 1, [&](std::size_t index, const Status& entered) {
    if (entered) netns::add_conntrack_sysctls(namespaces[index]->sysctls);
  });
}

}  // namespace acceptq::collect
