// Counts by time as a picture.
#pragma once

#include <string>

#include "render/course.h"

namespace acceptq::render {

// An <svg> with its text alternative, whose element's id is `id`: a bar for each part, of shapes
// alone, stretched to its place.
[[nodiscard]] std::string html_course(const CourseLine& line, const std::string& id);

}  // namespace acceptq::render
