#include "render/document_html.h"

#include <fmt/format.h>

#include <algorithm>

#include "render/html.h"
#include "render/html_course.h"
#include "render/html_flow.h"
#include "render/html_style.h"
#include "render/html_timeline.h"
#include "render/names.h"

namespace acceptq::render {
namespace {

using diagnose::Severity;

std::string chip(const char* kind, const char* word) {
  return fmt::format("<span class=\"chip {}\">{}</span>", kind, html_escaped(word));
}

// Long sentences in a narrow column are a ribbon; numbers and names are not.
bool is_prose(std::string_view cell) {
  constexpr std::size_t kLong = 40;
  return cell.size() > kLong && cell.find(' ') != std::string_view::npos;
}

class Writer {
 public:
  std::string text;

  void write(const Paragraph& paragraph) { text += html_element("p", paragraph.text) + "\n"; }

  void write(const Details& details) { write_rows(details.rows); }

  void write(const Bullets& bullets) {
    text += "<ul>\n";
    for (const std::string& item : bullets.items) text += html_element("li", item) + "\n";
    text += "</ul>\n";
  }

  // In a box that scrolls by itself, which the keyboard reaches.
  void write(const Table& table) {
    text += fmt::format("<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"{}\">\n",
                        html_escaped(table.caption));
    text += "<table>\n" + html_element("caption", table.caption) + "\n<thead><tr>";
    for (const Table::Column& column : table.columns) {
      text += fmt::format("<th scope=\"col\"{}>{}</th>",
                          column.is_number ? " class=\"number\"" : "", html_escaped(column.name));
    }
    text += "</tr></thead>\n<tbody>\n";
    for (const auto& row : table.rows) write_cells(table, row);
    text += "</tbody>\n</table>\n</div>\n";
  }

  void write(const Steps& steps) {
    text += "<ol>\n";
    for (const Steps::Step& step : steps.steps) {
      text += "<li>" + html_element("p", step.text) + "\n";
      if (!step.content.empty()) {
        text += step.is_code
                    ? fmt::format(
                          "<pre role=\"group\" tabindex=\"0\" aria-label=\"to copy\">{}</pre>\n",
                          html_lines(step.content))
                    : html_element("p", step.content) + "\n";
      }
      if (!step.then.empty()) text += html_element("p", step.then) + "\n";
      text += "</li>\n";
    }
    text += "</ol>\n";
  }

  void write(const Timeline& timeline) {
    const QueueCourse& course = timeline.course;
    text +=
        "<figure>\n" +
        html_element("figcaption",
                     timeline_sentence(course) +
                         (timeline.refused.empty() ? "" : " Refused: " + timeline.refused + ".")) +
        "\n";
    text += html_timeline(course, next_id());
    text += fmt::format(
        "<p class=\"ends\"><span>{:.1f} s before the overflow</span> <span>{:.1f} s "
        "after</span></p>\n"
        "<ul class=\"legend\"><li><span class=\"queue\"></span>connections that wait</li>"
        "<li><span class=\"limit\"></span>the limit, {}</li>"
        "<li><span class=\"refusal\"></span>the first refusal</li></ul>\n"
        "<details><summary>The same as a table</summary>\n",
        course.before_s, course.after_s, course.limit.value());
    Table table{.caption = "the longest that the queue was, by the time since the overflow",
                .columns = {{"from, in seconds", true}, {"connections", true}},
                .rows = {}};
    const double part =
        (course.before_s + course.after_s) / static_cast<double>(course.longest.size());
    double from = -course.before_s;
    for (const std::uint32_t length : course.longest) {
      table.rows.push_back({fmt::format("{:.2f}", from), std::to_string(length)});
      from += part;
    }
    write(table);
    text += "</details>\n</figure>\n";
  }

