#include <fmt/format.h>

#include "base/text.h"
#include "diagnose/catalogue.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {

std::string in_that_time(std::optional<double> seconds) {
  return seconds ? fmt::format("In {:.1f} s", *seconds) : "Between the two samples";
}

Finding finding_about(const char* id, const ListenerState& state) {
  Finding finding = make_finding(id);
  finding.listener = state.report.key;
  finding.netns = state.listener->netns;
  return finding;
}

Evidence counter_evidence(const NamespaceDelta& ns, const char* counter) {
  Evidence evidence{.name = counter, .unit = "packets"};
  if (const auto total = ns.total(counter)) evidence.total = static_cast<std::int64_t>(*total);
  if (const auto delta = ns.delta(counter)) evidence.delta = static_cast<std::int64_t>(*delta);
  if (ns.after() != nullptr) evidence.source = ns.after()->counters_source;
  return evidence;
}

Evidence sysctl_evidence(const facts::Namespace* ns, const char* name) {
  return {.name = name,
          .total = sysctl_value(ns, name),
          .unit = "setting",
          .source = ns == nullptr ? ""
                    : ns->pasted  ? ns->pasted->label
                                  : "netns:" + std::to_string(ns->id.value())};
}

void add_queue_evidence(const ListenerState& state, Finding& finding) {
  const auto add = [&](const char* name, std::int64_t value) {
    finding.evidence.push_back(
        {.name = name, .total = value, .unit = "connections", .source = state.report.key});
  };
  add("accept_queue.length", state.listener->accept_queue_len.value());
  if (state.listener->limit) add("accept_queue.limit", state.listener->limit->value());
}

void add_counter_evidence(const ListenerState& state, Finding& finding) {
  finding.evidence.push_back(counter_evidence(state.ns, "TcpExtListenOverflows"));
  finding.evidence.push_back(counter_evidence(state.ns, "TcpExtListenDrops"));
  if (state.listener->drops) {
    Evidence own{.name = "sk_drops",
                 .total = *state.listener->drops,
                 .unit = "packets",
                 .source = state.report.key};
    if (state.report.socket_drops_delta) {
      own.delta = static_cast<std::int64_t>(*state.report.socket_drops_delta);
    }
    finding.evidence.push_back(std::move(own));
  }
}

std::string connections(std::uint64_t count) { return counted(count, "connection", "connections"); }

std::string hung_up(const ListenerState& state) {
  const std::uint32_t gone = state.listener->waiting_hung_up.value_or(0);
  if (gone == 0) return "";
  const std::uint32_t seen = *state.listener->waiting_seen;
  const std::string who = gone > 1 && gone == seen ? fmt::format("All {}", gone)
                                                   : fmt::format("{} of the {}", gone, seen);
  return fmt::format(
      " {} that wait {} until accept() takes {}.", who,
      gone == 1 ? "has hung up: it keeps its place" : "have hung up: they keep their places",
      gone == 1 ? "it" : "them");
}

std::string fullness(const ListenerState& state) {
  const auto& fraction = state.report.full_fraction;
  if (!fraction) return "";
  if (*fraction >= 1) return " It was full in every sample.";
  if (*fraction <= 0) {
    return was_full(state) ? " It was full for moments only."
                           : " It was full in no sample, so it fills for moments only.";
  }
  return fmt::format(" It was full in {:.0f} % of the samples.", *fraction * 100);
}

}  // namespace acceptq::diagnose
