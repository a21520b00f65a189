// The rules: each looks at one listener or one namespace and adds the findings that hold.
#pragma once

#include <vector>

#include "diagnose/deltas.h"
#include "diagnose/listener_state.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "listenpath/kernel.h"

namespace acceptq::diagnose {

// Sets the verdict of each state's report.
void judge_listeners(const facts::Observation& observation, std::vector<ListenerState>& states);

// AQ101 … AQ112 for one TCP or Unix listener.
void add_accept_queue_findings(const facts::Observation& observation, const ListenerState& state,
                               const std::vector<ListenerState>& all,
                               std::vector<Finding>& findings);

// AQ107, AQ20x, and overflow that no open listener explains, for one namespace with TCP listeners.
void add_namespace_findings(const facts::Observation& observation,
                            const listenpath::KernelRules& rules, NetnsId id,
                            const std::vector<ListenerState>& all, std::vector<Finding>& findings);

// A counter as evidence.
[[nodiscard]] Evidence counter_evidence(const NamespaceDelta& ns, const char* counter);
// A sysctl as evidence; its total is empty where it could not be read.
[[nodiscard]] Evidence sysctl_evidence(const facts::Namespace* ns, const char* name);

}  // namespace acceptq::diagnose
