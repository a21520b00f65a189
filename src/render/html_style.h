// How a page looks: its only style sheet, written into it.
#pragma once

namespace acceptq::render {

extern const char* const kHtmlStyle;

}  // namespace acceptq::render
