#include "collect/packets/handshake_filter.h"

#include <gtest/gtest.h>

#include <vector>

namespace acceptq::collect::packets {
namespace {

TEST(HandshakeFilter, StaysWithinWhatAKernelTakes) {
  std::vector<std::uint16_t> ports;
  for (std::size_t count = 0; count <= kMostPorts + 1; ++count) {
    const auto filter = handshake_filter(ports);
    EXPECT_LT(filter.size(), std::size_t{BPF_MAXINSNS});
    for (std::size_t i = 0; i < filter.size(); ++i) {
      if (BPF_CLASS(filter[i].code) != BPF_JMP) continue;
      const std::size_t farthest =
          BPF_OP(filter[i].code) == BPF_JA ? filter[i].k : std::max(filter[i].jt, filter[i].jf);
      EXPECT_LT(i + 1 + farthest, filter.size()) << count << " ports, instruction " << i;
    }
    ports.push_back(static_cast<std::uint16_t>(count + 1));
  }
}

}  // namespace
}  // namespace acceptq::collect::packets
