// A capture, read to its end and made an observation of.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "facts/snapshot.h"
#include "import/capture/byte_stream.h"

namespace acceptq::imports::capture {

// Told now and then how many packets have been read.
using ReadProgress = std::function<void(std::uint64_t packets)>;

// Whether what begins so is a capture, compressed or not: enough of the head is 4 KiB. Of what is
// compressed the first bytes are decompressed.
[[nodiscard]] bool begins_like_capture(std::string_view head);

// `stream` gives the file from its first byte on. Memory is bounded by the handshakes that are
// under way at one time. Fails on what is no capture, is damaged, or holds no TCP packet at all.
[[nodiscard]] Result<facts::Observation> read_capture(ByteStream& stream, const std::string& name,
                                                      const ReadProgress& progress = {});

}  // namespace acceptq::imports::capture
