// AQ113: nothing need be refused for clients to give up.
#include <fmt/format.h>

#include "base/text.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

// "2.4 s", "189 s".
std::string seconds(double ms) {
  constexpr double kMsPerSecond = 1000;
  constexpr double kWholeFrom = 10'000;
  return fmt::format(fmt::runtime(ms < kWholeFrom ? "{:.1f} s" : "{:.0f} s"), ms / kMsPerSecond);
}

}  // namespace

void add_slow(const ListenerState& state, std::vector<Finding>& findings) {
  Finding finding = finding_about("AQ113", state);
  const ListenerReport& report = state.report;
  constexpr double kSlowMs = 1000;
  const std::uint32_t length = state.listener->accept_queue_len.value();
  finding.explanation =
      "Clients connect at once and then wait for the server's first byte: a probe with a timeout "
      "of 1 s fails, and a client that gives up leaves its connection in the queue.";
  if (is_stuck(state)) {
    finding.explanation += fmt::format(
        " Nobody calls accept(): in {:.1f} s nothing was taken from the accept queue, where {} "
        "now.",
        state.seconds.value_or(0), counted(length, "connection waits", "connections wait"));
    if (is_at_rest(state)) {
      finding.severity = Severity::kNotice;
      finding.explanation += " Nothing arrived meanwhile, so no new client suffers.";
    }
  } else if (const auto& time = report.time_in_queue; time && time->p50_ms > kSlowMs) {
    finding.explanation += fmt::format(
        " Half of the connections that accept() took had waited for about {} or longer in the "
        "accept queue.",
        seconds(time->p50_ms));
  } else {
    finding.explanation += fmt::format(
        " {} for accept(), and {:.3g} are taken per second: a new one waits for about {}.",
        counted(length, "connection waits", "connections wait"), report.accepts_per_s.value_or(0),
        seconds(report.estimated_wait_ms.value_or(0)));
  }
  finding.explanation += hung_up(state);
  add_queue_evidence(state, finding);
  findings.push_back(std::move(finding));
}

}  // namespace acceptq::diagnose
