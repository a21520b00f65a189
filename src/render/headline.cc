#include "render/headline.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "base/text.h"
#include "diagnose/diagnose.h"

namespace acceptq::render {
namespace {

using diagnose::Finding;
using diagnose::Report;
using diagnose::Severity;
using diagnose::Verdict;

// The listeners that have the report's verdict, and of which a finding says so that is as bad as
// the worst: one whose clients all came through at their first retry loses nothing.
std::set<std::string_view> worst_listeners(const Report& report, Severity worst) {
  std::set<std::string_view> keys;
  for (const Finding& finding : report.findings) {
    const bool counts = finding.listener && finding.severity == worst &&
                        diagnose::verdict_of_finding(finding.id) == report.verdict;
    if (counts) keys.insert(*finding.listener);
  }
  return keys;
}

// Whether none of them is there any more.
bool are_closed(const std::set<std::string_view>& keys, const Report& report,
                const facts::Observation& observation) {
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    if (keys.contains(report.listeners[i].key) && !observation.after.listeners[i].closed) {
      return false;
    }
  }
  return !keys.empty();
}

// The worst that a finding of the report's own verdict says: what only explains it is left out.
Severity severity_of(const Report& report) {
  Severity severity = Severity::kNotice;
  for (const Finding& finding : report.findings) {
    if (diagnose::verdict_of_finding(finding.id) != report.verdict) continue;
    severity = std::max(severity, finding.severity);
  }
  return severity;
}

// Whether what stands for the report's verdict is a flood: no limit is then to blame, and with
// tcp_syncookies 2 no queue is even in use.
bool is_flood(const Report& report) {
  const auto stands_for = [&](const Finding& finding) {
    return finding.severity > Severity::kNotice &&
           diagnose::verdict_of_finding(finding.id) == report.verdict;
  };
  return std::ranges::any_of(report.findings, stands_for) &&
         std::ranges::all_of(report.findings, [&](const Finding& finding) {
           return finding.id == "AQ203" || !stands_for(finding);
         });
}

// Whether the listeners are known from packets of a capture alone.
bool is_of_capture(const facts::Observation& observation) {
  const auto& listeners = observation.after.listeners;
  return !listeners.empty() &&
         std::ranges::none_of(listeners, [](const auto& listener) { return listener.queue_seen; });
}

// Whether nothing but this finding stands for the report's verdict.
bool is_all_of(const Report& report, std::string_view id) {
  bool any = false;
  for (const Finding& finding : report.findings) {
    if (diagnose::verdict_of_finding(finding.id) != report.verdict) continue;
    if (finding.id != id) return false;
    any = true;
  }
  return any;
}

struct Words {
  std::string_view one;
  std::string_view many;
  std::string_view of_namespace;  // no listener has the verdict
};

Words words_of(Verdict verdict, Severity severity) {
  switch (verdict) {
    case Verdict::kOverflowing:
      if (severity == Severity::kCritical) {
        return {"listener is losing connections", "listeners are losing connections",
                "connections are being lost"};
      }
      if (severity == Severity::kWarning) {
        return {"listener refuses connections now and then",
                "listeners refuse connections now and then",
                "connections are refused now and then"};
      }
      return {"listener refused connections, of which none is known to be lost",
              "listeners refused connections, of which none is known to be lost",
              "connections were refused"};
    case Verdict::kSlow:
      return {"listener lets connections wait for over a second",
              "listeners let connections wait for over a second", ""};
    case Verdict::kDroppedElsewhere:
      if (severity == Severity::kNotice) {
        return {"listener does not see some SYNs, which die before they reach it",
                "listeners do not see some SYNs, which die before they reach them",
                "some packets die before they reach a listener"};
      }
      return {"listener does not get all of its connections, but no queue is to blame",
              "listeners do not get all of their connections, but no queue is to blame",
              "connections are lost, but no queue is to blame"};
    case Verdict::kFailing:
      if (severity == Severity::kNotice) {
        return {"listener left SYNs unanswered, whose clients came through when they tried again",
                "listeners left SYNs unanswered, whose clients came through when they tried again",
                ""};
      }
      return {"listener has handshakes that fail, and packets alone do not tell why",
              "listeners have handshakes that fail, and packets alone do not tell why", ""};
    case Verdict::kAtRisk:
      return {"listener is at its limit or close to it",
              "listeners are at their limit or close to it", "a SYN queue is at its limit"};
    case Verdict::kUnknown:
    case Verdict::kOverflowed:
    case Verdict::kHealthy:
      break;
  }
  return {};
}

// Some findings say more than the verdict that they stand for.
Words words_of(const Report& report, Severity severity) {
  if (is_flood(report)) {
    return {"listener seems to be under a SYN flood", "listeners seem to be under a SYN flood",
            "a SYN flood seems to be under way"};
  }
  if (is_all_of(report, "AQ402")) {
    const bool serves = std::ranges::any_of(report.listeners, [](const auto& listener) {
      return listener.captured && listener.captured->turned_away > 0 &&
             listener.captured->completed > 0;
    });
    if (serves) {
      return {"port answers some SYNs by a reset", "ports answer some SYNs by a reset", ""};
    }
    if (severity == Severity::kNotice) {
      return {"port answered SYNs by a reset", "ports answered SYNs by a reset, as under a scan",
              ""};
    }
    return {"port answers SYNs by a reset: nothing listens there",
            "ports answer SYNs by a reset: nothing listens there", ""};
  }
  if (is_all_of(report, "AQ405")) {
    return {"listener has handshakes that are not completed",
            "listeners have handshakes that are not completed", ""};
  }
  if (is_all_of(report, "AQ110")) {
    if (severity == Severity::kNotice) {
      return {"Unix socket's queue was full for moments",
              "Unix sockets' queues were full for moments", ""};
    }
    return {"Unix socket's queue is full; whom it refuses the kernel does not count",
            "Unix sockets' queues are full; whom they refuse the kernel does not count", ""};
  }
  if (severity == Severity::kNotice && is_all_of(report, "AQ103")) {
    return {"listener came close to its limit, and refused nothing",
            "listeners came close to their limit, and refused nothing", ""};
  }
  if (severity == Severity::kNotice && is_all_of(report, "AQ202")) {
    return {"listener answers by SYN cookies", "listeners answer by SYN cookies",
            "SYNs are answered by cookies"};
  }
  return words_of(report.verdict, severity);
}

}  // namespace

