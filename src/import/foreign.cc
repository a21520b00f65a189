// netstat of systems other than Linux: its counters are others, and of a queue's limit it says
// nothing that the rules here know.
#include <array>

#include "base/text.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

struct Sign {
  std::string_view begins;
  std::string_view holds;
  std::string_view system;
};

constexpr std::array<Sign, 9> kSigns = {{
    {"IPv4 Statistics", "", "Windows"},
    {"TCP Statistics for IPv", "", "Windows"},
    {"TCP    ", "LISTENING", "Windows"},
    {"TCP  ", "LISTENING", "Windows"},
    {"tcp4 ", "LISTEN", "BSD or macOS"},
    {"tcp46 ", "LISTEN", "BSD or macOS"},
    {"Current listen queue sizes", "", "BSD or macOS"},
    {"", " listen queue overflow", "BSD or macOS"},
    {"", "SYN cache overflow", "BSD or macOS"},
}};

bool is_foreign(std::string_view line, std::string_view& system) {
  line = trim(line);
  for (const Sign& sign : kSigns) {
    if (sign.begins.empty()) {
      const std::size_t blank = line.find(' ');
      if (blank == std::string_view::npos || !parse_int<std::uint64_t>(line.substr(0, blank))) {
        continue;
      }
    }
    if (!line.starts_with(sign.begins) || line.find(sign.holds) == std::string_view::npos) continue;
    system = sign.system;
    return true;
  }
  return false;
}

}  // namespace

Reading read_foreign(Lines lines, const Typed& /*typed*/) {
  std::string_view system;
  if (lines.empty() || !is_foreign(lines[0].text, system)) return {};
  Reading reading{.used = 1, .piece = ForeignSystem{std::string(system)}};
  std::string_view same;
  while (reading.used < lines.size() && is_foreign(lines[reading.used].text, same)) ++reading.used;
  return reading;
}

}  // namespace acceptq::imports
