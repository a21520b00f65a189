// The kinds of causes for which accept() is slow, by the names that reports and scenarios use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq::diagnose {

enum class CauseKind : std::uint8_t {
  kStopped,
  kCpuThrottled,
  kCpuStarved,
  kCpuBusy,
  kGc,
  kIoNfs,
  kIoFuse,
  kIoBlock,
  kMemoryReclaim,
  kLock,
  kPipe,
  kClient,
  kUpstream,
  kSleep,
  kFdLimit,
  kNotAccepting,
  kBurst,
  kReuseportSkew,
  kSynFlood,
  kUnknown,
};

// "stopped", "cpu.throttled" …
[[nodiscard]] std::string_view cause_name(CauseKind kind);
// The reverse; empty for a word that is none.
[[nodiscard]] std::optional<CauseKind> cause_of_name(std::string_view name);
// Every name, in the order of the enumeration.
[[nodiscard]] std::vector<std::string> cause_names();

}  // namespace acceptq::diagnose
