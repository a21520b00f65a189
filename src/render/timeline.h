// How full a queue was around an incident.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

// Parts of equal length of the time around an incident, and the longest that the queue was in each.
struct QueueCourse {
  double before_s = 0;  // from the beginning to the overflow
  double after_s = 0;   // from there to the end
  std::vector<std::uint32_t> longest;
  QueueLimit limit;
};

// In at most so many parts. Empty where nothing is known.
[[nodiscard]] std::optional<QueueCourse> queue_course(const facts::Observation& observation,
                                                      const facts::Listener& listener,
                                                      std::size_t most);

// "from 10 s before the overflow to 5 s after".
[[nodiscard]] std::string span_text(const QueueCourse& course);

// "▁▁▁▃█████▇▂▁ from 10 s before the overflow to 5 s after it": one sign for each part of the time,
// as high as the longest that the queue was in it. Empty where nothing is known.
[[nodiscard]] std::string timeline_text(const TermStyle& style,
                                        const facts::Observation& observation,
                                        const facts::Listener& listener);

// `lengths` as a line of signs, each a share of `capacity`.
[[nodiscard]] std::string sparkline(const TermStyle& style,
                                    const std::vector<std::uint32_t>& lengths,
                                    std::uint64_t capacity);

}  // namespace acceptq::render
