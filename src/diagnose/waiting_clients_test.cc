#include <gtest/gtest.h>

#include "diagnose/diagnose_test_support.h"

namespace acceptq::diagnose {
namespace {

constexpr Pid kIngress{812};

// A pod's nginx that refuses, and on the host the ingress in front of it.
facts::Observation ingress_before_pod(facts::LocalClient client) {
  facts::Listener ingress = make_listener(8080, 0, 4096, 0, kHost);
  ingress.owners = {{.pid = kIngress, .fd = 4}};
  facts::Observation observation = observe(
      {make_listener(80, 129, 128, 0), ingress}, make_namespace(kPod, 128),
      {make_listener(80, 129, 128, 50), ingress},
      make_namespace(kPod, 128, {{"TcpExtListenOverflows", 50}, {"TcpExtListenDrops", 50}}));
  observation.after.processes = {{.pid = kIngress, .comm = "haproxy"},
                                 {.pid = Pid(3985), .comm = "nginx"}};
  for (const facts::Listener& listener : observation.after.listeners) {
    if (listener.port != 80) continue;
    client.address = *facts::IpAddress::parse("10.0.0.5");
    observation.accept_evidence.clients[facts::listener_key(listener)] = {client};
  }
  return observation;
}

const Finding* find_315(const Report& report) {
  const auto it = std::ranges::find(report.findings, "AQ315", &Finding::id);
  return it != report.findings.end() ? &*it : nullptr;
}

TEST(WaitingClients, AnIngressWaitsForTheListenerBehindIt) {
  const Report report = report_of(
      ingress_before_pod({.pid = kIngress, .comm = "haproxy", .connecting = 12, .connected = 131}));
  const Finding* finding = find_315(report);
  ASSERT_NE(finding, nullptr);
  EXPECT_TRUE(finding->listener->ends_with(":8080#1f900")) << *finding->listener;
  EXPECT_TRUE(finding->explanation.starts_with(
      "haproxy waits for nginx behind it (10.0.0.5:80), whose accept queue is full: 12 connections "
      "that it tries to make have no answer. "))
      << finding->explanation;
  ASSERT_TRUE(finding->cause.has_value());
  EXPECT_EQ(finding->cause->kind, CauseKind::kUpstream);
  EXPECT_TRUE(finding->cause->detail.at("listener").ends_with(":80#500"));
}

TEST(WaitingClients, AServerWaitsForAFullUnixSocketBehindIt) {
  const auto finding_at = [](std::uint32_t length) {
    facts::Listener front = make_listener(80, 0, 511, 0, kHost);
    front.owners = {{.pid = kIngress, .fd = 4}};
    facts::Listener behind = make_listener(0, length, 20, 0, kHost);
    behind.protocol = facts::Protocol::kUnix;
    behind.path = "/run/app.sock";
    facts::Observation observation = observe({front, behind}, make_namespace(kHost, 4096),
                                             {front, behind}, make_namespace(kHost, 4096));
    observation.after.processes = {{.pid = kIngress, .comm = "nginx"},
                                   {.pid = Pid(3985), .comm = "uwsgi"}};
    observation.accept_evidence.clients[facts::listener_key(behind)] = {
        {.pid = kIngress, .comm = "nginx", .connecting = length}};
    const Report report = report_of(observation);
    const Finding* finding = find_315(report);
    return finding != nullptr ? finding->explanation : "";
  };
  EXPECT_TRUE(finding_at(21).starts_with(
      "nginx waits for uwsgi behind it (unix:/run/app.sock), whose accept queue is full: 21 "
      "connections of it wait there; "))
      << finding_at(21);
  EXPECT_EQ(finding_at(3), "");
}

TEST(WaitingClients, WorkersOfOneIngressAreOneFinding) {
  facts::Observation observation =
      ingress_before_pod({.pid = kIngress, .comm = "haproxy", .connecting = 12, .connected = 1});
  constexpr Pid kOther{813};
  for (facts::Listener& listener : observation.after.listeners) {
    if (listener.port == 8080) listener.owners.push_back({.pid = kOther, .fd = 4});
  }
  auto& clients = observation.accept_evidence.clients.begin()->second;
  clients.push_back(clients.front());
  clients.back().pid = kOther;
  const Report report = report_of(observation);
  EXPECT_EQ(std::ranges::count(report.findings, "AQ315", &Finding::id), 1);
  EXPECT_EQ(find_315(report)->cause->detail.at("connecting"), "24");
}

TEST(WaitingClients, OneThatIsConnectedNeedNotWait) {
  EXPECT_EQ(find_315(report_of(ingress_before_pod(
                {.pid = kIngress, .comm = "haproxy", .connecting = 0, .connected = 9}))),
            nullptr);
}

TEST(WaitingClients, OneWithoutAListenerHasNoFinding) {
  EXPECT_EQ(
      find_315(report_of(ingress_before_pod({.pid = Pid(9), .comm = "curl", .connecting = 3}))),
      nullptr);
}

TEST(WaitingClients, SynsMayLackAnAnswerForAnotherReason) {
  facts::Observation observation =
      ingress_before_pod({.pid = kIngress, .comm = "haproxy", .connecting = 12});
  observation.after.namespaces = observation.before.namespaces;  // nothing was refused
  for (facts::Listener& listener : observation.after.listeners) {
    listener.accept_queue_len = QueueLength(0);
    listener.drops = 0;
  }
  observation.before.listeners = observation.after.listeners;
  EXPECT_EQ(find_315(report_of(observation)), nullptr);
}

}  // namespace
}  // namespace acceptq::diagnose
