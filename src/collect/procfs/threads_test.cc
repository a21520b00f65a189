// Where threads are, and what their descriptors are: from text, and from a tree of files.
#include "collect/procfs/threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collect/procfs/file_target.h"
#include "collect/procfs/thread_files.h"
#include "collect/syscalls.h"
#include "support/file_tree.h"

namespace acceptq::collect::procfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(RunDelay, IsTheSecondNumber) {
  EXPECT_EQ(parse_run_delay("47486472 25817004 62\n"), 25817004U);
  for (const char* none : {"", "0 0 0\n", "1 2\n", "1 2 3 4\n", "1 x 3\n", "1 -2 3\n"}) {
    EXPECT_FALSE(parse_run_delay(none)) << none;
  }
}

TEST(SyscallLine, NumberAndArguments) {
  const auto line = parse_syscall(
      "288 0x3 0x7fef5446a980 0x7fef5446a974 0x80000 0x0 0x7fef5514e6e8 0x7fef5446a920 "
      "0x7fef54b28fa8\n");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->number, 288);
  EXPECT_EQ(line->entry.arguments[0], 3U);
  EXPECT_EQ(line->entry.arguments[3], 0x80000U);
}

TEST(SyscallLine, NothingElse) {
  for (const char* none : {"running\n", "-1 0x7ffc 0x7fef\n", "", "0", "0 0x6",
                           "0 0x6 0x0 0x0 0x0 0x0 0x0 0x7fef53468a30\n",
                           "x 0x6 0x0 0x0 0x0 0x0 0x0 0x7fef53468a30 0x7fef54b162ec\n",
                           "0 6 0x0 0x0 0x0 0x0 0x0 0x7fef53468a30 0x7fef54b162ec\n",
                           "-5 0x6 0x0 0x0 0x0 0x0 0x0 0x7fef53468a30 0x7fef54b162ec\n",
                           // 32 bits: 5 is open() there.
                           "5 0x6 0x0 0x0 0x0 0x0 0x0 0xffe1c2a0 0xf7f1b549\n"}) {
    EXPECT_FALSE(parse_syscall(none)) << none;
  }
  EXPECT_TRUE(is_running("running\n"));
  EXPECT_FALSE(is_running("0 running\n"));
}

TEST(Stack, NamesOfFunctions) {
  EXPECT_THAT(parse_stack("[<0>] fuse_get_req+0x74/0xf0 [fuse]\n"
                          "[<ffffffff8120aa00>] vfs_read.part.0+0x32c/0x360\n"
                          "[<0>] 0xffffffffffffffff\n"),
              ElementsAre("fuse_get_req", "vfs_read.part.0"));
  EXPECT_THAT(parse_stack("[<0>] vfs_read+0x32c/0x360"), ElementsAre("vfs_read"));
  for (const char* none : {"", "[<0>]", "[<0>] \n", "[<0>] +0x1/0x2\n", "vfs_read+0x1/0x2\n",
                           "[0] vfs_read+0x1/0x2\n", "[<0>] vfs_read\n"}) {
    EXPECT_THAT(parse_stack(none), IsEmpty()) << none;
  }
  std::string deep;
  for (int i = 0; i < 64; ++i) deep += "[<0>] f+0x1/0x2\n";
  EXPECT_THAT(parse_stack(deep), SizeIs(24));
}

const std::string kMounts =
    "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
    "72 27 0:43 / /mnt/a\\040b ro - fuse.sshfs me@host:/x\\040y ro\n"
    "73 27 0:44 / /mnt rw - nfs4 10.0.0.9:/data rw\n";

TEST(FileTarget, ByTheFormOfItsLink) {
  EXPECT_EQ(target_of("pipe:[18124739]", "", ""),
            (facts::FileTarget{.type = "pipefs", .inode = 18124739, .path = "pipe:[18124739]"}));
  EXPECT_EQ(target_of("socket:[7]", "", kMounts),
            (facts::FileTarget{.type = "sockfs", .inode = 7, .path = "socket:[7]"}));
  EXPECT_EQ(target_of("anon_inode:[eventpoll]", "", kMounts).type, "anon_inodefs");
  EXPECT_EQ(target_of("net:[4026531840]", "", kMounts).type, "");
  EXPECT_EQ(target_of("", "", kMounts).type, "");
}

TEST(FileTarget, ByItsMount) {
  const facts::FileTarget expected{.type = "fuse",
                                   .device = 43,
                                   .inode = 5,
                                   .path = "/mnt/a b/x.jpg (deleted)",
                                   .source = "me@host:/x y"};
  EXPECT_EQ(target_of("/mnt/a b/x.jpg (deleted)", "pos:\t0\nmnt_id:\t72\nino:\t5\n", kMounts),
            expected);
  // A mount that the process does not see: not what its path seems to lie on.
  const facts::FileTarget memory =
      target_of("/memfd:x (deleted)", "mnt_id:\t5\nino:\t9\n", kMounts);
  EXPECT_EQ(memory.type, "");
  EXPECT_EQ(memory.device, 0U);
}

TEST(FileTarget, ByTheLongestMountPointBeforeThereWasMntId) {
  EXPECT_EQ(target_of("/mnt/a b/x", "pos:\t0\n", kMounts).type, "fuse");
  EXPECT_EQ(target_of("/mnt/a b", "", kMounts).type, "fuse");
  EXPECT_EQ(target_of("/mnt/a bc", "", kMounts).source, "10.0.0.9:/data");
  EXPECT_EQ(target_of("/mntx", "", kMounts).device, std::uint64_t{254} << 20);
  EXPECT_EQ(target_of("/mnt/x", "", "").type, "");
}

