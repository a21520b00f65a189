// JSON in the middle of other text.
#pragma once

#include <cstddef>
#include <string>

#include "import/text.h"

namespace acceptq::imports {

// How many lines the JSON value has that begins at the first: up to where its brackets are closed;
// `text` is then all of it. 0 where they are not. Takes what it looked at off `budget` (null: no
// bound), so that text of nothing but open brackets is not looked through again and again.
[[nodiscard]] std::size_t lines_of_json(Lines lines, std::size_t* budget, std::string& text);

}  // namespace acceptq::imports
