#include "import/capture/byte_stream.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace acceptq::imports::capture {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;

// What of another stream has been read and not yet been used.
class Input {
 public:
  explicit Input(ByteStream& from) : from_(from), buffer_(kChunk) {}

  // False at the end.
  Result<bool> fill() {
    if (!rest_.empty()) return true;
    const Result<std::size_t> count = from_.read(buffer_);
    if (!count) return fail(count.error());
    rest_ = std::span(buffer_).first(*count);
    return *count > 0;
  }
  [[nodiscard]] std::span<std::uint8_t> rest() const { return rest_; }
  void use(std::size_t count) { rest_ = rest_.subspan(count); }

 private:
  ByteStream& from_;
  std::vector<std::uint8_t> buffer_;
  std::span<std::uint8_t> rest_;
};

Error broken(const char* format, const char* what) {
  return {ErrorCode::kMalformed, 0, std::string(format) + " data: " + what};
}

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(ByteStream& from) : input_(from) {
    constexpr int kGzipOnly = 16;
    ready_ = ::inflateInit2(&state_, MAX_WBITS + kGzipOnly) == Z_OK;
  }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;
  GzipStream(GzipStream&&) = delete;
  GzipStream& operator=(GzipStream&&) = delete;
  ~GzipStream() override { ::inflateEnd(&state_); }

  // A file that ends in the middle, as that of a capture which was killed, gives what there is.
  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    if (!ready_) return fail(ErrorCode::kIo, "zlib does not begin");
    for (;;) {
      const Result<bool> more = input_.fill();
      if (!more) return fail(more.error());
      if (!*more) return 0;
      const std::span<std::uint8_t> rest = input_.rest();
      state_.next_in = rest.data();
      state_.avail_in = static_cast<unsigned>(rest.size());
      state_.next_out = into.data();
      state_.avail_out = static_cast<unsigned>(into.size());
      const int result = ::inflate(&state_, Z_NO_FLUSH);
      input_.use(rest.size() - state_.avail_in);
      if (result == Z_STREAM_END) {
        // Another member may follow.
        ::inflateReset(&state_);
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return fail(broken("gzip", state_.msg != nullptr ? state_.msg : "damaged"));
      }
      const std::size_t count = into.size() - state_.avail_out;
      if (count > 0) return count;
    }
  }

 private:
  Input input_;
  z_stream state_{};
  bool ready_ = false;
};

class ZstdStream : public ByteStream {
 public:
  explicit ZstdStream(ByteStream& from) : input_(from), state_(::ZSTD_createDStream()) {
    // As the zstd program does without --long: a frame can ask for no more memory than this.
    constexpr int kLargestWindowLog = 27;
    if (state_ != nullptr) {
      ::ZSTD_DCtx_setParameter(state_.get(), ZSTD_d_windowLogMax, kLargestWindowLog);
    }
  }

  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    if (!state_) return fail(ErrorCode::kIo, "zstd does not begin");
    ZSTD_outBuffer out{.dst = into.data(), .size = into.size(), .pos = 0};
    for (;;) {
      const Result<bool> more = input_.fill();
      if (!more) return fail(more.error());
      const std::span<std::uint8_t> rest = input_.rest();
      ZSTD_inBuffer in{.src = rest.data(), .size = rest.size(), .pos = 0};
      const std::size_t result = ::ZSTD_decompressStream(state_.get(), &out, &in);
      if (::ZSTD_isError(result) != 0) return fail(broken("zstd", ::ZSTD_getErrorName(result)));
      input_.use(in.pos);
      if (out.pos > 0 || !*more) return out.pos;
    }
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* state) const { ::ZSTD_freeDStream(state); }
  };
  Input input_;
  std::unique_ptr<ZSTD_DStream, Free> state_;
};

class PlainStream : public ByteStream {
 public:
  explicit PlainStream(ByteStream& from) : from_(from) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override { return from_.read(into); }

 private:
  ByteStream& from_;
};

}  // namespace

Result<std::size_t> DescriptorStream::read(std::span<std::uint8_t> into) {
  if (!head_.empty()) {
    const std::size_t count = std::min(into.size(), head_.size());
    std::memcpy(into.data(), head_.data(), count);
    head_.erase(0, count);
    taken_ += count;
    return count;
  }
  for (;;) {
    const ssize_t count = ::read(fd_, into.data(), into.size());
    if (count >= 0) {
      taken_ += static_cast<std::size_t>(count);
      return static_cast<std::size_t>(count);
    }
    if (errno != EINTR) return fail_errno(errno, "read");
  }
}

Result<std::size_t> MemoryStream::read(std::span<std::uint8_t> into) {
  const std::size_t count = std::min(into.size(), bytes_.size());
  if (count > 0) std::memcpy(into.data(), bytes_.data(), count);
  bytes_ = bytes_.subspan(count);
  return count;
}

Compression compression_of(std::string_view head) {
  if (head.starts_with("\x1f\x8b")) return Compression::kGzip;
  if (head.starts_with("\x28\xb5\x2f\xfd")) return Compression::kZstd;
  return Compression::kNone;
}

std::unique_ptr<ByteStream> decompressed(Compression compression, ByteStream& from) {
  switch (compression) {
    case Compression::kGzip:
      return std::make_unique<GzipStream>(from);
    case Compression::kZstd:
      return std::make_unique<ZstdStream>(from);
    case Compression::kNone:
      break;
  }
  return std::make_unique<PlainStream>(from);
}

}  // namespace acceptq::imports::capture
