// Who owns a listener: processes, threads with descriptors of their own, and PID namespaces.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/bpf/iterator_test_support.h"
#include "support/netns.h"
#include "support/traffic.h"

namespace acceptq::collect::bpf {
namespace {

using facts::OwnerRef;
using testing::ElementsAre;
using testing::NotNull;
using testing::SizeIs;

Pid own_pid() { return Pid(::getpid()); }

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }
  UniqueFd reader;
  UniqueFd writer;
};

// A forked child that runs `body`, whose result is its exit status; killed and reaped with the
// object, and killed by the kernel if the test dies.
class Forked {
 public:
  explicit Forked(const std::function<int()>& body) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(body());
  }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;
  ~Forked() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  [[nodiscard]] Pid pid() const { return Pid(pid_); }
  // The child's exit status once it ends by itself; -1 where a signal ended it.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
};

int sleep_until_killed() {
  while (true) ::pause();
}

TEST_F(IteratorTest, AProcessIsWhatProcSaysOfIt) {
  const UniqueFd fd = test::listen_tcp("127.0.0.1", 0, 5);
  const IteratorScan seen = scan();
  ASSERT_THAT(find(seen, fd.get()), NotNull());
  EXPECT_THAT(find(seen, fd.get())->owners, ElementsAre(OwnerRef{own_pid(), fd.get()}));
  const facts::Process* process = find(seen, own_pid());
  ASSERT_THAT(process, NotNull());
  EXPECT_EQ(process->parent, Pid(::getppid()));
  EXPECT_EQ(process->uid, ::geteuid());
  struct stat status{};
  ASSERT_EQ(::stat("/proc/self/ns/net", &status), 0);
  EXPECT_EQ(process->netns, NetnsId(status.st_ino));
  const Result<std::string> stat = read_file("/proc/self/stat");
  ASSERT_TRUE(stat.has_value());
  const std::size_t open = stat->find('(');
  const std::size_t close = stat->rfind(')');
  EXPECT_EQ(process->comm, stat->substr(open + 1, close - open - 1));
  // Field 22; the first one behind the name is the third.
  const std::vector<std::string_view> fields =
      split_blank(std::string_view(*stat).substr(close + 1));
  EXPECT_EQ(process->start_ticks, parse_int<std::uint64_t>(fields.at(22 - 3)));
}

TEST_F(IteratorTest, TheProcessOfAListenerMadeByAThreadIsNamedByItsMainThread) {
  const test::TestNetns netns;
  UniqueFd fd;
  netns.run([&] {
    ::prctl(PR_SET_NAME, "elsewhere");
    fd = test::listen_tcp("127.0.0.1", 0, 5);
  });
  const IteratorScan seen = scan();
  ASSERT_THAT(find(seen, fd.get()), NotNull());
  EXPECT_EQ(find(seen, fd.get())->netns, netns.id());
  const facts::Process* process = find(seen, own_pid());
  ASSERT_THAT(process, NotNull());
  EXPECT_NE(process->comm, "elsewhere");
  EXPECT_NE(process->netns, netns.id());  // the process lives where its main thread does
}

TEST_F(IteratorTest, ASocketSharedWithAChildHasTwoOwners) {
  const UniqueFd fd = test::listen_tcp("127.0.0.1", 0, 5);
  const UniqueFd copy(::dup(fd.get()));
  const Forked child(sleep_until_killed);
  const IteratorScan seen = scan();
  ASSERT_THAT(find(seen, fd.get()), NotNull());
  EXPECT_THAT(find(seen, fd.get())->owners,
              testing::UnorderedElementsAre(
                  OwnerRef{own_pid(), fd.get()}, OwnerRef{own_pid(), copy.get()},
                  OwnerRef{child.pid(), fd.get()}, OwnerRef{child.pid(), copy.get()}));
  ASSERT_THAT(find(seen, child.pid()), NotNull());
  EXPECT_EQ(find(seen, child.pid())->parent, own_pid());
}

TEST_F(IteratorTest, AThreadWithDescriptorsOfItsOwnIsSeenAsItsProcess) {
  std::promise<SocketInode> made;
  std::promise<void> done;
  std::thread thread([&] {
    EXPECT_EQ(::unshare(CLONE_FILES), 0);
    const UniqueFd fd = test::listen_tcp("127.0.0.1", 0, 5);
    made.set_value(inode_of(fd.get()));
    done.get_future().wait();
  });
  const SocketInode inode = made.get_future().get();
  const IteratorScan seen = scan();
  done.set_value();
  thread.join();
  const auto it = std::ranges::find(seen.listeners, inode, &facts::Listener::inode);
  ASSERT_NE(it, seen.listeners.end());
  ASSERT_THAT(it->owners, SizeIs(1));
  EXPECT_EQ(it->owners.front().pid, own_pid());
}

