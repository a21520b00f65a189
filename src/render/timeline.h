// How full a queue was around an incident.
#pragma once

#include <string>

#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

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
