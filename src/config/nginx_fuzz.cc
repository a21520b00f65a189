// Any bytes as nginx's configuration, which includes itself too: reading ends, and an edit changes
// nothing but what it says it does.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/fuzz_support.h"
#include "config/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  acceptq::config::test::fuzz_reader(acceptq::config::edit_nginx,
                                     {"/usr/sbin/nginx", {"nginx"}, "/"},
                                     {reinterpret_cast<const char*>(data), size});
  return 0;
}