// What a process inside a new PID namespace sees of its own listener, and who it is from outside.
struct SeenInside {
  SocketInode inode;
  pid_t own_pid = 0;
  pid_t owner_pid = 0;
  pid_t parent_pid = -1;
  std::size_t processes = 0;
  bool scanned = false;
};

SeenInside scan_from_inside(int fd) {
  SeenInside result{.inode = inode_of(fd), .own_pid = ::getpid()};
  Result<ListenerIterator> iterator = ListenerIterator::Create();
  if (!iterator) return result;
  const Result<IteratorScan> scan = iterator->scan();
  if (!scan) return result;
  result.scanned = true;
  result.processes = scan->processes.size();
  const facts::Listener* listener = find(*scan, fd);
  if (listener == nullptr || listener->owners.size() != 1) return result;
  result.owner_pid = listener->owners.front().pid.value();
  const facts::Process* process = find(*scan, listener->owners.front().pid);
  if (process != nullptr) result.parent_pid = process->parent.value();
  return result;
}

TEST_F(IteratorTest, PidsAreThoseOfTheReadersNamespace) {
  const Pipe report;
  Pipe release;
  pid_t outside_pid = 0;
  const Pipe outside;
  Forked middle([&] {
    release.writer.reset();
    if (::unshare(CLONE_NEWPID) != 0) return 1;
    Forked init([&] {
      const UniqueFd fd = test::listen_tcp("127.0.0.1", 0, 5);
      const SeenInside seen = scan_from_inside(fd.get());
      if (::write(report.writer.get(), &seen, sizeof seen) != sizeof seen) return 1;
      char byte = 0;
      return ::read(release.reader.get(), &byte, 1) == 0 ? 0 : 1;
    });
    const pid_t pid = init.pid().value();
    if (::write(outside.writer.get(), &pid, sizeof pid) != sizeof pid) return 1;
    return init.wait();
  });
  SeenInside inside;
  ASSERT_EQ(::read(outside.reader.get(), &outside_pid, sizeof outside_pid),
            static_cast<ssize_t>(sizeof outside_pid));
  ASSERT_EQ(::read(report.reader.get(), &inside, sizeof inside),
            static_cast<ssize_t>(sizeof inside));
  const IteratorScan seen = scan();
  release.writer.reset();
  EXPECT_EQ(middle.wait(), 0);

  ASSERT_TRUE(inside.scanned);
  EXPECT_EQ(inside.own_pid, 1);
  EXPECT_EQ(inside.owner_pid, 1);
  EXPECT_EQ(inside.parent_pid, 0);  // it is outside
  EXPECT_EQ(inside.processes, 1U);  // the rest of the host is not visible there
  const auto it = std::ranges::find(seen.listeners, inside.inode, &facts::Listener::inode);
  ASSERT_NE(it, seen.listeners.end());
  ASSERT_THAT(it->owners, SizeIs(1));
  EXPECT_EQ(it->owners.front().pid, Pid(outside_pid));
}

TEST_F(IteratorTest, ManyDescriptorsOfOneSocketAreReadInSeveralPieces) {
  const UniqueFd fd = test::listen_tcp("127.0.0.1", 0, 5);
  std::vector<UniqueFd> files;
  files.reserve(500);
  while (files.size() < 500) files.emplace_back(::dup(fd.get()));
  // 136 KiB of records; the kernel's buffer holds 32.
  for (int round = 0; round < 2; ++round) {
    const IteratorScan seen = scan();
    ASSERT_THAT(find(seen, fd.get()), NotNull());
    EXPECT_THAT(find(seen, fd.get())->owners, SizeIs(files.size() + 1));
  }
}

TEST_F(IteratorTest, WithoutPrivilegesTheErrorSaysWhatIsMissingAndNothingIsPrinted) {
  const Pipe message;
  const Pipe printed;
  Forked child([&] {
    ::dup2(printed.writer.get(), STDERR_FILENO);
    if (::setresuid(65534, 65534, 65534) != 0) return 1;
    const Result<ListenerIterator> iterator = ListenerIterator::Create();
    if (iterator || iterator.error().code != ErrorCode::kPermission) return 2;
    const std::string text = iterator.error().message();
    return ::write(message.writer.get(), text.data(), text.size()) > 0 ? 0 : 3;
  });
  ASSERT_EQ(child.wait(), 0);
  std::array<char, 512> text{};
  const ssize_t size = ::read(message.reader.get(), text.data(), text.size());
  ASSERT_GT(size, 0);
  EXPECT_THAT(std::string(text.data(), static_cast<std::size_t>(size)),
              testing::HasSubstr("CAP_BPF and CAP_PERFMON"));
  ASSERT_EQ(::fcntl(printed.reader.get(), F_SETFL, O_NONBLOCK), 0);
  EXPECT_EQ(::read(printed.reader.get(), text.data(), text.size()), -1);
}

}  // namespace
}  // namespace acceptq::collect::bpf
