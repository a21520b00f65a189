// A node in trouble, all at once: hundreds of namespaces that come and go, PIDs that are used
// again, 100,000 connections, a file system whose daemon is stopped, and processes that are stuck
// on it: in open(), with the lock of a socket held, and inside execve(), where the kernel may no
// longer answer for them (ps hangs). acceptq must say what is wrong, and come to its end.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/fleet.h"
#include "support/netns.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr const char* kSlowFs = ACCEPTQ_BINARY_DIR "/acceptq-slowfs";
constexpr std::size_t kNamespaces = 500;
constexpr std::size_t kListenersEach = 2;
constexpr std::size_t kConnections = 100'000;
constexpr int kStuckPort = 8080;   // its server waits for a file
constexpr int kLockedPort = 8081;  // its server waits for memory with the listener's lock held
constexpr int kExecPort = 8083;    // its server waits inside execve()
constexpr std::size_t kPage = 4096;

// The state letter of a process or thread, from `status`, which never waits; '?' where it is gone.
char state_of(const std::string& dir) {
  std::ifstream file(dir + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("State:\t") && line.size() > 7) return line[7];
  }
  return '?';
}

// A directory of files on a file system of which nothing more is heard after stop(). The mounts are
// those of this test's own mount namespace, and gone with it.
class DeadStorage {
 public:
  DeadStorage() {
    require(::unshare(CLONE_NEWNS) == 0, "unshare(CLONE_NEWNS)");
    require(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "mount");
    std::string pattern = testing::TempDir() + "acceptq-hostile-XXXXXX";
    require(::mkdtemp(pattern.data()) != nullptr, "mkdtemp");
    dir_ = pattern;
    std::filesystem::create_directory(dir_ + "/backing");
    std::filesystem::create_directory(mount_point());
    for (const char* name : {"page", "late", "ns"}) {
      std::ofstream(dir_ + "/backing/" + name) << std::string(2 * kPage, 'x');
    }
    daemon_.emplace(
        std::vector<std::string>{kSlowFs, mount_point(), "--backing", dir_ + "/backing"});
    const std::string seen = path("page");
    require(eventually([&] { return ::access(seen.c_str(), R_OK) == 0; }), "mounting");
  }
  DeadStorage(const DeadStorage&) = delete;
  DeadStorage& operator=(const DeadStorage&) = delete;
  ~DeadStorage() {
    end();
    ::umount2(path("ns").c_str(), MNT_DETACH);
    ::umount2(mount_point().c_str(), MNT_DETACH);
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  [[nodiscard]] std::string mount_point() const { return dir_ + "/mnt"; }
  [[nodiscard]] std::string path(const char* name) const { return mount_point() + "/" + name; }
  // Returns when each of its threads has stopped: until then one may still answer.
  void stop() const {
    daemon_->signal_group(SIGSTOP);
    const std::string tasks = "/proc/" + std::to_string(daemon_->pid()) + "/task";
    require(eventually([&] {
              const std::filesystem::directory_iterator threads(tasks);
              return std::ranges::all_of(threads, [](const auto& thread) {
                return state_of(thread.path().string()) == 'T';
              });
            }),
            "stopping the daemon");
  }
  // The daemon's end ends its connection to the kernel, and with it every wait.
  void end() { daemon_.reset(); }

 private:
  std::string dir_;
  std::optional<Background> daemon_;
};

// A process of the test's own, killed and reaped with the object.
class Process {
 public:
  explicit Process(const std::function<void()>& body) {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    require(pid_ >= 0, "fork");
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent) body();
    while (true) ::pause();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    ::kill(pid_, SIGKILL);
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

// The two pages of a file of the storage, the first in memory and the second not: reading on from
// the first waits for the storage.
const char* edge_of_memory(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(file >= 0, "open");
  void* pages = ::mmap(nullptr, 2 * kPage, PROT_READ, MAP_PRIVATE, file, 0);
  require(pages != MAP_FAILED, "mmap");
  // No reading ahead: the second page must stay where it is.
  ::madvise(pages, 2 * kPage, MADV_RANDOM);
  // Closed now: whoever inherits it could not even end later, since close() asks the daemon.
  ::close(file);
  return static_cast<const char*>(pages);
}

// setsockopt() that copies its argument with the listener locked (net/ipv4/tcp.c,
// do_tcp_setsockopt; tcp_v4_parse_md5_keys): its first word, which is read before, is in memory.
void hold_lock_of(int listener, const char* pages) {
  ::setsockopt(listener, IPPROTO_TCP, TCP_MD5SIG, pages + kPage - sizeof(int),
               sizeof(struct tcp_md5sig));
}

// send() copies with the connection locked (tcp_sendmsg).
void hold_lock_of_connection(std::uint16_t port, const char* pages) {
  const UniqueFd listener = listen_tcp("127.0.0.1", port, 5);
  const std::vector<UniqueFd> client = connect_many("127.0.0.1", port, 1);
  const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  require(accepted.valid(), "accept");
  static_cast<void>(::send(accepted.get(), pages, 2 * kPage, MSG_NOSIGNAL));
}

// Opens a file, says so, waits for `go`, and calls execve(), which closes the file and so asks its
// daemon (fuse_flush), with exec_update_lock held. The listener on kExecPort stays open.
void hang_in_exec(const std::string& path, int ready, int go) {
  const UniqueFd listener = listen_tcp("127.0.0.1", kExecPort, 5);
  ::fcntl(listener.get(), F_SETFD, 0);
  require(::open(path.c_str(), O_RDONLY | O_CLOEXEC) >= 0, "open");
  char byte = 'r';
  require(::write(ready, &byte, 1) == 1 && ::read(go, &byte, 1) == 1, "pipe");
  ::execl("/bin/true", "true", nullptr);
}

// Processes with listeners in namespaces of their own that live for some milliseconds, again and
// again with the same PIDs.
void churn() {
  constexpr int kAtOnce = 20;
  std::array<pid_t, kAtOnce> children{};
  while (true) {
    for (pid_t& child : children) {
      if (child > 0) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        std::ofstream("/proc/sys/kernel/ns_last_pid") << child - 1;
      }
      child = ::fork();
      if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::unshare(CLONE_NEWNET) != 0) ::_exit(0);
        const UniqueFd one = listen_tcp("0.0.0.0", 9000, 5);
        const UniqueFd two = listen_tcp("0.0.0.0", 9001, 5);
        while (true) ::pause();
      }
      ::usleep(2000);
    }
  }
}

