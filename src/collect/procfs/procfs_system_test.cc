// The readers of /proc against the running kernel: processes that share, hide and vanish.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "base/unique_fd.h"
#include "collect/procfs/counters.h"
#include "collect/procfs/executable.h"
#include "collect/procfs/host.h"
#include "collect/procfs/owner_details.h"
#include "collect/procfs/owners.h"
#include "collect/procfs/process.h"

namespace acceptq::collect::procfs {
namespace {

using facts::OwnerRef;
using testing::ElementsAre;

// A child that runs `body` and exits with its result; killed and reaped at the end of its scope.
class Child {
 public:
  explicit Child(const std::function<int()>& body) : pid_(::fork()) {
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::_exit(body());
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] Pid pid() const { return Pid(pid_); }
  // Its exit code, or -1 where a signal ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
};

int sleep_for_good() {
  while (true) ::pause();
}

UniqueFd listening_socket() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd.get(), 8), 0);
  return fd;
}

SocketInode inode_of(const UniqueFd& fd) {
  struct stat stat{};
  EXPECT_EQ(::fstat(fd.get(), &stat), 0);
  return SocketInode(stat.st_ino);
}

TEST(Owners, SharedListenerHasTwo) {
  const UniqueFd listener = listening_socket();
  const SocketInode inode = inode_of(listener);
  const Child child(sleep_for_good);
  const Result<OwnerWalk> walk = walk_socket_owners({}, std::array{inode});
  ASSERT_TRUE(walk.has_value()) << walk.error().message();
  EXPECT_THAT(walk->owners.at(inode), ElementsAre(OwnerRef{Pid(::getpid()), listener.get()},
                                                  OwnerRef{child.pid(), listener.get()}));
  EXPECT_GE(walk->processes, 2U);
  EXPECT_TRUE(still_owns("/proc", OwnerRef{child.pid(), listener.get()}, inode));
}

// Processes begin and end all the time while the walk goes on and each owner found is read.
TEST(Owners, SurvivesProcessesThatVanish) {
  const UniqueFd listener = listening_socket();
  const SocketInode inode = inode_of(listener);
  std::atomic<bool> stop = false;
  std::thread forker([&] {
    for (int i = 0; i < 2000 && !stop; ++i) {
      const pid_t pid = ::fork();
      if (pid == 0) ::_exit(0);
      if (pid > 0) ::waitpid(pid, nullptr, 0);
    }
  });
  const std::string own_comm = read_process("/proc", Pid(::getpid()))->comm;
  std::size_t gone = 0;
  std::size_t seen = 0;
  for (int round = 0; round < 40; ++round) {
    const Result<OwnerWalk> walk = walk_socket_owners({}, std::array{inode});
    if (!walk) {
      ADD_FAILURE() << walk.error().message();
      break;
    }
    EXPECT_THAT(walk->failures, testing::IsEmpty());
    EXPECT_THAT(walk->owners.at(inode),
                testing::Contains(OwnerRef{Pid(::getpid()), listener.get()}));
    for (const OwnerRef& owner : walk->owners.at(inode)) {
      const Result<facts::Process> process = read_process("/proc", owner.pid);
      if (process) {
        ++seen;
        EXPECT_EQ(process->comm, own_comm);
        EXPECT_EQ(process->pid, owner.pid);
      } else {
        ++gone;
        EXPECT_EQ(process.error().code, ErrorCode::kNotFound) << process.error().message();
      }
    }
  }
  stop = true;
  forker.join();
  EXPECT_GE(seen, 40U);
  RecordProperty("vanished_before_they_were_read", static_cast<int>(gone));
}

