#include "import/capture/capture_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <initializer_list>
#include <vector>

namespace acceptq::imports::capture {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Numbers in the byte order of a machine.
class Writer {
 public:
  explicit Writer(bool big) : big_(big) {}
  Writer& u16(std::uint16_t value) { return number(value, 2); }
  Writer& u32(std::uint32_t value) { return number(value, 4); }
  Writer& bytes(const Bytes& bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  // A pcapng block of that type around the body.
  Writer& block(std::uint32_t type, const Bytes& body) {
    const auto length = static_cast<std::uint32_t>(body.size() + 12);
    return u32(type).u32(length).bytes(body).u32(length);
  }
  [[nodiscard]] const Bytes& out() const { return out_; }

 private:
  Writer& number(std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i) {
      const int shift = 8 * (big_ ? size - 1 - i : i);
      out_.push_back(static_cast<std::uint8_t>(value >> shift));
    }
    return *this;
  }
  bool big_;
  Bytes out_;
};

struct Read {
  std::vector<Frame> frames;
  std::vector<Bytes> bytes;
  bool is_cut = false;
  std::optional<std::uint64_t> dropped;
  std::optional<Error> error;
};

Read read_all(const Bytes& file) {
  Read read;
  MemoryStream stream(file);
  Result<CaptureFile> capture = CaptureFile::Open(stream);
  if (!capture) {
    read.error = capture.error();
    return read;
  }
  for (;;) {
    const auto frame = capture->next();
    if (!frame) {
      read.error = frame.error();
      break;
    }
    if (!*frame) break;
    read.frames.push_back(**frame);
    read.bytes.emplace_back((*frame)->bytes.begin(), (*frame)->bytes.end());
  }
  read.is_cut = capture->is_cut();
  read.dropped = capture->dropped();
  return read;
}

Bytes pcap(bool big, std::uint32_t magic) {
  return Writer(big)
      .u32(magic)
      .u16(2)
      .u16(4)
      .u32(0)
      .u32(0)
      .u32(96)
      .u32(113)
      .u32(100)
      .u32(7)
      .u32(3)
      .u32(60)
      .bytes({1, 2, 3})
      .u32(101)
      .u32(8)
      .u32(0)
      .u32(0)
      .out();
}

TEST(CaptureFile, ReadsPcapOfEitherByteOrderAndResolution) {
  for (const bool big : {false, true}) {
    const Read micro = read_all(pcap(big, 0xa1b2c3d4));
    ASSERT_EQ(micro.frames.size(), 2U);
    EXPECT_EQ(micro.frames[0].at_ns, 100'000'007'000);
    EXPECT_EQ(micro.frames[0].link_type, 113);
    EXPECT_EQ(micro.frames[0].length, 60U);
    EXPECT_EQ(micro.bytes[0], (Bytes{1, 2, 3}));
    EXPECT_FALSE(micro.is_cut);
    EXPECT_FALSE(micro.dropped);
    EXPECT_EQ(read_all(pcap(big, 0xa1b23c4d)).frames.at(1).at_ns, 101'000'000'008);
  }
}

TEST(CaptureFile, EndsBeforeAPacketThatIsCut) {
  const Bytes whole = pcap(false, 0xa1b2c3d4);
  for (std::size_t size = 24; size < whole.size(); ++size) {
    const Read read = read_all({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_FALSE(read.error) << size;
    EXPECT_EQ(read.frames.size(), size >= 24 + 16 + 3 ? 1U : 0U) << size;
    EXPECT_EQ(read.is_cut, size != 24 && size != 24 + 16 + 3) << size;
  }
}

TEST(CaptureFile, RefusesWhatIsDamaged) {
  EXPECT_TRUE(read_all({}).error);
  EXPECT_TRUE(read_all({1, 2, 3, 4, 5, 6, 7, 8}).error);
  Bytes huge = pcap(false, 0xa1b2c3d4);
  huge[24 + 11] = 0x7f;  // the length of the first packet
  const Read read = read_all(huge);
  ASSERT_TRUE(read.error);
  EXPECT_EQ(read.error->context, "damaged at byte 24: a packet of 2130706435 bytes");
}

Bytes section(bool big) {
  return Writer(big).u32(0x1a2b3c4d).u16(1).u16(0).u32(0xffffffff).u32(0xffffffff).out();
}

Bytes pcapng(bool big) {
  const auto w = [big] { return Writer(big); };
  // Two interfaces: Ethernet in microseconds, cooked in nanoseconds (option 9).
  const Bytes ethernet = w().u16(1).u16(0).u32(96).out();
  const Bytes cooked = w().u16(276).u16(0).u32(96).u16(9).u16(1).bytes({9, 0, 0, 0}).u32(0).out();
  const std::uint64_t micro = 100'000'007;
  const std::uint64_t nano = 100'000'000'009;
  const Bytes first = w().u32(0)
                          .u32(static_cast<std::uint32_t>(micro >> 32U))
                          .u32(static_cast<std::uint32_t>(micro))
                          .u32(3)
                          .u32(60)
                          .bytes({1, 2, 3, 0})
                          .u16(2)  // flags: outbound
                          .u16(4)
                          .u32(2)
                          .u32(0)
                          .out();
  const Bytes second = w().u32(1)
                           .u32(static_cast<std::uint32_t>(nano >> 32U))
                           .u32(static_cast<std::uint32_t>(nano))
                           .u32(1)
                           .u32(1)
                           .bytes({4, 0, 0, 0})
                           .out();
  Writer drops(big);
  drops.u32(0).u32(0).u32(0).u16(5).u16(8);
  big ? drops.u32(0).u32(12) : drops.u32(12).u32(0);
  return w()
      .block(0x0a0d0d0a, section(big))
      .block(1, ethernet)
      .block(1, cooked)
      .block(6, first)
      .block(0xbad, {1, 2, 3, 4})  // unknown: stepped over
      .block(6, second)
      .block(5, drops.u32(0).out())
      .block(0x0a0d0d0a, section(big))
      .block(6, second)  // of an interface that this section does not have
      .out();
}

TEST(CaptureFile, ReadsPcapngWithSeveralInterfaces) {
  for (const bool big : {false, true}) {
    const Read read = read_all(pcapng(big));
    EXPECT_FALSE(read.error);
    ASSERT_EQ(read.frames.size(), 2U) << big;
    EXPECT_EQ(read.frames[0].at_ns, 100'000'007'000);
    EXPECT_EQ(read.frames[0].link_type, 1);
    EXPECT_EQ(read.frames[0].direction, evidence::Direction::kOut);
    EXPECT_EQ(read.bytes[0], (Bytes{1, 2, 3}));
    EXPECT_EQ(read.frames[1].at_ns, 100'000'000'009);
    EXPECT_EQ(read.frames[1].link_type, 276);
    EXPECT_EQ(read.dropped, 12U);
  }
}

TEST(CaptureFile, TakesEveryTruncationOfPcapng) {
  const Bytes whole = pcapng(false);
  for (std::size_t size = 4; size < whole.size(); ++size) {
    const Read read = read_all({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_LE(read.frames.size(), 2U);
    EXPECT_FALSE(read.error) << size;
  }
}

}  // namespace
}  // namespace acceptq::imports::capture
