// What the agent tells users of its own host, over a Unix socket that only its own user can open.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "agent/http_answer.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace acceptq::agent {

// The next observation, as `check --save` writes it.
inline constexpr const char* kObservationPath = "/observation";

// One client at a time, one request each, within a deadline.
class LocalSocket {
 public:
  // Makes the socket's folder where it is not there, and takes the place of a socket that nobody
  // listens on any more. Fails where somebody does.
  [[nodiscard]] static Result<std::unique_ptr<LocalSocket>> start(const std::string& path,
                                                                  HttpRoutes routes);
  // Takes the socket away.
  ~LocalSocket();
  LocalSocket(const LocalSocket&) = delete;
  LocalSocket& operator=(const LocalSocket&) = delete;

 private:
  LocalSocket(std::string path, UniqueFd listener, UniqueFd waker, HttpRoutes routes);
  void serve();
  void answer(const UniqueFd& client);
  // Waits until it can be read or written; false at the deadline, or when all is over.
  [[nodiscard]] bool wait_for(const UniqueFd& fd, short events, std::int64_t deadline_ns) const;

  std::string path_;
  UniqueFd listener_;
  UniqueFd waker_;  // readable: all is over
  HttpAnswerer answerer_;
  std::thread thread_;
};

}  // namespace acceptq::agent
