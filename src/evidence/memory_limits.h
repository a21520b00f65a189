// What files of a control group say of its limits of memory. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace acceptq::evidence {

// Since the group was made: how often it was above memory.high, and at memory.max.
struct MemoryEvents {
  std::uint64_t high = 0;
  std::uint64_t max = 0;

  friend bool operator==(const MemoryEvents&, const MemoryEvents&) = default;
};

// memory.high or memory.max of version 2, or memory.limit_in_bytes of version 1; nothing for no
// limit: "max", and in version 1 the most that its counter of pages can hold (PAGE_COUNTER_MAX,
// LONG_MAX rounded down to a page).
[[nodiscard]] std::optional<std::uint64_t> parse_memory_limit(std::string_view text);

// memory.events or memory.events.local of version 2; nothing where it does not say both.
[[nodiscard]] std::optional<MemoryEvents> parse_memory_events(std::string_view text);

// Of memory.pressure (kernel/sched/psi.c): microseconds in which some task of the group waited for
// memory, since the group was made.
[[nodiscard]] std::optional<std::uint64_t> parse_stalled_us(std::string_view text);

}  // namespace acceptq::evidence
