// pcap and pcapng, frame by frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "evidence/tcp_packet.h"
#include "import/capture/byte_stream.h"

namespace acceptq::imports::capture {

// One packet as it was captured. `bytes` are valid until the next one is read.
struct Frame {
  std::int64_t at_ns = 0;  // since 1970
  std::uint16_t link_type = 0;
  std::span<const std::uint8_t> bytes;  // as many as the capture kept
  std::size_t length = 0;               // as many as there were
  evidence::Direction direction = evidence::Direction::kUnknown;
};

// Whether a file that begins so is a capture, before or after decompression.
[[nodiscard]] bool is_capture(std::string_view head);

// Reads on; what is held is one block of the file. A file that ends in the middle of a packet, as
// of a capture that was killed or is still going on, ends before that packet.
class CaptureFile {
 public:
  // `stream` outlives it. Fails where it begins like no capture.
  [[nodiscard]] static Result<CaptureFile> Open(ByteStream& stream);

  // Nothing at the end.
  [[nodiscard]] Result<std::optional<Frame>> next();

  [[nodiscard]] bool is_cut() const { return is_cut_; }
  // That the capturing kernel and interfaces say they lost; empty where the format does not tell.
  [[nodiscard]] std::optional<std::uint64_t> dropped() const;

 private:
  struct Interface {
    std::uint16_t link_type = 0;
    std::uint64_t units_per_second = 1'000'000;
    std::int64_t offset_s = 0;
    std::uint64_t dropped = 0;
  };

  explicit CaptureFile(ByteStream& stream);

  // Makes the next `count` bytes available, without taking them; false where the file ends before.
  [[nodiscard]] Result<bool> ensure(std::size_t count);
  [[nodiscard]] std::span<const std::uint8_t> peek(std::size_t count) const;
  void skip(std::size_t count) { begin_ += count; }
  [[nodiscard]] std::uint16_t read_16(std::span<const std::uint8_t> bytes, std::size_t at) const;
  [[nodiscard]] std::uint32_t read_32(std::span<const std::uint8_t> bytes, std::size_t at) const;

  [[nodiscard]] Status begin_pcap();
  [[nodiscard]] Result<std::optional<Frame>> next_pcap();
  [[nodiscard]] Result<std::optional<Frame>> next_block();
  void add_interface(std::span<const std::uint8_t> body);
  void add_statistics(std::span<const std::uint8_t> body);
  [[nodiscard]] std::optional<Frame> enhanced_packet(std::span<const std::uint8_t> body,
                                                     bool is_old_form);
  [[nodiscard]] std::optional<Frame> simple_packet(std::span<const std::uint8_t> body) const;
  template <typename Use>
  void each_option(std::span<const std::uint8_t> options, Use use) const;

  ByteStream* stream_;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool is_ng_ = false;
  bool swapped_ = false;
  bool is_cut_ = false;
  bool tells_drops_ = false;
  std::uint64_t taken_ = 0;  // bytes before buffer_
  std::int64_t last_ns_ = 0;
  std::vector<Interface> interfaces_;  // pcap has one
  std::uint64_t dropped_before_ = 0;   // of earlier sections
};

}  // namespace acceptq::imports::capture
