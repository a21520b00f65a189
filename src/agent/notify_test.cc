#include "agent/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/unique_fd.h"

namespace acceptq::agent {
namespace {

// A manager's socket at a path, or at "@NAME".
class Manager {
 public:
  explicit Manager(const std::string& name)
      : name_(name), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() +
                                               (name[0] == '/' ? 1 : 0));
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0)
        << std::strerror(errno);
  }
  ~Manager() {
    if (name_[0] == '/') ::unlink(name_.c_str());
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  [[nodiscard]] std::string next() const {
    std::array<char, 512> message;
    const ssize_t size = ::recv(fd_.get(), message.data(), message.size(), 0);
    return size < 0 ? "" : std::string(message.data(), static_cast<std::size_t>(size));
  }

 private:
  std::string name_;
  UniqueFd fd_;
};

TEST(Notifier, SaysOneThingADatagram) {
  const std::string own = "acceptq-notify-" + std::to_string(::getpid());
  for (const std::string& name : {"/tmp/" + own, "@" + own}) {
    const Manager manager(name);
    const Notifier notifier(name);
    EXPECT_TRUE(notifier.ready());
    EXPECT_EQ(manager.next(), "READY=1");
    EXPECT_TRUE(notifier.watchdog());
    EXPECT_EQ(manager.next(), "WATCHDOG=1");
    EXPECT_TRUE(notifier.reloading(1'234'567'890));
    EXPECT_EQ(manager.next(), "RELOADING=1\nMONOTONIC_USEC=1234567");
    EXPECT_TRUE(notifier.status("3 listeners\nREADY=1"));
    EXPECT_EQ(manager.next(), "STATUS=3 listeners READY=1");
    EXPECT_TRUE(notifier.stopping());
    EXPECT_EQ(manager.next(), "STOPPING=1");
    EXPECT_EQ(manager.next(), "");
  }
}

TEST(Notifier, WithoutAManagerDoesNothing) { EXPECT_TRUE(Notifier("").ready()); }

TEST(Notifier, FailsWhereNobodyListens) {
  const Status nobody = Notifier("/tmp/acceptq-notify-nobody").ready();
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().sys_errno, ENOENT);
  EXPECT_FALSE(Notifier("relative").ready());
  EXPECT_FALSE(Notifier("/" + std::string(200, 'x')).ready());
}

// A manager that is stopped, and whose queue is full.
TEST(Notifier, NeverWaits) {
  const std::string name = "@acceptq-notify-full-" + std::to_string(::getpid());
  const Manager manager(name);
  const Notifier notifier(name);
  Status status;
  for (int i = 0; i < 10'000 && status; ++i) status = notifier.watchdog();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().sys_errno, EAGAIN);
}

}  // namespace
}  // namespace acceptq::agent
