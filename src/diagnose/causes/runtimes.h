// What is known of the runtimes of languages that have threads of their own. Pure.
#pragma once

#include <string_view>

namespace acceptq::diagnose {

// Whether a thread of this name (comm, at most 15 bytes) collects garbage, or stops all others so
// that it can be collected.
[[nodiscard]] bool collects_garbage(std::string_view thread_name);

// Whether it is the runtime's own, and runs nothing of the program: those that collect garbage are
// among them.
[[nodiscard]] bool is_of_runtime(std::string_view thread_name);

}  // namespace acceptq::diagnose
