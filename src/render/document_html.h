// A document as one HTML file: nothing comes from elsewhere, and nothing in it runs.
#pragma once

#include <string>

#include "render/document.h"

namespace acceptq::render {

[[nodiscard]] std::string html(const Document& document);

}  // namespace acceptq::render
