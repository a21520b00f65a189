// The block of text about one listener that is in trouble.
#pragma once

#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

[[nodiscard]] std::string listener_block(const TermStyle& style,
                                         const facts::Observation& observation,
                                         const facts::Listener& listener,
                                         const diagnose::ListenerReport& report,
                                         const std::vector<const diagnose::Finding*>& findings);

// A finding that belongs to no listener.
[[nodiscard]] std::string finding_block(const TermStyle& style, const diagnose::Finding& finding);

}  // namespace acceptq::render
