#include "cli/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "base/bytes.h"
#include "base/output_file.h"

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

std::atomic<bool> output_lost{false};

}  // namespace

bool moves_cursor(int fd) {
  const std::string_view type = environment("TERM");
  return ::isatty(fd) == 1 && !type.empty() && type != "dumb";
}

render::TermStyle style_of(int fd, ColorWhen color) {
  render::TermStyle style;
  const bool terminal = ::isatty(fd) == 1;
  style.color = color == ColorWhen::kAlways ||
                (color == ColorWhen::kAuto && terminal && environment("NO_COLOR").empty() &&
                 environment("TERM") != "dumb");
  style.unicode = utf8_locale();
  winsize size{};
  if (terminal && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) {
    constexpr int kReadable = 120;  // longer lines are hard to follow
    style.width = std::min<int>(size.ws_col, kReadable);
  }
  return style;
}

render::TermStyle style_of_stdout(ColorWhen color) { return style_of(STDOUT_FILENO, color); }

void occupy_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is this one. O_PATH: every read and write fails with EBADF, as before.
    static_cast<void>(::open("/", O_PATH | O_DIRECTORY));
  }
}

void print_err(std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, text)); }

bool print_out(std::string_view text) {
  const int err = write_all(STDOUT_FILENO, text);
  if (err == 0) return true;
  if (err != EPIPE && !output_lost.exchange(true)) {
    print_error(errno_error(err, "cannot write to standard output"));
  }
  return false;
}

int finish(std::string_view result, int code) {
  print_out(result);
  return exit_code(code);
}

int exit_code(int code) { return output_lost ? kExitUsage : code; }

void print_error(const Error& error) { print_err("acceptq: " + printable(error.message()) + "\n"); }

void Progress::show(std::string_view text) {
  if (!shown_) return;
  print_err("\racceptq: " + printable(text) + " ");
  dirty_ = true;
}

void Progress::clear() {
  if (dirty_) print_err("\r\x1b[K");
  dirty_ = false;
}

}  // namespace acceptq::cli
