// A network namespace of a test's own: loopback is up, nothing else is in it, and it is gone with
// the object, whatever happened.
#pragma once

#include <functional>
#include <string>

#include "base/unique_fd.h"
#include "base/units.h"

namespace acceptq::test {

class TestNetns {
 public:
  // Aborts the test program where the kernel refuses; call only as root (see may_unshare).
  TestNetns();

  [[nodiscard]] NetnsId id() const { return id_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  // "netns:4026532567", a selector of acceptq.
  [[nodiscard]] std::string selector() const;

  // Runs `body` in a thread inside the namespace and waits for it. Sockets that it makes belong to
  // the namespace for good.
  void run(const std::function<void()>& body) const;

  // Writes a sysctl of the namespace: set("net/core/somaxconn", "128").
  void set(const std::string& sysctl, const std::string& value) const;

 private:
  UniqueFd fd_;
  NetnsId id_;
};

// True where this process may make namespaces; else the test skips with that reason.
[[nodiscard]] bool may_unshare();

}  // namespace acceptq::test
