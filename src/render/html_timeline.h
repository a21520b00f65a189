// How long a queue was around an incident, as a picture.
#pragma once

#include <string>

#include "render/timeline.h"

namespace acceptq::render {

// An <svg> with its text alternative, whose elements' ids begin with `id`. It has shapes alone and
// is stretched to its place: what is written beside it is for the page.
[[nodiscard]] std::string html_timeline(const QueueCourse& course, const std::string& id);

// The same in a sentence: "The queue from … to …: at most 129, limit 128."
[[nodiscard]] std::string timeline_sentence(const QueueCourse& course);

}  // namespace acceptq::render
