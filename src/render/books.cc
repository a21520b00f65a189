#include "render/books.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace acceptq::render {

bool is_worth_a_line(const diagnose::BookLine& line) {
  return line.kernel != 0 || line.attributed != 0;
}

std::string books_text(const std::vector<diagnose::NamespaceBook>& books) {
  std::string text;
  for (const diagnose::NamespaceBook& book : books) {
    for (const diagnose::BookLine& line : book.lines) {
      if (!is_worth_a_line(line)) continue;
      text += fmt::format("  netns:{}  {} +{}, attributed {}, remainder {}\n", book.netns.value(),
                          line.counter, line.kernel, line.attributed, line.remainder());
    }
  }
  return text;
}

nlohmann::ordered_json book_line_json(const diagnose::BookLine& line) {
  return {{"counter", line.counter},
          {"kernel", line.kernel},
          {"attributed", line.attributed},
          {"remainder", line.remainder()}};
}

}  // namespace acceptq::render
