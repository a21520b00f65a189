// The first line of a report, which `top` shows as well: the verdict, and how bad it is.
#pragma once

#include <string>

#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

struct Headline {
  std::string text;
  Ink ink = Ink::kPlain;
};

[[nodiscard]] Headline headline(const diagnose::Report& report,
                                const facts::Observation& observation);

}  // namespace acceptq::render
