#include "collect/cgroup/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace acceptq::collect::cgroup {
namespace {

const std::string kId(64, 'a');
const std::string kNodeId(64, '0');
const std::string kUid = "0b8d1c5e-6b43-4e2a-9d55-1f2e3d4c5b6a";
const std::string kUnderscored = "0b8d1c5e_6b43_4e2a_9d55_1f2e3d4c5b6a";
const std::string kStatic = "62f4c4d5b3a0c2d1e0f9a8b7c6d5e4f3";

struct Row {
  const char* what;
  std::string path;
  std::string id;       // empty: none
  std::string runtime;  // empty: not told
  std::string uid;      // empty: none
  bool infrastructure = false;
};

// How each shape is made: containerd internal/cri getCgroupsPath, CRI-O internal/config/cgmgr,
// kubernetes pkg/kubelet/cm/cgroup_manager_linux.go, kind's entrypoint, podman libpod/oci_conmon.
const Row kRows[] = {
    {"cgroupfs, guaranteed", "/kubepods/pod" + kUid + "/" + kId, kId, "", kUid},
    {"cgroupfs, burstable", "/kubepods/burstable/pod" + kUid + "/" + kId, kId, "", kUid},
    {"cgroupfs, best effort", "/kubepods/besteffort/pod" + kUid + "/" + kId, kId, "", kUid},
    {"cgroupfs, CRI-O", "/kubepods/burstable/pod" + kUid + "/crio-" + kId, kId, "cri-o", kUid},
    {"systemd, containerd, burstable",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kUnderscored +
         ".slice/cri-containerd-" + kId + ".scope",
     kId, "containerd", kUid},
    {"systemd, containerd, guaranteed",
     "/kubepods.slice/kubepods-pod" + kUnderscored + ".slice/cri-containerd-" + kId + ".scope", kId,
     "containerd", kUid},
    {"systemd, cri-dockerd",
     "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + kUnderscored +
         ".slice/docker-" + kId + ".scope",
     kId, "docker", kUid},
    {"systemd, CRI-O",
     "/kubepods.slice/kubepods-pod" + kUnderscored + ".slice/crio-" + kId + ".scope", kId, "cri-o",
     kUid},
    {"systemd, CRI-O with crun",
     "/kubepods.slice/kubepods-pod" + kUnderscored + ".slice/crio-" + kId + ".scope/container", kId,
     "cri-o", kUid},
    {"CRI-O's conmon",
     "/kubepods.slice/kubepods-pod" + kUnderscored + ".slice/crio-conmon-" + kId + ".scope", "", "",
     kUid, true},
    {"CRI-O's conmon outside of the pod", "/system.slice/crio-conmon-" + kId + ".scope", "", "", "",
     true},
    {"containerd, cgroupfs runtime under a systemd parent",
     "/system.slice/containerd.service/kubepods-burstable-pod" + kUnderscored +
         ".slice:cri-containerd:" + kId,
     kId, "containerd", kUid},
    {"static pod, cgroupfs", "/kubepods/burstable/pod" + kStatic + "/" + kId, kId, "", kStatic},
    {"static pod, systemd",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kStatic +
         ".slice/cri-containerd-" + kId + ".scope",
     kId, "containerd", kStatic},
    {"docker, cgroupfs", "/docker/" + kId, kId, "docker", ""},
    {"docker, systemd", "/system.slice/docker-" + kId + ".scope", kId, "docker", ""},
    {"docker, rootless",
     "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + kId + ".scope", kId,
     "docker", ""},
    {"systemd inside of docker", "/docker/" + kId + "/system.slice/nginx.service", kId, "docker",
     ""},
    {"podman", "/machine.slice/libpod-" + kId + ".scope", kId, "podman", ""},
    {"podman with crun", "/machine.slice/libpod-" + kId + ".scope/container", kId, "podman", ""},
    {"podman, cgroupfs", "/libpod_parent/libpod-" + kId, kId, "podman", ""},
    {"podman, rootless",
     "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId +
         ".scope/libpod-payload-" + kId,
     kId, "podman", ""},
    {"podman's conmon", "/machine.slice/libpod-conmon-" + kId + ".scope", "", "", "", true},
    {"containerd without Kubernetes", "/default/" + kId, kId, "", ""},
    {"nerdctl", "/system.slice/nerdctl-" + kId + ".scope", kId, "containerd", ""},
    {"kind",
     "/docker/" + kNodeId +
         "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
         "kubelet-kubepods-burstable-pod" +
         kUnderscored + ".slice/cri-containerd-" + kId + ".scope",
     kId, "containerd", kUid},
    {"kind, systemd on the host",
     "/system.slice/docker-" + kNodeId +
         ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + kUnderscored +
         ".slice/cri-containerd-" + kId + ".scope",
     kId, "containerd", kUid},
    {"minikube", "/docker/" + kNodeId + "/kubepods/burstable/pod" + kUid + "/" + kId, kId, "",
     kUid},
    {"kind's node itself", "/docker/" + kNodeId + "/system.slice/kubelet.service", kNodeId,
     "docker", ""},
    {"a pod's own cgroup: the node is not its container",
     "/docker/" + kNodeId + "/kubepods/burstable/pod" + kUid, "", "", kUid},
    {"docker inside of a pod", "/kubepods/pod" + kUid + "/" + kNodeId + "/docker/" + kId, kId,
     "docker", kUid},
    {"from another cgroup namespace",
     "/../../kubepods-pod" + kUnderscored + ".slice/cri-containerd-" + kId + ".scope", kId,
     "containerd", kUid},
    {"a plain service", "/system.slice/nginx.service", "", "", ""},
    {"the root", "/", "", "", ""},
    {"nothing", "", "", "", ""},
    {"63 digits", "/docker/" + std::string(63, 'a'), "", "", ""},
    {"65 digits", "/docker/" + std::string(65, 'a'), "", "", ""},
    {"capitals", "/docker/" + std::string(64, 'A'), "", "", ""},
    {"inside of a word", "/docker/x" + kId, "", "", ""},
    {"before a word", "/docker/" + kId + "x", "", "", ""},
    {"pod inside of a word", "/tripod" + kUid, "", "", ""},
    {"a UID cut short", "/kubepods/pod" + kUid.substr(0, 35), "", "", ""},
    {"a service called pod", "/system.slice/pod.service", "", "", ""},
};

TEST(WorkloadOf, KnowsEveryShape) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.what);
    const Workload workload = workload_of(row.path);
    EXPECT_EQ(workload.container ? workload.container->id : "", row.id);
    EXPECT_EQ(workload.container ? workload.container->runtime.value_or("") : "", row.runtime);
    EXPECT_EQ(workload.pod_uid.value_or(""), row.uid);
    EXPECT_EQ(workload.is_infrastructure, row.infrastructure);
  }
}