// Runs in a child that has become nobody; returns 0 or the number of the line that went wrong.
int look_as_nobody(Pid other) {
#define CHECK_OR_LINE(condition) \
  if (!(condition)) return __LINE__ & 0xff
  const gid_t nogroup = 65534;
  CHECK_OR_LINE(::setgroups(0, nullptr) == 0);
  CHECK_OR_LINE(::setresgid(nogroup, nogroup, nogroup) == 0);
  CHECK_OR_LINE(::setresuid(65534, 65534, 65534) == 0);
  const Result<OwnerWalk> walk = walk_socket_owners({}, {});
  CHECK_OR_LINE(walk.has_value());
  CHECK_OR_LINE(walk->denied > 0);
  CHECK_OR_LINE(walk->denied >= walk->denied_examples.size());
  CHECK_OR_LINE(!walk->denied_examples.empty());
  CHECK_OR_LINE(walk->denied_examples.size() <= 5);
  CHECK_OR_LINE(!walk->complete());
  CHECK_OR_LINE(walk->failures.empty());
  const Result<facts::Process> process = read_process("/proc", other);
  CHECK_OR_LINE(process.has_value());
  CHECK_OR_LINE(!process->comm.empty());
  CHECK_OR_LINE(process->uid == 0U);
  CHECK_OR_LINE(!process->exe);
  CHECK_OR_LINE(!process->netns);
#undef CHECK_OR_LINE
  return 0;
}

TEST(Owners, DeniedProcessesAreCounted) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  const Pid self(::getpid());
  Child nobody([self] { return look_as_nobody(self); });
  EXPECT_EQ(nobody.wait(), 0) << "the line that failed, modulo 256";
}

TEST(Process, AgreesWithTheKernelAboutOurselves) {
  const Result<facts::Process> process = read_process("/proc", Pid(::getpid()));
  ASSERT_TRUE(process.has_value()) << process.error().message();
  EXPECT_EQ(process->parent, Pid(::getppid()));
  EXPECT_EQ(process->uid, ::geteuid());
  EXPECT_GT(process->start_ticks, 0U);
  std::string comm(16, '\0');
  ::prctl(PR_GET_NAME, comm.data());
  EXPECT_EQ(process->comm, comm.c_str());
  EXPECT_EQ(process->exe, read_link("/proc/self/exe").value());
  struct stat stat{};
  ASSERT_EQ(::stat("/proc/self/ns/net", &stat), 0);
  EXPECT_EQ(process->netns, NetnsId(stat.st_ino));
  EXPECT_TRUE(process->cgroup.has_value());
}

TEST(Process, TakesTheStrangestNameThatTheKernelAllows) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const UniqueFd reader(ready[0]);
  UniqueFd writer(ready[1]);
  const Child child([&] {
    ::prctl(PR_SET_NAME, ") R 1 (\n\\ x");
    (void)!::write(writer.get(), "x", 1);
    return sleep_for_good();
  });
  char byte = 0;
  ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
  const Result<facts::Process> process = read_process("/proc", child.pid());
  ASSERT_TRUE(process.has_value()) << process.error().message();
  EXPECT_EQ(process->comm, ") R 1 (\n\\ x");
  EXPECT_EQ(process->parent, Pid(::getpid()));
}

TEST(Process, StatusNamesADebugger) {
  const Child child(sleep_for_good);
  const auto status = [&] {
    const auto text = read_file("/proc/" + std::to_string(child.pid().value()) + "/status");
    return parse_status(text.value_or(std::string()));
  };
  ASSERT_TRUE(status().has_value());
  EXPECT_FALSE(status()->tracer);
  if (::ptrace(PTRACE_SEIZE, child.pid().value(), 0, 0) != 0) GTEST_SKIP() << "ptrace is refused";
  EXPECT_EQ(status()->tracer, Pid(::getpid()));
  EXPECT_EQ(status()->dumping_core, false);
}

TEST(Process, AZombieStillHasAName) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  const Result<facts::Process> process = read_process("/proc", Pid(pid));
  EXPECT_TRUE(process.has_value());
  if (process) {
    EXPECT_FALSE(process->exe);
  }
  ::waitpid(pid, nullptr, 0);
}

