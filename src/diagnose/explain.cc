#include "diagnose/explain.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <span>

#include "base/text.h"
#include "diagnose/catalogue.h"
#include "diagnose/catalogue_text.h"
#include "diagnose/pages.h"

namespace acceptq::diagnose {
namespace {

std::span<const Word> words() {
  static const std::vector<Word> all = [] {
    Result<std::vector<Word>> read = parse_words(kExplainPage);
    if (!read) std::abort();
    return *std::move(read);
  }();
  return all;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// The other names of a word: without nstat's prefix or the sysctl's path, and its aliases, of which
// sentences may be part of what was pasted.
bool names(const Word& word, const std::string& asked) {
  const std::string name = lower(word.name);
  if (name == asked) return true;
  for (const std::string_view prefix : {"tcpext", "tcp", "net.ipv4.", "net.core."}) {
    if (name.starts_with(prefix) && name.substr(prefix.size()) == asked) return true;
  }
  return std::ranges::any_of(word.aliases, [&](const std::string& alias) {
    return alias.find(' ') != std::string::npos ? asked.find(alias) != std::string::npos
                                                : alias == asked;
  });
}

Explanation explain(const CatalogueEntry& entry) {
  return {.word = entry.id,
          .kind = "finding",
          .title = entry.title,
          .text = entry.meaning,
          .next = entry.next,
          .source = {}};
}

}  // namespace

std::optional<Explanation> explain_word(std::string_view word) {
  constexpr std::size_t kLongest = 200;
  if (word.size() > kLongest) return std::nullopt;
  std::string asked = lower(word);
  std::ranges::replace(asked, '/', '.');  // net/core/somaxconn
  for (const CatalogueEntry& entry : catalogue()) {
    if (lower(entry.id) == asked) return explain(entry);
  }
  for (const Word& known : words()) {
    if (!names(known, asked)) continue;
    return Explanation{.word = known.name,
                       .kind = known.kind,
                       .title = known.title,
                       .text = known.text,
                       .next = {},
                       .source = known.source};
  }
  return std::nullopt;
}

std::vector<std::string> similar_words(std::string_view word) {
  constexpr std::size_t kLongest = 64;
  constexpr std::size_t kMost = 3;
  const std::string asked = lower(word.substr(0, kLongest));
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& known : known_words()) {
    std::string name = lower(known);
    std::size_t best = edit_distance(asked, name);
    for (const std::string_view prefix : {"tcpext", "tcp", "net.ipv4.", "net.core."}) {
      if (name.starts_with(prefix))
        best = std::min(best, edit_distance(asked, name.substr(prefix.size())));
    }
    if (best <= asked.size() / 3 + 1) ranked.emplace_back(best, known);
  }
  std::ranges::sort(ranked);
  std::vector<std::string> similar;
  for (auto& [rank, known] : ranked) {
    if (similar.size() < kMost) similar.push_back(std::move(known));
  }
  return similar;
}

std::vector<std::string> known_words() {
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : catalogue()) names.emplace_back(entry.id);
  for (const Word& word : words()) names.emplace_back(word.name);
  return names;
}

}  // namespace acceptq::diagnose
