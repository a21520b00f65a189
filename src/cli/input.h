// A file that --from names, of which the beginning tells what it is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "facts/snapshot.h"

namespace acceptq::cli {

struct Input {
  std::string name;  // for people
  UniqueFd owned;    // none: standard input
  int fd = -1;
  std::string head;  // what has been read of it
};

// "-" is standard input.
[[nodiscard]] Result<Input> open_input(const std::string& path);

// The whole of it, of at most `max_bytes`.
[[nodiscard]] Result<std::string> read_whole(const Input& input, std::size_t max_bytes);

[[nodiscard]] bool is_capture(const Input& input);
// Of a file that is in memory; the bytes outlive the call.
[[nodiscard]] bool is_capture(std::string_view bytes);
[[nodiscard]] Result<facts::Observation> read_capture(std::string_view bytes,
                                                      const std::string& name);
// As it comes: captures can be larger than memory. Shows its progress.
[[nodiscard]] Result<facts::Observation> read_capture(const Input& input);

}  // namespace acceptq::cli
