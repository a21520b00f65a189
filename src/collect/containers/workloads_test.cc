#include "collect/containers/workloads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::collect::containers {
namespace {

const std::string kData = ACCEPTQ_SOURCE_DIR "/tests/data/containers";
const std::string kRun = kData + "/run";
const std::string kLog = kData + "/log";
const std::string kNginx = "49b4135534da" + std::string(52, '0');
const std::string kStaticUid = "62f4c4d5b3a0c2d1e0f9a8b7c6d5e4f3";

facts::Process process_in(const std::string& id, std::optional<std::string> runtime,
                          std::optional<std::string> uid) {
  facts::Process process;
  if (!id.empty()) process.container = facts::Container{id, std::move(runtime), {}};
  if (uid) process.pod = facts::Pod{{}, {}, std::move(uid)};
  return process;
}

TEST(WorkloadNames, TakesTheBundleFirst) {
  WorkloadNames names(kRun, kLog);
  std::vector<facts::Process> processes = {
      process_in(kNginx, "containerd", "0b8d1c5e-6b43-4e2a-9d55-1f2e3d4c5b6a")};
  names.annotate(processes);
  EXPECT_EQ(processes[0].container, (facts::Container{kNginx, "containerd", "nginx"}));
  EXPECT_EQ(processes[0].pod, (facts::Pod{"default", "tcpbench-6484d4b457-847gl",
                                          "0b8d1c5e-6b43-4e2a-9d55-1f2e3d4c5b6a"}));
  EXPECT_THAT(names.problems(), testing::IsEmpty());
}

TEST(WorkloadNames, FallsBackOnTheKubeletsLogs) {
  WorkloadNames names(kRun, kLog);
  std::vector<facts::Process> processes = {
      process_in(std::string(64, 'e'), {}, {}),   // by its container's log
      process_in("", {}, kStaticUid),             // by its pod's directory
      process_in(std::string(64, '7'), {}, {})};  // unknown to all
  names.annotate(processes);
  EXPECT_EQ(processes[0].container->name, "etcd");
  EXPECT_EQ(processes[0].pod, (facts::Pod{"kube-system", "etcd-node-1", kStaticUid}));
  EXPECT_FALSE(processes[1].container);
  EXPECT_EQ(processes[1].pod, (facts::Pod{"kube-system", "etcd-node-1", kStaticUid}));
  EXPECT_EQ(processes[2].container, (facts::Container{std::string(64, '7'), {}, {}}));
  EXPECT_FALSE(processes[2].pod);
  EXPECT_THAT(names.problems(), testing::IsEmpty());
}

TEST(WorkloadNames, ThePodOfTheCgroupWins) {
  WorkloadNames names(kRun, kLog);
  std::vector<facts::Process> processes = {process_in(kNginx, "containerd", kStaticUid)};
  names.annotate(processes);
  EXPECT_EQ(processes[0].pod, (facts::Pod{"kube-system", "etcd-node-1", kStaticUid}));
}

TEST(WorkloadNames, NothingThereIsNoProblem) {
  WorkloadNames names("/nonexistent", "/nonexistent");
  std::vector<facts::Process> processes = {process_in(kNginx, "docker", "u"), facts::Process{}};
  const std::vector<facts::Process> before = processes;
  names.annotate(processes);
  EXPECT_EQ(processes, before);
  EXPECT_THAT(names.problems(), testing::IsEmpty());
}

TEST(WorkloadNames, AMalformedBundleIsAProblem) {
  WorkloadNames names(kRun, kLog);
  std::vector<facts::Process> processes(2, process_in(std::string(64, 'b'), "containerd", {}));
  names.annotate(processes);
  EXPECT_FALSE(processes[0].container->name);
  EXPECT_THAT(names.problems(), testing::ElementsAre(testing::HasSubstr("config.json")));
}

}  // namespace
}  // namespace acceptq::collect::containers
