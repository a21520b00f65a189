#include "diagnose/rules.h"

namespace acceptq::diagnose {

Evidence counter_evidence(const NamespaceDelta& ns, const char* counter) {
  Evidence evidence{.name = counter, .unit = "packets"};
  if (const auto total = ns.total(counter)) evidence.total = static_cast<std::int64_t>(*total);
  if (const auto delta = ns.delta(counter)) evidence.delta = static_cast<std::int64_t>(*delta);
  if (ns.after() != nullptr) evidence.source = ns.after()->counters_source;
  return evidence;
}

Evidence sysctl_evidence(const facts::Namespace* ns, const char* name) {
  return {.name = name,
          .total = sysctl_value(ns, name),
          .unit = "setting",
          .source = ns == nullptr ? "" : "netns:" + std::to_string(ns->id.value())};
}

}  // namespace acceptq::diagnose
