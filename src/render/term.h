// How text is laid out: colour only where it is told, no line longer than the terminal, plain ASCII
// where the locale has nothing else.
#pragma once

#include <string>
#include <string_view>

namespace acceptq::render {

struct TermStyle {
  bool color = false;
  bool unicode = true;
  int width = 80;    // columns
  bool bars = true;  // shares drawn as bars; elsewhere than in a terminal they are noise
};

enum class Ink { kPlain, kBold, kDim, kRed, kYellow, kGreen };

// `text` in that ink, or as it is where there is no colour.
[[nodiscard]] std::string ink(const TermStyle& style, Ink ink, std::string_view text);

// `text` broken at blanks into lines of at most style.width columns, each behind `indent` blanks.
// Newlines in `text` stay. Ends with a newline. One column a code point.
[[nodiscard]] std::string wrap(const TermStyle& style, int indent, std::string_view text);

// A whole page, once it is put together, as a terminal may get it: printable_page(), and where the
// terminal has only ASCII, with the signs that our own sentences use spelled out and every other
// byte as \xHH.
[[nodiscard]] std::string for_terminal(const TermStyle& style, std::string_view page);

// Columns that `text` takes (code points).
[[nodiscard]] int columns(std::string_view text);

// `text` cut or filled with blanks to exactly `width` columns.
[[nodiscard]] std::string fit(std::string_view text, int width);

// The last `count` columns of `text`.
[[nodiscard]] std::string_view last_columns(std::string_view text, int count);

// "██████░░░░", `width` columns, `share` of them filled (at least one where share > 0).
[[nodiscard]] std::string bar(const TermStyle& style, double share, int width);

}  // namespace acceptq::render
