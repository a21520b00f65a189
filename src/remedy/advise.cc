#include "remedy/advise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "diagnose/catalogue.h"
#include "remedy/cap_advice.h"
#include "remedy/cause_advice.h"
#include "remedy/combine.h"
#include "remedy/drop_advice.h"
#include "remedy/holder_advice.h"
#include "remedy/limit_forms.h"
#include "remedy/route_advice.h"
#include "remedy/subject.h"
#include "remedy/syn_advise.h"

namespace acceptq::remedy {
namespace {

using diagnose::LimitSetBy;
using diagnose::ListenerReport;
using diagnose::Remedy;

constexpr std::array<std::string_view, 9> kAdvised = {"AQ101", "AQ103", "AQ104", "AQ105", "AQ108",
                                                      "AQ110", "AQ111", "AQ113", "AQ202"};

// Of these the catalogue says all that is to be done, on any host.
struct General {
  std::string_view id;
  const char* takes_effect;
};
constexpr std::array<General, 7> kGeneral = {{{.id = "AQ206", .takes_effect = "restart"},
                                              {.id = "AQ402", .takes_effect = "now"},
                                              {.id = "AQ403", .takes_effect = "now"},
                                              {.id = "AQ404", .takes_effect = "now"},
                                              {.id = "AQ406", .takes_effect = "restart"},
                                              {.id = "AQ407", .takes_effect = "restart"},
                                              {.id = "AQ408", .takes_effect = "now"}}};

// Where nothing is known of the listener that tells more.
void add_general_remedies(diagnose::Report& report) {
  std::set<std::string> advised;
  for (const diagnose::Finding& finding : report.findings) {
    if (finding.listener && !finding.remedies.empty()) advised.insert(*finding.listener);
  }
  for (diagnose::Finding& finding : report.findings) {
    const auto* general = std::ranges::find(kGeneral, finding.id, &General::id);
    if (general == kGeneral.end() || (finding.listener && advised.contains(*finding.listener))) {
      continue;
    }
    finding.remedies = {{.form = "cause",
                         .summary = diagnose::find_entry(finding.id)->next,
                         .takes_effect = general->takes_effect}};
  }
}

// Whether a longer queue would serve nobody: nothing is taken from it, or so little that those who
// wait give up.
bool is_longer_of_no_use(const Subject& subject) {
  return is_long_enough(subject) ||
         (is_full_all_the_time(subject) && subject.accepts == Accepts::kNo);
}

// net.core.somaxconn was raised after listen(), and that was seen.
bool was_raised(const Subject& subject) {
  return subject.report.stale == true && subject.report.somaxconn && subject.listener.limit &&
         std::cmp_less(subject.listener.limit->value(), *subject.report.somaxconn);
}

// A longer queue is no remedy for the cause, which is named before it.
void limit_to_bursts(std::vector<Remedy>& remedies) {
  const auto longer = std::ranges::find_if(remedies, &Remedy::lengthens);
  if (longer != remedies.end()) {
    longer->summary += " It helps against bursts, once accept() keeps up.";
  }
}

// Nobody knows for how long.
bool was_full_at_one_look(const Subject& subject) {
  return !subject.report.full_fraction && subject.listener.limit &&
         facts::sampled_full(subject.listener.accept_queue_len, *subject.listener.limit);
}

// What has to be done about accept() itself; where its cause is not known, to find that out.
std::vector<Remedy> advise_cause(const Subject& subject, bool is_slow) {
  std::vector<Remedy> remedies;
  if (is_burst(subject)) return remedies;
  if (subject.cause != nullptr) {
    remedies.push_back(remedy_of_cause(*subject.cause, subject));
    if (auto more = more_workers(subject)) remedies.push_back(std::move(*more));
    if (subject.cause->cause->kind == diagnose::CauseKind::kFdLimit) return remedies;
  } else if (is_slow) {
    remedies.push_back(cause_first(subject));
  }
  add_descriptor_hint(subject, remedies);
  return remedies;
}

std::vector<Remedy> advise(const Subject& subject) {
  if (is_at_cap(subject)) return {raise_cap(subject)};
  if (subject.has_idle_siblings) return {find_the_stuck_member(subject)};
  std::vector<Remedy> remedies = advise_cause(subject, is_full_all_the_time(subject));
  if (subject.cause != nullptr && makes_length_useless(*subject.cause)) return remedies;
  if (!subject.listener.limit || is_longer_of_no_use(subject)) return remedies;
  const bool raised = was_raised(subject);
  switch (subject.report.limit_set_by) {
    case LimitSetBy::kSomaxconn:
      if (raised) add_restart_form(subject, remedies);
      if (!raised || std::cmp_less(*subject.report.somaxconn, subject.wanted)) {
        add_somaxconn_forms(subject, remedies);
      }
      add_application_form(subject, remedies);
      break;
    case LimitSetBy::kUnknown:
      if (may_be_somaxconn(subject)) add_somaxconn_forms(subject, remedies);
      [[fallthrough]];
    case LimitSetBy::kApplication:
      if (lacks_restart(subject)) add_restart_form(subject, remedies);
      add_application_form(subject, remedies);
      break;
    case LimitSetBy::kAcceptq:  // until the server is restarted
      if (subject.report.somaxconn && std::cmp_less(*subject.report.somaxconn, subject.wanted)) {
        add_somaxconn_forms(subject, remedies);
      }
      add_application_form(subject, remedies);
      break;
    case LimitSetBy::kKernel:
      break;
  }
  constexpr std::size_t kMany = 3;  // that fill a listener's block
  if (is_slow_to_accept(subject)) {
    limit_to_bursts(remedies);
  } else if (was_full_at_one_look(subject) && !remedies.empty() && remedies.size() < kMany) {
    remedies.back().summary += " If the queue stays full, see why accept() is slow.";
  }
  return remedies;
}

// For a queue that is not full, but long to wait in.
std::vector<Remedy> advise_slow(const Subject& subject) {
  if (subject.has_idle_siblings) return {find_the_stuck_member(subject)};
  return advise_cause(subject, true);
}

// A limit that is less than its server usually asks for need not be the server's wish, as the value
// alone lets one think (diagnose does not know servers).
void doubt_limit(const Subject& subject, diagnose::Finding& finding) {
  const std::uint32_t limit = subject.listener.limit->value();
  finding.title = "the queue's limit is an older somaxconn, or the application's own";
  finding.confidence = 0.5;
  finding.explanation = fmt::format(
      "The queue's limit is {0}, though net.core.somaxconn of its network namespace is {1}. {2}: "
      "either somaxconn was {0} when it called listen() and has been raised since, or it is "
      "configured to ask for {0}.",
      limit, *subject.report.somaxconn, usual_request(subject));
}

// What the numbers make a choice of the application's need not be one, where its server is known.
void doubt_limit_setters(diagnose::Report& report, const facts::Observation& observation) {
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    ListenerReport& told = report.listeners[i];
    if (told.limit_set_by != LimitSetBy::kApplication) continue;
    if (lacks_restart(subject_of(observation, observation.after.listeners[i], told))) {
      told.limit_set_by = LimitSetBy::kUnknown;
    }
  }
}

std::set<std::string> listeners_with(const diagnose::Report& report, std::string_view id) {
  std::set<std::string> keys;
  for (const diagnose::Finding& finding : report.findings) {
    if (finding.id == id && finding.listener) keys.insert(*finding.listener);
  }
  return keys;
}

const facts::Process* first_holder(const facts::Observation& observation,
                                   const facts::Listener* listener) {
  return listener != nullptr ? facts::holders_of(observation.after, *listener).first() : nullptr;
}

}  // namespace

