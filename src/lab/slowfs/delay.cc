#include "lab/slowfs/delay.h"

#include <string>

#include "base/text.h"

namespace acceptq::lab::slowfs {

Result<Command> parse_command(std::string_view line) {
  constexpr unsigned kLongestMs = 3'600'000;
  const std::vector<std::string_view> words = split_blank(line);
  if (words.size() == 1 && words[0] == "stall") return Command{Command::Kind::kStall, {}};
  if (words.size() == 1 && words[0] == "resume") return Command{Command::Kind::kResume, {}};
  if (words.size() == 2 && (words[0] == "open-ms" || words[0] == "read-ms")) {
    const std::optional<unsigned> delay = parse_int<unsigned>(words[1]);
    if (delay && *delay <= kLongestMs) {
      const Command::Kind kind =
          words[0] == "open-ms" ? Command::Kind::kOpenDelay : Command::Kind::kReadDelay;
      return Command{kind, std::chrono::milliseconds(*delay)};
    }
  }
  return fail(ErrorCode::kMalformed,
              "control line \"" + std::string(line) +
                  "\": expected \"open-ms N\", \"read-ms N\", \"stall\" or \"resume\"");
}

Delay::Delay(std::chrono::milliseconds open, std::chrono::milliseconds read)
    : open_(open), read_(read) {}

void Delay::apply(const Command& command) {
  {
    const std::lock_guard lock(mutex_);
    switch (command.kind) {
      case Command::Kind::kOpenDelay:
        open_ = command.delay;
        break;
      case Command::Kind::kReadDelay:
        read_ = command.delay;
        break;
      case Command::Kind::kStall:
        stalled_ = true;
        break;
      case Command::Kind::kResume:
        stalled_ = false;
        break;
    }
  }
  changed_.notify_all();
}

void Delay::shut_down() {
  {
    const std::lock_guard lock(mutex_);
    shut_down_ = true;
  }
  changed_.notify_all();
}

bool Delay::wait(Operation operation) {
  const std::chrono::milliseconds& delay = operation == Operation::kOpen ? open_ : read_;
  const auto begun = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  for (;;) {
    if (shut_down_) return false;
    if (stalled_) {
      changed_.wait(lock);
      continue;
    }
    const auto until = begun + delay;
    if (std::chrono::steady_clock::now() >= until) return true;
    changed_.wait_until(lock, until);
  }
}

}  // namespace acceptq::lab::slowfs
