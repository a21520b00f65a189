// Whoever runs acceptq.
#pragma once

#include "facts/author.h"

namespace acceptq::apply {

[[nodiscard]] facts::Author this_author();

}  // namespace acceptq::apply
