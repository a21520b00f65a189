#include "base/child.h"

#include <sys/wait.h>

#include <cerrno>
#include <thread>

namespace acceptq {

void reap_within(pid_t child, std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kPause{2};
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const pid_t reaped = ::waitpid(child, nullptr, WNOHANG);
    if (reaped == child || (reaped < 0 && errno != EINTR)) return;
    if (std::chrono::steady_clock::now() >= until) return;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace acceptq
