// Files that are at hand as text, in place of a file system: what a server printed. Pure.
#pragma once

#include <vector>

#include "config/edit.h"

namespace acceptq::config {

// Reads among these, and nothing else; a name that they do not have fails with kNotFound.
[[nodiscard]] ReadFiles among(std::vector<File> files);

}  // namespace acceptq::config
