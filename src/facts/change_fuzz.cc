#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "facts/change.h"

// Whatever is read must come back the same when it is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq::facts;
  const auto read = change_from_json({reinterpret_cast<const char*>(data), size});
  if (read && change_from_json(to_json(*read)) != *read) std::abort();
  return 0;
}
