// Namespaces of the running kernel: found by process, mount and descriptor, entered, and gone.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "collect/netns/discover.h"
#include "collect/netns/enter.h"
#include "collect/netns/sysctls.h"
#include "support/netns.h"

namespace acceptq::collect::netns {
namespace {

using testing::SizeIs;

NetnsId current_namespace() {
  struct stat status{};
  EXPECT_EQ(::stat("/proc/thread-self/ns/net", &status), 0);
  return NetnsId(status.st_ino);
}

std::string namespace_name(NetnsId id) { return "net:[" + std::to_string(id.value()) + "]"; }

Entrance entrance_of(Pid pid) {
  return {.path = "/proc/" + std::to_string(pid.value()) + "/ns/net"};
}

const Handle* find(const Discovery& discovery, NetnsId id) {
  const auto it = std::ranges::find(discovery.handles, id, &Handle::id);
  return it == discovery.handles.end() ? nullptr : &*it;
}

// A child that lives in a network namespace of its own until the end of its scope.
class UnsharedChild {
 public:
  UnsharedChild() {
    int ready[2];
    EXPECT_EQ(::pipe2(static_cast<int*>(ready), O_CLOEXEC), 0);
    const UniqueFd read_end(ready[0]);
    UniqueFd write_end(ready[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::unshare(CLONE_NEWNET) != 0 || ::write(write_end.get(), "x", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    write_end.reset();
    char byte = 0;
    EXPECT_EQ(::read(read_end.get(), &byte, 1), 1) << "unshare(CLONE_NEWNET) in the child";
    struct stat status{};
    EXPECT_EQ(::stat(("/proc/" + std::to_string(pid_) + "/ns/net").c_str(), &status), 0);
    id_ = NetnsId(status.st_ino);
  }
  UnsharedChild(const UnsharedChild&) = delete;
  UnsharedChild& operator=(const UnsharedChild&) = delete;
  ~UnsharedChild() { end(); }

  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] Pid pid() const { return Pid(pid_); }
  [[nodiscard]] NetnsId id() const { return id_; }

 private:
  pid_t pid_ = -1;
  NetnsId id_;
};

TEST(Discover, OwnNamespace) {
  const auto found = discover_namespaces({});
  ASSERT_TRUE(found) << found.error().message();
  const Handle* own = find(*found, current_namespace());
  ASSERT_NE(own, nullptr);
  EXPECT_TRUE(own->is_own);
  EXPECT_EQ(own->held_by, facts::HeldBy::kProcess);
  EXPECT_FALSE(own->pids.empty());
  EXPECT_EQ(std::ranges::count_if(found->handles, &Handle::is_own), 1);
  EXPECT_LE(std::ranges::count(found->handles, true, &Handle::is_host), 1);
  EXPECT_TRUE(std::ranges::is_sorted(found->handles, {}, &Handle::id));
  for (const Handle& handle : found->handles) {
    EXPECT_THAT(handle.pids, SizeIs(testing::Le(kPidsKept)));
    EXPECT_TRUE(std::ranges::is_sorted(handle.pids));
  }
}

TEST(Discover, FailsWithoutProc) {
  const auto found = discover_namespaces({.proc_root = "/nonexistent"});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kNotFound);
}

TEST(Discover, ByProcess) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  const UnsharedChild child;
  const auto found = discover_namespaces({});
  ASSERT_TRUE(found) << found.error().message();
  const Handle* handle = find(*found, child.id());
  ASSERT_NE(handle, nullptr);
  EXPECT_EQ(handle->held_by, facts::HeldBy::kProcess);
  EXPECT_THAT(handle->pids, testing::ElementsAre(child.pid()));
  ASSERT_THAT(handle->entrances, SizeIs(1));
  EXPECT_EQ(handle->entrances[0].name(),
            "/proc/" + std::to_string(child.pid().value()) + "/ns/net");
  EXPECT_FALSE(handle->is_own);
  EXPECT_EQ(handle->is_host, false);
}

TEST(Discover, ByDescriptorOnlyWhenAsked) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  const test::TestNetns held;  // by a descriptor of this process and nothing else
  const auto without = discover_namespaces({});
  ASSERT_TRUE(without) << without.error().message();
  EXPECT_EQ(find(*without, held.id()), nullptr);
  const auto with = discover_namespaces({.thorough = true});
  ASSERT_TRUE(with) << with.error().message();
  const Handle* handle = find(*with, held.id());
  ASSERT_NE(handle, nullptr);
  EXPECT_EQ(handle->held_by, facts::HeldBy::kDescriptor);
  EXPECT_THAT(handle->pids, SizeIs(0));
  ASSERT_THAT(handle->entrances, testing::Not(testing::IsEmpty()));
  EXPECT_EQ(read_link(handle->entrances[0].path), namespace_name(held.id()));
}

TEST(Discover, ByMount) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  std::string path = testing::TempDir() + "acceptq netns XXXXXX";  // blanks: escaped in mountinfo
  const UniqueFd file(::mkstemp(path.data()));
  ASSERT_TRUE(file.valid());
  NetnsId id;
  {
    const test::TestNetns netns;
    id = netns.id();
    const std::string source = "/proc/self/fd/" + std::to_string(netns.fd());
    if (::mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      const int error = errno;
      ::unlink(path.c_str());
      GTEST_SKIP() << "cannot bind-mount a namespace: " << errno_error(error, "mount").message();
    }
  }
  const auto found = discover_namespaces({});
  const Handle* handle = found ? find(*found, id) : nullptr;
  std::string entered;
  if (handle != nullptr) {
    for_each_namespace(std::span(handle, 1), 1, [&](std::size_t, const Status& status) {
      entered = status ? namespace_name(current_namespace()) : status.error().message();
    });
  }
  EXPECT_EQ(::umount2(path.c_str(), MNT_DETACH), 0);
  EXPECT_EQ(::unlink(path.c_str()), 0);
  ASSERT_TRUE(found) << found.error().message();
  ASSERT_NE(handle, nullptr);
  EXPECT_EQ(handle->held_by, facts::HeldBy::kMount);
  EXPECT_EQ(handle->mount_path, path);
  EXPECT_EQ(entered, namespace_name(id));
}

