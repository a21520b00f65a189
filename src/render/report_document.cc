#include "render/report_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "render/books.h"
#include "render/comparison.h"
#include "render/headline.h"
#include "render/ledger_text.h"
#include "render/listener_block.h"
#include "render/listener_names.h"
#include "render/names.h"
#include "render/remedy_text.h"
#include "render/report_parts.h"
#include "render/trouble.h"

namespace acceptq::render {
namespace {

using diagnose::Finding;
using diagnose::ListenerReport;
using diagnose::Report;
using diagnose::Severity;

// A page breaks its own lines, and what reads it aloud would read a bar sign by sign.
constexpr TermStyle kPage{.color = false, .unicode = true, .width = 1'000'000, .bars = false};

constexpr std::size_t kMostParts = 60;  // of a timeline

std::string opt_text(const auto& value) { return value ? fmt::format("{}", *value) : "?"; }

std::string capital(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') text.front() += 'A' - 'a';
  return text;
}

class Pages {
 public:
  Pages(const Report& report, const facts::Observation& observation, const DocumentOptions& options)
      : report_(report),
        observation_(observation),
        options_(options),
        twins_(observation.after),
        by_listener_(findings_by_listener(report)),
        ledgers_(facts::ledgers_of(observation)) {}

  Document document() {
    const facts::Snapshot& after = observation_.after;
    Document document{.headline = capital(headline(report_, observation_).text),
                      .verdict = report_.verdict,
                      .about = host_parts(observation_),
                      .blocks = {},
                      .sections = {},
                      .colophon = fmt::format("Seen at {}. Written by acceptq {}.",
                                              utc_time(after.realtime_ns), ACCEPTQ_VERSION)};
    for (std::string& paragraph : primer(report_)) {
      document.blocks.emplace_back(Paragraph{std::move(paragraph)});
    }
    const auto add = [&document](Section section) {
      if (!section.blocks.empty() || !section.sections.empty()) {
        document.sections.push_back(std::move(section));
      }
    };
    add(trouble());
    for (const Finding& finding : report_.findings) {
      if (!finding.listener && finding.severity > Severity::kNotice) add(of_no_listener(finding));
    }
    if (options_.baseline != nullptr) add(comparison(*options_.baseline));
    add(others());
    if (auto sentences = notices(report_, observation_, shown_, options_.verbose);
        !sentences.empty()) {
      add({.title = "Notices", .blocks = {Bullets{std::move(sentences)}}});
    }
    add(books());
    add(blind_spots());
    return document;
  }

 private:
  [[nodiscard]] Table table(std::string caption) const {
    return {.caption = std::move(caption),
            .columns = {{"listener"},
                        {"whose"},
                        {"verdict"},
                        {"waiting", true},
                        {"limit", true},
                        {"longest", true},
                        {"refused packets", true}},
            .rows = {}};
  }

  void add_row(const facts::Listener& listener, const ListenerReport& report, Table& table) const {
    table.rows.push_back(
        {facts::listener_endpoint(listener), twins_.workload_name(listener),
         name_of(report.verdict),
         listener.queue_seen ? std::to_string(listener.accept_queue_len.value()) : "?",
         listener.limit ? std::to_string(listener.limit->value()) : "?",
         listener.queue_seen ? std::to_string(report.longest.value()) : "?",
         opt_text(report.refused.total)});
  }

  Section trouble() {
    Section section{.title = "Listeners in trouble"};
    Table all = table("listeners in trouble, worst first");
    std::size_t left_out = 0;
    for (const auto& group :
         groups_in_trouble(report_, observation_, by_listener_, options_.verbose)) {
      for (const ListenerInTrouble& each : group) {
        shown_.insert(each.report->key);
        add_row(*each.listener, *each.report, all);
      }
      if (!options_.verbose && section.sections.size() == kMostBlocks) {
        left_out += group.size();
      } else {
        section.sections.push_back(of_group(group));
      }
    }
    if (!all.rows.empty()) section.blocks.emplace_back(std::move(all));
    if (left_out > 0) section.blocks.emplace_back(Paragraph{left_out_text(left_out)});
    return section;
  }

  // Of a group, what its worst member says.
  [[nodiscard]] Section of_group(const std::vector<ListenerInTrouble>& group) const {
    const auto& [listener, report, findings] = group.front();
    const ListenerTitle title = title_of(observation_, *listener, *report);
    std::string whole = title.name;
    for (const std::string& part : {title.holders, title.endpoint, title.netns}) {
      if (!part.empty()) whole += " · " + part;
    }
    Section section{.title = whole, .severity = worst_severity(*findings)};
    if (group.size() > 1) {
      const GroupTitle together = title_of(observation_.after, group);
      section.title = together.who + together.rest;
      section.blocks.emplace_back(Details{{{"the worst", whole}}});
    }
    section.blocks.emplace_back(numbers(*listener, *report, *findings));
    add_pictures(*listener, *report, section);
    for (const Finding* finding : *findings) section.sections.push_back(of_finding(*finding));
    add_steps(remedies_of(*findings), section);
    return section;
  }

  [[nodiscard]] Details numbers(const facts::Listener& listener, const ListenerReport& report,
                                const std::vector<const Finding*>& findings) const {
    Details details;
    for (const Finding* finding : findings) {
      if (!diagnose::says_why(*finding)) continue;
      details.rows.push_back({"why", first_sentence(finding->explanation)});
    }
    for (Row& row : listener_facts(kPage, observation_, listener, report)) {
      // The one without a label is the timeline, which has a picture.
      if (!row.label.empty() && !row.text.empty()) details.rows.push_back(std::move(row));
    }
    return details;
  }

