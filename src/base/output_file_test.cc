#include "base/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/file.h"

namespace acceptq {
namespace {

class OutputFileTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = "/tmp/acceptq-output-test-XXXXXX";
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] std::string at(const char* name) const { return dir_ + "/" + name; }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(dir_),
                                                  std::filesystem::directory_iterator()));
  }
  static Status save(const std::string& path, const std::string& bytes) {
    const Result<OutputFile> file = OutputFile::Open(path);
    return file ? file->write(bytes) : Status(fail(file.error()));
  }

  std::string dir_;
};

TEST_F(OutputFileTest, ReplacesAndLeavesNothingBeside) {
  ASSERT_TRUE(save(at("f"), "one").has_value());
  ASSERT_TRUE(save(at("f"), "two").has_value());
  EXPECT_EQ(read_file(at("f")), "two");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(OutputFileTest, OpeningMakesNothing) {
  ASSERT_TRUE(OutputFile::Open(at("f")).has_value());
  EXPECT_EQ(entries(), 0U);
}

TEST_F(OutputFileTest, TakesTheLongestName) {
  const std::string path = at(std::string(255, 'n').c_str());
  ASSERT_TRUE(save(path, "one").has_value());
  EXPECT_EQ(read_file(path), "one");
}

TEST_F(OutputFileTest, KeepsModeAndOwner) {
  ASSERT_TRUE(save(at("f"), "one").has_value());
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::chown(at("f").c_str(), 12345, 54321), 0);
  }
  ASSERT_EQ(::chmod(at("f").c_str(), 0640), 0);
  ASSERT_TRUE(save(at("f"), "two").has_value());
  struct stat status{};
  ASSERT_EQ(::stat(at("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
  if (root) {
    EXPECT_EQ(status.st_uid, 12345U);
    EXPECT_EQ(status.st_gid, 54321U);
  }
}

TEST_F(OutputFileTest, ReplacesWhatLinksLeadTo) {
  ASSERT_TRUE(save(at("f"), "one").has_value());
  ASSERT_EQ(::symlink("f", at("link").c_str()), 0);
  ASSERT_EQ(::symlink("new", at("dangling").c_str()), 0);
  ASSERT_TRUE(save(at("link"), "two").has_value());
  ASSERT_TRUE(save(at("dangling"), "three").has_value());
  EXPECT_EQ(read_file(at("f")), "two");
  EXPECT_EQ(read_link(at("link")), "f");
  EXPECT_EQ(read_file(at("new")), "three");
  EXPECT_EQ(read_link(at("dangling")), "new");
}

// Devices of the test's own: one that was replaced would be missed.
TEST_F(OutputFileTest, WritesIntoDevices) {
  if (::mknod(at("null").c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0) {
    GTEST_SKIP() << "mknod: " << std::strerror(errno);
  }
  ASSERT_TRUE(save(at("null"), "one").has_value());
  struct stat status{};
  ASSERT_EQ(::lstat(at("null").c_str(), &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
  EXPECT_EQ(entries(), 1U);
  ASSERT_EQ(::mknod(at("full").c_str(), S_IFCHR | 0666, makedev(1, 7)), 0);
  const Status full = save(at("full"), "one");
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().sys_errno, ENOSPC);
}

TEST_F(OutputFileTest, WritesIntoNamedPipes) {
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  int asked = 0;
  const Result<OutputFile> none = OutputFile::Open(at("pipe"), [&] { return ++asked > 1; });
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kInterrupted);
  const UniqueFd reader(::open(at("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const std::string much(50'000, 'x');
  ASSERT_TRUE(save(at("pipe"), much).has_value());
  EXPECT_EQ(read_descriptor(reader.get(), "pipe", 1 << 20), much);
  struct stat status{};
  ASSERT_EQ(::lstat(at("pipe").c_str(), &status), 0);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
}

TEST_F(OutputFileTest, SaysBeforeTheWorkWhatCannotBeWritten) {
  struct Row {
    std::string path;
    ErrorCode code;
    const char* says;
  };
  const Row rows[] = {
      {"", ErrorCode::kMalformed, "cannot write a file without a name"},
      {dir_, ErrorCode::kMalformed, "it is a directory"},
      {at("no/f"), ErrorCode::kNotFound, "No such file or directory"},
      {at("no/"), ErrorCode::kMalformed, "there is no such directory"},
      {at(std::string(256, 'n').c_str()), ErrorCode::kIo, "File name too long"},
      {"/proc/acceptq", ErrorCode::kNotFound, "cannot write /proc/acceptq: "},
  };
  for (const Row& row : rows) {
    const Result<OutputFile> file = OutputFile::Open(row.path);
    ASSERT_FALSE(file.has_value()) << row.path;
    EXPECT_EQ(file.error().code, row.code) << file.error().message();
    EXPECT_NE(file.error().message().find(row.says), std::string::npos) << file.error().message();
  }
}

}  // namespace
}  // namespace acceptq
