// What the iterator's system tests share: one loaded iterator, and a socket's identity as its owner
// sees it.
#pragma once

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/units.h"
#include "collect/bpf/listener_iterator.h"

namespace acceptq::collect::bpf {

class IteratorTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "loading BPF programs needs root";
    Result<ListenerIterator> iterator = ListenerIterator::Create();
    if (!iterator) GTEST_SKIP() << iterator.error().message();
    iterator_.emplace(std::move(*iterator));
  }

  IteratorScan scan(ListenerIterator::Depth depth = ListenerIterator::Depth::kListeners) {
    Result<IteratorScan> result = iterator_.value().scan(depth);
    if (result) return std::move(*result);
    ADD_FAILURE() << result.error().message();
    return {};
  }

 private:
  std::optional<ListenerIterator> iterator_;
};

inline SocketInode inode_of(int fd) {
  struct stat status{};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return SocketInode(status.st_ino);
}

inline SocketCookie cookie_of(int fd) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  EXPECT_EQ(::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
  return SocketCookie(cookie);
}

// The listener that `fd` holds; null, with no failure, where the scan did not see it.
inline const facts::Listener* find(const IteratorScan& scan, int fd) {
  const auto it = std::ranges::find(scan.listeners, inode_of(fd), &facts::Listener::inode);
  return it != scan.listeners.end() ? &*it : nullptr;
}

inline const NamespaceSeen* find(const IteratorScan& scan, NetnsId id) {
  const auto it = std::ranges::find(scan.namespaces, id, &NamespaceSeen::id);
  return it != scan.namespaces.end() ? &*it : nullptr;
}

inline const facts::Process* find(const IteratorScan& scan, Pid pid) {
  const auto it = std::ranges::find(scan.processes, pid, &facts::Process::pid);
  return it != scan.processes.end() ? &*it : nullptr;
}

}  // namespace acceptq::collect::bpf
