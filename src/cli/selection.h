// What of selectors the host has to be asked.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "select/selection.h"

namespace acceptq::cli {

// Turns netns:PATH into netns:INODE; fails where the path is no network namespace.
[[nodiscard]] Status resolve(std::vector<select::Selector>& selectors);

// Fails where nothing but Unix sockets is selected: no handshake leads to them, and the kernel does
// not tell when their queues are full. `what` is what cannot be done: "trace".
[[nodiscard]] Status expect_tcp(const std::vector<select::Selector>& selectors,
                                std::string_view what);

// Whether /proc has the process.
[[nodiscard]] bool is_process(Pid pid);

// The exit code for an error of resolve(), select::select() or answer::narrow(): a selector that
// means nothing is bad usage; one that nothing matches, something that could not be observed.
[[nodiscard]] int code_of_selection(const Error& error);

}  // namespace acceptq::cli
