// Any bytes as netstat and, behind the first NUL, snmp: no crash, and a parser that has seen them
// gives for them what a new one gives.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "collect/procfs/counters.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::collect::procfs;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t nul = text.find('\0');
  const std::string_view netstat = text.substr(0, nul);
  const std::string_view snmp = nul == std::string_view::npos ? "" : text.substr(nul + 1);
  CounterParser parser;
  const auto first = parser.parse(netstat, snmp);
  if (parser.parse(netstat, snmp) != first) std::abort();
  return 0;
}
