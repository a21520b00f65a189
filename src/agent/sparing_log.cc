#include "agent/sparing_log.h"

#include <utility>

namespace acceptq::agent {

void SparingLog::say(std::int64_t now_ns, std::string line) {
  const std::scoped_lock lock(mutex_);
  if (now_ns < next_ns_) {
    ++left_out_;
    return;
  }
  next_ns_ = now_ns + period_ns_;
  if (const std::uint64_t others = std::exchange(left_out_, 0); others > 0) {
    line += " (" + std::to_string(others) + " lines were left out before this one)";
  }
  write_(line);
}

}  // namespace acceptq::agent
