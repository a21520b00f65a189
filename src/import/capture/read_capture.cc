#include "import/capture/read_capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "evidence/handshakes.h"
#include "import/capture/capture_file.h"
#include "import/capture/decapsulate.h"
#include "import/capture/observation.h"

namespace acceptq::imports::capture {
namespace {

constexpr std::size_t kMostAttempts = 262'144;
constexpr std::uint64_t kProgressEvery = 1U << 18U;

// A stream, and what has been read of it to look at.
class RereadStream : public ByteStream {
 public:
  RereadStream(std::span<const std::uint8_t> head, ByteStream& rest) : head_(head), rest_(rest) {}

  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    if (head_.size() == 0) return rest_.read(into);
    const std::size_t count = std::min(into.size(), head_.size());
    std::ranges::copy(head_.first(count), into.begin());
    head_ = head_.subspan(count);
    return count;
  }

 private:
  std::span<const std::uint8_t> head_;
  ByteStream& rest_;
};

void count_frame(const Frame& frame, CaptureSummary& summary) {
  if (++summary.packets == 1) summary.first_ns = summary.last_ns = frame.at_ns;
  summary.first_ns = std::min(summary.first_ns, frame.at_ns);
  summary.last_ns = std::max(summary.last_ns, frame.at_ns);
}

Result<facts::Observation> read_frames(ByteStream& stream, const std::string& name,
                                       const ReadProgress& progress) {
  Result<CaptureFile> file = CaptureFile::Open(stream);
  if (!file) return fail(file.error());
  evidence::Handshakes handshakes({.may_be_filtered = true, .most_attempts = kMostAttempts});
  CaptureSummary summary{.name = name};
  std::uint64_t tcp = 0;
  for (;;) {
    const Result<std::optional<Frame>> frame = file->next();
    if (!frame) return fail(frame.error());
    if (!*frame) break;
    if (summary.packets == 0) handshakes.begin((*frame)->at_ns);
    count_frame(**frame, summary);
    if (progress && summary.packets % kProgressEvery == 0) progress(summary.packets);
    Decapsulated inside = decapsulate((*frame)->link_type, (*frame)->bytes);
    switch (inside.content) {
      case Content::kTcp:
        ++tcp;
        inside.packet.at_ns = (*frame)->at_ns;
        if ((*frame)->direction != evidence::Direction::kUnknown) {
          inside.packet.direction = (*frame)->direction;
        }
        handshakes.add(inside.packet);
        break;
      case Content::kFragment:
        ++summary.fragments;
        break;
      case Content::kCut:
        ++summary.cut_packets;
        break;
      case Content::kUnknownLink:
        ++summary.unknown_links[(*frame)->link_type];
        break;
      case Content::kOther:
        break;
    }
  }
  summary.is_cut = file->is_cut();
  summary.dropped = file->dropped();
  if (tcp == 0) {
    const bool unknown = !summary.unknown_links.empty();
    return fail(unknown ? ErrorCode::kUnsupported : ErrorCode::kMalformed,
                summary.packets == 0 ? "the capture is empty"
                : unknown ? fmt::format("its packets are of link type {}, which is not read",
                                        summary.unknown_links.begin()->first)
                          : fmt::format("none of the capture's {} packets is a whole TCP packet",
                                        summary.packets));
  }
  return to_observation(handshakes, summary);
}

}  // namespace

bool begins_like_capture(std::string_view head) {
  const Compression compression = compression_of(head);
  if (compression == Compression::kNone) return is_capture(head);
  MemoryStream bytes({reinterpret_cast<const std::uint8_t*>(head.data()), head.size()});
  const std::unique_ptr<ByteStream> inside = decompressed(compression, bytes);
  std::array<std::uint8_t, 4> magic{};
  std::size_t have = 0;
  while (have < magic.size()) {
    const Result<std::size_t> more = inside->read(std::span(magic).subspan(have));
    if (!more || *more == 0) return false;
    have += *more;
  }
  return is_capture({reinterpret_cast<const char*>(magic.data()), magic.size()});
}

Result<facts::Observation> read_capture(ByteStream& stream, const std::string& name,
                                        const ReadProgress& progress) {
  std::array<std::uint8_t, 4> magic{};
  std::size_t have = 0;
  while (have < magic.size()) {
    const Result<std::size_t> more = stream.read(std::span(magic).subspan(have));
    if (!more) return fail(more.error());
    if (*more == 0) break;
    have += *more;
  }
  const std::span<const std::uint8_t> taken(magic.data(), have);
  RereadStream whole(taken, stream);
  const std::unique_ptr<ByteStream> inside =
      decompressed(compression_of({reinterpret_cast<const char*>(magic.data()), have}), whole);
  return read_frames(*inside, name, progress);
}

}  // namespace acceptq::imports::capture
