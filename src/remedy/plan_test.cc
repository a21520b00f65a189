#include "remedy/plan.h"

#include <gtest/gtest.h>

#include "remedy/advise.h"

namespace acceptq::remedy {
namespace {

using diagnose::LimitSetBy;

facts::Pod pod_named(const char* name) { return {.ns = "shop", .name = name}; }

// nginx in a pod, 129 of 128, whose own backlog of 511 is the next limit.
struct Case {
  facts::Observation observation;
  diagnose::Report report;

  Case() {
    facts::Listener listener;
    listener.netns = NetnsId(7);
    listener.port = 80;
    listener.cookie = SocketCookie(1);
    listener.limit = QueueLimit(128);
    listener.owners = {{.pid = Pid(12), .fd = 6}};
    observation.after.listeners = {listener};
    observation.after.processes = {{.pid = Pid(12), .comm = "nginx"}};
    observation.after.namespaces = {{.id = NetnsId(7), .is_host = false}};
    diagnose::ListenerReport told;
    told.key = facts::listener_key(listener);
    told.limit_set_by = LimitSetBy::kSomaxconn;
    told.somaxconn = 128;
    told.longest = QueueLength(129);
    told.accepts_per_s = 51;
    report.listeners = {told};
    report.findings = {{.id = "AQ101", .listener = told.key}};
  }

  [[nodiscard]] facts::Listener& listener() { return observation.after.listeners[0]; }
  [[nodiscard]] facts::Process& owner() { return observation.after.processes[0]; }
  [[nodiscard]] diagnose::ListenerReport& told() { return report.listeners[0]; }

