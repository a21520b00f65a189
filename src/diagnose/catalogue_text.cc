#include "diagnose/catalogue_text.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/text.h"

namespace acceptq::diagnose {
namespace {

struct Section {
  std::string heading;
  std::vector<std::string> paragraphs;
};

// Lines of one paragraph are joined by blanks. What stands before the first section is for readers.
std::vector<Section> sections_of(std::string_view markdown) {
  std::vector<Section> sections;
  bool joins = false;
  while (!markdown.empty()) {
    const std::string_view line = trim(next_line(markdown));
    if (line.starts_with("## ")) {
      sections.push_back({.heading = std::string(line.substr(3)), .paragraphs = {}});
      joins = false;
    } else if (line.empty()) {
      joins = false;
    } else if (!sections.empty()) {
      std::vector<std::string>& paragraphs = sections.back().paragraphs;
      if (!joins) paragraphs.emplace_back();
      if (joins) paragraphs.back() += ' ';
      paragraphs.back() += line;
      joins = true;
    }
  }
  return sections;
}

std::string without_marks(std::string text) {
  std::erase(text, '`');
  return text;
}

// What follows `label` at the beginning of a paragraph.
std::optional<std::string> labelled(const std::string& paragraph, std::string_view label) {
  if (!paragraph.starts_with(label)) return std::nullopt;
  return std::string(trim(std::string_view(paragraph).substr(label.size())));
}

// A section as both pages have it: a first paragraph with `first` before it, text, and a last one.
struct Parts {
  std::string name;
  std::string title;
  std::string first;
  std::string text;
  std::string last;
};

Result<Parts> parts_of(const Section& section, std::string_view first, std::string_view last) {
  const std::size_t colon = section.heading.find(": ");
  const std::size_t count = section.paragraphs.size();
  const auto head = count > 2 ? labelled(section.paragraphs.front(), first) : std::nullopt;
  const auto tail = count > 2 ? labelled(section.paragraphs.back(), last) : std::nullopt;
  if (colon == std::string::npos || !head || !tail) {
    return fail(ErrorCode::kMalformed, "section \"" + section.heading +
                                           "\": wants \"NAME: TITLE\", \"" + std::string(first) +
                                           "\", text and \"" + std::string(last) + "\"");
  }
  Parts parts{.name = section.heading.substr(0, colon),
              .title = without_marks(section.heading.substr(colon + 2)),
              .first = *head,
              .text = {},
              .last = without_marks(*tail)};
  for (std::size_t i = 1; i + 1 < count; ++i) {
    parts.text += (i > 1 ? "\n\n" : "") + without_marks(section.paragraphs[i]);
  }
  return parts;
}

std::optional<Severity> severity_of(std::string_view name) {
  if (name == "notice.") return Severity::kNotice;
  if (name == "warning.") return Severity::kWarning;
  if (name == "critical.") return Severity::kCritical;
  return std::nullopt;
}

std::vector<std::string> quoted_by_backticks(std::string_view text) {
  std::vector<std::string> quoted;
  const std::vector<std::string_view> parts = split(text, '`');
  for (std::size_t i = 1; i < parts.size(); i += 2) {
    quoted.emplace_back(parts[i]);
    std::ranges::transform(quoted.back(), quoted.back().begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  return quoted;
}

}  // namespace

Result<std::vector<CatalogueEntry>> parse_findings(std::string_view markdown) {
  std::vector<CatalogueEntry> entries;
  for (const Section& section : sections_of(markdown)) {
    Result<Parts> parts = parts_of(section, "Severity:", "**What to do:**");
    if (!parts) return fail(parts.error());
    const std::optional<Severity> severity = severity_of(parts->first);
    if (!severity) {
      return fail(ErrorCode::kMalformed, parts->name + ": \"" + parts->first + "\" is no severity");
    }
    entries.push_back({.id = std::move(parts->name),
                       .severity = *severity,
                       .title = std::move(parts->title),
                       .meaning = std::move(parts->text),
                       .next = std::move(parts->last)});
  }
  return entries;
}

Result<std::vector<Word>> parse_words(std::string_view markdown) {
  std::vector<Word> words;
  for (const Section& section : sections_of(markdown)) {
    Result<Parts> parts = parts_of(section, "Kind:", "In the kernel:");
    if (!parts) return fail(parts.error());
    const std::size_t full_stop = parts->first.find('.');
    if (full_stop == std::string::npos) {
      return fail(ErrorCode::kMalformed, parts->name + ": the kind does not end in a full stop");
    }
    if (parts->last.ends_with('.')) parts->last.pop_back();
    words.push_back({.name = std::move(parts->name),
                     .title = std::move(parts->title),
                     .kind = parts->first.substr(0, full_stop),
                     .aliases = quoted_by_backticks(parts->first),
                     .text = std::move(parts->text),
                     .source = std::move(parts->last)});
  }
  return words;
}

}  // namespace acceptq::diagnose