// Ends the waits of the processes that were started before it, so that these can be ended, too.
class EndsFirst {
 public:
  explicit EndsFirst(DeadStorage& storage) : storage_(storage) {}
  EndsFirst(const EndsFirst&) = delete;
  EndsFirst& operator=(const EndsFirst&) = delete;
  ~EndsFirst() { storage_.end(); }

 private:
  DeadStorage& storage_;
};

// Whether the process has read what the pipe held and sleeps again.
bool went_on_and_sleeps(pid_t pid, int pipe) {
  int left = 0;
  if (::ioctl(pipe, FIONREAD, &left) != 0 || left != 0) return false;
  const char state = state_of("/proc/" + std::to_string(pid));
  return state == 'S' || state == 'D';
}

// Whether the process sleeps inside that system call.
bool waits_in(pid_t pid, long call) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/syscall");
  long number = -1;
  return file >> number && number == call;
}

TEST(HostileNode, IsDiagnosedAndLeftAgain) {
  if (!may_unshare()) GTEST_SKIP() << "needs root, to make namespaces";
  if (::access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "needs /dev/fuse";

  // LeakSanitizer, at the end of a program built with it, waits for every thread to stop: also for
  // one that was left behind.
  ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
  const Fleet fleet(kNamespaces, kListenersEach);
  const Connections connections(kConnections);
  DeadStorage storage;
  const TestNetns ns;
  UniqueFd stuck_listener;
  UniqueFd locked_listener;
  std::vector<UniqueFd> clients;
  ns.run([&] {
    stuck_listener = listen_tcp("127.0.0.1", kStuckPort, 5);
    locked_listener = listen_tcp("127.0.0.1", kLockedPort, 5);
  });
  // A namespace that nothing but a mount on the dead storage keeps alive.
  NetnsId unreachable;
  {
    const TestNetns mounted;
    unreachable = mounted.id();
    const std::string source = "/proc/self/fd/" + std::to_string(mounted.fd());
    ASSERT_EQ(::mount(source.c_str(), storage.path("ns").c_str(), nullptr, MS_BIND, nullptr), 0);
  }
  const char* pages = edge_of_memory(storage.path("page"));
  const volatile char first = *pages;
  ASSERT_EQ(first, 'x');

  const auto in_namespace = [&](const std::function<void()>& body) {
    return [&ns, body] {
      require(::setns(ns.fd(), CLONE_NEWNET) == 0, "setns");
      body();
    };
  };
  std::array<int, 2> ready{};
  std::array<int, 2> go{};
  require(::pipe2(ready.data(), O_CLOEXEC) == 0 && ::pipe2(go.data(), O_CLOEXEC) == 0, "pipe");
  const Process exec_server(
      in_namespace([&] { hang_in_exec(storage.path("late"), ready[1], go[0]); }));
  char byte = 0;
  require(::read(ready[0], &byte, 1) == 1, "read");
  storage.stop();
  require(::write(go[1], "g", 1) == 1, "write");
  // Holds the listener, and waits for a file of the storage: its directory is there, too.
  const Process server(in_namespace([&] {
    require(::chdir(storage.mount_point().c_str()) == 0, "chdir");
    static_cast<void>(::open("late", O_RDONLY | O_CLOEXEC));
  }));
  const Process locker(in_namespace([&] { hold_lock_of(locked_listener.get(), pages); }));
  const Process sender(in_namespace([&] { hold_lock_of_connection(8082, pages); }));
  // Its root is on the storage.
  const Process jailed(in_namespace([&] {
    require(::unshare(CLONE_NEWNS) == 0 && ::chroot(storage.mount_point().c_str()) == 0, "chroot");
  }));
  const Process churning(churn);
  const EndsFirst end_of_storage(storage);
  ASSERT_TRUE(eventually([&] { return went_on_and_sleeps(exec_server.pid(), go[0]); }));
  ASSERT_TRUE(eventually([&] { return waits_in(server.pid(), SYS_openat); }));
  ASSERT_TRUE(eventually([&] { return waits_in(locker.pid(), SYS_setsockopt); }));
  ASSERT_TRUE(eventually([&] { return waits_in(sender.pid(), SYS_sendto); }));
  for (const char* scan : {"auto", "netlink"}) {
    SCOPED_TRACE(scan);
    // Anew for each: the kernels of those that came before ask ever more rarely.
    ns.run([&] {
      for (const int port : {kStuckPort, kLockedPort, kExecPort}) {
        for (UniqueFd& client : connect_many("127.0.0.1", static_cast<std::uint16_t>(port), 40)) {
          clients.push_back(std::move(client));
        }
      }
    });
    const auto begin = std::chrono::steady_clock::now();
    const Output output = run_program({kProgram, "check", "--json", "--for", "2s", "--scan", scan});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::cout << "scan " << scan << " with --for 2s took " << took.count() << " s\n";
    EXPECT_EQ(output.exit_code, 1) << output.err;
    const json report = json::parse(output.out, nullptr, false);
    ASSERT_FALSE(report.is_discarded()) << output.err;
    std::set<int> overflowing;
    std::set<int> steady;
    for (const json& listener : report.at("listeners")) {
      const bool overflows = listener.at("verdict") == "overflowing";
      if (overflows && listener.at("netns") == ns.id().value()) {
        overflowing.insert(listener.at("port").get<int>());
        EXPECT_EQ(listener.at("accept_queue").at("length"), 6);
      }
      for (const json& owner : listener.at("owners")) {
        const auto& pids = fleet.pids();
        const auto it = std::ranges::find(pids, owner.at("pid").get<int>());
        if (it == pids.end()) continue;
        steady.insert(*it);
        EXPECT_FALSE(overflows) << listener.dump(1);
      }
    }
    EXPECT_EQ(overflowing, (std::set<int>{kStuckPort, kLockedPort, kExecPort}));
    EXPECT_EQ(steady.size(), kNamespaces);
    bool named = false;
    for (const json& spot : report.at("blind_spots")) {
      named |= spot.at("scope") == "netns:" + std::to_string(unreachable.value());
    }
    EXPECT_TRUE(named) << report.at("blind_spots").dump(1).substr(0, 4000);
  }
}

}  // namespace
}  // namespace acceptq::test
