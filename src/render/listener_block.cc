#include "render/listener_block.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <set>

#include "base/bytes.h"
#include "base/text.h"
#include "facts/holders.h"
#include "render/course.h"
#include "render/listener_names.h"
#include "render/listener_rows.h"
#include "render/remedy_text.h"
#include "render/timeline.h"

namespace acceptq::render {
namespace {

using diagnose::Finding;
using diagnose::ListenerReport;
using diagnose::Severity;

// Findings of which the rows above them say all that is particular to the listener.
constexpr std::array<std::string_view, 6> kToldByRows{"AQ101", "AQ103", "AQ104",
                                                      "AQ105", "AQ106", "AQ108"};

// Whether those who hold the socket are one program, and something was taken from its queue, as
// far as was seen.
bool is_known_to_accept(const facts::Observation& observation, const facts::Listener& listener,
                        const ListenerReport& report) {
  constexpr double kLongEnough = 1;  // seconds
  const bool silent = report.accepts_per_s == 0.0 && observation.seconds >= kLongEnough;
  return !silent && facts::holders_of(observation.after, listener).one_program() != nullptr;
}

// Whether all of its explanation is wanted, even where room is short: what packets prove, and what
// not, takes more than a sentence.
bool is_of_packets(const Finding& finding) {
  return std::ranges::any_of(finding.evidence, [](const diagnose::Evidence& evidence) {
    return evidence.name.starts_with("attempts") && evidence.source == "packets";
  });
}

// Whose, and where.
std::string title(const TermStyle& style, const facts::Observation& observation,
                  const facts::Listener& listener, const ListenerReport& report,
                  Severity severity) {
  const ListenerTitle title = title_of(observation, listener, report);
  if (title.endpoint.empty()) {
    return mark(style, severity) + " " + ink(style, Ink::kBold, title.name) + "\n";
  }
  std::string text = mark(style, severity) + " " + ink(style, Ink::kBold, title.name);
  if (!title.holders.empty()) text += "   " + title.holders;
  const std::string where = title.netns.empty() ? "" : "   " + title.netns;
  const int wanted = 2 + columns(title.name) + (title.holders.empty() ? 0 : 3) +
                     columns(title.holders) + 3 + columns(title.endpoint) + columns(where);
  text += wanted > style.width ? "\n  " : "   ";
  text += ink(style, Ink::kBold, title.endpoint) + where + "\n";
  return text;
}

// What fits into one line beside a row's label.
std::string fit_line(const TermStyle& style, const std::string& text) {
  const int room = std::max(style.width - kLabel - 2, 20);
  return columns(text) <= room ? text : std::string(trim(fit(text, room)));
}

// What a part of a block is worth where room is short: the least goes first.
enum class Worth : std::uint8_t { kLittle, kSome, kMuch, kAll };

struct Part {
  std::string text;
  Worth worth = Worth::kAll;
  std::string shorter;  // what stays of it when it goes
};

int lines_of(std::string_view text) { return static_cast<int>(std::ranges::count(text, '\n')); }

// As much of it as fits into so many lines.
std::string fit_lines(std::vector<Part> parts, int lines) {
  int used = 0;
  for (const Part& part : parts) used += lines_of(part.text);
  for (const Worth worth : {Worth::kLittle, Worth::kSome, Worth::kMuch}) {
    for (Part& part : std::ranges::reverse_view(parts)) {
      if (used <= lines) break;
      if (part.worth != worth) continue;
      used -= lines_of(part.text) - lines_of(part.shorter);
      part.text = part.shorter;
    }
  }
  std::string text;
  for (const Part& part : parts) text += part.text;
  return text;
}

// Why accept() is slow: who is where, for how much of the time, and what follows from it.
std::vector<Part> why_parts(const TermStyle& style, const std::vector<const Finding*>& findings) {
  constexpr int kBar = 20;
  constexpr double kPercent = 100;
  std::vector<Part> parts;
  for (const Finding* finding : findings) {
    if (!diagnose::says_why(*finding)) continue;
    const std::string first = first_sentence(finding->explanation);
    const std::string rest(trim(std::string_view(finding->explanation).substr(first.size())));
    parts.push_back({.text = row(style, parts.empty() ? "why" : "", printable(first))});
    std::string share;
    if (const auto& of_time = finding->cause->share) {
      share = fmt::format("{} {:.0f} % ", bar(style, *of_time, kBar), *of_time * kPercent);
    }
    parts.push_back({.text = row(style, "", share + printable(rest)),
                     .worth = Worth::kMuch,
                     .shorter = row(style, "", std::string(trim(share)))});
  }
  return parts;
}

std::string why(const TermStyle& style, const std::vector<const Finding*>& findings) {
  std::string text;
  for (const Part& part : why_parts(style, findings)) text += part.text;
  return text;
}

// Where the threads that accept were, and when.
std::string why_over_time(const TermStyle& style, const ListenerReport& report) {
  const auto view = report.accept_course ? course_view(*report.accept_course) : std::nullopt;
  std::string text;
  if (!view) return text;
  for (const std::string& line : course_lines(style, *view)) {
    text += row(style, text.empty() ? "over time" : "", line);
  }
  return text;
}

// For `acceptq fix`: pasted text is not of the host that its reader is on.
std::string what_to_fix(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  return (listener.pasted_at.empty() ? "" : "--from FILE ") + selector_of(snapshot, listener);
}

// When.
std::vector<Row> course_rows(const TermStyle& style, const ListenerReport& report) {
  std::vector<Row> rows;
  if (!report.course) return rows;
  for (std::string& line : course_lines(style, *report.course)) {
    rows.push_back({rows.empty() ? "over time" : "", std::move(line)});
  }
  return rows;
}

// What, how bad, and who set the limit.
std::string numbers(const TermStyle& style, const facts::Observation& observation,
                    const facts::Listener& listener, const ListenerReport& report,
                    const std::vector<const Finding*>& findings) {
  std::string text = why(style, findings) + why_over_time(style, report);
  for (const Row& each : listener_facts(style, observation, listener, report)) {
    text += row(style, each.label, each.text);
    if (each.label != (report.captured ? "packets" : "refused")) continue;
    for (const Row& of_time : course_rows(style, report)) {
      text += row(style, of_time.label, of_time.text);
    }
  }
  return text;
}

// Where its own refusals are not counted, those that its finding (AQ101) goes by: of its namespace.
std::string refused_around(const facts::Observation& observation, const facts::Listener& listener,
                           const std::vector<const Finding*>& findings) {
  for (const Finding* finding : findings) {
    if (finding->id != "AQ101") continue;
    const auto drops =
        std::ranges::find(finding->evidence, "TcpExtListenDrops", &diagnose::Evidence::name);
    if (drops == finding->evidence.end() || drops->delta.value_or(0) <= 0) continue;
    const auto packets = static_cast<std::uint64_t>(*drops->delta);
    const auto seconds = facts::seconds_of(observation, listener.netns);
    return counted(packets, "packet", "packets") + " in its network namespace " +
           (seconds ? fmt::format("in {:.1f} s", *seconds) : "between the two samples");
  }
  return "";
}

// Notices in words, or by their ids alone.
enum class Notices : std::uint8_t { kInWords, kById };

std::string findings_row(const TermStyle& style, const std::vector<const Finding*>& findings,
                         Notices notices) {
  std::string told;
  std::string text;
  for (const Finding* finding : findings) {
    const bool is_short =
        notices == Notices::kById && finding->severity == Severity::kNotice && findings.size() > 1;
    const bool is_looked_for = finding->id == "AQ314" && notices == Notices::kInWords;
    if (is_of_packets(*finding) || is_looked_for) {
      text += row(style, finding->id, printable(finding->explanation));
    } else if (is_short || diagnose::says_why(*finding) ||
               std::ranges::find(kToldByRows, finding->id) != kToldByRows.end()) {
      told += (told.empty() ? "" : ", ") + finding->id;
    } else {
      text += row(style, finding->id, printable(first_sentence(finding->explanation)));
    }
  }
  return row(style, "findings", told) + text;
}

Worth worth_if(bool matters) { return matters ? Worth::kAll : Worth::kSome; }

bool warns_of(const std::vector<const Finding*>& findings, std::string_view family) {
  return std::ranges::any_of(findings, [&](const Finding* finding) {
    return finding->severity > Severity::kNotice && finding->id.starts_with(family);
  });
}

// The same, as what fits into a few lines is taken from. Handshakes under way matter where a
// finding is about them.
std::vector<Part> short_numbers(const TermStyle& style, const facts::Observation& observation,
                                const facts::Listener& listener, const ListenerReport& report,
                                const std::vector<const Finding*>& findings) {
  const bool about_syns = std::ranges::any_of(
      findings, [](const Finding* finding) { return finding->id.starts_with("AQ2"); });
  const std::string timeline = timeline_text(style, observation, listener);
  std::vector<Part> parts = why_parts(style, findings);
  const auto add = [&](std::string_view label, const std::string& text, Worth worth = Worth::kAll) {
    parts.push_back({.text = row(style, label, text), .worth = worth, .shorter = ""});
  };
  add("accept queue", queue_text(style, listener, report, !timeline.empty()));
  add("", timeline, Worth::kSome);
  if (about_syns) {
    add("SYN queue", syn_queue_text(style, listener, report), worth_if(warns_of(findings, "AQ2")));
  }
  std::string refused =
      report.refused.total == 0U ? "" : refused_text(observation, listener, report);
  if (const std::string clients = clients_text(report); !refused.empty() && !clients.empty()) {
    refused += "; " + clients;
  }
  if (!report.refused.total) refused = refused_around(observation, listener, findings);
  add("refused", refused);
  add("unanswered", unanswered_text(report));
  add("packets", captured_text(report));
  // Of packets it is most of what is known.
  if (report.captured) {
    for (const Row& each : course_rows(style, report)) add(each.label, each.text);
  }
  add("accepted", rates_text(report), Worth::kMuch);
  add("waited", time_in_queue_text(report), worth_if(warns_of(findings, "AQ113")));
  add("limit set by", limit_text(observation, listener, report));
  return parts;
}

}  // namespace

Severity worst_severity(const std::vector<const Finding*>& findings) {
  Severity severity = Severity::kNotice;
  for (const Finding* finding : findings) severity = std::max(severity, finding->severity);
  return severity;
}

const std::vector<diagnose::Remedy>& remedies_of(const std::vector<const Finding*>& findings) {
  static const std::vector<diagnose::Remedy> kNone;
  const auto found = std::ranges::find_if(
      findings, [](const Finding* finding) { return !finding->remedies.empty(); });
  return found != findings.end() ? (*found)->remedies : kNone;
}

ListenerTitle title_of(const facts::Observation& observation, const facts::Listener& listener,
                       const ListenerReport& report) {
  const facts::Snapshot& after = observation.after;
  const std::string endpoint = printable(facts::listener_endpoint(listener));
  if (!listener.queue_seen) return {.name = endpoint, .holders = "", .endpoint = "", .netns = ""};
  const std::string workload = workload_name(after, listener);
  const std::string owner = owner_name(after, listener);
  // A plain process is called by its own name, which the owner says again, with the pid.
  const std::string program = program_name(after, listener);
  const bool named_twice = workload.starts_with(program) && owner.starts_with(program + " (");
  const std::string holders = owner.empty() || is_known_to_accept(observation, listener, report)
                                  ? owner
                                  : (listener.closed ? "was held by " : "held by ") + owner;
  // An endpoint without an owner is found in its namespace alone.
  const facts::Namespace* ns = facts::find_namespace(after, listener.netns);
  const bool is_here = ns != nullptr && (ns->is_host == true || ns->own_container);
  const std::string netns = namespace_name(after, listener.netns);
  return {.name = named_twice ? holders : workload,
          .holders = named_twice ? "" : holders,
          .endpoint = endpoint,
          .netns = owner.empty() && !is_here && workload != netns ? netns
                                                                  : Twins(after).where(listener)};
}

std::vector<Row> listener_facts(const TermStyle& style, const facts::Observation& observation,
                                const facts::Listener& listener, const ListenerReport& report) {
  const std::string timeline = timeline_text(style, observation, listener);
  return {{"accept queue", queue_text(style, listener, report, !timeline.empty())},
          {"", timeline},
          {"SYN queue", syn_queue_text(style, listener, report)},
          {"refused", refused_text(observation, listener, report)},
          {"unanswered", unanswered_text(report)},
          {"packets", captured_text(report)},
          {"clients", clients_text(report)},
          {"accepted", rates_text(report)},
          {"waited", time_in_queue_text(report)},
          {"limit set by", limit_text(observation, listener, report)}};
}

std::string listener_head(const TermStyle& style, const facts::Observation& observation,
                          const facts::Listener& listener, const ListenerReport& report,
                          const std::vector<const Finding*>& findings) {
  return title(style, observation, listener, report, worst_severity(findings)) +
         why(style, findings) +
         row(style, "accept queue", queue_text(style, listener, report, false)) +
         row(style, "limit set by", limit_text(observation, listener, report));
}

std::string listener_block(const TermStyle& style, const facts::Observation& observation,
                           const facts::Listener& listener, const ListenerReport& report,
                           const std::vector<const Finding*>& findings) {
  std::string text = title(style, observation, listener, report, worst_severity(findings)) +
                     numbers(style, observation, listener, report, findings);
  for (const Finding* finding : findings) {
    if (diagnose::says_why(*finding)) continue;
    text += row(style, finding->id, printable(finding->explanation));
  }
  return text + remedies_text(style, remedies_of(findings));
}

std::string short_listener_block(const TermStyle& style, const facts::Observation& observation,
                                 const facts::Listener& listener, const ListenerReport& report,
                                 const std::vector<const Finding*>& findings) {
  std::vector<Part> parts = short_numbers(style, observation, listener, report, findings);
  parts.insert(parts.begin(),
               {.text = title(style, observation, listener, report, worst_severity(findings))});
  parts.push_back({.text = findings_row(style, findings, Notices::kInWords),
                   .worth = Worth::kLittle,
                   .shorter = findings_row(style, findings, Notices::kById)});
  const auto& remedies = remedies_of(findings);
  const std::string selector = what_to_fix(observation.after, listener);
  const int least = lines_of(first_remedies(style, remedies, 0, selector));
  const std::string text = fit_lines(std::move(parts), kMostLines - least);
  return text + first_remedies(style, remedies, kMostLines - lines_of(text), selector);
}

namespace {

// The owner of all of them, or else what they have in common.
std::string whose(const facts::Snapshot& after, const std::vector<ListenerInTrouble>& group) {
  const std::string owner = owner_name(after, *group.front().listener);
  const bool same = std::ranges::all_of(group, [&](const ListenerInTrouble& each) {
    return owner_name(after, *each.listener) == owner;
  });
  return same && !owner.empty() ? owner : program_name(after, *group.front().listener);
}

// Equal endpoints are different sockets: of different namespaces.
std::string places(const std::vector<ListenerInTrouble>& group) {
  std::set<NetnsId> namespaces;
  for (const ListenerInTrouble& each : group) namespaces.insert(each.listener->netns);
  if (namespaces.size() < 2) return "";
  return fmt::format(", in {} network namespaces,", namespaces.size());
}

}  // namespace

GroupTitle title_of(const facts::Snapshot& after, const std::vector<ListenerInTrouble>& group) {
  return {.who = fmt::format("{} listeners of {}", group.size(), whose(after, group)),
          .rest = places(group) + " are in the same trouble"};
}

std::string listener_group_block(const TermStyle& style, const facts::Observation& observation,
                                 const std::vector<ListenerInTrouble>& group) {
  constexpr std::size_t kMostShown = 5;
  const facts::Snapshot& after = observation.after;
  const ListenerInTrouble& first = group.front();
  const GroupTitle title = title_of(after, group);
  std::string text = mark(style, worst_severity(*first.findings)) + " " +
                     ink(style, Ink::kBold, title.who) + title.rest + "\n";
  std::size_t shown = 0;
  for (const ListenerInTrouble& each : group) {
    if (shown == kMostShown) break;
    ++shown;
    const facts::Listener& listener = *each.listener;
    const std::string limit = listener.limit ? std::to_string(listener.limit->value()) : "?";
    std::string line =
        fmt::format("{}: {} waiting, limit {}", printable(facts::listener_endpoint(listener)),
                    listener.accept_queue_len.value(), limit);
    if (each.report->refused.total.value_or(0) > 0) {
      line += ", " + counted(*each.report->refused.total, "packet", "packets") + " refused";
    }
    text += row(style, shown == 1 ? "the worst" : "", fit_line(style, line));
  }
  if (group.size() > shown) {
    text += row(style, "", fmt::format("and {} more, with --verbose", group.size() - shown));
  }
  text += why(style, *first.findings);
  text += row(style, "limit set by", limit_text(observation, *first.listener, *first.report));
  text += findings_row(style, *first.findings, Notices::kInWords);
  return text + first_remedies(style, remedies_of(*first.findings), kMostLines - lines_of(text),
                               what_to_fix(after, *first.listener));
}

std::string finding_block(const TermStyle& style, const facts::Snapshot& after,
                          const Finding& finding) {
  const std::string where = finding.netns ? "   " + namespace_name(after, *finding.netns) : "";
  return mark(style, finding.severity) + " " + ink(style, Ink::kBold, finding.title) + where +
         "\n" + row(style, finding.id, printable(finding.explanation)) +
         remedies_text(style, finding.remedies);
}

}  // namespace acceptq::render
