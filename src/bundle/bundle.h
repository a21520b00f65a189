// Evidence in one file: a tar archive of recordings, reports and captures, as `acceptq collect`
// makes it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace acceptq::bundle {

// The entry of a bundle that acceptq itself diagnoses.
inline constexpr const char* kRecordingName = "observation.json";

struct Entry {
  std::string name;  // below the archive's one folder: "observation.json"
  std::string bytes;

  friend bool operator==(const Entry&, const Entry&) = default;
};

// A tar archive, compressed by zstd, of the entries in a folder of that name. kMalformed for a name
// of more than 99 bytes.
[[nodiscard]] Result<std::string> pack(const std::string& folder,
                                       const std::vector<Entry>& entries);

// What an archive may unfold to: a small file can be made to fill memory.
struct Limits {
  std::size_t bytes = std::size_t{256} << 20;  // of all entries
  std::size_t entries = 10'000;
};

// Whether these are the first bytes of a tar archive, or of something compressed by gzip, zstd, xz
// or bzip2.
[[nodiscard]] bool is_packed(std::string_view bytes);

// The regular files of a tar archive, whatever it is compressed by; of a compressed file that is no
// archive, that file, under the name `name`. Nothing is written anywhere, and names are no more
// than names. kTruncated past a limit, kMalformed for what is damaged.
[[nodiscard]] Result<std::vector<Entry>> unpack(std::string_view bytes, const std::string& name,
                                                const Limits& limits = {});

}  // namespace acceptq::bundle
