// What keys do to the live view. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/keys.h"
#include "render/top_screen.h"

namespace acceptq::cli {

// False: the user wants to end. `shown` are the keys of the listeners in the list, in its order;
// `page` is how many fit on the screen.
[[nodiscard]] bool press(const Key& key, const std::vector<std::string>& shown, std::size_t page,
                         render::TopState& state);

}  // namespace acceptq::cli
