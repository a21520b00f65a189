#include "render/html.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "render/remedy_text.h"

namespace acceptq::render {
namespace {

std::string with_entities(std::string_view text) {
  std::string out;
  for (const char sign : text) {
    switch (sign) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += sign;
    }
  }
  return out;
}

}  // namespace

std::string html_escaped(std::string_view text) { return with_entities(printable(text)); }

std::string html_lines(std::string_view text) { return with_entities(text_to_copy(text, 0)); }

std::string html_element(std::string_view name, std::string_view text) {
  return fmt::format("<{0}>{1}</{0}>", name, html_escaped(text));
}

}  // namespace acceptq::render
