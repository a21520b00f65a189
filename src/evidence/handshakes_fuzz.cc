#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "evidence/handshakes.h"
#include "evidence/tcp_packet.h"

// Packets come from anybody. The first bytes say how the rest is cut into packets of one book.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace evidence = acceptq::evidence;
  evidence::Handshakes book({.ports = {80}, .most_attempts = 8});
  std::span<const std::uint8_t> rest(data, size);
  std::int64_t now = 0;
  while (rest.size() > 1) {
    const std::size_t length = std::min<std::size_t>(rest[0], rest.size() - 1);
    now += std::int64_t{rest[0]} * 10'000'000;
    if (auto packet = evidence::parse_packet(rest.subspan(1, length))) {
      packet->at_ns = now;
      book.add(*packet);
    }
    rest = rest.subspan(length + 1);
  }
  static_cast<void>(book.tallies(now));
  return 0;
}
