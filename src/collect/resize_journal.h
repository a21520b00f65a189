// What acceptq has changed on this host since it booted: its journal, RUN_ROOT/acceptq/resizes.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "facts/resize.h"

namespace acceptq::collect {

struct ResizeJournal {
  std::vector<facts::Resize> resizes;
  std::vector<Error> errors;  // files that could not be read, or are none of ours
};

// Empty where nothing was ever changed. Only a folder that root or the caller owns is believed.
[[nodiscard]] ResizeJournal read_resize_journal(const std::string& run_root);

}  // namespace acceptq::collect
