// Where a user wants a result to be kept: a file, a pipe, a device, standard output.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace acceptq {

// Writes all of it, waiting where `fd` does not block. 0, or the errno of the write that failed.
[[nodiscard]] int write_all(int fd, std::string_view bytes);

// Opened before the work begins, so that a path that cannot be written is known then and not after
// hours; written once, at the end. A regular file is replaced in one step (a reader or a crash
// never sees half of it) and keeps owner and mode; of symbolic links it is the target that is
// replaced. Anything else is written into, and never replaced.
class OutputFile {
 public:
  // "-" is standard output. Waits for the reader of a named pipe until `give_up` says true (never,
  // where it is empty); then kInterrupted. kMalformed for what no result can be written to: an
  // empty path, a directory, a block device.
  [[nodiscard]] static Result<OutputFile> Open(const std::string& path,
                                               const std::function<bool()>& give_up = {});

  [[nodiscard]] Status write(std::string_view bytes) const;

  [[nodiscard]] bool is_stdout() const { return is_stdout_; }

 private:
  [[nodiscard]] Status replace(std::string_view bytes) const;

  std::string name_;    // as the user gave it
  std::string target_;  // the regular file, links resolved; empty: written through fd_
  UniqueFd fd_;
  bool is_stdout_ = false;
};

}  // namespace acceptq
