#include "import/json_lines.h"

namespace acceptq::imports {

std::size_t lines_of_json(Lines lines, std::size_t* budget, std::string& text) {
  constexpr std::size_t kMost = std::size_t{16} << 20;
  int depth = 0;
  bool quoted = false;
  bool escaped = false;
  for (std::size_t used = 0; used < lines.size() && text.size() < kMost; ++used) {
    const std::size_t size = lines[used].text.size() + 1;
    if (budget != nullptr && *budget < size) return 0;
    if (budget != nullptr) *budget -= size;
    for (const char c : lines[used].text) {
      if (escaped) {
        escaped = false;
      } else if (quoted) {
        escaped = c == '\\';
        quoted = c != '"';
      } else if (c == '"') {
        quoted = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        --depth;
      }
    }
    text += lines[used].text + "\n";
    if (depth <= 0) return used + 1;
  }
  return 0;
}

}  // namespace acceptq::imports
