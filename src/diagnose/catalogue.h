// The table of findings, made from docs/findings.md, which is compiled in: one section feeds the
// diagnosis, `acceptq explain` and the reader.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "diagnose/report.h"

namespace acceptq::diagnose {

struct CatalogueEntry {
  std::string id;
  Severity severity = Severity::kNotice;  // the usual one
  std::string title;                      // a statement, as it heads a finding
  std::string meaning;
  std::string next;  // what to do
};

[[nodiscard]] std::span<const CatalogueEntry> catalogue();

// The row of `id`; null where there is none.
[[nodiscard]] const CatalogueEntry* find_entry(std::string_view id);

// A finding with what its row gives: id, severity and title.
[[nodiscard]] Finding make_finding(std::string_view id);

}  // namespace acceptq::diagnose
