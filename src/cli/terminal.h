// What stdout and stderr are connected to, and how to write to them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/commands.h"
#include "render/term.h"

namespace acceptq::cli {

// Colour for a terminal unless NO_COLOR is set or TERM is "dumb"; width of the terminal, 80
// elsewhere; Unicode where the locale is UTF-8.
[[nodiscard]] render::TermStyle style_of_stdout(ColorWhen color);
[[nodiscard]] bool stderr_is_terminal();

// Writes all of it; false where that fails. A closed pipe (`| head`) is quiet, anything else is
// said on stderr.
bool print_out(std::string_view text);
// Prints the result of a command, and gives its exit code: `code`, or kExitUsage where the result
// could not be written, so that a full disk never looks like a clean bill of health.
[[nodiscard]] int finish(std::string_view result, int code);
void print_err(std::string_view text);

// "acceptq: MESSAGE" to stderr.
void print_error(const Error& error);

}  // namespace acceptq::cli
