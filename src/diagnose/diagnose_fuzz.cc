// Whatever a recording says, the report that is made from it agrees with itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "diagnose/diagnose.h"
#include "diagnose/invariants.h"
#include "facts/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq;
  const auto read = facts::observation_from_json({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  if (!diagnose::contradictions(diagnose::diagnose(*read), read->after).empty()) std::abort();
  return 0;
}
