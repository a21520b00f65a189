// Any bytes as Tomcat's configuration.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/fuzz_support.h"
#include "config/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using acceptq::config::test::fuzz_reader;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz_reader(acceptq::config::edit_tomcat, {"/usr/bin/java", {"java", "-Dcatalina.base=/t"}, "/"},
              text);
  return 0;
}
