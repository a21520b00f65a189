#include "diagnose/catalogue.h"

#include <algorithm>
#include <cstdlib>

#include "diagnose/catalogue_text.h"
#include "diagnose/pages.h"

namespace acceptq::diagnose {

std::span<const CatalogueEntry> catalogue() {
  // A page that cannot be read is our own mistake, which every test meets.
  static const std::vector<CatalogueEntry> entries = [] {
    Result<std::vector<CatalogueEntry>> read = parse_findings(kFindingsPage);
    if (!read) std::abort();
    return *std::move(read);
  }();
  return entries;
}

const CatalogueEntry* find_entry(std::string_view id) {
  const auto entries = catalogue();
  const auto it = std::ranges::find(entries, id, &CatalogueEntry::id);
  return it != entries.end() ? &*it : nullptr;
}

Finding make_finding(std::string_view id) {
  const CatalogueEntry* entry = find_entry(id);
  if (entry == nullptr) std::abort();  // a finding that the table does not have: our own mistake
  Finding finding;
  finding.id = entry->id;
  finding.severity = entry->severity;
  finding.title = entry->title;
  return finding;
}

}  // namespace acceptq::diagnose
