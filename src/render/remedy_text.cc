#include "render/remedy_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "base/bytes.h"
#include "base/text.h"
#include "render/listener_rows.h"

namespace acceptq::render {
namespace {

using diagnose::Remedy;

std::string summary_text(const TermStyle& style, const std::vector<Remedy>& remedies,
                         std::size_t i) {
  return row(style, i == 0 ? "what to do" : "",
             fmt::format("{}. {}", i + 1, printable(remedies[i].summary)));
}

std::string content_text(const TermStyle& style, const Remedy& remedy) {
  if (!is_to_copy(remedy)) return row(style, "", "   " + printable(remedy.content));
  return text_to_copy(remedy.content, kLabel + 7);
}

std::string then_text(const TermStyle& style, const std::vector<Remedy>& remedies, std::size_t i) {
  const std::string then = then_sentence(remedies, i);
  return then.empty() ? "" : row(style, "", "   " + printable(then));
}

int lines_of(std::string_view text) { return static_cast<int>(std::ranges::count(text, '\n')); }

}  // namespace

bool is_to_copy(const Remedy& remedy) { return remedy.form != "cause"; }

std::string then_sentence(const std::vector<Remedy>& remedies, std::size_t i) {
  const bool said_later = i + 1 < remedies.size() && remedies[i + 1].then == remedies[i].then;
  return remedies[i].then.empty() || said_later ? "" : "Then " + remedies[i].then;
}

std::string text_to_copy(std::string_view text, int indent) {
  std::string lines;
  while (!text.empty()) {
    lines += std::string(static_cast<std::size_t>(indent), ' ');
    // Tabs stay, for a diff must be applied as it is.
    std::string_view tab;
    for (const std::string_view part : split(next_line(text), '\t')) {
      lines += std::string(tab) + printable(part);
      tab = "\t";
    }
    lines += "\n";
  }
  return lines;
}

std::string remedies_text(const TermStyle& style, const std::vector<Remedy>& remedies) {
  std::string text;
  for (std::size_t i = 0; i < remedies.size(); ++i) {
    text += summary_text(style, remedies, i) + content_text(style, remedies[i]) +
            then_text(style, remedies, i);
  }
  return text;
}

std::string first_remedies(const TermStyle& style, const std::vector<Remedy>& remedies, int lines,
                           std::string_view selector) {
  if (std::string all = remedies_text(style, remedies); lines_of(all) <= lines) return all;
  std::string text;
  std::size_t shown = 0;
  bool left_out = false;
  for (; shown < remedies.size(); ++shown) {
    const std::string summary = summary_text(style, remedies, shown);
    // The last line may have to say what is left out.
    const bool fits = lines_of(text + summary) < lines;
    if (shown > 0 && !fits) break;
    if (!fits && remedies.size() > 1) {
      text += row(style, "what to do", "1. " + printable(first_sentence(remedies.front().summary)));
      ++shown;
      break;
    }
    text += summary;
    const std::string rest =
        content_text(style, remedies[shown]) + then_text(style, remedies, shown);
    const bool is_all = shown + 1 == remedies.size() && !left_out;
    if (rest.empty() || lines_of(text + rest) <= lines - (is_all ? 0 : 1)) {
      text += rest;
    } else {
      left_out = true;
    }
  }
  const std::size_t more = remedies.size() - shown;
  if (more > 0) {
    return text + row(style, "", fmt::format("{} more: acceptq fix {}", more, selector));
  }
  return text + (left_out ? row(style, "", fmt::format("   How: acceptq fix {}", selector)) : "");
}

}  // namespace acceptq::render