TEST(Place, FillsWhatThePathTells) {
  facts::Process process;
  place(process);
  EXPECT_FALSE(process.container || process.pod);
  process.cgroup = "/kubepods/pod" + kUid + "/" + kId;
  place(process);
  ASSERT_TRUE(process.container && process.pod);
  EXPECT_EQ(process.container->id, kId);
  EXPECT_EQ(process.pod->uid, kUid);
  EXPECT_FALSE(process.pod->name);
}

TEST(ParseCgroup, TakesLinesApart) {
  const auto memberships =
      parse_cgroup("12:cpu,cpuacct:/docker/x\n1:name=systemd:/a:b\n0::/c (deleted)\n");
  ASSERT_TRUE(memberships.has_value());
  ASSERT_EQ(memberships->size(), 3U);
  EXPECT_EQ((*memberships)[0].hierarchy, 12);
  EXPECT_THAT((*memberships)[0].controllers, testing::ElementsAre("cpu", "cpuacct"));
  EXPECT_EQ((*memberships)[1].path, "/a:b");
  EXPECT_TRUE((*memberships)[2].controllers.empty());
  EXPECT_EQ((*memberships)[2].path, "/c");
}

TEST(ParseCgroup, NamesTheBadLine) {
  for (const char* bad : {"0::/\nx", "0::/\n:cpu:/", "0::/\n-1::/", "0::/\n1:cpu", "0::/\n1:cpu:a",
                          "0::/\n\n", "0::/\n99999999999::/"}) {
    const auto memberships = parse_cgroup(bad);
    ASSERT_FALSE(memberships.has_value()) << bad;
    EXPECT_EQ(memberships.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(memberships.error().context, testing::HasSubstr("line 2")) << bad;
  }
}

struct PlacingRow {
  const char* what;
  std::string text;
  std::string path;
};

TEST(PlacingPath, ChoosesTheHierarchyThatPlaces) {
  const PlacingRow rows[] = {
      {"v2", "0::/system.slice/nginx.service\n", "/system.slice/nginx.service"},
      {"v1", "4:memory:/m\n3:cpu,cpuacct:/c\n1:name=systemd:/s\n", "/c"},
      {"v1, cpu at the root", "4:memory:/m\n3:cpu,cpuacct:/\n1:name=systemd:/s\n", "/s"},
      {"hybrid, v2 without controllers", "3:cpu:/docker/" + kId + "\n0::/\n", "/docker/" + kId},
      {"hybrid, the container only in v1",
       "3:cpu:/docker/" + kId +
           "\n1:name=systemd:/system.slice/docker.service\n"
           "0::/system.slice/docker.service\n",
       "/docker/" + kId},
      {"hybrid, systemd driver",
       "3:cpu:/\n1:name=systemd:/system.slice/docker-" + kId + ".scope\n0::/system.slice/docker-" +
           kId + ".scope\n",
       "/system.slice/docker-" + kId + ".scope"},
      {"only some other controller", "4:memory:/m\n1:cpu:/\n0::/\n", "/m"},
      {"nothing", "1:cpu:/\n0::/\n", "/"},
      {"no lines", "", "/"},
  };
  for (const PlacingRow& row : rows) {
    const auto memberships = parse_cgroup(row.text);
    ASSERT_TRUE(memberships.has_value()) << row.what;
    EXPECT_EQ(placing_path(*memberships), row.path) << row.what;
  }
}

}  // namespace
}  // namespace acceptq::collect::cgroup
