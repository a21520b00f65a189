// `acceptq top` on a real terminal of 80 × 24, and into a pipe.
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"
#include "support/tun_clients.h"

namespace acceptq::test {
namespace {

using nlohmann::json;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";
constexpr std::uint16_t kPort = 8080;
constexpr int kBacklog = 2;

// A program on a terminal of its own.
class OnTerminal {
 public:
  explicit OnTerminal(std::vector<std::string> command) {
    winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    pid_ = ::forkpty(&master_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      ::setenv("LC_ALL", "C.UTF-8", 1);
      ::setenv("TERM", "xterm", 1);  // not all that runs tests has one
      std::vector<char*> arguments;
      arguments.reserve(command.size() + 1);
      for (std::string& word : command) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;
  ~OnTerminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(master_);
  }

  void type(std::string_view keys) const {
    ASSERT_EQ(::write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  // Takes what it has written by now; true once `words` are in what came since the last true.
  bool shows(std::string_view words) {
    pollfd readable{.fd = master_, .events = POLLIN, .revents = 0};
    while (::poll(&readable, 1, 10) > 0) {
      char bytes[4096];
      const ssize_t size = ::read(master_, bytes, sizeof bytes);
      if (size <= 0) break;
      recent_.append(bytes, static_cast<std::size_t>(size));
      all_.append(bytes, static_cast<std::size_t>(size));
    }
    if (recent_.find(words) == std::string::npos) return false;
    recent_.clear();
    return true;
  }
  [[nodiscard]] const std::string& all() const { return all_; }
  [[nodiscard]] termios settings() const {
    termios now{};
    ::tcgetattr(master_, &now);
    return now;
  }
  // Its exit status; nothing while it runs.
  std::optional<int> ended() {
    int status = 0;
    if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  int master_ = -1;
  pid_t pid_ = -1;
  std::string recent_;
  std::string all_;
};

class Top : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make a network namespace";
    if (!has_tun()) GTEST_SKIP() << "needs /dev/net/tun";
    ns_.run([&] { listener_ = listen_tcp("0.0.0.0", kPort, kBacklog); });
    clients_ = std::make_unique<TunClients>(ns_, kPort);
    for (int i = 0; i <= kBacklog; ++i) {
      TunClient& client = clients_->connect();
      clients_->receive();
      clients_->send_ack(client);
    }
  }
  // Until the terminal shows the words: clients that are refused.
  bool refused_until(OnTerminal& terminal, std::string_view words) {
    return eventually([&] {
      clients_->connect();
      clients_->receive(std::chrono::milliseconds(20));
      return terminal.shows(words);
    });
  }

  TestNetns ns_;
  UniqueFd listener_;
  std::unique_ptr<TunClients> clients_;
};

constexpr std::string_view kEnter = "\x1b[?1049h";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";

TEST_F(Top, ShowsOpensFiltersAndLeavesTheTerminalAsItWas) {
  OnTerminal terminal({kProgram, "top", ns_.selector(), "--every", "300ms", "--color", "never"});
  ASSERT_TRUE(refused_until(terminal, "1 listener is losing connections")) << terminal.all();
  ASSERT_TRUE(refused_until(terminal, "3/2")) << "length and limit";
  EXPECT_NE(terminal.all().find("*:8080"), std::string::npos) << terminal.all();
  terminal.type("\r");
  EXPECT_TRUE(refused_until(terminal, "AQ101")) << terminal.all();
  terminal.type("?");
  EXPECT_TRUE(refused_until(terminal, "how long connections waited for accept()"));
  terminal.type("\x1b");
  EXPECT_TRUE(refused_until(terminal, "sorted by pain"));
  terminal.type("/nothing-like-this\r");
  EXPECT_TRUE(refused_until(terminal, "no listener matches the filter"));
  terminal.type("q");
  std::optional<int> status;
  EXPECT_TRUE(eventually([&] {
    terminal.shows("");
    return (status = terminal.ended()).has_value();
  }));
  EXPECT_EQ(status, 0);
  EXPECT_NE(terminal.all().find(kEnter), std::string::npos);
  EXPECT_TRUE(terminal.all().ends_with(kLeave)) << terminal.all();
  EXPECT_NE(terminal.settings().c_lflag & ICANON, 0U);
  EXPECT_NE(terminal.settings().c_lflag & ECHO, 0U);
}

TEST_F(Top, LeavesTheTerminalAsItWasAfterCtrlC) {
  OnTerminal terminal({kProgram, "top", ns_.selector(), "--every", "300ms"});
  ASSERT_TRUE(refused_until(terminal, "losing connections")) << terminal.all();
  terminal.type("\x03");
  std::optional<int> status;
  EXPECT_TRUE(eventually([&] {
    terminal.shows("");
    return (status = terminal.ended()).has_value();
  }));
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(terminal.all().ends_with(kLeave)) << terminal.all();
}

TEST_F(Top, PrintsAReportALineIntoAPipe) {
  const Output top =
      run_program({kProgram, "top", ns_.selector(), "--json", "--count", "3", "--every", "200ms"});
  ASSERT_EQ(top.exit_code, 0) << top.err;
  std::istringstream text(top.out);
  int reports = 0;
  for (std::string line; std::getline(text, line); ++reports) {
    EXPECT_EQ(json::parse(line)["schema"], "acceptq.report/1");
  }
  EXPECT_EQ(reports, 3);
}

}  // namespace
}  // namespace acceptq::test
