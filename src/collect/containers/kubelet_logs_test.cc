#include "collect/containers/kubelet_logs.h"

#include <gtest/gtest.h>

namespace acceptq::collect::containers {
namespace {

const std::string kId(64, 'a');
const std::string kLog = ACCEPTQ_SOURCE_DIR "/tests/data/containers/log";

TEST(ParsePodLogDir, TakesDotsDashesAndStaticPods) {
  const auto pod = parse_pod_log_dir("kube-system_web.v1.2-x_0b8d1c5e-6b43-4e2a-9d55-1f2e3d4c5b6a");
  ASSERT_TRUE(pod.has_value());
  EXPECT_EQ(*pod,
            (facts::Pod{"kube-system", "web.v1.2-x", "0b8d1c5e-6b43-4e2a-9d55-1f2e3d4c5b6a"}));
  const auto fixed = parse_pod_log_dir("kube-system_etcd-node-1_62f4c4d5b3a0c2d1e0f9a8b7c6d5e4f3");
  ASSERT_TRUE(fixed.has_value());
  EXPECT_EQ(fixed->uid, "62f4c4d5b3a0c2d1e0f9a8b7c6d5e4f3");
  for (const char* bad : {"", "_", "__", "a_b", "a_b_", "_b_c", "a_b_c_d", "a_b/_c", "a_b c_d",
                          "a_\n_c", ".", ".."}) {
    EXPECT_FALSE(parse_pod_log_dir(bad)) << bad;
  }
}

TEST(ParseContainerLog, SplitsFromTheEnd) {
  const auto log = parse_container_log("web.v1-0_my-ns_side-car-" + kId + ".log");
  ASSERT_TRUE(log.has_value());
  EXPECT_EQ(log->id, kId);
  EXPECT_EQ(log->container, "side-car");
  EXPECT_EQ(log->pod, (facts::Pod{"my-ns", "web.v1-0", {}}));
  for (const std::string& bad :
       {std::string(), std::string(".log"), std::string("-.log"), kId + ".log", "web_ns_c-" + kId,
        "web_ns_c-" + kId + "0.log", "web_ns_c" + kId + ".log", "web_ns_-" + kId + ".log",
        "web_c-" + kId + ".log", "a_web_ns_c-" + kId + ".log",
        "web_ns_c-" + std::string(64, 'G') + ".log"}) {
    EXPECT_FALSE(parse_container_log(bad)) << bad;
  }
}

TEST(IndexKubeletLogs, IndexesARecordedNode) {
  const Result<KubeletLogs> logs = index_kubelet_logs(kLog);
  ASSERT_TRUE(logs.has_value()) << logs.error().message();
  EXPECT_EQ(logs->pods.size(), 2U);
  EXPECT_EQ(logs->pods.at("62f4c4d5b3a0c2d1e0f9a8b7c6d5e4f3").name, "etcd-node-1");
  EXPECT_EQ(logs->containers.size(), 2U);
  const ContainerNames& etcd = logs->containers.at(std::string(64, 'e'));
  EXPECT_EQ(etcd.name, "etcd");
  EXPECT_EQ(etcd.pod,
            (facts::Pod{"kube-system", "etcd-node-1", "62f4c4d5b3a0c2d1e0f9a8b7c6d5e4f3"}));
  // Its link points to where no pod can be told from.
  EXPECT_FALSE(logs->containers.at(std::string(64, 'f')).pod.uid);
}

TEST(IndexKubeletLogs, NoKubeletIsNoError) {
  const Result<KubeletLogs> logs = index_kubelet_logs("/nonexistent");
  ASSERT_TRUE(logs.has_value());
  EXPECT_TRUE(logs->pods.empty() && logs->containers.empty());
}

}  // namespace
}  // namespace acceptq::collect::containers
