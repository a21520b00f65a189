// The table of findings: one row feeds the diagnosis, `acceptq explain` and docs/findings.md.
#pragma once

#include <span>
#include <string_view>

#include "diagnose/report.h"

namespace acceptq::diagnose {

struct CatalogueEntry {
  std::string_view id;
  Severity severity;       // the usual one
  std::string_view title;  // a statement, as it heads a finding
  std::string_view meaning;
  std::string_view next;  // what to do
};

[[nodiscard]] std::span<const CatalogueEntry> catalogue();

// The row of `id`; null where there is none.
[[nodiscard]] const CatalogueEntry* find_entry(std::string_view id);

// A finding with what its row gives: id, severity and title.
[[nodiscard]] Finding make_finding(std::string_view id);

}  // namespace acceptq::diagnose
