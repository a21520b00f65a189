// One remedy as JSON, as a report and a plan have it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "diagnose/report.h"

namespace acceptq::render {

[[nodiscard]] nlohmann::ordered_json remedy_json(const diagnose::Remedy& remedy);

}  // namespace acceptq::render
