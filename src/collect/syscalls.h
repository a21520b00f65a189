// System calls by their number on the architecture that this is built for. A 32-bit process has
// other numbers, and so has x32.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "facts/threads.h"

namespace acceptq::collect {

// "accept4"; empty for a number that the kernel's headers did not have when this was built.
[[nodiscard]] std::optional<std::string_view> syscall_name(long number);

// Which of its arguments is the descriptor that a thread waits for in the call; empty where none
// is. Not so of openat() and its like: theirs is where a path begins, if that is relative.
struct DescriptorArgument {
  std::size_t otherwise = 0;
  std::size_t in_state_d = 0;  // of sendfile(), the file: nothing waits for its socket in D
};
[[nodiscard]] std::optional<DescriptorArgument> descriptor_argument(long number);

// With what a thread entered the kernel.
struct CallEntry {
  std::array<std::uint64_t, 4> arguments{};  // the first of six
  std::uint64_t stack_pointer = 0;           // the thread's own; 0: unknown
};

// What that tells of a wait, besides a descriptor: a lock, a timer, and that no descriptor is
// waited for.
void take_entry(const CallEntry& entry, facts::Wait& wait);

// The call that a kernel's stack is of, by its outermost function but for the entry's own; for
// where the number cannot be read. Empty where none of them is a call's.
[[nodiscard]] std::optional<std::string_view> syscall_of(std::span<const std::string> stack);

}  // namespace acceptq::collect
