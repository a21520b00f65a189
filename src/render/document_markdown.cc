#include "render/document_markdown.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "render/names.h"
#include "render/remedy_text.h"

namespace acceptq::render {
namespace {

// Characters that a backslash keeps from being markup in every kind of Markdown. "$" begins a
// formula and "~" a line through the text where those are known.
constexpr std::string_view kMarkup = "\\`*_[]~$";

std::string_view entity_of(char sign) {
  switch (sign) {
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '&':
      return "&amp;";
    case '|':  // a table splits its cells before it looks at backslashes
      return "&#124;";
    default:
      return {};
  }
}

// What makes a link of text that is not marked as one: "://" and "www.".
bool makes_link(std::string_view before, std::string_view rest) {
  if (rest.starts_with("://")) return true;
  constexpr std::size_t kLetters = 3;
  if (rest.front() != '.' || before.size() < kLetters) return false;
  return std::ranges::all_of(before.substr(before.size() - kLetters),
                             [](char letter) { return letter == 'w' || letter == 'W'; });
}

// At the beginning of a line: headings, lists, lines under headings.
bool begins_block(std::string_view text) {
  if (text.empty()) return false;
  if (std::string_view("#+-=").find(text.front()) != std::string_view::npos) return true;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return digits > 0 && digits < text.size() && (text[digits] == '.' || text[digits] == ')');
}

std::string line_of(std::string_view text) {
  std::string escaped = markdown_escaped(text);
  if (!begins_block(escaped)) return escaped;
  const std::size_t digits = escaped.find_first_not_of("0123456789");
  return escaped.insert(digits, "\\");
}

class Writer {
 public:
  std::string text;

  void write(const Paragraph& paragraph) { add(line_of(paragraph.text)); }

  void write(const Details& details) {
    std::string list;
    for (const Row& row : details.rows) {
      list +=
          fmt::format("- **{}**: {}\n", markdown_escaped(row.label), markdown_escaped(row.text));
    }
    add(list);
  }

  void write(const Bullets& bullets) {
    std::string list;
    for (const std::string& item : bullets.items) list += "- " + line_of(item) + "\n";
    add(list);
  }

  // Its caption is the heading above it, or the sentence.
  void write(const Table& table) {
    std::string head = "|";
    std::string rule = "|";
    for (const Table::Column& column : table.columns) {
      head += " " + markdown_escaped(column.name) + " |";
      rule += column.is_number ? " ---: |" : " --- |";
    }
    std::string lines = head + "\n" + rule + "\n";
    for (const auto& row : table.rows) {
      lines += "|";
      for (const std::string& cell : row) lines += " " + markdown_escaped(cell) + " |";
      lines += "\n";
    }
    add(lines);
  }

  void write(const Steps& steps) {
    std::size_t number = 0;
    for (const Steps::Step& step : steps.steps) {
      add(fmt::format("**{}.** {}", ++number, markdown_escaped(step.text)));
      if (!step.content.empty()) {
        add(step.is_code ? markdown_code(step.content) : line_of(step.content));
      }
      if (!step.then.empty()) add(line_of(step.then));
    }
  }

  void write(const Timeline& timeline) { add("The queue " + markdown_escaped(timeline.text)); }

  void write(const Course& course) {
    std::string list = course.view.title + ", " + markdown_escaped(course.lines.front()) + ":\n\n";
    for (std::size_t i = 1; i < course.lines.size(); ++i) {
      list += "- " + markdown_escaped(course.lines[i]) + "\n";
    }
    add(list);
  }

  void write(const Flow& flow) {
    Table table{.caption = "", .columns = {{"handshakes"}, {"packets"}}, .rows = {}};
    for (const Row& row : flow.rows) table.rows.push_back({row.label, row.text});
    write(table);
  }

  void write(const Block& block) {
    std::visit([this](const auto& each) { write(each); }, block);
  }

  void write(const Section& section, std::size_t level) {
    const std::string severity =
        section.severity ? fmt::format("{}: ", name_of(*section.severity)) : "";
    add(std::string(level, '#') + " " + severity + markdown_escaped(section.title));
    for (const Block& block : section.blocks) write(block);
    for (const Section& each : section.sections) write(each, level + 1);
  }

  // A block, behind an empty line.
  void add(std::string_view block) {
    if (!text.empty()) text += "\n";
    text += block;
    if (!block.ends_with('\n')) text += "\n";
  }
};

}  // namespace

std::string markdown_escaped(std::string_view text) {
  const std::string shown = printable(text);
  const std::string_view all = trim(shown);
  std::string out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (const std::string_view entity = entity_of(all[i]); !entity.empty()) {
      out += entity;
      continue;
    }
    const bool is_markup = kMarkup.find(all[i]) != std::string_view::npos;
    if (is_markup || makes_link(all.substr(0, i), all.substr(i))) out += '\\';
    out += all[i];
  }
  return out;
}

std::string markdown_code(std::string_view text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char sign : text) {
    run = sign == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  constexpr std::size_t kShortest = 3;
  const std::string fence(std::max(kShortest, longest + 1), '`');
  return fence + "\n" + text_to_copy(text, 0) + fence + "\n";
}

std::string markdown(const Document& document) {
  Writer writer;
  writer.add("# " + markdown_escaped(document.headline));
  std::string about;
  for (const std::string& part : document.about) {
    about += (about.empty() ? "" : " · ") + markdown_escaped(part);
  }
  writer.add(about + " · verdict: " + markdown_escaped(name_of(document.verdict)));
  for (const Block& block : document.blocks) writer.write(block);
  for (const Section& section : document.sections) writer.write(section, 2);
  writer.add(markdown_escaped(document.colophon));
  return writer.text;
}

}  // namespace acceptq::render
