// Folders that acceptq keeps what it did in, and believes: nobody else can write to them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"

namespace acceptq {

// Makes it, for the caller alone (0700); what is above it must be there. Fails where it cannot be
// made, or is there and somebody else can write to it.
[[nodiscard]] Status make_own_folder(const std::string& path);

// kNotFound where it is not there; kPermission where it is none that only root or the caller can
// write to.
[[nodiscard]] Status check_own_folder(const std::string& path);

// The paths of what lies in it and ends in `suffix`, sorted; at most `most`.
[[nodiscard]] Result<std::vector<std::string>> paths_in(const std::string& folder,
                                                        const std::string& suffix,
                                                        std::size_t most);

}  // namespace acceptq
