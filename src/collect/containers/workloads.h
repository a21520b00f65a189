// Names for the containers and pods that cgroup paths only number.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "collect/containers/engine_api.h"
#include "collect/containers/kubelet_logs.h"
#include "collect/containers/names.h"
#include "facts/process.h"

namespace acceptq::collect::containers {

// Make one per scan. Each source is read when the first container needs it, at most once, cheapest
// and surest first, and only while something is still unknown: the runtime's bundle on disk, the
// kubelet's log names, then the engine of a container that is docker's or podman's by its cgroup or
// of unknown make. A host without containers is never asked anything, and neither is an engine
// that has none running. Absent sources are not errors. Not thread-safe.
class WorkloadNames {
 public:
  // All engines together may take `engine_budget_ms`.
  WorkloadNames(std::string run_root, std::string log_root, int engine_budget_ms = 500);

  // Completes container.runtime, container.name and pod of every process whose container or pod is
  // known by id; what a process already says is kept.
  void annotate(std::vector<facts::Process>& processes);

  // What was there and did not answer, was refused or could not be understood, one text each.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

 private:
  [[nodiscard]] const ContainerNames& names_of(const facts::Container& container);
  [[nodiscard]] const KubeletLogs& logs();
  [[nodiscard]] const NamesById& engine(const Engine& engine);
  void add_engine_names(const std::optional<std::string>& runtime, const std::string& id,
                        ContainerNames& names);

  std::string run_root_;
  std::string log_root_;
  std::int64_t engine_budget_left_ns_;
  std::optional<KubeletLogs> logs_;
  std::map<std::string, NamesById> engines_;  // asked already, by runtime
  NamesById known_;                           // containers looked up already
  std::vector<std::string> problems_;
};

}  // namespace acceptq::collect::containers
