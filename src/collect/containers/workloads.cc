#include "collect/containers/workloads.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "collect/containers/bundle.h"

namespace acceptq::collect::containers {
namespace {

void fill(std::optional<std::string>& into, const std::optional<std::string>& from) {
  if (!into) into = from;
}

void fill(facts::Pod& into, const facts::Pod& from) {
  fill(into.ns, from.ns);
  fill(into.name, from.name);
  fill(into.uid, from.uid);
}

void fill(ContainerNames& into, const ContainerNames& from) {
  fill(into.runtime, from.runtime);
  fill(into.name, from.name);
  fill(into.pod, from.pod);
}

bool is_empty(const facts::Pod& pod) { return !pod.ns && !pod.name && !pod.uid; }

}  // namespace

WorkloadNames::WorkloadNames(std::string run_root, std::string log_root, int engine_budget_ms)
    : run_root_(std::move(run_root)),
      log_root_(std::move(log_root)),
      engine_budget_left_ns_(std::int64_t{engine_budget_ms} * 1'000'000) {}

const KubeletLogs& WorkloadNames::logs() {
  if (!logs_) {
    Result<KubeletLogs> indexed = index_kubelet_logs(log_root_);
    if (!indexed) problems_.push_back(indexed.error().message());
    logs_ = std::move(indexed).value_or(KubeletLogs{});
  }
  return *logs_;
}

const NamesById& WorkloadNames::engine(const Engine& engine) {
  const auto found = engines_.find(engine.runtime);
  if (found != engines_.end()) return found->second;
  const std::int64_t began_ns = monotonic_ns();
  Result<NamesById> listed = list_engine_containers(engine, began_ns + engine_budget_left_ns_);
  engine_budget_left_ns_ =
      std::max<std::int64_t>(0, engine_budget_left_ns_ - (monotonic_ns() - began_ns));
  if (!listed) problems_.push_back(listed.error().message());
  return engines_.emplace(engine.runtime, std::move(listed).value_or(NamesById{})).first->second;
}

void WorkloadNames::add_engine_names(const std::optional<std::string>& runtime,
                                     const std::string& id, ContainerNames& names) {
  for (const Engine& candidate : {docker_engine(run_root_), podman_engine(run_root_)}) {
    if (runtime && *runtime != candidate.runtime) continue;
    const NamesById& by_id = engine(candidate);
    const auto found = by_id.find(id);
    if (found == by_id.end()) continue;
    fill(names, found->second);
    return;
  }
}

const ContainerNames& WorkloadNames::names_of(const facts::Container& container) {
  const auto found = known_.find(container.id);
  if (found != known_.end()) return found->second;
  Result<std::optional<ContainerNames>> bundle = read_bundle(run_root_, container.id);
  if (!bundle) problems_.push_back(bundle.error().message());
  ContainerNames names = std::move(bundle).value_or(std::nullopt).value_or(ContainerNames{});
  if (!names.name) {
    const auto logged = logs().containers.find(container.id);
    if (logged != logs().containers.end()) fill(names, logged->second);
  }
  const std::optional<std::string> runtime = container.runtime ? container.runtime : names.runtime;
  if (!names.name || !runtime) add_engine_names(runtime, container.id, names);
  return known_.emplace(container.id, std::move(names)).first->second;
}

void WorkloadNames::annotate(std::vector<facts::Process>& processes) {
  for (facts::Process& process : processes) {
    facts::Pod pod = process.pod.value_or(facts::Pod{});
    if (process.container) {
      const ContainerNames& names = names_of(*process.container);
      fill(process.container->runtime, names.runtime);
      fill(process.container->name, names.name);
      // A container inside of a pod's container has names of its own and maybe labels, but the
      // pod that the cgroup names is the one that it runs in.
      if (!pod.uid || !names.pod.uid || pod.uid == names.pod.uid) fill(pod, names.pod);
    }
    if (pod.uid && (!pod.name || !pod.ns)) {
      const auto logged = logs().pods.find(*pod.uid);
      if (logged != logs().pods.end()) fill(pod, logged->second);
    }
    if (!is_empty(pod)) process.pod = std::move(pod);
  }
}

}  // namespace acceptq::collect::containers
