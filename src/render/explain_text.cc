#include "render/explain_text.h"

#include <nlohmann/json.hpp>
#include "base/bytes.h"

namespace acceptq::render {

std::string explain_text(const TermStyle& style, const diagnose::Explanation& explanation) {
  std::string text = ink(style, Ink::kBold, explanation.word) + "  " + explanation.title + "\n\n" +
                     wrap(style, 0, explanation.text);
  if (!explanation.next.empty()) text += "\n" + wrap(style, 0, "What to do: " + explanation.next);
  if (!explanation.source.empty()) {
    text += "\n" + ink(style, Ink::kDim, wrap(style, 0, "In the kernel: " + explanation.source));
  }
  return for_terminal(style, text);
}

std::string explain_json(const diagnose::Explanation& explanation) {
  const nlohmann::ordered_json json = {
      {"schema", "acceptq.explanation/1"}, {"word", explanation.word}, {"kind", explanation.kind},
      {"title", explanation.title},        {"text", explanation.text}, {"next", explanation.next},
      {"source", explanation.source}};
  return printable_json(json.dump(1)) + "\n";
}

}  // namespace acceptq::render
