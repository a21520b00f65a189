#include "agent/local_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "collect/containers/unix_http.h"

namespace acceptq::agent {
namespace {

class LocalSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "local_socket_XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ + "/run/agent.sock";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] Result<std::unique_ptr<LocalSocket>> start() const {
    return LocalSocket::start(
        path_, {{"/observation", {.handler = [] {
                   return HttpReply{
                       .body = std::make_shared<const std::string>(std::string(1 << 20, 'x'))};
                 }}}});
  }
  [[nodiscard]] auto get(const std::string& target) const {
    return collect::containers::unix_http_get(path_, target, monotonic_ns() + 20'000'000'000,
                                              std::size_t{8} << 20);
  }

  std::string folder_;
  std::string path_;
};

TEST_F(LocalSocketTest, AnswersItsUserAlone) {
  const auto socket = start();
  ASSERT_TRUE(socket) << socket.error().message();
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto reply = get("/observation");
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body.size(), 1U << 20);
  EXPECT_EQ(get("/other")->status, 404);
}

TEST_F(LocalSocketTest, IsGoneAfterwards) {
  {
    ASSERT_TRUE(start());
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(LocalSocketTest, TwoDoNotServeOnePath) {
  const auto first = start();
  ASSERT_TRUE(first);
  const auto second = start();
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message().find("another agent"), std::string::npos);
  EXPECT_TRUE(get("/observation"));
}

TEST_F(LocalSocketTest, TakesThePlaceOfOneThatNobodyListensOn) {
  std::filesystem::create_directory(folder_ + "/run");
  std::filesystem::permissions(folder_ + "/run", std::filesystem::perms::owner_all);
  const UniqueFd left(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(left.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(start());
}

TEST_F(LocalSocketTest, LeavesAFileThatIsNoSocket) {
  std::filesystem::create_directory(folder_ + "/run");
  std::filesystem::permissions(folder_ + "/run", std::filesystem::perms::owner_all);
  std::ofstream(path_) << "mine";
  EXPECT_FALSE(start());
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(LocalSocketTest, ASilentClientDoesNotKeepItFromEnding) {
  auto socket = start();
  ASSERT_TRUE(socket);
  const UniqueFd silent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
            0);
  socket->reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace acceptq::agent