Headline headline(const Report& report, const facts::Observation& observation) {
  const Severity severity = severity_of(report);
  Words words = words_of(report, severity);
  if (report.verdict == Verdict::kDroppedElsewhere && observation.imported) {
    words = {"listener does not get all of its connections, but its accept queue is not to blame",
             "listeners do not get all of their connections, but no accept queue is to blame",
             "connections are lost, but no accept queue is to blame"};
  }
  if (!words.one.empty()) {
    constexpr Ink kInks[] = {Ink::kPlain, Ink::kYellow, Ink::kRed};
    const std::set<std::string_view> worst = worst_listeners(report, severity);
    const std::size_t count = worst.size();
    if (report.verdict == Verdict::kOverflowing && severity == Severity::kCritical &&
        !is_flood(report) && are_closed(worst, report, observation)) {
      words = {"listener was losing connections until it was closed",
               "listeners were losing connections until they were closed", ""};
    }
    return {
        .text = count > 0 ? counted(count, words.one, words.many) : std::string(words.of_namespace),
        .ink = kInks[static_cast<std::size_t>(severity)]};
  }
  if (report.listeners.empty() && observation.imported) {
    return {.text = report.verdict == Verdict::kOverflowed
                        ? "connections were refused at some time; the text does not say when"
                        : "nothing wrong was found in what was pasted; it lists no listener"};
  }
  if (report.listeners.empty() && observation.after.scan_method == "capture") {
    return {.text = "no handshake of the capture can be followed: it holds no SYN"};
  }
  if (report.listeners.empty()) return {.text = "no listener was found"};
  const bool blind =
      std::ranges::any_of(observation.after.blind_spots, &facts::BlindSpot::unobserved);
  const bool unknown = std::ranges::any_of(
      report.listeners, [](const auto& listener) { return listener.verdict == Verdict::kUnknown; });
  const bool crowded = std::ranges::any_of(report.findings, [](const Finding& finding) {
    return finding.id == "AQ606" && finding.listener;
  });
  if (crowded) {
    return {.text = "many connections wait for accept(); how many fit is not known",
            .ink = Ink::kYellow};
  }
  if (blind || unknown) return {.text = "nothing wrong was found in what could be seen"};
  if (is_of_capture(observation)) {
    return {.text = "no handshake of the capture failed", .ink = Ink::kGreen};
  }
  if (observation.imported && observation.seconds <= 0) {
    return {.text = "nothing wrong was found in what was pasted"};
  }
  // Losing takes time: one look does not see it.
  if (observation.seconds <= 0) return {.text = "nothing wrong was found in one look"};
  return {.text = "no listener is losing connections", .ink = Ink::kGreen};
}

}  // namespace acceptq::render
