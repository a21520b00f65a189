#include "cli/raw_terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "cli/terminal.h"

namespace acceptq::cli {
namespace {

// The other screen, without a cursor, and back (xterm's, which every terminal in use knows).
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";

}  // namespace

Result<RawTerminal> RawTerminal::Open() {
  termios before{};
  if (!moves_cursor(STDOUT_FILENO) || ::tcgetattr(STDIN_FILENO, &before) != 0) {
    return fail(ErrorCode::kUnsupported,
                "standard input and output are no terminal that moves its cursor");
  }
  termios raw = before;
  // Ctrl-C stays a signal: the way out that always works.
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  // Ctrl-Z is not: the shell would get the terminal as it is now.
  raw.c_cc[VSUSP] = _POSIX_VDISABLE;
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) {
    return fail_errno(errno, "cannot set the terminal");
  }
  print_out(kEnter);
  return RawTerminal(before);
}

RawTerminal::RawTerminal(RawTerminal&& other) noexcept
    : before_(other.before_), open_(std::exchange(other.open_, false)) {}

RawTerminal::~RawTerminal() {
  if (!open_) return;
  print_out(kLeave);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

std::optional<std::string> RawTerminal::read(std::chrono::milliseconds patience) const {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&input, 1, static_cast<int>(patience.count()));
  if (ready <= 0) return std::string();
  std::array<char, 256> bytes{};
  const ssize_t size = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  if (size > 0) return std::string(bytes.data(), static_cast<std::size_t>(size));
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return std::string();
  return std::nullopt;
}

bool RawTerminal::show(std::string_view screen) const {
  // Each line clears what is left of the one that it replaces: no flicker.
  std::string out = "\x1b[H";
  while (true) {
    const std::size_t end = screen.find('\n');
    out += screen.substr(0, end);
    out += "\x1b[K";
    if (end == std::string_view::npos) break;
    out += "\r\n";
    screen.remove_prefix(end + 1);
  }
  out += "\x1b[J";
  return print_out(out);
}

RawTerminal::Size RawTerminal::size() {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return {};
  return {.columns = window.ws_col, .rows = window.ws_row};
}

}  // namespace acceptq::cli
