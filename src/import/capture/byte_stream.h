// The bytes of a capture, from a file, a pipe or memory, and out of gzip or Zstandard.
//
// Bundles are unpacked by libarchive, which would be as fast here. But of gzip data that end in the
// middle, as those of a capture that was killed do, libarchive 3.6 gives an error in place of the
// last block, which of a small capture is all there is. What came before the end is evidence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace acceptq::imports::capture {

class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  ByteStream(ByteStream&&) = delete;
  ByteStream& operator=(ByteStream&&) = delete;
  virtual ~ByteStream() = default;

  // Fills a part of `into`; 0 only at the end.
  [[nodiscard]] virtual Result<std::size_t> read(std::span<std::uint8_t> into) = 0;
};

// What has been read already, and then the rest of an open descriptor, which stays the caller's.
class DescriptorStream : public ByteStream {
 public:
  explicit DescriptorStream(int fd, std::string head = {}) : fd_(fd), head_(std::move(head)) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override;

  [[nodiscard]] std::uint64_t taken() const { return taken_; }

 private:
  int fd_;
  std::string head_;
  std::uint64_t taken_ = 0;
};

// Bytes that outlive it.
class MemoryStream : public ByteStream {
 public:
  explicit MemoryStream(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override;

 private:
  std::span<const std::uint8_t> bytes_;
};

enum class Compression { kNone, kGzip, kZstd };
// By the first four bytes.
[[nodiscard]] Compression compression_of(std::string_view head);

// The stream itself, or what comes out of it. `from` outlives it.
[[nodiscard]] std::unique_ptr<ByteStream> decompressed(Compression compression, ByteStream& from);

}  // namespace acceptq::imports::capture
