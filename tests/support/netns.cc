#include "support/netns.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "support/require.h"

namespace acceptq::test {
namespace {

void raise_loopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(static_cast<char*>(request.ifr_name), "lo", IFNAMSIZ - 1);
  require(::ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0, "SIOCGIFFLAGS lo");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  require(::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0, "SIOCSIFFLAGS lo");
}

}  // namespace

bool may_unshare() { return ::geteuid() == 0; }

TestNetns::TestNetns() {
  std::thread([this] {
    require(::unshare(CLONE_NEWNET) == 0, "unshare(CLONE_NEWNET)");
    raise_loopback();
    fd_ = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    require(fd_.valid(), "open /proc/thread-self/ns/net");
  }).join();
  struct stat status{};
  require(::fstat(fd_.get(), &status) == 0, "fstat of the namespace");
  id_ = NetnsId(status.st_ino);
}

std::string TestNetns::selector() const { return "netns:" + std::to_string(id_.value()); }

void TestNetns::run(const std::function<void()>& body) const {
  std::thread([&] {
    require(::setns(fd_.get(), CLONE_NEWNET) == 0, "setns");
    body();
  }).join();
}

void TestNetns::set(const std::string& sysctl, const std::string& value) const {
  run([&] {
    const UniqueFd file(::open(("/proc/sys/" + sysctl).c_str(), O_WRONLY | O_CLOEXEC));
    require(file.valid(), sysctl.c_str());
    require(::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size()),
            sysctl.c_str());
  });
}

}  // namespace acceptq::test
