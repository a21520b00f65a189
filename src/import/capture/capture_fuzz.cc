#include <cstddef>
#include <cstdint>

#include "import/capture/read_capture.h"

// Files that somebody sends: pcap and pcapng, compressed or not, down to the packets inside.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace capture = acceptq::imports::capture;
  static_cast<void>(capture::begins_like_capture({reinterpret_cast<const char*>(data), size}));
  capture::MemoryStream stream({data, size});
  static_cast<void>(capture::read_capture(stream, "fuzz"));
  return 0;
}
