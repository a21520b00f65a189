// What is known of the runtimes of languages that have threads of their own. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "facts/snapshot.h"

namespace acceptq::diagnose {

// Whether a thread of this name (comm, at most 15 bytes) collects garbage, or stops all others so
// that it can be collected.
[[nodiscard]] bool collects_garbage(std::string_view thread_name);

// Whether it is the runtime's own, and runs nothing of the program: those that collect garbage are
// among them.
[[nodiscard]] bool is_of_runtime(std::string_view thread_name);

// Stands for futex() where that is not a lock of the program: a runtime's thread without work.
inline constexpr std::string_view kParked = "parked";

// The same threads, of which those are said to be parked that wait in futex() by the runtime of Go:
// a goroutine that waits for a lock, a channel or a time leaves its thread to others
// (runtime/lock_futex.go, proc.go: stopm). Empty where none is of a Go program.
[[nodiscard]] std::optional<facts::Acceptors> with_parked_threads(
    const facts::Snapshot& snapshot, const facts::Acceptors& acceptors);

}  // namespace acceptq::diagnose
