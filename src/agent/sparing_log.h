// A log that nobody can fill.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace acceptq::agent {

// At most one line in a while; the next one says how many were left out. Thread-safe.
class SparingLog {
 public:
  SparingLog(std::int64_t period_ns, std::function<void(const std::string&)> write)
      : period_ns_(period_ns), write_(std::move(write)) {}

  void say(std::int64_t now_ns, std::string line);

 private:
  std::int64_t period_ns_;
  std::function<void(const std::string&)> write_;
  std::mutex mutex_;
  std::int64_t next_ns_ = 0;  // guarded, as is what follows
  std::uint64_t left_out_ = 0;
};

}  // namespace acceptq::agent