TEST(Discover, ByAThreadThatMovedAloneWhenAsked) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  NetnsId id;
  std::atomic<bool> there{false};
  std::atomic<bool> done{false};
  std::jthread mover([&] {
    EXPECT_EQ(::unshare(CLONE_NEWNET), 0);
    id = current_namespace();
    there = true;
    there.notify_one();
    done.wait(false);
  });
  there.wait(false);
  const auto without = discover_namespaces({});
  const auto with = discover_namespaces({.thorough = true});
  Status entered = fail(ErrorCode::kIo, "not visited");
  const Handle* handle = with ? find(*with, id) : nullptr;
  if (handle != nullptr) {
    for_each_namespace(std::span(handle, 1), 1,
                       [&](std::size_t, const Status& status) { entered = status; });
  }
  done = true;
  done.notify_one();
  ASSERT_TRUE(without && with);
  EXPECT_EQ(find(*without, id), nullptr);
  ASSERT_NE(handle, nullptr);
  EXPECT_TRUE(entered) << entered.error().message();
}

// Without the right to read others' links, which namespaces they live in is still told apart.
TEST(Discover, NobodyCountsTheNamespacesThatItMayNotEnter) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  const auto discover_as_nobody = [] {
    Result<Discovery> found = fail(ErrorCode::kIo, "not run");
    std::thread([&] {
      // By the system call: the wrapper would change all threads.
      ::syscall(SYS_setresuid, 65534, 65534, 65534);
      found = discover_namespaces({});
    }).join();
    return found;
  };
  const auto before = discover_as_nobody();
  const UnsharedChild first;
  const UnsharedChild second;
  const auto after = discover_as_nobody();
  ASSERT_TRUE(before && after);
  if (after->hides_processes) GTEST_SKIP() << "/proc hides others' processes here";
  EXPECT_GE(after->denied, 2U);
  EXPECT_GE(after->hidden.size(), 2U);
  EXPECT_TRUE(after->is_partial());
  // Processes of this namespace are denied, too, but nothing is hidden by that.
  EXPECT_GT(before->denied, before->hidden.size());
}

TEST(Discover, APrivilegedCallerSeesAll) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  const auto found = discover_namespaces({});
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_FALSE(found->is_partial());
  EXPECT_EQ(std::ranges::count(found->handles, true, &Handle::is_host), 1);
}

TEST(ForEachNamespace, OwnNeedsNoPrivilege) {
  const NetnsId own = current_namespace();
  const std::vector<Handle> handles{{.id = own, .is_own = true}};
  int visits = 0;
  for_each_namespace(handles, 4, [&](std::size_t index, const Status& entered) {
    ++visits;
    EXPECT_EQ(index, 0U);
    EXPECT_TRUE(entered);
    EXPECT_EQ(current_namespace(), own);
  });
  EXPECT_EQ(visits, 1);
}

TEST(ForEachNamespace, NoHandlesNoVisit) {
  for_each_namespace({}, 0, [](std::size_t, const Status&) { ADD_FAILURE(); });
}

