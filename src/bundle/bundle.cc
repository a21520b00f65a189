#include "bundle/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <zstd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

namespace acceptq::bundle {
namespace {

struct FreeReader {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using Reader = std::unique_ptr<archive, FreeReader>;

Error error_of(archive* handle, const std::string& what) {
  const char* why = archive_error_string(handle);
  return {ErrorCode::kMalformed, 0, what + ": " + (why != nullptr ? why : "it is damaged")};
}

// One entry of a tar archive in POSIX's form (pax(1), "ustar Interchange Format"): a head of 512
// bytes, the bytes, and zeros up to a whole number of blocks.
constexpr std::size_t kBlock = 512;

class TarHead {
 public:
  TarHead() : block_(kBlock, '\0') {}
  void put(std::size_t at, std::string_view text) { block_.replace(at, text.size(), text); }
  // In octal digits, with zeros before and a NUL behind.
  void put_number(std::size_t at, std::size_t size, std::uint64_t value) {
    put(at, fmt::format("{:0{}o}", value, size - 1));
  }
  // With the sum of all bytes, for which its own place counts as blanks.
  [[nodiscard]] std::string finished() {
    constexpr std::size_t kSumAt = 148;
    put(kSumAt, "        ");
    std::uint64_t sum = 0;
    for (const char c : block_) sum += static_cast<unsigned char>(c);
    put(kSumAt, fmt::format("{:06o}", sum));
    block_[kSumAt + 6] = '\0';
    return block_;
  }

 private:
  std::string block_;
};

Status add(const std::string& folder, const Entry& entry, std::string& tar) {
  constexpr std::size_t kLongestName = 99;
  const std::string name = folder + "/" + entry.name;
  if (name.size() > kLongestName) {
    return fail(ErrorCode::kMalformed, "cannot pack " + name + ": the name is too long");
  }
  TarHead head;
  head.put(0, name);
  head.put_number(100, 8, 0600);  // mode
  head.put_number(108, 8, 0);     // user
  head.put_number(116, 8, 0);     // group
  head.put_number(124, 12, entry.bytes.size());
  head.put_number(136, 12, 0);  // time
  head.put(156, "0");           // a regular file
  head.put(257, std::string_view("ustar\00000", 8));
  tar += head.finished() + entry.bytes;
  tar.append((kBlock - entry.bytes.size() % kBlock) % kBlock, '\0');
  return {};
}

// What is behind the first folder.
std::string name_in_folder(const char* path) {
  if (path == nullptr) return "";
  std::string name = path;
  if (name.starts_with("./")) name.erase(0, 2);
  const std::size_t slash = name.find('/');
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

// The rest of the entry that is open, at most `most` bytes.
Result<std::string> read_entry(archive* reader, const std::string& name, std::size_t most) {
  std::string bytes;
  std::array<char, 65536> part{};
  for (;;) {
    const la_ssize_t size = archive_read_data(reader, part.data(), part.size());
    if (size < 0) return fail(error_of(reader, name));
    if (size == 0) return bytes;
    bytes.append(part.data(), static_cast<std::size_t>(size));
    if (bytes.size() > most) {
      return fail(ErrorCode::kTruncated, name + " unfolds to more than acceptq takes");
    }
  }
}

Reader open(std::string_view bytes) {
  Reader reader(archive_read_new());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_raw(reader.get());
  archive_read_support_format_empty(reader.get());
  const int opened = archive_read_open_memory(reader.get(), bytes.data(), bytes.size());
  return opened == ARCHIVE_OK ? std::move(reader) : Reader();
}

}  // namespace

Result<std::string> pack(const std::string& folder, const std::vector<Entry>& entries) {
  std::string tar;
  for (const Entry& entry : entries) {
    if (const Status added = add(folder, entry, tar); !added) return fail(added.error());
  }
  tar.append(2 * kBlock, '\0');
  std::string packed(ZSTD_compressBound(tar.size()), '\0');
  const std::size_t size =
      ZSTD_compress(packed.data(), packed.size(), tar.data(), tar.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size) != 0U) {
    return fail(ErrorCode::kIo, std::string("cannot compress: ") + ZSTD_getErrorName(size));
  }
  packed.resize(size);
  return packed;
}

bool is_packed(std::string_view bytes) {
  using std::string_view_literals::operator""sv;
  constexpr std::size_t kTarMagic = 257;
  for (const std::string_view magic : {"\x1f\x8b"sv, "\x28\xb5\x2f\xfd"sv,
                                       "\xfd"
                                       "7zXZ\0"sv,
                                       "BZh"sv}) {
    if (bytes.starts_with(magic)) return true;
  }
  return bytes.size() > kTarMagic && bytes.substr(kTarMagic).starts_with("ustar");
}

Result<std::vector<Entry>> unpack(std::string_view bytes, const std::string& name,
                                  const Limits& limits) {
  const Reader reader = open(bytes);
  if (!reader) return fail(ErrorCode::kMalformed, name + ": it is no archive that acceptq knows");
  std::vector<Entry> entries;
  std::size_t left = limits.bytes;
  for (;;) {
    archive_entry* head = nullptr;
    const int status = archive_read_next_header(reader.get(), &head);
    if (status == ARCHIVE_EOF) return entries;
    if (status < ARCHIVE_WARN) return fail(error_of(reader.get(), name));
    const bool is_raw = archive_format(reader.get()) == ARCHIVE_FORMAT_RAW;
    if (!is_raw && archive_entry_filetype(head) != AE_IFREG) continue;
    if (entries.size() == limits.entries) {
      return fail(ErrorCode::kTruncated, name + " holds more files than acceptq takes");
    }
    Entry entry{.name = is_raw ? name : name_in_folder(archive_entry_pathname(head)), .bytes = {}};
    Result<std::string> read = read_entry(reader.get(), name, left);
    if (!read) return fail(std::move(read.error()));
    left -= read->size();
    entry.bytes = std::move(*read);
    entries.push_back(std::move(entry));
  }
}

}  // namespace acceptq::bundle
