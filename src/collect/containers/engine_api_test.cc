// The client against a Unix socket that this test serves. It is a mock of Docker's API, because no
// container engine runs where these tests run; the replies have the form that Docker 20.10 gives
// to an HTTP/1.0 request. What matters here are engines that misbehave, which no real one would do
// on request.
#include "collect/containers/engine_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "collect/containers/workloads.h"

namespace acceptq::collect::containers {
namespace {

using testing::HasSubstr;

const std::string kId(64, 'd');
constexpr std::int64_t kMs = 1'000'000;

std::string list_reply() {
  const std::string body = R"([{"Id":")" + kId + R"(","Names":["/web"],"Labels":{}}])";
  return "HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A run_root with a listening docker.sock, in a directory that is removed at the end.
class EngineApi : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(run_root_.data()), nullptr);
    path_ = run_root_ + "/docker.sock";
  }
  void TearDown() override {
    stop_ = true;
    if (server_.joinable()) server_.join();
    listener_.reset();
    ::unlink(path_.c_str());
    ::rmdir(run_root_.c_str());
  }

  void listen(int backlog) {
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener_.get(), generic(), sizeof address()), 0);
    ASSERT_EQ(::listen(listener_.get(), backlog), 0);
  }

  // Accepts until the end of the test and lets `answer` have each connection, once its request has
  // come.
  void serve(std::function<void(int)> answer) {
    listen(16);
    server_ = std::thread([this, answer = std::move(answer)] {
      while (!stop_) {
        pollfd ready{listener_.get(), POLLIN, 0};
        if (::poll(&ready, 1, 10) <= 0) continue;
        const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
        ++accepted_;
        char request[4096];
        const ssize_t n = ::recv(client.get(), request, sizeof request, 0);
        if (n > 0) request_.assign(request, static_cast<std::size_t>(n));
        answer(client.get());
      }
    });
  }

  static void send_all(int fd, std::string_view bytes) {
    (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  // The result, with the time that it took in `took_ms_`.
  Result<NamesById> list(std::int64_t budget_ms) {
    const std::int64_t began_ns = monotonic_ns();
    Result<NamesById> listed =
        list_engine_containers(docker_engine(run_root_), began_ns + budget_ms * kMs);
    took_ms_ = (monotonic_ns() - began_ns) / kMs;
    return listed;
  }

  [[nodiscard]] sockaddr_un address() const {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path_.data(), path_.size());
    return name;
  }
  [[nodiscard]] const sockaddr* generic() {
    address_ = address();
    return reinterpret_cast<const sockaddr*>(&address_);
  }

  std::string run_root_ = "/tmp/acceptq-engine-XXXXXX";
  std::string path_;
  std::string request_;
  std::int64_t took_ms_ = 0;
  std::atomic<int> accepted_ = 0;
  std::atomic<bool> stop_ = false;
  sockaddr_un address_{};
  UniqueFd listener_;
  std::thread server_;
};

TEST_F(EngineApi, ListsContainers) {
  serve([](int fd) { send_all(fd, list_reply()); });
  const Result<NamesById> listed = list(2000);
  ASSERT_TRUE(listed.has_value()) << listed.error().message();
  EXPECT_EQ(listed->at(kId), (ContainerNames{"docker", "web", {}}));
  stop_ = true;
  server_.join();
  EXPECT_THAT(request_, testing::StartsWith("GET /containers/json HTTP/1.0\r\n"));
}

TEST_F(EngineApi, NoSocketIsNoError) {
  const Result<NamesById> listed = list(500);
  ASSERT_TRUE(listed.has_value());
  EXPECT_TRUE(listed->empty());
}

TEST_F(EngineApi, ASocketWithoutListenerIsNoError) {
  listen(1);
  listener_.reset();
  const Result<NamesById> listed = list(500);
  ASSERT_TRUE(listed.has_value()) << listed.error().message();
  EXPECT_TRUE(listed->empty());
}

TEST_F(EngineApi, SilenceEndsAtTheDeadline) {
  listen(16);  // connections wait, nobody accepts
  const Result<NamesById> listed = list(200);
  ASSERT_FALSE(listed.has_value());
  EXPECT_EQ(listed.error().code, ErrorCode::kInterrupted);
  EXPECT_THAT(listed.error().message(), HasSubstr("does not answer"));
  EXPECT_GE(took_ms_, 199);
  EXPECT_LT(took_ms_, 400);
}

