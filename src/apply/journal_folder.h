// Where acceptq's journals lie.
#pragma once

#include <string>

#include "base/result.h"

namespace acceptq::apply {

// Makes ROOT/FOLDER ("acceptq/changes") for the caller alone, and gives its path. Fails where it
// cannot be made, or is somebody else's.
[[nodiscard]] Result<std::string> make_journal_folder(const std::string& root,
                                                      const std::string& folder);

}  // namespace acceptq::apply
