#include "diagnose/invariants.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "diagnose/catalogue.h"
#include "diagnose/diagnose.h"

namespace acceptq::diagnose {
namespace {

class Check {
 public:
  Check(const Report& report, const facts::Snapshot& after) : report_(report), after_(after) {
    for (const Finding& finding : report.findings) {
      if (finding.listener) {
        of_listener_[*finding.listener].push_back(&finding);
      } else {
        of_namespace_.push_back(&finding);
      }
    }
  }

  std::vector<std::string> run() && {
    if (report_.verdict != overall_verdict(report_)) {
      say("the report's verdict is not the worst of its listeners' and findings'");
    }
    if (!std::ranges::equal(report_.listeners, after_.listeners, {}, &ListenerReport::key,
                            facts::listener_key)) {
      say("what is said of listeners is not in the order of the snapshot");
    }
    for (const ListenerReport& listener : report_.listeners) check(listener);
    for (const Finding& finding : report_.findings) check(finding);
    // The exit code goes by severity, headline and `top` by the verdict.
    const bool warned = std::ranges::any_of(report_.findings, [](const Finding& finding) {
      return finding.severity > Severity::kNotice;
    });
    if (warned && report_.verdict >= Verdict::kUnknown) {
      say("something is more than a notice in a report whose verdict finds nothing");
    }
    if (!std::ranges::is_sorted(report_.findings, std::ranges::greater{}, &Finding::severity)) {
      say("findings are not worst first");
    }
    return std::move(found_);
  }

 private:
  void say(std::string sentence) { found_.push_back(std::move(sentence)); }

  [[nodiscard]] const std::vector<const Finding*>& findings_of(const std::string& key) const {
    static const std::vector<const Finding*> kNone;
    const auto it = of_listener_.find(key);
    return it != of_listener_.end() ? it->second : kNone;
  }

  void check(const ListenerReport& listener) {
    const auto& own = findings_of(listener.key);
    const auto stands_for = [&](const Finding* finding) {
      return verdict_of_finding(finding->id) == listener.verdict;
    };
    const bool has_finding =
        listener.verdict == Verdict::kHealthy || std::ranges::any_of(own, stands_for) ||
        (listener.verdict == Verdict::kUnknown && std::ranges::any_of(of_namespace_, stands_for));
    if (!has_finding) say(listener.key + ": its verdict has no finding");
    for (const Finding* finding : own) {
      if (verdict_of_finding(finding->id) < listener.verdict) {
        say(fmt::format("{}: {} means a worse verdict", listener.key, finding->id));
      }
      if (finding->severity > Severity::kNotice && listener.verdict >= Verdict::kUnknown) {
        say(fmt::format("{}: {} is more than a notice, and its verdict finds nothing", listener.key,
                        finding->id));
      }
    }
    check_refused(listener);
    if (listener.verdict == Verdict::kSlow && !listener.left_queue) {
      say(listener.key + ": slow, and what left the queue is not known");
    }
  }

  void check_refused(const ListenerReport& listener) {
    const Refused& refused = listener.refused;
    const bool told = listener.verdict == Verdict::kOverflowing ||
                      listener.verdict == Verdict::kDroppedElsewhere ||
                      // Slow comes first in the order, and AQ107 is then beside it.
                      std::ranges::any_of(findings_of(listener.key), [](const Finding* finding) {
                        return finding->id == "AQ107";
                      });
    // sk_drops alone also counts what is no refusal.
    const bool certain = refused.source && *refused.source != facts::Source::kSocketDrops;
    if (certain && refused.total.value_or(0) > 0 && !told) {
      say(listener.key + ": packets were refused, and its verdict does not say so");
    }
    const bool of_queue =
        std::ranges::any_of(findings_of(listener.key), [](const Finding* finding) {
          return verdict_of_finding(finding->id) == Verdict::kOverflowing;
        });
    if (of_queue && certain && refused.total == 0U) {
      say(listener.key + ": nothing was refused, and a finding says that something was");
    }
    if (refused.total && refused.at_syn && refused.at_ack &&
        *refused.at_syn + *refused.at_ack != *refused.total) {
      say(listener.key + ": refused packets are not those at SYN and at the final ACK");
    }
  }

  void check(const Finding& finding) {
    if (find_entry(finding.id) == nullptr) say(finding.id + " is in no catalogue");
    if (finding.title.empty() || finding.explanation.empty()) say(finding.id + " says nothing");
    if (finding.id.starts_with("AQ3") && (!finding.cause || !finding.listener)) {
      say(finding.id + " says why accept() is slow, without a cause or a listener");
    }
    const double share = finding.cause ? finding.cause->share.value_or(0) : 0;
    if (share < 0 || share > 1 || finding.confidence < 0 || finding.confidence > 1) {
      say(finding.id + ": share or confidence is not between 0 and 1");
    }
    if (!finding.listener) return;
    const bool known = std::ranges::any_of(report_.listeners, [&](const ListenerReport& listener) {
      return listener.key == *finding.listener;
    });
    if (!known) say(finding.id + " is about a listener that is not in the report");
  }

  const Report& report_;
  const facts::Snapshot& after_;
  std::map<std::string, std::vector<const Finding*>> of_listener_;
  std::vector<const Finding*> of_namespace_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> contradictions(const Report& report, const facts::Snapshot& after) {
  return Check(report, after).run();
}

}  // namespace acceptq::diagnose
