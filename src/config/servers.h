// Whose configuration can be edited here. Pure.
#pragma once

#include <string_view>

#include "base/result.h"
#include "config/edit.h"

namespace acceptq::config {

// Whether a program of this path is such a server, or can be (an interpreter).
[[nodiscard]] bool knows_server(std::string_view program);

// The edit that gives the wish's listener, which the process holds, its new number. Fails with
// kUnsupported for a server whose configuration is not known here, kNotFound where its files, or
// the listener in them, are not found, kMalformed with the place of what was not understood, and
// with the error of `read`.
[[nodiscard]] Result<Edit> plan_edit(const Invocation& invocation, const Wish& wish,
                                     const ReadFiles& read);

// The edit, unless what it takes away is more than what is wanted: what a file says need not be
// what is in force, since somaxconn may clamp it, a pool may not have grown so far, or the server
// may not have been restarted since. Then none, which leaves a restart.
[[nodiscard]] Edit only_more(Edit edit, const Wish& wish);

}  // namespace acceptq::config