void add_remedies(diagnose::Report& report, const facts::Observation& observation) {
  doubt_limit_setters(report, observation);
  const std::set<std::string> skewed = listeners_with(report, "AQ111");
  const std::set<std::string> deferring = listeners_with(report, "AQ206");
  const auto causes = causes_by_listener(report);
  std::unordered_map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < report.listeners.size(); ++i) index[report.listeners[i].key] = i;
  for (diagnose::Finding& finding : report.findings) {
    const facts::Listener* listener = nullptr;
    ListenerReport* told = nullptr;
    if (const auto it = finding.listener ? index.find(*finding.listener) : index.end();
        it != index.end()) {
      listener = &observation.after.listeners[it->second];
      told = &report.listeners[it->second];
    }
    // A queue in which handshakes wait for data is not too short.
    if (finding.id == "AQ202" && finding.listener && deferring.contains(*finding.listener))
      continue;
    const bool is_cause = diagnose::says_why(finding);
    if (listener != nullptr &&
        (is_cause || std::ranges::find(kAdvised, finding.id) != kAdvised.end())) {
      const auto cause = causes.find(*finding.listener);
      Subject subject = subject_of(observation, *listener, *told,
                                   cause != causes.end() ? cause->second : nullptr);
      subject.has_idle_siblings = skewed.contains(*finding.listener);
      if (is_cause) {
        finding.remedies = {remedy_of_cause(finding, subject)};
        continue;
      }
      if (finding.id == "AQ105" && lacks_restart(subject)) doubt_limit(subject, finding);
      // A queue that is not full is not too short.
      const bool is_slow = told->verdict == diagnose::Verdict::kSlow;
      finding.remedies = is_slow ? advise_slow(subject) : advise(subject);
      continue;
    }
    const std::optional<NetnsId> netns = listener != nullptr ? listener->netns : finding.netns;
    const facts::Namespace* ns = netns ? facts::find_namespace(observation.after, *netns) : nullptr;
    if (told != nullptr && finding.id == "AQ107") {
      finding.remedies = route_remedies(told->refused.top, ns, first_holder(observation, listener));
    } else if (finding.id == "AQ401" || finding.id == "AQ405") {
      finding.remedies = drop_remedies(finding, ns, first_holder(observation, listener),
                                       listener != nullptr ? listener->port : 0);
    } else if (told != nullptr && finding.id == "AQ606") {
      finding.remedies = {see_limit(subject_of(observation, *listener, *told))};
    } else if (ns != nullptr) {
      finding.remedies = syn_remedies(finding, *ns, first_holder(observation, listener));
    }
  }
  combine_remedies(report);
  add_general_remedies(report);
}

}  // namespace acceptq::remedy
