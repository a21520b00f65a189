// Programs that a test runs.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace acceptq::test {

struct Output {
  int exit_code = -1;  // 128 + signal where a signal ended it
  std::string out;
  std::string err;
};

// Runs `argv` (found on PATH) to its end, in the network namespace `netns_fd` if not -1, and as
// `uid` if not 0.
[[nodiscard]] Output run_program(const std::vector<std::string>& argv, int netns_fd = -1,
                                 uid_t uid = 0);

// A program in the background; it and its process group are killed and reaped with the object, and
// by the kernel if the test dies.
class Background {
 public:
  explicit Background(const std::vector<std::string>& argv, int netns_fd = -1);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Sends `signal` to its whole process group.
  void signal_group(int signal) const;

 private:
  pid_t pid_ = -1;
};

// A copy of the test's own process, with its sockets, that does something for as long as the object
// lives. The kernel kills it if the test dies.
class Forked {
 public:
  explicit Forked(const std::function<void()>& body);
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;
  ~Forked() { end(); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void end();

 private:
  pid_t pid_ = -1;
};

}  // namespace acceptq::test
