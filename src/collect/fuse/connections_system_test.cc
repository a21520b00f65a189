// A real file system in user space, whose daemon is stopped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "collect/fuse/connections.h"
#include "support/child.h"
#include "support/file_tree.h"

namespace acceptq::collect::fuse {
namespace {

using testing::SizeIs;

template <typename Condition>
bool eventually(const Condition& holds) {
  for (int i = 0; i < 300; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// The slow file system, mounted; unmounted whatever its daemon does.
class SlowFs {
 public:
  SlowFs() {
    tree_.write("files/a", "hello");
    std::filesystem::create_directories(mountpoint());
    daemon_.emplace(std::vector<std::string>{ACCEPTQ_BINARY_DIR "/acceptq-slowfs", mountpoint(),
                                             "--backing", tree_.path("files")});
    mounted_ = eventually([&] { return device().has_value(); });
  }
  SlowFs(const SlowFs&) = delete;
  SlowFs& operator=(const SlowFs&) = delete;
  ~SlowFs() {
    ::umount2(mountpoint().c_str(), MNT_DETACH);
    daemon_.reset();
  }

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] std::string mountpoint() const { return tree_.path("mount"); }
  [[nodiscard]] Pid pid() const { return Pid(daemon_->pid()); }
  void signal(int number) const { daemon_->signal_group(number); }
  // By mountinfo: the file system itself is not asked.
  [[nodiscard]] std::optional<std::uint64_t> device() const {
    for (const auto& mount : parse_mounts(read_file("/proc/self/mountinfo").value_or(""), {})) {
      if (mount.mountpoint == mountpoint()) return mount.device;
    }
    return std::nullopt;
  }

 private:
  test::FileTree tree_;
  std::optional<test::Background> daemon_;
  bool mounted_ = false;
};

bool kernel_tells(Pid pid) {
  const std::string dir = "/proc/" + std::to_string(pid.value()) + "/fdinfo/";
  for (int fd = 3; fd < 20; ++fd) {
    if (parse_connection(read_file(dir + std::to_string(fd)).value_or(""))) return true;
  }
  return false;
}

TEST(Connections, OfADaemonThatIsStopped) {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const SlowFs slow;
  if (!slow.mounted()) GTEST_SKIP() << "no file system in user space can be mounted here";
  if (!kernel_tells(slow.pid())) GTEST_SKIP() << "this kernel does not tell connections apart";
  const std::uint64_t devices[] = {slow.device().value_or(0)};
  const auto read = [&] { return read_connections({}, Pid(::getpid()), devices); };

  auto found = read();
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].mountpoint, slow.mountpoint());
  EXPECT_EQ(found[0].type, "fuse.acceptq-slowfs");
  EXPECT_EQ(found[0].daemon, slow.pid());
  EXPECT_EQ(found[0].daemon_comm, "acceptq-slowfs");
  EXPECT_EQ(found[0].daemon_state, "S");

  slow.signal(SIGSTOP);
  {
    // It waits for an answer that does not come; looking must not.
    const test::Forked reader([&] {
      struct stat ignored{};
      ::stat((slow.mountpoint() + "/a").c_str(), &ignored);
    });
    EXPECT_TRUE(eventually([&] { return read()[0].daemon_state == "T"; }));
    found = read();
    if (found[0].waiting) {
      EXPECT_TRUE(eventually([&] { return read()[0].waiting.value_or(0) > 0; }));
    }
    slow.signal(SIGCONT);
  }
  EXPECT_TRUE(eventually([&] { return read()[0].daemon_state == "S"; }));
}

}  // namespace
}  // namespace acceptq::collect::fuse
