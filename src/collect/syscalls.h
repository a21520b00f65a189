// System calls by their number on the architecture that this is built for. A 32-bit process has
// other numbers, and so has x32.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace acceptq::collect {

// "accept4"; empty for a number that the kernel's headers did not have when this was built.
[[nodiscard]] std::optional<std::string_view> syscall_name(long number);

// Whether its first argument is the descriptor that the call is about. Not so of openat() and its
// like: theirs is where a path begins, if that is relative.
[[nodiscard]] bool first_argument_is_descriptor(long number);

// The call that a kernel's stack is of, by its outermost function but for the entry's own; for
// where the number cannot be read. Empty where none of them is a call's.
[[nodiscard]] std::optional<std::string_view> syscall_of(std::span<const std::string> stack);

}  // namespace acceptq::collect
