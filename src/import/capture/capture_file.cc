#include "import/capture/capture_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace acceptq::imports::capture {
namespace {

using Bytes = std::span<const std::uint8_t>;

// pcap: draft-ietf-opsawg-pcap; pcapng: draft-ietf-opsawg-pcapng.
constexpr std::uint32_t kPcapMicro = 0xa1b2c3d4;
constexpr std::uint32_t kPcapNano = 0xa1b23c4d;
constexpr std::uint32_t kSection = 0x0a0d0d0a;
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kOldPacket = 2;
constexpr std::uint32_t kSimplePacket = 3;
constexpr std::uint32_t kStatistics = 5;
constexpr std::uint32_t kEnhancedPacket = 6;

constexpr std::size_t kBuffer = std::size_t{1} << 20;
// No packet and no block is longer, unless the file is damaged.
constexpr std::size_t kLargest = std::size_t{64} << 20;
constexpr std::size_t kMostInterfaces = 65536;

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::uint32_t native_32(Bytes bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::uint32_t swapped_32(std::uint32_t value) { return __builtin_bswap32(value); }

bool is_one_of(std::uint32_t value, std::uint32_t wanted) {
  return value == wanted || value == swapped_32(wanted);
}

std::int64_t to_ns(std::uint64_t units, std::uint64_t per_second, std::int64_t offset_s) {
  const std::uint64_t seconds = units / per_second;
  // Wide: a resolution can be finer than a nanosecond.
  const auto rest = static_cast<std::int64_t>(static_cast<double>(units % per_second) * 1e9 /
                                              static_cast<double>(per_second));
  // With the offset, and as a difference of two, it still fits.
  constexpr std::uint64_t kLatest = 7'000'000'000;
  const std::int64_t offset = std::clamp<std::int64_t>(offset_s, -kNsPerSecond, kNsPerSecond);
  return (static_cast<std::int64_t>(std::min(seconds, kLatest)) + offset) * kNsPerSecond + rest;
}

}  // namespace

bool is_capture(std::string_view head) {
  if (head.size() < 4) return false;
  std::uint32_t magic = 0;
  std::memcpy(&magic, head.data(), sizeof magic);
  return is_one_of(magic, kPcapMicro) || is_one_of(magic, kPcapNano) || magic == kSection;
}

CaptureFile::CaptureFile(ByteStream& stream) : stream_(&stream), buffer_(kBuffer) {}

Result<CaptureFile> CaptureFile::Open(ByteStream& stream) {
  CaptureFile file(stream);
  const Result<bool> there = file.ensure(4);
  if (!there) return fail(there.error());
  if (!*there) return fail(ErrorCode::kMalformed, "too short for a capture");
  const std::uint32_t magic = native_32(file.peek(4));
  if (magic == kSection) {
    file.is_ng_ = true;
    return file;
  }
  if (const Status begun = file.begin_pcap(); !begun) return fail(begun.error());
  return file;
}

std::optional<std::uint64_t> CaptureFile::dropped() const {
  if (!tells_drops_) return std::nullopt;
  std::uint64_t dropped = dropped_before_;
  for (const Interface& interface : interfaces_) dropped += interface.dropped;
  return dropped;
}

Result<bool> CaptureFile::ensure(std::size_t count) {
  if (end_ - begin_ >= count) return true;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  taken_ += begin_;
  end_ -= begin_;
  begin_ = 0;
  if (buffer_.size() < count) buffer_.resize(count);
  while (end_ < count) {
    const Result<std::size_t> more = stream_->read(std::span(buffer_).subspan(end_));
    if (!more) return fail(more.error());
    if (*more == 0) return false;
    end_ += *more;
  }
  return true;
}

Bytes CaptureFile::peek(std::size_t count) const {
  return std::span(buffer_).subspan(begin_, count);
}

std::uint16_t CaptureFile::read_16(Bytes bytes, std::size_t at) const {
  std::uint16_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return swapped_ ? __builtin_bswap16(value) : value;
}

std::uint32_t CaptureFile::read_32(Bytes bytes, std::size_t at) const {
  const std::uint32_t value = native_32(bytes.subspan(at, 4));
  return swapped_ ? swapped_32(value) : value;
}

Result<std::optional<Frame>> CaptureFile::next() { return is_ng_ ? next_block() : next_pcap(); }

Status CaptureFile::begin_pcap() {
  constexpr std::size_t kHeader = 24;
  const Result<bool> there = ensure(kHeader);
  if (!there) return fail(there.error());
  if (!*there) return fail(ErrorCode::kMalformed, "too short for a capture");
  const Bytes header = peek(kHeader);
  const std::uint32_t magic = native_32(header);
  swapped_ = magic == swapped_32(kPcapMicro) || magic == swapped_32(kPcapNano);
  const std::uint32_t version = swapped_ ? swapped_32(magic) : magic;
  if (version != kPcapMicro && version != kPcapNano) {
    return fail(ErrorCode::kMalformed, "neither pcap nor pcapng");
  }
  // The upper bits say whether frames end in a checksum.
  const auto link_type = static_cast<std::uint16_t>(read_32(header, 20));
  interfaces_.push_back({.link_type = link_type,
                         .units_per_second = version == kPcapNano ? 1'000'000'000U : 1'000'000U});
  skip(kHeader);
  return {};
}

Result<std::optional<Frame>> CaptureFile::next_pcap() {
  constexpr std::size_t kHeader = 16;
  Result<bool> there = ensure(kHeader);
  if (!there) return fail(there.error());
  if (!*there) {
    is_cut_ = end_ != begin_;
    return std::nullopt;
  }
  const Bytes header = peek(kHeader);
  const std::uint64_t seconds = read_32(header, 0);
  const std::uint64_t fraction = read_32(header, 4);
  const std::size_t kept = read_32(header, 8);
  const std::size_t length = read_32(header, 12);
  if (kept > kLargest) {
    return fail(ErrorCode::kMalformed,
                fmt::format("damaged at byte {}: a packet of {} bytes", taken_ + begin_, kept));
  }
  there = ensure(kHeader + kept);
  if (!there) return fail(there.error());
  if (!*there) {
    is_cut_ = true;
    return std::nullopt;
  }
  const Interface& interface = interfaces_.front();
  const std::uint64_t nanoseconds = interface.units_per_second == 1'000'000 ? 1000 : 1;
  Frame frame{.at_ns = static_cast<std::int64_t>(seconds * kNsPerSecond + fraction * nanoseconds),
              .link_type = interface.link_type,
              .bytes = peek(kHeader + kept).subspan(kHeader),
              .length = length};
  skip(kHeader + kept);
  return frame;
}

Result<std::optional<Frame>> CaptureFile::next_block() {
  constexpr std::size_t kHead = 12;  // type, length, and the first word or the length again
  for (;;) {
    Result<bool> there = ensure(kHead);
    if (!there) return fail(there.error());
    if (!*there) {
      is_cut_ = end_ != begin_;
      return std::nullopt;
    }
    const Bytes head = peek(kHead);
    if (native_32(head) == kSection) {
      const std::uint32_t order = native_32(head.subspan(8));
      if (!is_one_of(order, kByteOrder)) {
        return fail(ErrorCode::kMalformed,
                    fmt::format("damaged at byte {}: no pcapng section", taken_ + begin_));
      }
      swapped_ = order != kByteOrder;
    }
    const std::uint32_t type = native_32(head) == kSection ? kSection : read_32(head, 0);
    const std::size_t length = read_32(head, 4);
    if (length < kHead || length % 4 != 0 || length > kLargest) {
      return fail(ErrorCode::kMalformed,
                  fmt::format("damaged at byte {}: a block of {} bytes", taken_ + begin_, length));
    }
    there = ensure(length);
    if (!there) return fail(there.error());
    if (!*there) {
      is_cut_ = true;
      return std::nullopt;
    }
    const Bytes block = peek(length);
    const Bytes body = block.subspan(8, length - kHead);
    skip(length);
    std::optional<Frame> frame;
    if (type == kSection) {
      for (const Interface& interface : interfaces_) dropped_before_ += interface.dropped;
      interfaces_.clear();
    } else if (type == kInterface) {
      add_interface(body);
    } else if (type == kStatistics) {
      add_statistics(body);
    } else if (type == kEnhancedPacket || type == kOldPacket) {
      frame = enhanced_packet(body, type == kOldPacket);
    } else if (type == kSimplePacket) {
      frame = simple_packet(body);
    }
    if (frame) {
      last_ns_ = frame->at_ns;
      return frame;
    }
  }
}

template <typename Use>
void CaptureFile::each_option(Bytes options, Use use) const {
  while (options.size() >= 4) {
    const std::uint16_t code = read_16(options, 0);
    const std::size_t length = read_16(options, 2);
    if (code == 0 || length > options.size() - 4) return;
    use(code, options.subspan(4, length));
    options = options.subspan(std::min(options.size(), 4 + (length + 3) / 4 * 4));
  }
}

void CaptureFile::add_interface(Bytes body) {
  constexpr std::size_t kFixed = 8;
  if (body.size() < kFixed || interfaces_.size() >= kMostInterfaces) return;
  Interface interface{.link_type = read_16(body, 0)};
  each_option(body.subspan(kFixed), [&](std::uint16_t code, Bytes value) {
    constexpr std::uint16_t kResolution = 9;
    constexpr std::uint16_t kOffset = 14;
    if (code == kResolution && value.size() == 1) {
      const unsigned exponent = value[0] & 0x7fU;
      std::uint64_t units = 1;
      const bool is_binary = (value[0] & 0x80U) != 0;
      constexpr unsigned kMostBits = 62;
      constexpr unsigned kMostDigits = 18;
      if (is_binary) units <<= std::min(exponent, kMostBits);
      for (unsigned i = 0; !is_binary && i < std::min(exponent, kMostDigits); ++i) units *= 10;
      interface.units_per_second = units;
    } else if (code == kOffset && value.size() == 8) {
      const std::uint64_t low =
          read_32(value, swapped_ == (std::endian::native == std::endian::little) ? 4 : 0);
      interface.offset_s = static_cast<std::int32_t>(low);
    }
  });
  interfaces_.push_back(interface);
}

void CaptureFile::add_statistics(Bytes body) {
  constexpr std::size_t kFixed = 12;
  if (body.size() < kFixed) return;
  const std::uint32_t id = read_32(body, 0);
  if (id >= interfaces_.size()) return;
  std::uint64_t dropped = 0;
  each_option(body.subspan(kFixed), [&](std::uint16_t code, Bytes value) {
    constexpr std::uint16_t kByInterface = 5;
    constexpr std::uint16_t kBySystem = 7;
    if ((code != kByInterface && code != kBySystem) || value.size() != 8) return;
    const bool is_big = swapped_ == (std::endian::native == std::endian::little);
    dropped += read_32(value, is_big ? 4 : 0);
    tells_drops_ = true;
  });
  // Totals since the capture began: the last block counts.
  interfaces_[id].dropped = std::max(interfaces_[id].dropped, dropped);
}

std::optional<Frame> CaptureFile::enhanced_packet(Bytes body, bool is_old_form) {
  constexpr std::size_t kFixed = 20;
  if (body.size() < kFixed) return std::nullopt;
  const std::uint32_t id = is_old_form ? read_16(body, 0) : read_32(body, 0);
  if (id >= interfaces_.size()) return std::nullopt;
  const Interface& interface = interfaces_[id];
  const std::uint64_t units = std::uint64_t{read_32(body, 4)} << 32U | read_32(body, 8);
  const std::size_t kept = read_32(body, 12);
  if (kept > body.size() - kFixed) return std::nullopt;
  Frame frame{.at_ns = to_ns(units, interface.units_per_second, interface.offset_s),
              .link_type = interface.link_type,
              .bytes = body.subspan(kFixed, kept),
              .length = read_32(body, 16)};
  const std::size_t padded = std::min(body.size() - kFixed, (kept + 3) / 4 * 4);
  if (!is_old_form && body.size() > kFixed + padded) {
    each_option(body.subspan(kFixed + padded), [&](std::uint16_t code, Bytes value) {
      constexpr std::uint16_t kFlags = 2;
      if (code != kFlags || value.size() != 4) return;
      const std::uint32_t way = read_32(value, 0) & 3U;
      if (way == 1) frame.direction = evidence::Direction::kIn;
      if (way == 2) frame.direction = evidence::Direction::kOut;
    });
  }
  return frame;
}

// It has no time of its own.
std::optional<Frame> CaptureFile::simple_packet(Bytes body) const {
  if (body.size() < 4 || interfaces_.empty()) return std::nullopt;
  const std::size_t length = read_32(body, 0);
  return Frame{.at_ns = last_ns_,
               .link_type = interfaces_.front().link_type,
               .bytes = body.subspan(4, std::min(length, body.size() - 4)),
               .length = length};
}

}  // namespace acceptq::imports::capture
