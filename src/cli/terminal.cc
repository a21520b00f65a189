#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/bytes.h"

namespace acceptq::cli {
namespace {

// Read once at start, before any thread runs.
std::string_view environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): see above
  return value == nullptr ? std::string_view{} : value;
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = environment(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != std::string_view::npos ||
           value.find("utf8") != std::string_view::npos;
  }
  return false;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

render::TermStyle style_of_stdout(ColorWhen color) {
  render::TermStyle style;
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  style.color = color == ColorWhen::kAlways ||
                (color == ColorWhen::kAuto && terminal && environment("NO_COLOR").empty() &&
                 environment("TERM") != "dumb");
  style.unicode = utf8_locale();
  winsize size{};
  if (terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) {
    constexpr int kReadable = 120;  // longer lines are hard to follow
    style.width = std::min<int>(size.ws_col, kReadable);
  }
  return style;
}

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

void print_err(std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, text)); }

bool print_out(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return true;
  if (errno != EPIPE) print_error(errno_error(errno, "cannot write to standard output"));
  return false;
}

int finish(std::string_view result, int code) {
  errno = 0;
  return print_out(result) || errno == EPIPE ? code : kExitUsage;
}

void print_error(const Error& error) { print_err("acceptq: " + printable(error.message()) + "\n"); }

}  // namespace acceptq::cli
