// Configuration that is hostile: bounded, never followed out of the root, refused with its place.
#include "collect/config_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/procfs/process.h"
#include "support/file_tree.h"

namespace acceptq::collect {
namespace {

using test::FileTree;

class Rooted : public testing::Test {
 protected:
  Rooted() : root_fd_(::open(tree_.root().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

  // "PATH=TEXT " of each file, or the error's text.
  std::string read(const std::string& pattern, RootedLimits limits = {}) {
    RootedFiles files(root_fd_.get(), tree_.root(), limits);
    const auto found = files.read(pattern);
    if (!found) return found.error().message();
    std::string all;
    for (const config::File& file : *found) all += file.path + "=" + file.text + " ";
    return all;
  }

  FileTree tree_;
  UniqueFd root_fd_;
};

TEST_F(Rooted, ReadsFilesAndPatterns) {
  tree_.write("etc/a.conf", "A");
  tree_.write("etc/b.conf", "B");
  tree_.write("etc/.c.conf", "C");
  tree_.write("etc/d.conf/x", "D");
  tree_.write("etc2/a.conf", "E");
  EXPECT_EQ(read("/etc/a.conf"), "/etc/a.conf=A ");
  EXPECT_EQ(read("//etc/./a.conf"), "/etc/a.conf=A ");
  EXPECT_EQ(read("/etc/*.conf"), "/etc/a.conf=A /etc/b.conf=B ");
  EXPECT_EQ(read("/etc*/[a]*"), "/etc/a.conf=A /etc2/a.conf=E ");
  EXPECT_EQ(read("/none/*"), "");
  EXPECT_EQ(read("/etc/a.conf/*"), "");
  EXPECT_EQ(read("/etc/none"), "/etc/none: No such file or directory");
  EXPECT_EQ(read("/etc"), "/etc: Is a directory");
  EXPECT_EQ(read("etc/a.conf"), "etc/a.conf: not an absolute name");
}

TEST_F(Rooted, FollowsLinksInsideOfTheRootOnly) {
  const FileTree outside;
  outside.write("secret", "S");
  tree_.write("etc/real", "R");
  tree_.link("etc/inside", "/etc/real");
  tree_.link("etc/up", "../../../../../../etc/real");
  tree_.link("etc/out", outside.path("secret"));
  tree_.link("etc/loop", "loop");
  tree_.link("etc/dir", outside.root());
  EXPECT_EQ(read("/etc/inside"), "/etc/real=R ");
  EXPECT_EQ(read("/etc/up"), "/etc/real=R ");
  EXPECT_EQ(read("/../../etc/real"), "/etc/real=R ");
  EXPECT_EQ(read("/etc/out"), "/etc/out: No such file or directory");
  EXPECT_EQ(read("/etc/dir/secret"), "/etc/dir/secret: No such file or directory");
  EXPECT_EQ(read("/etc/dir/*"), "");
  EXPECT_EQ(read("/etc/loop"), "/etc/loop: Too many levels of symbolic links");
  tree_.link("etc/ring1", "ring2");
  tree_.link("etc/ring2", "/etc/ring1");
  tree_.link("self/self", "/self");
  tree_.write("self/x", "X");
  EXPECT_EQ(read("/etc/ring1/x"), "/etc/ring1/x: Too many levels of symbolic links");
  EXPECT_EQ(read("/self/self/*/x"), "/self/x=X ");
  EXPECT_EQ(read("/self/*/*/*/*/*/x"), "/self/x=X ");
  tree_.link("etc/root", "/proc/self/root/etc/passwd");
  EXPECT_EQ(read("/etc/root"), "/etc/root: No such file or directory");
}

TEST_F(Rooted, RefusesWhatIsNoTextFile) {
  tree_.write("binary", std::string("a\0b", 3));
  ASSERT_EQ(::mkfifo(tree_.path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(read("/binary"), "/binary: not text: byte 2 is NUL");
  EXPECT_EQ(read("/fifo"), "/fifo: not a regular file");
  const UniqueFd host(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  RootedFiles files(host.get(), "/");
  EXPECT_EQ(files.read("/dev/zero").error().message(), "/dev/zero: not a regular file");
  EXPECT_EQ(files.read("/proc/cpuinfo").error().message(),
            "/proc/cpuinfo: not a file on storage, but of the kernel's making");
  EXPECT_EQ(files.read("/proc/self/root/etc/passwd").error().sys_errno, ELOOP);
  EXPECT_TRUE(files.read("/proc/*/cmdline")->empty());
}

TEST_F(Rooted, ReadsNoMoreThanItsLimits) {
  for (const char* name : {"a", "b", "c"}) tree_.write(std::string("etc/") + name, "1234");
  EXPECT_EQ(read("/etc/a", {.file_bytes = 4}), "/etc/a=1234 ");
  EXPECT_EQ(read("/etc/a", {.file_bytes = 3}),
            "/etc/a: larger than 3 bytes, the most that is read");
  EXPECT_EQ(read("/etc/*", {.all_bytes = 9}), "/etc/c: larger than 1 bytes, the most that is read");
  EXPECT_EQ(read("/etc/*", {.files = 2}), "/etc/c: more than 2 files are included");
  EXPECT_EQ(read("/etc/*", {.directory_entries = 2}), "/etc: too many names to look at");
  tree_.write("sparse", "");
  ASSERT_EQ(::truncate(tree_.path("sparse").c_str(), 50L << 20), 0);
  EXPECT_EQ(read("/sparse"), "/sparse: larger than 1048576 bytes, the most that is read");
}

std::uint64_t start_ticks_of(pid_t pid) {
  return procfs::parse_stat(*read_file("/proc/" + std::to_string(pid) + "/stat"))->start_ticks;
}

TEST(ConfigFiles, AreReadAsTheProcessSeesThem) {
  const FileTree tree;
  tree.write("x.conf", "text");
  auto files = ConfigFiles::of(Pid(::getpid()), start_ticks_of(::getpid()));
  ASSERT_TRUE(files);
  const auto how = files->invocation();
  ASSERT_TRUE(how) << how.error().message();
  EXPECT_TRUE(how->program.ends_with("collect_config_files_test")) << how->program;
  EXPECT_FALSE(how->arguments.empty());
  EXPECT_EQ(how->directory, *read_link("/proc/self/cwd"));
  const auto found = files->read(tree.path("x.conf"));
  ASSERT_TRUE(found) << found.error().message();
  struct stat status{};
  ASSERT_EQ(::stat(tree.path("x.conf").c_str(), &status), 0);
  EXPECT_EQ(*found, (std::vector{config::File{tree.path("x.conf"), "text",
                                              facts::FileIdentity{status.st_dev, status.st_ino}}}));
  const auto missing = files->read("/none");
  EXPECT_EQ(missing.error().message(), "/none: No such file or directory");
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST(ConfigFiles, AreNotThoseOfAnotherProcessOfThatPid) {
  auto files = ConfigFiles::of(Pid(::getpid()), 1);
  ASSERT_TRUE(files);
  const auto how = files->invocation();
  ASSERT_FALSE(how);
  EXPECT_TRUE(how.error().message().ends_with("it is another process by now"));
}

// A fnmatch() may try every way to divide a name among the stars of a pattern.
TEST(ConfigFiles, AreGivenUpWhereAPatternTakesForEver) {
  const FileTree tree;
  tree.write(std::string(200, 'a'), "");
  std::string stars;
  for (int i = 0; i < 40; ++i) stars += "*a";
  const auto begun = std::chrono::steady_clock::now();
  {
    auto files = ConfigFiles::of(Pid(::getpid()), start_ticks_of(::getpid()),
                                 {.time = std::chrono::milliseconds(200)});
    ASSERT_TRUE(files);
    const auto found = files->read(tree.path(stars + "b"));
    EXPECT_TRUE(!found || found->empty());  // the latter by a library that is cleverer
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
}

TEST(ConfigFiles, AreGivenUpInTime) {
  // A directory of /proc whose `stat` is a FIFO that nobody writes: as dead as any storage.
  const FileTree tree;
  tree.write("7/x", "");
  ASSERT_EQ(::mkfifo(tree.path("7/stat").c_str(), 0600), 0);
  const auto begun = std::chrono::steady_clock::now();
  {
    auto files = ConfigFiles::of(
        Pid(7), 1, {.proc_root = tree.root(), .time = std::chrono::milliseconds(100)});
    ASSERT_TRUE(files);
    const auto found = files->read("/x");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().message(), "reading /x of process 7 took too long");
    EXPECT_FALSE(files->read("/x")) << "nor is there more time for another";
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "its child is gone";
}

}  // namespace
}  // namespace acceptq::collect
