// A report as a document: what a Markdown or an HTML page says, in its order, before it is written
// as either. Texts are plain; whoever writes them escapes them.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "diagnose/report.h"
#include "facts/ledger.h"
#include "render/course.h"
#include "render/listener_rows.h"
#include "render/timeline.h"

namespace acceptq::render {

struct Paragraph {
  std::string text;
};

// Labels and what is said under each.
struct Details {
  std::vector<Row> rows;
};

struct Bullets {
  std::vector<std::string> items;
};

// The first column names what its row is about.
struct Table {
  struct Column {
    std::string name;
    bool is_number = false;
  };
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

// Things to do, numbered.
struct Steps {
  struct Step {
    std::string text;
    std::string content;
    bool is_code = true;  // `content` is to be copied, line by line; else it is a sentence
    std::string then;
  };
  std::vector<Step> steps;
};

// How long a queue was around an incident.
struct Timeline {
  QueueCourse course;
  std::string text;     // the same as a line of signs
  std::string refused;  // how many packets meanwhile; empty: not known
};

// When handshakes failed or were slow, or where threads were.
struct Course {
  CourseView view;
  std::vector<std::string> lines;  // the same as lines of signs
};

// What became of the handshakes of one listener, from SYN to accept().
struct Flow {
  facts::Ledger ledger;
  std::vector<Row> rows;  // the same in words
};

using Block = std::variant<Paragraph, Details, Bullets, Table, Steps, Timeline, Course, Flow>;

struct Section {
  std::string title;
  std::optional<diagnose::Severity> severity;
  std::vector<Block> blocks;
  std::vector<Section> sections;
};

struct Document {
  std::string headline;
  diagnose::Verdict verdict = diagnose::Verdict::kUnknown;
  std::vector<std::string> about;  // the host, and what was looked at
  std::vector<Block> blocks;
  std::vector<Section> sections;
  std::string colophon;
};

}  // namespace acceptq::render