TEST(ForEachNamespace, VisitsEachInside) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  const NetnsId own = current_namespace();
  const UnsharedChild children[5];
  std::vector<Handle> handles{{.id = own, .is_own = true}};
  for (const UnsharedChild& child : children) {
    handles.push_back({.id = child.id(), .entrances = {entrance_of(child.pid())}});
  }
  for (const unsigned threads : {0U, 1U, 3U, 64U}) {
    SCOPED_TRACE(threads);
    std::mutex mutex;
    std::map<std::size_t, std::vector<std::string>> seen;
    const std::thread::id caller = std::this_thread::get_id();
    for_each_namespace(handles, threads, [&](std::size_t index, const Status& entered) {
      const Result<std::string> link = read_link("/proc/thread-self/ns/net");
      const std::lock_guard lock(mutex);
      EXPECT_EQ(std::this_thread::get_id() == caller, handles[index].is_own);
      EXPECT_TRUE(entered) << entered.error().message();
      seen[index].push_back(link.value_or("unreadable"));
    });
    ASSERT_THAT(seen, SizeIs(handles.size()));
    for (std::size_t i = 0; i < handles.size(); ++i) {
      EXPECT_THAT(seen[i], testing::ElementsAre(namespace_name(handles[i].id)));
    }
    EXPECT_EQ(current_namespace(), own);
  }
}

TEST(ForEachNamespace, AnErrorAndNoEntryWhereTheProcessEnded) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  const NetnsId own = current_namespace();
  UnsharedChild child;
  const std::vector<Handle> handles{{.id = child.id(), .entrances = {entrance_of(child.pid())}}};
  child.end();
  int visits = 0;
  for_each_namespace(handles, 1, [&](std::size_t, const Status& entered) {
    ++visits;
    ASSERT_FALSE(entered);
    EXPECT_EQ(entered.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(current_namespace(), own);
  });
  EXPECT_EQ(visits, 1);
}

TEST(ForEachNamespace, APathThatLeadsElsewhereByNowIsNotEntered) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  const NetnsId own = current_namespace();
  const UnsharedChild child;
  const std::vector<Handle> handles{
      {.id = NetnsId(child.id().value() + 1), .entrances = {entrance_of(child.pid())}}};
  int visits = 0;
  for_each_namespace(handles, 1, [&](std::size_t, const Status& entered) {
    ++visits;
    ASSERT_FALSE(entered);
    EXPECT_EQ(entered.error().code, ErrorCode::kInterrupted);
    EXPECT_EQ(current_namespace(), own);
  });
  EXPECT_EQ(visits, 1);
}

TEST(ForEachNamespace, TriesTheNextEntranceWhereOneIsGone) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  UnsharedChild ended;
  const UnsharedChild child;
  const Handle handle{
      .id = child.id(),
      .entrances = {
          entrance_of(ended.pid()), {.path = "/proc/self/ns/net"}, entrance_of(child.pid())}};
  ended.end();
  int visits = 0;
  for_each_namespace(std::span(&handle, 1), 1, [&](std::size_t, const Status& entered) {
    ++visits;
    EXPECT_TRUE(entered) << entered.error().message();
    EXPECT_EQ(current_namespace(), child.id());
  });
  EXPECT_EQ(visits, 1);
}

TEST(ForEachNamespace, StaysAwayFromStorageThatMayNotAnswer) {
  const Handle handle{.id = current_namespace(),
                      .entrances = {{.path = "/srv/ns", .root = "/", .remote_type = "nfs4"}}};
  for_each_namespace(std::span(&handle, 1), 1, [&](std::size_t, const Status& entered) {
    ASSERT_FALSE(entered);
    EXPECT_EQ(entered.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(entered.error().message(), testing::HasSubstr("/srv/ns"));
  });
}

TEST(ListenSysctls, OfTheCallingThreadsNamespace) {
  const Sysctls sysctls = read_listen_sysctls(nullptr);
  EXPECT_THAT(sysctls, SizeIs(std::size(facts::kListenSysctls)));
  const facts::Sysctl& somaxconn = sysctls.at(facts::kSomaxconn);
  std::ifstream file("/proc/sys/net/core/somaxconn");
  std::int64_t expected = 0;
  if (!(file >> expected)) GTEST_SKIP() << "somaxconn is not shown here";
  EXPECT_EQ(somaxconn.state, facts::SysctlState::kValue) << somaxconn.reason;
  EXPECT_EQ(somaxconn.value, expected);
}

TEST(ListenSysctls, FollowTheNamespaceThatAThreadEntered) {
  if (!test::may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
  const test::TestNetns netns;
  // Read and compared inside; where /proc/sys may not be written, the values are the kernel's own.
  const UniqueFd writable(::open("/proc/sys/net/core/somaxconn", O_WRONLY | O_CLOEXEC));
  if (!writable.valid()) GTEST_SKIP() << "/proc/sys may not be written here";
  netns.set("net/core/somaxconn", "321");
  const Sysctls outside = read_listen_sysctls(nullptr);
  Sysctls inside;
  std::optional<std::uint64_t> cookie;
  netns.run([&] {
    inside = read_listen_sysctls(&outside);
    cookie = netns_cookie();
  });
  EXPECT_EQ(inside.at(facts::kSomaxconn).value, 321);
  EXPECT_NE(outside.at(facts::kSomaxconn).value, 321);
  if (cookie) {
    EXPECT_NE(cookie, netns_cookie());
  }
}

}  // namespace
}  // namespace acceptq::collect::netns
