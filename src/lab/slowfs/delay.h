// How long the slow file system lets each operation wait, changeable at any moment.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace acceptq::lab::slowfs {

enum class Operation { kOpen, kRead };

// One line of the control FIFO.
struct Command {
  enum class Kind { kOpenDelay, kReadDelay, kStall, kResume };
  Kind kind = Kind::kResume;
  std::chrono::milliseconds delay{0};

  friend bool operator==(const Command&, const Command&) = default;
};

// "open-ms N", "read-ms N" (0…3,600,000), "stall" or "resume"; anything else is kMalformed.
[[nodiscard]] Result<Command> parse_command(std::string_view line);

// Thread-safe. A change acts on the operations that are already waiting, too.
class Delay {
 public:
  Delay(std::chrono::milliseconds open, std::chrono::milliseconds read);
  void apply(const Command& command);
  // Lets every waiting and every later operation fail, so that the daemon can end.
  void shut_down();
  // Returns once `operation`, begun now, has waited long enough; false after shut_down().
  [[nodiscard]] bool wait(Operation operation);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::chrono::milliseconds open_;
  std::chrono::milliseconds read_;
  bool stalled_ = false;
  bool shut_down_ = false;
};

}  // namespace acceptq::lab::slowfs
