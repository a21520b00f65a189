// Any bytes as a paste: an observation that is written and read back is the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "facts/json.h"
#include "import/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace acceptq;
  const imports::Text texts[] = {
      {.name = "paste", .bytes = std::string(reinterpret_cast<const char*>(data), size)}};
  const Result<imports::Imported> imported = imports::import_texts(texts);
  if (!imported) return 0;
  const facts::Observation& observation = imported->observation;
  const Result<facts::Observation> again =
      facts::observation_from_json(facts::to_json(observation));
  if (!again || *again != observation) std::abort();
  return 0;
}
