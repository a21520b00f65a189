#include "cli/consent.h"

#include <unistd.h>

#include <iostream>

#include "cli/terminal.h"

namespace acceptq::cli {

render::TermStyle style_of_intent(bool json, ColorWhen color) {
  return style_of(json ? STDERR_FILENO : STDOUT_FILENO, color);
}

void show_intent(bool json, std::string_view text) {
  if (json) {
    print_err(text);
  } else {
    static_cast<void>(print_out(text));
  }
}

std::optional<std::string> not_agreed(bool yes) {
  if (yes) return std::nullopt;
  if (::isatty(STDIN_FILENO) != 1) {
    return "nothing was changed: standard input is no terminal to ask on (--yes to do it unasked)";
  }
  print_err("Do this? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return std::nullopt;
  return "nothing was changed";
}

int print_refusal(const Error& error, int code) {
  print_error(error);
  return exit_code(code);
}

}  // namespace acceptq::cli