  void write(const Course& course) {
    const CourseView& view = course.view;
    text += "<figure>\n" + html_element("figcaption", view.title + ": " + view.span) + "\n";
    Table table{.caption = "the same numbers, by the time since the beginning",
                .columns = {{"from, in seconds", true}},
                .rows = std::vector<std::vector<std::string>>(view.lines.front().counts.size())};
    for (const CourseLine& line : view.lines) {
      text += html_element("p", line.summary) + "\n" + html_course(line, next_id());
      table.columns.push_back({line.what, true});
    }
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
      table.rows[i].push_back(
          fmt::format("{:.1f}", view.from_s + static_cast<double>(i) * view.part_s));
      const bool is_seen = std::ranges::find(view.unseen, i) == view.unseen.end();
      for (const CourseLine& line : view.lines) {
        table.rows[i].push_back(is_seen ? std::to_string(line.counts[i]) : "not seen");
      }
    }
    text += "<details><summary>The same as a table</summary>\n";
    write(table);
    text += "</details>\n</figure>\n";
  }

  void write(const Flow& flow) {
    text += "<figure>\n<figcaption>Packets of handshakes, from SYN to accept()</figcaption>\n";
    text += html_flow(flow.ledger, next_id());
    write_rows(flow.rows);
    text += "</figure>\n";
  }

  void write(const Block& block) {
    std::visit([this](const auto& each) { write(each); }, block);
  }

  void write(const Section& section, int level) {
    text += fmt::format("<section>\n<h{0}>{1}{2}</h{0}>\n", level, severity_of(section),
                        html_escaped(section.title));
    for (const Block& block : section.blocks) write(block);
    for (const Section& each : section.sections) write(each, level + 1);
    text += "</section>\n";
  }

  [[nodiscard]] static std::string severity_of(const Section& section) {
    if (!section.severity) return "";
    return chip(name_of(*section.severity), name_of(*section.severity)) + " ";
  }

 private:
  void write_rows(const std::vector<Row>& rows) {
    text += "<dl>\n";
    for (const Row& row : rows) {
      text += html_element("dt", row.label) + html_element("dd", row.text) + "\n";
    }
    text += "</dl>\n";
  }

  void write_cells(const Table& table, const std::vector<std::string>& row) {
    text += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::string_view kind = table.columns[i].is_number ? " class=\"number\"" : "";
      if (i > 0 && is_prose(row[i])) kind = " class=\"prose\"";
      text += i == 0 ? fmt::format("<th scope=\"row\"{}>{}</th>", kind, html_escaped(row[i]))
                     : fmt::format("<td{}>{}</td>", kind, html_escaped(row[i]));
    }
    text += "</tr>\n";
  }

  std::string next_id() { return fmt::format("p{}", ++ids_); }

  int ids_ = 0;
};

const char* kind_of(diagnose::Verdict verdict, const std::vector<Section>& sections) {
  if (verdict == diagnose::Verdict::kHealthy) return "good";
  Severity worst = Severity::kNotice;
  for (const Section& section : sections) {
    worst = std::max(worst, section.severity.value_or(Severity::kNotice));
    for (const Section& each : section.sections) {
      worst = std::max(worst, each.severity.value_or(Severity::kNotice));
    }
  }
  return name_of(worst);
}

}  // namespace

std::string html(const Document& document) {
  const std::string host = document.about.empty() ? "" : document.about.front();
  Writer writer;
  writer.text = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<header>\n",
      html_escaped(host + ": " + document.headline), kHtmlStyle);
  writer.text += html_element("h1", document.headline) + "\n<ul class=\"about\">";
  writer.text += "<li>verdict: " +
                 chip(kind_of(document.verdict, document.sections), name_of(document.verdict)) +
                 " </li>";
  for (const std::string& part : document.about) writer.text += html_element("li", part + " ");
  writer.text += "</ul>\n</header>\n<main>\n";
  for (const Block& block : document.blocks) writer.write(block);
  for (const Section& section : document.sections) writer.write(section, 2);
  writer.text +=
      "</main>\n<footer>" + html_element("p", document.colophon) + "</footer>\n</body>\n</html>\n";
  return writer.text;
}

}  // namespace acceptq::render
