// A terminal in full-screen use, and afterwards as it was.
#pragma once

#include <termios.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace acceptq::cli {

class RawTerminal {
 public:
  // Switches to the other screen, hides the cursor, and gives keys one by one. Fails where stdin or
  // stdout is no terminal.
  static Result<RawTerminal> Open();
  RawTerminal(RawTerminal&& other) noexcept;
  RawTerminal& operator=(RawTerminal&&) = delete;
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal();

  // What was typed; waits for at most `patience`, less where a signal comes. Empty: nothing; none:
  // the terminal is gone.
  [[nodiscard]] std::optional<std::string> read(std::chrono::milliseconds patience) const;
  // Puts `screen` (lines without a newline behind the last) in place of what is shown. False: the
  // terminal is gone.
  bool show(std::string_view screen) const;

  // Columns and rows, which change while it runs; 80 × 24 where it does not tell.
  struct Size {
    int columns = 80;
    int rows = 24;
    friend bool operator==(const Size&, const Size&) = default;
  };
  [[nodiscard]] static Size size();

 private:
  explicit RawTerminal(const termios& before) : before_(before) {}

  termios before_;
  bool open_ = true;
};

}  // namespace acceptq::cli
