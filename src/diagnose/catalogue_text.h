// The pages of docs/ that are compiled in, docs/findings.md and docs/explain.md, read into tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "diagnose/catalogue.h"

namespace acceptq::diagnose {

// A counter, a setting, or what people paste.
struct Word {
  std::string name;
  std::string title;
  std::string kind;                  // "counter", "sysctl", "column", "term", "message" …
  std::vector<std::string> aliases;  // lower case; one with a blank is looked for inside sentences
  std::string text;
  std::string source;  // where the kernel does it
};

// Sections "## NAME: TITLE" of paragraphs, which may be wrapped; marks of inline code are left out.
// A finding's first paragraph is "Severity: S.", its last begins with "**What to do:**". A word's
// first is "Kind: K.", perhaps with "Also: `ALIAS`, …."; its last begins with "In the kernel:".
// Anything else is malformed, with the heading in the message.
[[nodiscard]] Result<std::vector<CatalogueEntry>> parse_findings(std::string_view markdown);
[[nodiscard]] Result<std::vector<Word>> parse_words(std::string_view markdown);

}  // namespace acceptq::diagnose
