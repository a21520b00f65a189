// Many namespaces with listeners, as a busy Kubernetes node has, and many connections.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

namespace acceptq::test {

// `namespaces` processes, each in a network namespace of its own with `listeners` TCP listeners on
// ports 10000 up (backlog 128). All are ended and reaped with the object, or by the kernel if the
// program dies. Needs root. Aborts the program where the kernel refuses.
class Fleet {
 public:
  Fleet(std::size_t namespaces, std::size_t listeners);
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;
  ~Fleet();

  [[nodiscard]] const std::vector<pid_t>& pids() const { return pids_; }

 private:
  std::vector<pid_t> pids_;
};

// `count` established loopback connections (twice as many sockets) in a namespace of their own,
// held by as many processes as the limit on descriptors makes necessary. Ended with the object.
class Connections {
 public:
  explicit Connections(std::size_t count);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  ~Connections();

 private:
  std::vector<pid_t> pids_;
};

}  // namespace acceptq::test
