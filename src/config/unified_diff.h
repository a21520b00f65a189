// An edit as a unified diff, for people and for `patch -p1 -d ROOT`. Pure.
#pragma once

#include <string>

#include "config/edit.h"

namespace acceptq::config {

// One hunk with three lines of context, in the form of `diff -u`; names are a/PATH and b/PATH,
// /dev/null for what a new file was, quoted as GNU diff quotes where they hold what would mislead.
// Empty where nothing changes.
[[nodiscard]] std::string unified_diff(const FileEdit& edit);

}  // namespace acceptq::config
