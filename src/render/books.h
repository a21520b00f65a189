// The kernel's counters, and what of them the ledgers explain.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "diagnose/report.h"

namespace acceptq::render {

// Counters that did not move say nothing.
[[nodiscard]] bool is_worth_a_line(const diagnose::BookLine& line);

inline constexpr const char* kBooksTitle =
    "the kernel's counters, and what of them the ledgers explain";

// One line for each counter that is worth one.
[[nodiscard]] std::string books_text(const std::vector<diagnose::NamespaceBook>& books);

[[nodiscard]] nlohmann::ordered_json book_line_json(const diagnose::BookLine& line);

}  // namespace acceptq::render
