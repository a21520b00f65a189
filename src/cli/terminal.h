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
[[nodiscard]] render::TermStyle style_of(int fd, ColorWhen color);
[[nodiscard]] render::TermStyle style_of_stdout(ColorWhen color);
// A terminal that obeys cursor movements: any but TERM=dumb and one without a name.
[[nodiscard]] bool moves_cursor(int fd);

// Standard input, output and error are open from here on, so that no file that is opened later
// takes the place of one: what was closed refuses to be read or written.
void occupy_standard_descriptors();

// Writes all of it; false where that fails. A closed pipe (`| head`) is quiet, anything else is
// said on stderr, once, and remembered for exit_code().
bool print_out(std::string_view text);
// Prints the result of a command, and gives its exit code.
[[nodiscard]] int finish(std::string_view result, int code);
// The code that the process ends with: `code`, or kExitUsage where something could not be written
// to stdout, so that a full disk never looks like a clean bill of health.
[[nodiscard]] int exit_code(int code);
void print_err(std::string_view text);

// "acceptq: MESSAGE" to stderr.
void print_error(const Error& error);

// One line on stderr that is written over as the work goes on, where stderr is a terminal that can,
// and that is gone at the end.
class Progress {
 public:
  Progress() : shown_(moves_cursor(2)) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;
  ~Progress() { clear(); }

  [[nodiscard]] bool is_shown() const { return shown_; }
  // "acceptq: TEXT"
  void show(std::string_view text);
  void clear();

 private:
  bool shown_;
  bool dirty_ = false;
};

}  // namespace acceptq::cli