  Plan plan(std::optional<std::uint32_t> limit = std::nullopt) {
    add_remedies(report, observation);
    return plan_for(observation, report, 0, limit);
  }
};

std::vector<std::string> forms(const Knob& knob) {
  std::vector<std::string> names;
  names.reserve(knob.ways.size());
  for (const Way& way : knob.ways) names.push_back(way.remedy.form);
  return names;
}

TEST(PlanFor, ChangesTheKnobThatBindsAndTheOneBehindIt) {
  Case c;
  c.owner().pod = pod_named("tcpbench-6484d4b457-847gl");
  const Plan plan = c.plan();
  ASSERT_TRUE(plan.target.has_value());
  EXPECT_EQ(plan.target->limit, 4096U);
  EXPECT_FALSE(plan.target->given);
  ASSERT_EQ(plan.knobs.size(), 2U);
  EXPECT_TRUE(plan.knobs[0].binds);
  EXPECT_EQ(plan.knobs[0].now, 128);
  EXPECT_EQ(forms(plan.knobs[0]), (std::vector<std::string>{"pod.sysctls", "pod.init_container",
                                                            "cni.tuning", "netns.sysctl"}));
  EXPECT_EQ(plan.knobs[1].now, 511);
  EXPECT_TRUE(plan.knobs[1].by_default);
  EXPECT_EQ(forms(plan.knobs[1]), std::vector<std::string>{"application"});
}

TEST(PlanFor, TheGivenLimitIsThatOfEveryForm) {
  Case c;
  const Plan plan = c.plan(500);
  EXPECT_TRUE(plan.target->given);
  ASSERT_EQ(plan.knobs.size(), 1U) << "nginx's own 511 allows 500";
  EXPECT_EQ(plan.knobs[0].wanted, 500);
  EXPECT_NE(plan.knobs[0].ways[0].remedy.content.find("somaxconn=500"), std::string::npos);
}

// The server's next listen() gets no more than somaxconn is then.
TEST(PlanFor, SomaxconnIsChangedBeforeTheServerAsksForMore) {
  Case c;
  c.listener().limit = QueueLimit(100);
  c.listener().backlog_requested = 100;
  c.told().limit_set_by = LimitSetBy::kApplication;
  const Plan plan = c.plan();
  ASSERT_EQ(plan.knobs.size(), 2U);
  EXPECT_EQ(plan.knobs[0].now, 128);
  EXPECT_FALSE(plan.knobs[0].binds);
  EXPECT_EQ(forms(plan.knobs[1]), std::vector<std::string>{"application"});
  EXPECT_EQ(plan.knobs[1].now, 100);
  EXPECT_TRUE(plan.knobs[1].binds);
  EXPECT_FALSE(plan.knobs[1].by_default);
}

TEST(PlanFor, AServerWithMoreThanItsDefaultWasToldSo) {
  Case c;
  c.listener().limit = QueueLimit(8096);
  c.told().somaxconn = 8096;
  const Plan plan = c.plan(16384);
  ASSERT_EQ(plan.knobs.size(), 2U);
  EXPECT_FALSE(plan.knobs[1].now.has_value());
  EXPECT_FALSE(plan.knobs[1].by_default);
}

TEST(PlanFor, ABurstNeedsRoomForWhoFoundNone) {
  Case c;
  c.told().refused.attempts = 5000;
  diagnose::Finding burst{.id = "AQ312", .listener = c.told().key};
  burst.cause = diagnose::Cause{.kind = diagnose::CauseKind::kBurst};
  c.report.findings.push_back(burst);
  const Plan plan = c.plan();
  EXPECT_EQ(plan.target->limit, 16384U);  // twice 129 + 5000, rounded up
}

TEST(PlanFor, TheRunningServerIsHelpedMeanwhile) {
  Case c;
  c.told().full_fraction = 0.1;
  EXPECT_TRUE(c.plan().live);
  EXPECT_FALSE(c.plan(100'000).live) << "more than it would do unasked";
  Case slow;
  slow.told().full_fraction = 1;
  EXPECT_FALSE(slow.plan().live);
  Case unix_socket;
  unix_socket.listener().protocol = facts::Protocol::kUnix;
  unix_socket.told().key = facts::listener_key(unix_socket.listener());
  unix_socket.report.findings[0].listener = unix_socket.told().key;
  EXPECT_FALSE(unix_socket.plan(9000).live);
}

TEST(PlanFor, SaysWhenALongerQueueIsNoHelp) {
  Case healthy;
  healthy.report.findings.clear();
  Plan plan = healthy.plan();
  EXPECT_FALSE(plan.target.has_value());
  EXPECT_NE(plan.no_change.find("nothing is wrong"), std::string::npos);

  Case stopped;
  diagnose::Finding cause{.id = "AQ301", .listener = stopped.told().key};
  cause.cause = diagnose::Cause{.kind = diagnose::CauseKind::kStopped, .share = 1};
  stopped.report.findings.push_back(cause);
  plan = stopped.plan();
  EXPECT_FALSE(plan.target.has_value());
  EXPECT_EQ(plan.no_change, "nothing that was seen asks for one");
  EXPECT_FALSE(plan.first.empty());

  Case kernels;
  kernels.told().limit_set_by = LimitSetBy::kKernel;
  EXPECT_FALSE(kernels.plan(9000).target.has_value());

  Case enough;
  EXPECT_EQ(enough.plan(128).no_change, "its limit is 128 already");
}

TEST(PlanFor, WhatAcceptqHasSetIsMadePermanent) {
  Case c;
  c.listener().limit = QueueLimit(4096);
  c.told().limit_set_by = LimitSetBy::kAcceptq;
  const Plan plan = c.plan(4096);
  ASSERT_EQ(plan.knobs.size(), 2U);
  EXPECT_EQ(plan.knobs[0].now, 128);
  EXPECT_EQ(plan.knobs[1].now, 511);
}

TEST(PlanFor, DescriptorsThatHaveRunOutComeFirst) {
  Case c;
  c.owner().open_files = 64;
  c.owner().open_files_limit = 64;
  diagnose::Finding cause{.id = "AQ307", .listener = c.told().key};
  cause.cause = diagnose::Cause{.kind = diagnose::CauseKind::kFdLimit};
  c.report.findings.push_back(cause);
  const Plan plan = c.plan();
  EXPECT_FALSE(plan.target.has_value());
  ASSERT_FALSE(plan.first.empty());
  EXPECT_EQ(plan.first[0].remedy.form, "limits");
  EXPECT_EQ(plan.first[0].descriptors, 1024U);
}

TEST(PlanFor, FormsAreThoseOfWhoeverMadeTheNamespace) {
  const auto first_forms = [](const char* runtime, bool host) {
    Case c;
    c.observation.after.namespaces[0].is_host = host;
    if (runtime != nullptr)
      c.owner().container = facts::Container{.id = "49b4", .runtime = runtime};
    return forms(c.plan().knobs.at(0));
  };
  using Forms = std::vector<std::string>;
  EXPECT_EQ(first_forms(nullptr, true), Forms{"sysctl.d"});
  EXPECT_EQ(first_forms(nullptr, false), Forms{"netns.sysctl"});
  EXPECT_EQ(first_forms("docker", false),
            (Forms{"docker.sysctl", "docker.compose", "netns.sysctl"}));
  EXPECT_EQ(first_forms("podman", false), (Forms{"docker.sysctl", "netns.sysctl"}));
  // A pod or container in the host's namespace has the host's value.
  EXPECT_EQ(first_forms("docker", true), Forms{"sysctl.d"});
}

TEST(PlanFor, CriosOwnDefaultIsForItsPods) {
  Case c;
  c.owner().pod = pod_named("agent-x7k2p");
  c.owner().container = facts::Container{.id = "49b4", .runtime = "cri-o"};
  const Plan plan = c.plan();
  EXPECT_EQ(plan.knobs[0].ways[3].remedy.form, "crio.default_sysctls");
  // Nothing tells what made the pod: no command is made up.
  EXPECT_EQ(plan.knobs[0].ways[1].pieces.size(), 1U);
}

}  // namespace
}  // namespace acceptq::remedy
