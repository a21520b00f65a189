// A place that the kernel takes down as a whole: PID, mount and network namespaces of their own.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace acceptq::lab {

// Where the sandbox has a tmpfs of its own; the host's folder of that name is hidden in it.
inline constexpr const char* kSandboxFolder = "/mnt";

// Both ends of the line between the two processes: whole messages, at most 64 KiB each.
class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}
  // False when the other side is gone; the next receive() says so too.
  bool send(const std::string& message) const;
  // Nothing when the other side is gone.
  [[nodiscard]] std::string receive() const;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// Forks; `inside` runs as PID 1 of the sandbox, `outside` here, with each message that came, until
// the sandbox is gone or `outside` returns false. Returns once nothing of the sandbox is left. If
// this process dies, the kernel ends the sandbox.
[[nodiscard]] Status run_in_sandbox(
    const std::function<void(const Channel&)>& inside,
    const std::function<bool(const Channel&, const std::string&)>& outside,
    const std::function<bool()>& stopped);

}  // namespace acceptq::lab