// A /proc with threads of its own making.
class ThreadTree : public testing::Test {
 protected:
  void add_thread(int pid, int tid, const std::string& state, const std::string& syscall) {
    const std::string dir = "proc/" + std::to_string(pid) + "/task/" + std::to_string(tid);
    tree_.write(dir + "/stat", std::to_string(tid) + " (a) b) " + state +
                                   " 1 1 1 0 -1 4194304 5 0 7 0 3 4 0 0 20 0 1 0 99 1 1 1\n");
    tree_.write(dir + "/status",
                "Name:\ta\nvoluntary_ctxt_switches:\t11\nnonvoluntary_ctxt_switches:\t2\n");
    tree_.write(dir + "/schedstat", "5 6 7\n");
    tree_.write(dir + "/syscall", syscall);
    tree_.write(dir + "/stack", "[<0>] anon_pipe_read+0x1/0x2\n");
    tree_.write(dir + "/wchan", "anon_pipe_write");
  }
  ThreadsSeen look(std::size_t most = 100) {
    const WatchedProcess watched[] = {{Pid(8), {}}, {Pid(7), {3}}, {Pid(9), {}}};
    return ThreadReader(tree_.path("proc")).look(watched, most);
  }
  static std::string call(long number, const std::string& argument) {
    return std::to_string(number) + " " + argument +
           " 0x0 0x0 0x0 0x0 0x0 0x7fef53468a30 0x7fef54b162ec\n";
  }
  static long number_of(std::string_view name) {
    for (long i = 0; i < 1000; ++i) {
      if (syscall_name(i) == name) return i;
    }
    return -1;
  }
  test::FileTree tree_;
};

TEST_F(ThreadTree, AThreadInACallOnADescriptor) {
  add_thread(7, 7, "S", call(number_of("read"), "0x4"));
  tree_.link("proc/7/fd/4", "pipe:[5]");
  const ThreadsSeen seen = look();
  ASSERT_THAT(seen.threads, SizeIs(1));
  const ThreadLook& thread = seen.threads[0];
  EXPECT_EQ(thread.pid, Pid(7));
  EXPECT_EQ(thread.tid, Pid(7));
  EXPECT_EQ(thread.comm, "a) b");
  const facts::Wait wait{
      .state = "S",
      .syscall = "read",
      .fd = 4,
      .target = facts::FileTarget{.type = "pipefs", .inode = 5, .path = "pipe:[5]"},
      .stack = {"anon_pipe_read"},
      .looks = 1};
  EXPECT_EQ(thread.wait, wait);
  const facts::ThreadTimes times{.user_ns = 30'000'000,
                                 .system_ns = 40'000'000,
                                 .delay_ns = 6,
                                 .voluntary = 11,
                                 .involuntary = 2,
                                 .major_faults = 7};
  EXPECT_EQ(thread.times, times);
  EXPECT_EQ(seen.left_out, 0U);
}

TEST_F(ThreadTree, OneThatRunsHasNoPlace) {
  add_thread(7, 7, "R", call(number_of("read"), "0x4"));
  add_thread(7, 8, "S", "running\n");
  const ThreadsSeen seen = look();
  ASSERT_THAT(seen.threads, SizeIs(2));
  for (const ThreadLook& thread : seen.threads) {
    EXPECT_EQ(thread.wait, (facts::Wait{.state = "R", .looks = 1}));
  }
}

TEST_F(ThreadTree, ALockHasAnAddress) {
  add_thread(7, 7, "S", call(number_of("futex"), "0x7f00"));
  const ThreadsSeen seen = look();
  ASSERT_THAT(seen.threads, SizeIs(1));
  EXPECT_EQ(seen.threads[0].wait.lock, 0x7f00U);
  EXPECT_FALSE(seen.threads[0].wait.fd);
}

TEST_F(ThreadTree, WithoutTheRightToReadItsStack) {
  add_thread(7, 7, "D", "");
  tree_.remove("proc/7/task/7/stack");
  tree_.remove("proc/7/task/7/syscall");
  tree_.remove("proc/7/task/7/schedstat");
  const ThreadsSeen seen = look();
  ASSERT_THAT(seen.threads, SizeIs(1));
  EXPECT_EQ(seen.threads[0].wait,
            (facts::Wait{.state = "D", .stack = {"anon_pipe_write"}, .looks = 1}));
  EXPECT_FALSE(seen.threads[0].times.delay_ns);
}

TEST_F(ThreadTree, ByProcessAndThreadAndWhatIsBrokenIsPassedOver) {
  for (const int tid : {80, 81}) add_thread(8, tid, "S", "");
  add_thread(7, 7, "S", "");
  tree_.write("proc/8/task/80/stat", "80 (x) S 1 1");
  const ThreadsSeen seen = look();
  ASSERT_THAT(seen.threads, SizeIs(2));
  EXPECT_EQ(seen.threads[0].tid, Pid(7));
  EXPECT_EQ(seen.threads[1].tid, Pid(81));
}

TEST_F(ThreadTree, WhatOneProcessDoesNotNeedOthersHave) {
  add_thread(7, 7, "S", "");
  for (int tid = 80; tid < 90; ++tid) add_thread(8, tid, "S", "");
  for (int tid = 90; tid < 100; ++tid) add_thread(9, tid, "S", "");
  const ThreadsSeen seen = look(11);
  const auto of = [&](int pid) {
    return std::ranges::count(seen.threads, Pid(pid), &ThreadLook::pid);
  };
  EXPECT_EQ(of(7), 1);
  EXPECT_EQ(of(8), 5);
  EXPECT_EQ(of(9), 5);
  EXPECT_EQ(seen.left_out, 10U);
}

}  // namespace
}  // namespace acceptq::collect::procfs
