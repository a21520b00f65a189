#include "bundle/bundle.h"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <memory>
#include <utility>

namespace acceptq::bundle {
namespace {

template <int (*kFree)(archive*)>
struct Free {
  void operator()(archive* handle) const { kFree(handle); }
};
using Reader = std::unique_ptr<archive, Free<archive_read_free>>;
using Writer = std::unique_ptr<archive, Free<archive_write_free>>;

struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using EntryHead = std::unique_ptr<archive_entry, FreeEntry>;

Error error_of(archive* handle, const std::string& what) {
  const char* why = archive_error_string(handle);
  return {ErrorCode::kMalformed, 0, what + ": " + (why != nullptr ? why : "it is damaged")};
}

la_ssize_t append(archive* handle, void* to, const void* bytes, std::size_t size) {
  static_cast<void>(handle);
  static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

Status add(archive* writer, const std::string& folder, const Entry& entry) {
  const EntryHead head(archive_entry_new());
  archive_entry_set_pathname(head.get(), (folder + "/" + entry.name).c_str());
  archive_entry_set_size(head.get(), static_cast<la_int64_t>(entry.bytes.size()));
  archive_entry_set_filetype(head.get(), AE_IFREG);
  archive_entry_set_perm(head.get(), 0600);
  const bool done = archive_write_header(writer, head.get()) == ARCHIVE_OK &&
                    archive_write_data(writer, entry.bytes.data(), entry.bytes.size()) ==
                        static_cast<la_ssize_t>(entry.bytes.size());
  return done ? Status{} : fail(error_of(writer, "cannot pack " + entry.name));
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
  std::string bytes;
  const Writer writer(archive_write_new());
  archive_write_add_filter_zstd(writer.get());
  archive_write_set_format_pax_restricted(writer.get());
  archive_write_set_bytes_in_last_block(writer.get(), 1);  // no padding behind the last
  if (archive_write_open(writer.get(), &bytes, nullptr, append, nullptr) != ARCHIVE_OK) {
    return fail(error_of(writer.get(), "cannot make an archive"));
  }
  for (const Entry& entry : entries) {
    if (const Status added = add(writer.get(), folder, entry); !added) return fail(added.error());
  }
  if (archive_write_close(writer.get()) != ARCHIVE_OK) {
    return fail(error_of(writer.get(), "cannot make an archive"));
  }
  return bytes;
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
