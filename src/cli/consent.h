// Nothing is changed that nobody agreed to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/commands.h"
#include "render/term.h"

namespace acceptq::cli {

// How what is about to be done is shown, before it is asked for: with --json on stderr, since
// stdout is the JSON's alone.
[[nodiscard]] render::TermStyle style_of_intent(bool json, ColorWhen color);
void show_intent(bool json, std::string_view text);

// Asks on the terminal, unless `yes`. Why nothing may be done; nothing where it may go on.
[[nodiscard]] std::optional<std::string> not_agreed(bool yes);

// The error, and the code to end with.
[[nodiscard]] int print_refusal(const Error& error, int code);

}  // namespace acceptq::cli
