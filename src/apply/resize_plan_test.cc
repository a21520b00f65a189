#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apply/resize.h"

namespace acceptq::apply {
namespace {

using testing::HasSubstr;

facts::Listener listener(std::uint64_t inode) {
  facts::Listener listener;
  listener.netns = NetnsId{4026532567};
  listener.port = 80;
  listener.cookie = SocketCookie{inode};
  listener.inode = SocketInode{inode};
  listener.limit = QueueLimit{128};
  listener.owners = {{.pid = Pid{7}, .fd = 6}, {.pid = Pid{8}, .fd = 6}};
  listener.owners_complete = true;
  return listener;
}

facts::Snapshot snapshot_of(std::vector<facts::Listener> listeners) {
  facts::Snapshot snapshot;
  snapshot.listeners = std::move(listeners);
  snapshot.namespaces = {{.id = NetnsId{4026532567}, .cookie = 9}};
  snapshot.processes = {{.pid = Pid{7}, .start_ticks = 70}, {.pid = Pid{8}, .start_ticks = 80}};
  return snapshot;
}

TEST(ResizePlan, EveryOwnerIsAWay) {
  const facts::Snapshot snapshot = snapshot_of({listener(1)});
  const Result<ResizePlan> plan = plan_resize(snapshot, snapshot.listeners[0], QueueLimit{1024});
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->members.size(), 1U);
  EXPECT_EQ(plan->members[0].to, QueueLimit{1024});
  ASSERT_EQ(plan->members[0].holders.size(), 2U);
  EXPECT_EQ(plan->members[0].holders[1].start_ticks, 80U);
  EXPECT_EQ(plan->netns_cookie, 9U);
}

TEST(ResizePlan, AllOfAReuseportGroup) {
  facts::Listener other_port = listener(3);
  other_port.port = 81;
  facts::Listener other_namespace = listener(4);
  other_namespace.netns = NetnsId{1};
  facts::Listener closed = listener(5);
  closed.closed = true;
  const facts::Snapshot snapshot =
      snapshot_of({listener(1), listener(2), other_port, other_namespace, closed});
  const Result<ResizePlan> plan = plan_resize(snapshot, snapshot.listeners[1], QueueLimit{1024});
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->members.size(), 2U);
  EXPECT_EQ(plan->members[0].listener.inode, SocketInode{1});
  EXPECT_EQ(plan->members[1].listener.inode, SocketInode{2});
}

TEST(ResizePlan, NeverAUnixSocket) {
  facts::Listener local = listener(1);
  local.protocol = facts::Protocol::kUnix;
  local.path = "/run/php-fpm.sock";
  const Result<ResizePlan> plan = plan_resize(snapshot_of({local}), local, QueueLimit{1024});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(plan.error().message(), HasSubstr("SO_PEERCRED"));
}

TEST(ResizePlan, NeverOneThatNobodyHolds) {
  facts::Listener kernels = listener(1);
  kernels.owners.clear();
  const Result<ResizePlan> plan = plan_resize(snapshot_of({kernels}), kernels, QueueLimit{1024});
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message(), HasSubstr("no process's descriptor table"));
  kernels.owners_complete = false;
  EXPECT_THAT(plan_resize(snapshot_of({kernels}), kernels, QueueLimit{1024}).error().message(),
              HasSubstr("run as root"));
}

}  // namespace
}  // namespace acceptq::apply
