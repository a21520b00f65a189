// File systems in user space and their daemons: from text, and from a tree of files.
#include "collect/fuse/connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collect/syscalls.h"
#include "support/file_tree.h"

namespace acceptq::collect::fuse {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

const std::string kMounts =
    "22 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
    "69 27 0:41 / /mnt/a\\040b ro - fuse.sshfs host:/ ro,user_id=0\n"
    "70 27 0:42 / /mnt/c ro - fuse rclone ro\n"
    "71 27 0:41 / /again ro - fuse.sshfs host:/ ro\n"
    "72 27 0:43 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n"
    "73 27 8:1 / /win rw - fuseblk /dev/sda1 rw\n";

TEST(Mounts, AreFoundByDevice) {
  const auto all = parse_mounts(kMounts, {});
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].mountpoint, "/mnt/a b");
  EXPECT_EQ(all[0].type, "fuse.sshfs");
  EXPECT_EQ(all[0].device, 41U);
  EXPECT_EQ(all[2].type, "fuseblk");
  const std::uint64_t wanted[] = {42};
  const auto one = parse_mounts(kMounts, wanted);
  ASSERT_THAT(one, SizeIs(1));
  EXPECT_EQ(one[0].mountpoint, "/mnt/c");
  for (const char* none :
       {"", "nonsense\n69 27", "69 27 0:41 / /a ro - fuse\n69 27 0:41 / /a ro -"}) {
    EXPECT_LE(parse_mounts(none, {}).size(), 1U) << none;
  }
}

TEST(Connection, IsTold) {
  EXPECT_EQ(parse_connection("pos:\t0\nino:\t90\nfuse_connection:\t41\n"), 41U);
  for (const char* none : {"", "pos:\t0\n", "fuse_connection:\tx\n", "fuse_connection:\t-1\n",
                           "fuse_connection:", "xfuse_connection:\t41\n"}) {
    EXPECT_FALSE(parse_connection(none)) << none;
  }
}

Holder holder(int pid, std::optional<std::uint64_t> connection, bool in_call = false) {
  return {.pid = Pid(pid), .fd = 4, .connection = connection, .in_call = in_call};
}

TEST(Daemon, OfAKernelThatTells) {
  const Holders holders{.all = {holder(5, 41), holder(7, 42), holder(8, std::nullopt)},
                        .complete = false};
  EXPECT_EQ(daemon_of(holders, 41, 9), Pid(5));
  EXPECT_EQ(daemon_of(holders, 42, 9), Pid(7));
  EXPECT_FALSE(daemon_of(holders, 43, 1));
}

TEST(Daemon, IsTheOneThatWaitsForRequests) {
  EXPECT_EQ(daemon_of({.all = {holder(5, 41), holder(7, 41, true)}}, 41, 1), Pid(7));
  EXPECT_EQ(daemon_of({.all = {holder(5, 41), holder(7, 41)}}, 41, 1), Pid(5));
  EXPECT_EQ(daemon_of({.all = {holder(5, 41), holder(7, 42, true)}}, 41, 1), Pid(5));
}

TEST(Daemon, OfAKernelThatDoesNotTellOnlyWhereThereCanBeNoOther) {
  const Holder known = holder(5, std::nullopt);
  EXPECT_EQ(daemon_of({.all = {known}}, 41, 1), Pid(5));
  EXPECT_EQ(daemon_of({.all = {known, known}}, 41, 1), Pid(5)) << "two descriptors of one";
  EXPECT_FALSE(daemon_of({.all = {known}}, 41, 2)) << "the other's may be in a container";
  EXPECT_FALSE(daemon_of({.all = {known}}, 41, 0));
  EXPECT_FALSE(daemon_of({.all = {known}, .complete = false}, 41, 1));
  EXPECT_FALSE(daemon_of({.all = {known, holder(6, std::nullopt)}}, 41, 1));
  EXPECT_FALSE(daemon_of({}, 41, 1));
}

class HostTree : public testing::Test {
 protected:
  void SetUp() override {
    tree_.write("proc/9/mountinfo", kMounts);
    tree_.write("proc/self/mountinfo", "");
    std::filesystem::create_directories(tree_.path("proc/9/fd"));
  }
  void add_daemon(int pid, const std::string& fdinfo) {
    const std::string dir = "proc/" + std::to_string(pid);
    tree_.link(dir + "/fd/3", "socket:[5]");
    tree_.link(dir + "/fd/4", "/dev/fuse");
    tree_.write(dir + "/fdinfo/4", fdinfo);
    tree_.write(dir + "/stat",
                std::to_string(pid) + " (sshfs) T 1 1 1 0 -1 0 5 0 7 0 3 4 0 0 20 0 1 0 99 1 1\n");
  }
  std::vector<facts::FuseConnection> read(std::vector<std::uint64_t> devices) {
    return read_connections({.proc = tree_.path("proc"), .connections = tree_.path("connections")},
                            Pid(9), devices);
  }
  test::FileTree tree_;
};

TEST_F(HostTree, WhoServesAndHowMuchWaits) {
  add_daemon(5, "fuse_connection:\t41\n");
  tree_.write("connections/41/waiting", "17\n");
  const auto found = read({41});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0], (facts::FuseConnection{.device = 41,
                                             .mountpoint = "/mnt/a b",
                                             .type = "fuse.sshfs",
                                             .waiting = 17,
                                             .daemon = Pid(5),
                                             .daemon_comm = "sshfs",
                                             .daemon_state = "T"}));
  EXPECT_THAT(read({}), SizeIs(3));
}

TEST_F(HostTree, WhatTheObserverDoesNotSeeMountedIsStillServed) {
  add_daemon(5, "fuse_connection:\t77\n");
  auto found = read({77});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_FALSE(found[0].mountpoint || found[0].type || found[0].waiting);
  EXPECT_EQ(found[0].daemon, Pid(5));
  tree_.write("proc/self/mountinfo", "80 1 0:77 / /ours rw - fuse.x x rw\n");
  EXPECT_EQ(read({77})[0].mountpoint, "/ours");
}

TEST_F(HostTree, OneOfSeveralConnectionsIsNotGuessed) {
  add_daemon(5, "pos:\t0\n");
  EXPECT_FALSE(read({41})[0].daemon);
  tree_.write("proc/9/mountinfo", "69 27 0:41 / /mnt ro - fuse.sshfs host:/ ro\n");
  EXPECT_EQ(read({41})[0].daemon, Pid(5));
  std::filesystem::create_directories(tree_.path("connections/90"));
  EXPECT_FALSE(read({41})[0].daemon);
}

// After a fork two hold the connection, and one of them answers.
TEST_F(HostTree, OfTwoThatHoldAConnectionTheOneInACall) {
  long number = 0;
  while (syscall_name(number) != "read") ++number;
  for (const int pid : {5, 6}) {
    add_daemon(pid, "fuse_connection:\t41\n");
    const std::string dir = "proc/" + std::to_string(pid) + "/task/" + std::to_string(pid);
    tree_.write(dir + "/stat",
                std::to_string(pid) + " (sshfs) S 1 1 1 0 -1 0 5 0 7 0 3 4 0 0 20 0 1 0 99 1 1\n");
    tree_.write(dir + "/syscall", std::to_string(number) + (pid == 6 ? " 0x4" : " 0x3") +
                                      " 0x0 0x0 0x0 0x0 0x0 0x7fef53468a30 0x7fef54b162ec\n");
  }
  EXPECT_EQ(read({41})[0].daemon, Pid(6));
}

}  // namespace
}  // namespace acceptq::collect::fuse
