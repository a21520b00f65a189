// Nothing is changed that nobody agreed to.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace acceptq::cli {

// Asks on the terminal, unless `yes`. Why nothing may be done; nothing where it may go on.
[[nodiscard]] std::optional<std::string> not_agreed(bool yes);

// The error, and the code to end with.
[[nodiscard]] int print_refusal(const Error& error, int code);

}  // namespace acceptq::cli
