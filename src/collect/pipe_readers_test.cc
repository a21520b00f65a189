#include "collect/pipe_readers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.h"

namespace acceptq::collect {
namespace {

TEST(PipeReaders, AccessModeIsOfTheFlags) {
  EXPECT_TRUE(is_open_to_read("pos:\t0\nflags:\t0100000\nmnt_id:\t14\n"));
  EXPECT_FALSE(is_open_to_read("pos:\t0\nflags:\t0100001\nmnt_id:\t14\n"));
  EXPECT_TRUE(is_open_to_read("flags:\t02000002\n"));
  EXPECT_FALSE(is_open_to_read("flags:\tx\n"));
  EXPECT_FALSE(is_open_to_read(""));
}

TEST(PipeReaders, OfThreadsThatWaitForRoom) {
  const auto waits = [](const char* function, const char* type, std::uint64_t inode) {
    return facts::Wait{.state = "S",
                       .target = facts::FileTarget{.type = type, .inode = inode},
                       .stack = {function, "vfs_write"}};
  };
  facts::Acceptors acceptors;
  acceptors.threads.push_back(
      {.waits = {waits("pipe_write", "pipefs", 7), waits("anon_pipe_write", "pipefs", 7),
                 waits("anon_pipe_read", "pipefs", 8), waits("fifo_pipe_write", "tmpfs", 9)}});
  // One of another file system has the same number.
  acceptors.threads[0].waits.push_back(waits("fifo_pipe_write", "ext4", 7));
  acceptors.threads[0].waits.back().target->device = 3;
  acceptors.threads[0].waits.back().target->path = "/var/log/fifo";
  // A FIFO whose name is not known cannot be looked for.
  const auto pipes = full_pipes({{"tcp:1:0.0.0.0:80#1", acceptors}});
  ASSERT_EQ(pipes.size(), 2U);
  EXPECT_EQ(pipes[0].inode, 7U);
  EXPECT_EQ(pipes[1].device, 3U);
}

TEST(PipeReaders, AreFoundByTheirDescriptors) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd reads(ends[0]);
  const UniqueFd writes(ends[1]);
  struct stat of_pipe{};
  ASSERT_EQ(::fstat(writes.get(), &of_pipe), 0);
  const std::vector<facts::FileTarget> pipes = {{.type = "pipefs", .inode = of_pipe.st_ino}};
  const auto readers = find_pipe_readers("/proc", pipes);
  ASSERT_EQ(readers.size(), 1U);
  EXPECT_EQ(readers[0].pid, Pid(::getpid()));
  EXPECT_EQ(readers[0].comm, "collect_pipe_re");
  EXPECT_FALSE(readers[0].state.empty());
  reads.reset();
  EXPECT_TRUE(find_pipe_readers("/proc", pipes).empty());
}

}  // namespace
}  // namespace acceptq::collect
