// Pods and containers as their tools describe them, and what of a ticket is one place.
#include <fmt/format.h>

#include "import/import_test_support.h"

namespace acceptq::imports {
namespace {

constexpr const char* kId = "49b4135534dae77ce5151c6c7db4d528f05b69b0c6f8b9dd037ec4e7043c113e";

std::string json_of_pod() {
  return fmt::format(
      "{{\n \"apiVersion\": \"v1\",\n \"kind\": \"Pod\",\n"
      " \"metadata\": {{\"name\": \"web-1\", \"namespace\": \"shop\"}},\n"
      " \"spec\": {{\"securityContext\": {{\"sysctls\": [{{\"name\": \"net.core.somaxconn\", "
      "\"value\": \"8096\"}}]}},\n"
      "  \"volumes\": [{{\"name\": \"files\", \"nfs\": {{\"server\": \"10.0.0.9\", \"path\": "
      "\"/data\"}}}}]}},\n"
      " \"status\": {{\"phase\": \"Running\", \"podIP\": \"172.26.0.8\", \"podIPs\": [{{\"ip\": "
      "\"172.26.0.8\"}}],\n"
      "  \"containerStatuses\": [{{\"name\": \"nginx\", \"containerID\": \"docker://{}\", "
      "\"restartCount\": 3}}]}}\n}}\n",
      kId);
}

std::string yaml_of_pod() {
  return fmt::format(
      "apiVersion: v1\n"
      "kind: Pod\n"
      "metadata:\n"
      "  creationTimestamp: \"2020-01-13T06:40:00Z\"\n"
      "  name: web-1\n"
      "  namespace: shop\n"
      "spec:\n"
      "  containers:\n"
      "  - image: nginx\n"
      "    command: [\"sh\", \"-c\", \"exec nginx\"]\n"
      "    name: nginx\n"
      "  securityContext:\n"
      "    sysctls:\n"
      "    - name: net.core.somaxconn\n"
      "      value: \"8096\"\n"
      "  volumes:\n"
      "  - name: files\n"
      "    nfs:\n"
      "      path: /data\n"
      "      server: 10.0.0.9\n"
      "status:\n"
      "  containerStatuses:\n"
      "  - containerID: docker://{}\n"
      "    name: nginx\n"
      "    restartCount: 3\n"
      "  phase: Running\n"
      "  podIP: 172.26.0.8\n"
      "  podIPs:\n"
      "  - ip: 172.26.0.8\n",
      kId);
}

std::string description_of_pod() {
  return fmt::format(
      "Name:               web-1\n"
      "Namespace:          shop\n"
      "Priority:           0\n"
      "Node:               node-7/10.0.0.7\n"
      "Labels:             app=web\n"
      "Annotations:        security.alpha.kubernetes.io/unsafe-sysctls: net.core.somaxconn=8096\n"
      "Status:             Running\n"
      "IP:                 172.26.0.8\n"
      "IPs:\n"
      "  IP:           172.26.0.8\n"
      "Controlled By:  ReplicaSet/web\n"
      "Containers:\n"
      "  nginx:\n"
      "    Container ID:   docker://{}\n"
      "    Port:           80/TCP\n"
      "    State:          Running\n"
      "      Started:      Mon, 13 Jan 2020 14:40:00 +0800\n"
      "    Last State:     Terminated\n"
      "      Reason:       Error\n"
      "    Ready:          True\n"
      "    Restart Count:  3\n"
      "    Environment:    <none>\n"
      "Conditions:\n"
      "  Type              Status\n"
      "  Ready             True \n"
      "Volumes:\n"
      "  files:\n"
      "    Type:      NFS (an NFS mount that lasts the lifetime of a pod)\n"
      "    Server:    10.0.0.9\n"
      "    Path:      /data\n"
      "    ReadOnly:  false\n"
      "QoS Class:       BestEffort\n"
      "Events:          <none>\n",
      kId);
}

const facts::Pasted& pasted(const Observation& observation) {
  return *observation.after.namespaces.at(0).pasted;
}

TEST(Places, APodIsTheSameByWhateverDescribesIt) {
  const std::string run = "$ kubectl -n shop exec web-1 -- ss -lnt\n" + std::string(kSs);
  const std::string descriptions[] = {
      "$ kubectl get pod web-1 -n shop -o json\n" + json_of_pod(),
      "$ kubectl get pod web-1 -n shop -o yaml\n" + yaml_of_pod(), yaml_of_pod(),
      "$ kubectl describe pod web-1 -n shop\n" + description_of_pod()};
  for (const std::string& description : descriptions) {
    for (const std::string& text :
         {fmt::format("{}{}", run, description), fmt::format("{}\n{}", description, run)}) {
      const Observation observation = import_one(text);
      ASSERT_EQ(observation.after.namespaces.size(), 1U) << text;
      EXPECT_EQ(somaxconn_of(observation, "pod shop/web-1"), 8096) << text;
      EXPECT_EQ(pasted(observation).addresses, std::vector<std::string>{"172.26.0.8"}) << text;
      ASSERT_EQ(reasons(observation, "AQ622").size(), 2U) << text;
      EXPECT_NE(reasons(observation, "AQ622")[0].find("restarted 3 times"), std::string::npos);
      EXPECT_NE(reasons(observation, "AQ622")[1].find("NFS volume 10.0.0.9:/data"),
                std::string::npos);
      EXPECT_TRUE(reasons(observation, "AQ621").empty()) << text;
    }
  }
}

TEST(Places, WithoutItsNamespaceAPodIsKnownByItsName) {
  const Observation observation =
      import_one("$ kubectl exec web-1 -- ss -lnt\n" + std::string(kSs) + "\n" + yaml_of_pod());
  EXPECT_EQ(somaxconn_of(observation, "pod shop/web-1"), 8096);
}

TEST(Places, AContainerAndItsProcessAreOne) {
  const std::string docker =
      "[\n{\"Id\": \"49b4135534dae77ce5151c\", \"Name\": \"/web\", \"State\": {\"Pid\": 3985},\n"
      "\"HostConfig\": {\"Sysctls\": {\"net.core.somaxconn\": \"1024\"}}}\n]\n";
  EXPECT_EQ(somaxconn_of(import_one("$ nsenter -t 3985 -n ss -lnt\n" + std::string(kSs) +
                                    "$ docker inspect web\n" + docker),
                         "container web"),
            1024);
}

// The way that one goes from a pod to its network namespace.
TEST(Places, CommandsThatPrintOneWordLeadFromAPodToItsProcess) {
  const Observation observation = import_one(fmt::format(
      "$ kubectl describe pod web-1 | grep -A10 \"^Containers:\" | grep -Eo 'docker://.*$'\n"
      "docker://{0}\n"
      "$ docker inspect -f {{{{.State.Pid}}}} {1}\n"
      "3985\n"
      "$ nsenter -n -t 3985\n"
      "$ ss -lnt\n{2}",
      kId, std::string_view(kId).substr(0, 12), kSs));
  ASSERT_EQ(observation.after.namespaces.size(), 1U);
  EXPECT_EQ(pasted(observation).label, "pod web-1");
}

TEST(Places, TwoPodsOfOneNameStayApart) {
  std::string other = yaml_of_pod();
  other.replace(other.find("namespace: shop"), 15, "namespace: test");
  other.replace(other.find(kId), 4, "50b4");
  other.replace(other.find("8096"), 4, "1024");
  const Observation observation =
      import_one("$ kubectl exec web-1 -- ss -lnt\n" + std::string(kSs) + "\n" + yaml_of_pod() +
                 "\n" + other + "$ kubectl -n test exec web-1 -- ss -lnt\n" + std::string(kSs));
  EXPECT_EQ(somaxconn_of(observation, "pod web-1"), std::nullopt);
  EXPECT_EQ(somaxconn_of(observation, "pod test/web-1"), 1024);
}

TEST(Places, AManifestIsNotInForce) {
  const Observation observation = import_one(
      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-1\nspec:\n  securityContext:\n"
      "    sysctls:\n    - name: net.core.somaxconn\n      value: \"8096\"\n\n" +
      std::string(kSs));
  EXPECT_EQ(somaxconn_of(observation, "t"), std::nullopt);
  EXPECT_TRUE(reasons(observation, "AQ621").empty());
}

TEST(Places, BrokenYamlIsNamedWithItsLine) {
  const Observation observation =
      import_one(std::string(kSs) + "\napiVersion: v1\nkind: Pod\nspec:\n  a: [\n   b: {\n");
  ASSERT_EQ(reasons(observation, "AQ621").size(), 1U);
  EXPECT_TRUE(reasons(observation, "AQ621")[0].starts_with("t:"))
      << reasons(observation, "AQ621")[0];
}

TEST(Places, AddressesOfANamespaceAreThoseOfItsInterfaces) {
  const Observation observation = import_one(
      "$ ip a\n"
      "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default\n"
      "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n"
      "    inet 127.0.0.1/8 scope host lo\n"
      "       valid_lft forever preferred_lft forever\n"
      "3: eth0@if11: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP\n"
      "    link/ether 56:04:c7:28:b0:3c brd ff:ff:ff:ff:ff:ff link-netnsid 0\n"
      "    inet 172.26.0.8/26 scope global eth0\n"
      "    inet6 fe80::1/64 scope link\n"
      "$ ss -lnt\n" +
      std::string(kSs));
  EXPECT_EQ(pasted(observation).addresses, std::vector<std::string>{"172.26.0.8"});
}

}  // namespace
}  // namespace acceptq::imports