  void add_pictures(const facts::Listener& listener, const ListenerReport& report,
                    Section& section) const {
    if (auto course = queue_course(observation_, listener, kMostParts)) {
      section.blocks.emplace_back(Timeline{std::move(*course),
                                           timeline_text(kPage, observation_, listener),
                                           refused_text(observation_, listener, report)});
    }
    if (report.accept_course) {
      if (auto view = course_view(*report.accept_course)) {
        std::vector<std::string> lines = course_lines(kPage, *view);
        section.blocks.emplace_back(Course{std::move(*view), std::move(lines)});
      }
    }
    if (report.course) {
      if (auto view = course_view(*report.course, kMostParts)) {
        section.blocks.emplace_back(Course{std::move(*view), course_lines(kPage, *report.course)});
      }
    }
    const auto place = static_cast<std::size_t>(&listener - observation_.after.listeners.data());
    const facts::Ledger* ledger = ledgers_[place];
    // Packets do not show what became of a handshake inside the host: steps that are not known
    // would read as 0.
    const bool shows_steps = ledger != nullptr && ledger->source != facts::Source::kPackets;
    if (shows_steps && has_traffic(*ledger)) {
      section.blocks.emplace_back(Flow{*ledger, ledger_rows(*ledger, &listener)});
    }
  }

  [[nodiscard]] static Section of_finding(const Finding& finding) {
    Section section{.title = finding.id + " " + finding.title, .severity = finding.severity};
    section.blocks.emplace_back(Paragraph{finding.explanation});
    if (finding.evidence.empty()) return section;
    Table table{.caption = "evidence of " + finding.id,
                .columns = {{"evidence"}, {"total", true}, {"change", true}, {"unit"}, {"source"}},
                .rows = {}};
    const auto number = [](const std::optional<std::int64_t>& value) {
      return value ? std::to_string(*value) : "";
    };
    for (const diagnose::Evidence& each : finding.evidence) {
      table.rows.push_back(
          {each.name, number(each.total), number(each.delta), each.unit, each.source});
    }
    section.blocks.emplace_back(std::move(table));
    return section;
  }

  static void add_steps(const std::vector<diagnose::Remedy>& remedies, Section& section) {
    if (remedies.empty()) return;
    Steps steps;
    for (std::size_t i = 0; i < remedies.size(); ++i) {
      steps.steps.push_back({.text = remedies[i].summary,
                             .content = remedies[i].content,
                             .is_code = is_to_copy(remedies[i]),
                             .then = then_sentence(remedies, i)});
    }
    section.sections.push_back({.title = "What to do", .blocks = {std::move(steps)}});
  }

  [[nodiscard]] Section of_no_listener(const Finding& finding) const {
    Section section = of_finding(finding);
    if (finding.netns) {
      section.title += " · " + namespace_name(observation_.after, *finding.netns);
    }
    add_steps(finding.remedies, section);
    return section;
  }

  [[nodiscard]] Section comparison(const diagnose::Comparison& baseline) const {
    Section section{.title = capital(comparison_title(baseline))};
    for (ComparedListener& one : compared_listeners(kPage, baseline, observation_)) {
      section.blocks.emplace_back(Paragraph{std::move(one.what_became)});
      if (!one.rows.empty()) section.blocks.emplace_back(Details{std::move(one.rows)});
    }
    return section;
  }

  [[nodiscard]] Section others() const {
    const bool alone = shown_.empty();
    Section section{.title = alone ? "Listeners" : "Other listeners"};
    const auto [listed, unlisted] = other_listeners(report_, observation_, shown_, options_.all);
    Table rest = table(section.title);
    for (const std::size_t i : listed) {
      add_row(observation_.after.listeners[i], report_.listeners[i], rest);
    }
    const bool more = !rest.rows.empty() || !alone;
    if (!rest.rows.empty()) section.blocks.emplace_back(std::move(rest));
    if (unlisted > 0)
      section.blocks.emplace_back(Paragraph{unlisted_text(observation_, unlisted, more)});
    return section;
  }

  [[nodiscard]] Section books() const {
    Table table{.caption = kBooksTitle,
                .columns = {{"counter"},
                            {"network namespace"},
                            {"kernel", true},
                            {"attributed", true},
                            {"remainder", true}},
                .rows = {}};
    for (const diagnose::NamespaceBook& book : report_.books) {
      for (const diagnose::BookLine& line : book.lines) {
        if (!is_worth_a_line(line)) continue;
        table.rows.push_back({line.counter, fmt::format("netns:{}", book.netns.value()),
                              fmt::format("+{}", line.kernel), std::to_string(line.attributed),
                              std::to_string(line.remainder())});
      }
    }
    Section section{.title = "Refusals that the kernel counted"};
    if (!table.rows.empty()) section.blocks.emplace_back(std::move(table));
    return section;
  }

  [[nodiscard]] Section blind_spots() const {
    Table table{.caption = "what could not be seen, and what it costs",
                .columns = {{"number"}, {"where"}, {"why"}, {"what it costs"}},
                .rows = {}};
    for (facts::BlindSpot& spot : blind_spots_by_cause(observation_.after)) {
      table.rows.push_back({std::move(spot.id), std::move(spot.scope), std::move(spot.reason),
                            std::move(spot.cost)});
    }
    Section section{.title = "Not seen"};
    if (!table.rows.empty()) section.blocks.emplace_back(std::move(table));
    return section;
  }

  const Report& report_;
  const facts::Observation& observation_;
  const DocumentOptions& options_;
  Twins twins_;
  FindingsByListener by_listener_;
  std::vector<const facts::Ledger*> ledgers_;
  std::set<std::string> shown_;
};

}  // namespace

Document report_document(const Report& report, const facts::Observation& observation,
                         const DocumentOptions& options) {
  return Pages(report, observation, options).document();
}

}  // namespace acceptq::render