TEST(OwnerDetails, OfThisProcess) {
  Result<facts::Process> process = read_process("/proc", Pid(::getpid()));
  ASSERT_TRUE(process.has_value());
  read_owner_details("/proc", CommandLine::kRead, *process);
  EXPECT_EQ(process->program, "collect_procfs_system_test");
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(process->open_files_limit, limit.rlim_cur);
  const std::uint32_t before = process->open_files.value_or(0);
  const UniqueFd more(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  read_owner_details("/proc", CommandLine::kRead, *process);
  EXPECT_EQ(process->open_files, before + 1);
}

TEST(OwnerDetails, NothingOfAnotherProcessWithItsNumber) {
  Result<facts::Process> process = read_process("/proc", Pid(::getpid()));
  ASSERT_TRUE(process.has_value());
  ++process->start_ticks;
  read_owner_details("/proc", CommandLine::kRead, *process);
  EXPECT_FALSE(process->program || process->open_files || process->open_files_limit);
}

TEST(OwnerDetails, TheLanguageOfAnExecutable) {
  const auto language = [](const char* exe) {
    const std::string dir = ::testing::TempDir() + "acceptq-language-" + std::to_string(::getpid());
    std::filesystem::create_directory(dir);
    std::filesystem::create_symlink(exe, dir + "/exe");
    const UniqueFd fd(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const std::optional<std::string> found = language_of(fd.get());
    std::filesystem::remove_all(dir);
    return found;
  };
  ASSERT_TRUE(std::filesystem::exists("/usr/bin/promtool"));
  EXPECT_EQ(language("/usr/bin/promtool"), "go");
  EXPECT_EQ(language("/proc/self/exe"), std::nullopt);
  EXPECT_EQ(language("/etc/passwd"), std::nullopt);
  EXPECT_EQ(language("/nowhere"), std::nullopt);
}

TEST(Host, AgreesWithUname) {
  const Result<facts::Host> host = read_host("/proc");
  ASSERT_TRUE(host.has_value());
  EXPECT_EQ(host->boot_id.size(), 36U);
  EXPECT_EQ(exe_link_for(host->kernel), ExeLink::kRead);
}

struct ClosePipe {
  void operator()(FILE* file) const { ::pclose(file); }
};

// nstat's counters of its namespace, "TcpExtListenDrops  412  0.0". An empty history file makes the
// differences that it prints totals.
Counters nstat_counters() {
  Counters counters;
  const std::unique_ptr<FILE, ClosePipe> nstat(
      ::popen("NSTAT_HISTORY=/dev/null nstat -asz 2>/dev/null", "re"));
  char line[512];
  while (nstat && std::fgets(line, sizeof line, nstat.get()) != nullptr) {
    std::istringstream fields(line);
    std::string name;
    std::uint64_t value = 0;
    if (fields >> name >> value) counters[name] = value;
  }
  return counters;
}

// In a namespace of our own, where nothing moves the counters between the two readings.
int compare_with_nstat() {
  if (::unshare(CLONE_NEWNET) != 0) return 77;
  const Counters theirs = nstat_counters();
  if (theirs.empty()) return 76;
  CounterParser parser;
  const Result<Counters> ours = parser.read("/proc/self/net");
  if (!ours) return 1;
  std::size_t compared = 0;
  for (const auto& [name, value] : *ours) {
    if (is_gauge(name) || name.str().starts_with("MPTcpExt")) continue;  // nstat leaves them out
    const auto found = theirs.find(name);
    if (found == theirs.end() || found->second != value) {
      std::fprintf(stderr, "nstat differs at %s\n", name.str().c_str());
      return 2;
    }
    ++compared;
  }
  return compared > 50 ? 0 : 3;
}

TEST(Counters, AgreeWithNstat) {
  Child child(compare_with_nstat);
  const int code = child.wait();
  if (code == 77) GTEST_SKIP() << "may not make a network namespace";
  if (code == 76) GTEST_SKIP() << "nstat is not there";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace acceptq::collect::procfs