TEST_F(EngineApi, AFullAcceptQueueEndsAtTheDeadline) {
  listen(0);
  std::vector<UniqueFd> waiting;  // limit 0 holds one; the rest makes sure
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int connected = ::connect(waiting.back().get(), generic(), sizeof address_);
    EXPECT_TRUE(connected == 0 || errno == EAGAIN);
  }
  const Result<NamesById> listed = list(200);
  ASSERT_FALSE(listed.has_value());
  EXPECT_EQ(listed.error().code, ErrorCode::kInterrupted);
  EXPECT_THAT(listed.error().message(), HasSubstr("accept queue is full"));
  EXPECT_GE(took_ms_, 199);
  EXPECT_LT(took_ms_, 400);
}

TEST_F(EngineApi, AByteNowAndThenDoesNotMoveTheDeadline) {
  serve([this](int fd) {
    for (const char byte : list_reply()) {
      if (stop_) return;
      send_all(fd, std::string_view(&byte, 1));
      ::poll(nullptr, 0, 20);
    }
  });
  const Result<NamesById> listed = list(200);
  ASSERT_FALSE(listed.has_value());
  EXPECT_EQ(listed.error().code, ErrorCode::kInterrupted);
  EXPECT_LT(took_ms_, 400);
}

TEST_F(EngineApi, AnEndlessReplyEndsAtTheBound) {
  serve([this](int fd) {
    const std::string block(std::size_t{1} << 20, 'x');
    while (!stop_ && ::send(fd, block.data(), block.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  const Result<NamesById> listed = list(5000);
  ASSERT_FALSE(listed.has_value());
  EXPECT_EQ(listed.error().code, ErrorCode::kTruncated) << listed.error().message();
}

TEST_F(EngineApi, ErrorsNameTheSocket) {
  serve([](int fd) { send_all(fd, "HTTP/1.0 500 Internal Server Error\r\n\r\nno"); });
  const Result<NamesById> listed = list(2000);
  ASSERT_FALSE(listed.has_value());
  EXPECT_EQ(listed.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(listed.error().message(), HasSubstr("docker.sock"));
  EXPECT_THAT(listed.error().message(), HasSubstr("500"));
}

TEST_F(EngineApi, ATruncatedReplyIsAnError) {
  serve([](int fd) { send_all(fd, list_reply().substr(0, list_reply().size() - 5)); });
  EXPECT_EQ(list(2000).error().code, ErrorCode::kTruncated);
}

TEST_F(EngineApi, IsAskedOncePerScanAndOnlyForItsOwn) {
  serve([](int fd) { send_all(fd, list_reply()); });
  WorkloadNames names(run_root_, "/nonexistent", 2000);
  std::vector<facts::Process> processes(3);
  processes[0].container = facts::Container{std::string(64, '1'), "containerd", {}};
  processes[1].container = facts::Container{std::string(64, '2'), "podman", {}};
  names.annotate(processes);
  EXPECT_EQ(accepted_, 0);
  processes[0].container = facts::Container{kId, {}, {}};
  processes[1].container = facts::Container{kId, "docker", {}};
  processes[2].container = facts::Container{std::string(64, '3'), "docker", {}};
  names.annotate(processes);
  EXPECT_EQ(accepted_, 1);
  EXPECT_EQ(processes[0].container, (facts::Container{kId, "docker", "web"}));
  EXPECT_EQ(processes[1].container, (facts::Container{kId, "docker", "web"}));
  EXPECT_FALSE(processes[2].container->name);
  EXPECT_THAT(names.problems(), testing::IsEmpty());
}

TEST_F(EngineApi, AHungEngineCostsItsBudgetOnce) {
  listen(16);
  WorkloadNames names(run_root_, "/nonexistent", 150);
  std::vector<facts::Process> processes(2);
  processes[0].container = facts::Container{kId, "docker", {}};
  processes[1].container = facts::Container{std::string(64, '3'), "docker", {}};
  const std::int64_t began_ns = monotonic_ns();
  names.annotate(processes);
  EXPECT_LT((monotonic_ns() - began_ns) / kMs, 300);
  EXPECT_THAT(names.problems(), testing::ElementsAre(HasSubstr("deadline")));
}

}  // namespace
}  // namespace acceptq::collect::containers
