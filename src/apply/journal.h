// Writes the journal of resizes that collect/resize_journal reads.
#pragma once

#include <string>

#include "base/result.h"
#include "facts/resize.h"

namespace acceptq::apply {

inline constexpr const char* kRunRoot = "/run";

class Journal {
 public:
  // Makes RUN_ROOT/acceptq/resizes, for the caller alone (0700). Fails where it cannot be made, or
  // is somebody else's.
  [[nodiscard]] static Result<Journal> Open(const std::string& run_root = kRunRoot);

  // In place of what was kept for the listener; whoever reads sees the one or the other, whole.
  [[nodiscard]] Status keep(const facts::Listener& listener, const facts::Resize& resize) const;
  [[nodiscard]] Status forget(const facts::Listener& listener) const;

 private:
  explicit Journal(std::string folder) : folder_(std::move(folder)) {}

  std::string folder_;
};

}  // namespace acceptq::apply
