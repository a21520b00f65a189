// Any bytes as text for one reader, ACCEPTQ_READER: it takes no more lines than there are, and says
// of nothing that it stands where there is no line.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "import/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::imports;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = normalize_text(text);
  if (!lines) return 0;
  const Typed typed{.command = "cat /proc/sys/net/core/somaxconn", .fresh = true};
  for (Lines rest(*lines); !rest.empty();) {
    const Reading reading = ACCEPTQ_READER(rest, typed);
    if (reading.used > rest.size()) std::abort();
    const auto in_range = [&](std::uint32_t line) {
      return line >= rest.front().number && line < rest.front().number + rest.size();
    };
    for (const Problem& problem : reading.problems) {
      if (!in_range(problem.line)) std::abort();
    }
    if (const auto* table = std::get_if<ListenerTable>(&reading.piece)) {
      for (const ListenerRow& row : table->rows) {
        if (!in_range(row.line)) std::abort();
      }
    }
    rest = rest.subspan(std::max<std::size_t>(reading.used, 1));
  }
  return 0;
}
