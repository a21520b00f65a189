#include "render/listener_block.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "diagnose/deltas.h"
#include "render/listener_names.h"
#include "render/names.h"
#include "render/timeline.h"

namespace acceptq::render {
namespace {

using diagnose::Finding;
using diagnose::LimitSetBy;
using diagnose::ListenerReport;
using diagnose::Severity;

constexpr int kLabel = 15;

std::string mark(const TermStyle& style, Severity severity) {
  switch (severity) {
    case Severity::kCritical:
      return ink(style, Ink::kRed, style.unicode ? "✖" : "X");
    case Severity::kWarning:
      return ink(style, Ink::kYellow, style.unicode ? "▲" : "!");
    case Severity::kNotice:
      return style.unicode ? "·" : "-";
  }
  return "";
}

// "  label          text, wrapped under itself"
std::string row(const TermStyle& style, std::string_view label, std::string_view text) {
  const std::string_view words = trim(text);
  if (words.empty()) return "";
  const std::string lines = wrap(style, kLabel + 2, words);
  const std::string head = "  " + ink(style, Ink::kDim, fit(label, kLabel));
  return head + lines.substr(kLabel + 2);
}

std::string queue_text(const TermStyle& style, const facts::Listener& listener,
                       const ListenerReport& report) {
  const std::uint32_t length = listener.accept_queue_len.value();
  if (!listener.limit) {
    return fmt::format("{} waiting; the limit could not be read", length);
  }
  const std::uint64_t capacity = facts::accept_queue_capacity(*listener.limit);
  std::string fullness;
  if (const auto& share = report.full_fraction) {
    if (*share >= 1) {
      fullness = "full the whole time";
    } else if (*share > 0) {
      fullness = fmt::format("full in {:.0f} % of the samples", std::max(1.0, *share * 100));
    } else {
      fullness = fmt::format("{} at most", report.longest.value());
    }
  }
  constexpr int kBar = 20;
  const double share = static_cast<double>(length) / static_cast<double>(capacity);
  return fmt::format("{} of {} {} {}", length, listener.limit->value(), bar(style, share, kBar),
                     fullness);
}

// Only where something waits there: handshakes of healthy clients are done in a round trip.
std::string syn_queue_text(const TermStyle& style, const facts::Listener& listener,
                           const ListenerReport& report) {
  if (listener.syn_queue_len.value_or(0) == 0) return "";
  const std::uint32_t length = *listener.syn_queue_len;
  std::string text = fmt::format("{} handshakes under way", length);
  if (const auto& capacity = report.syn_queue_capacity; capacity && *capacity > 0) {
    constexpr int kBar = 20;
    const double share = static_cast<double>(length) / static_cast<double>(*capacity);
    text = fmt::format("{} of {} {}", length, *capacity, bar(style, share, kBar));
  }
  if (report.cookies == diagnose::Cookies::kOff) text += " SYN cookies are off";
  return text;
}

std::string refused_text(const facts::Observation& observation, const ListenerReport& report) {
  if (!report.refused.total || observation.seconds <= 0) return "";
  const double per_second = static_cast<double>(*report.refused.total) / observation.seconds;
  std::string text = fmt::format("{} packets in {:.1f} s ({:.0f}/s)", *report.refused.total,
                                 observation.seconds, per_second);
  if (report.refused.source == facts::Source::kSocketDrops) {
    text += " at most: the socket's own count, where some packets count twice";
  }
  if (report.refused.at_syn && report.refused.at_ack && *report.refused.total > 0) {
    text += fmt::format(", {} at SYN and {} at the final ACK", *report.refused.at_syn,
                        *report.refused.at_ack);
  }
  return text;
}

// "10.0.0.3 (41 attempts), 10.0.0.4 (7), and 55 more"
std::string clients_text(const ListenerReport& report) {
  constexpr std::size_t kMost = 3;
  const diagnose::Refused& refused = report.refused;
  std::string text;
  std::size_t shown = 0;
  for (const facts::RefusedClient& client : refused.top) {
    if (shown == kMost) break;
    text += fmt::format("{}{} ({}{})", shown == 0 ? "" : ", ", client.address.to_string(),
                        client.attempts,
                        shown > 0 ? "" : (client.attempts == 1 ? " attempt" : " attempts"));
    ++shown;
  }
  const std::uint64_t all = refused.addresses.value_or(refused.top.size());
  if (all > shown) text += fmt::format(" and {} more", all - shown);
  return text;
}

std::string time_in_queue_text(const ListenerReport& report) {
  if (!report.time_in_queue) {
    if (!report.estimated_wait_ms) return "";
    return fmt::format("about {} if one comes now: the queue's length by the rate of accept()",
                       duration_text(*report.estimated_wait_ms));
  }
  return fmt::format("{} for half, {} for 99 %, between handshake and accept()",
                     duration_text(report.time_in_queue->p50_ms),
                     duration_text(report.time_in_queue->p99_ms));
}

std::string limit_text(const facts::Observation& observation, const facts::Listener& listener,
                       const ListenerReport& report) {
  const facts::Snapshot& after = observation.after;
  const std::string whose = namespace_owner(after, listener);
  const std::string somaxconn = report.somaxconn ? std::to_string(*report.somaxconn) : "unknown";
  const facts::Namespace* ns = facts::find_namespace(after, listener.netns);
  const facts::Namespace* host = facts::host_namespace(after);
  switch (report.limit_set_by) {
    case LimitSetBy::kSomaxconn: {
      std::string text =
          fmt::format("net.core.somaxconn = {} in {} network namespace",
                      report.stale == true ? listener.limit->value() : *report.somaxconn, whose);
      if (report.stale == true) text += fmt::format(" at the time of listen() ({} now)", somaxconn);
      const auto of_host = diagnose::sysctl_value(host, facts::kSomaxconn);
      if (ns != host && of_host && of_host != report.somaxconn) {
        text += fmt::format(" (the host's {} does not apply)", *of_host);
      }
      return text;
    }
    case LimitSetBy::kApplication:
      return fmt::format(
          "the application: it asked for {} (net.core.somaxconn of {} namespace is {})",
          listener.limit->value(), whose, somaxconn);
    case LimitSetBy::kKernel:
      return "the kernel: its own listeners are not clamped by somaxconn";
    case LimitSetBy::kAcceptq:
      return "acceptq, which resized the queue";
    case LimitSetBy::kUnknown:
      break;
  }
  if (!listener.limit) return "";
  return fmt::format("not certain: the application, or an older somaxconn ({} now)", somaxconn);
}

std::string rates_text(const ListenerReport& report) {
  if (!report.arrivals_per_s || !report.accepts_per_s) return "";
  return fmt::format("{:.0f} connections/s of {:.0f}/s that arrive, retries included",
                     *report.accepts_per_s, *report.arrivals_per_s);
}

std::string remedies_text(const TermStyle& style, const std::vector<diagnose::Remedy>& remedies) {
  std::string text;
  int number = 0;
  for (const diagnose::Remedy& remedy : remedies) {
    text += row(style, number == 0 ? "what to do" : "",
                fmt::format("{}. {}", number + 1, printable(remedy.summary)));
    ++number;
    if (remedy.form == "cause") {
      // Its content is a sentence; all others' is text to copy, which keeps its lines.
      text += row(style, "", "   " + printable(remedy.content));
    } else if (!remedy.content.empty()) {
      std::string_view rest = remedy.content;
      while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        text += std::string(kLabel + 7, ' ') + printable(rest.substr(0, end)) + "\n";
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
      }
    }
    // Several ways to the same end: what comes then is said once, behind the last of them.
    const auto next = static_cast<std::size_t>(number);
    const bool said_later = next < remedies.size() && remedies[next].then == remedy.then;
    if (!remedy.then.empty() && !said_later) {
      text += row(style, "", fmt::format("   Then {}", printable(remedy.then)));
    }
  }
  return text;
}

Severity worst_severity(const std::vector<const Finding*>& findings) {
  Severity severity = Severity::kNotice;
  for (const Finding* finding : findings) severity = std::max(severity, finding->severity);
  return severity;
}

}  // namespace

std::string listener_block(const TermStyle& style, const facts::Observation& observation,
                           const facts::Listener& listener, const ListenerReport& report,
                           const std::vector<const Finding*>& findings) {
  const facts::Snapshot& after = observation.after;
  const std::string workload = workload_name(after, listener);
  const std::string owner = owner_name(after, listener);
  std::string text = mark(style, worst_severity(findings)) + " ";
  // A plain process is called by its own name, which the owner says again, with the pid.
  const bool named_twice = owner.starts_with(workload + " (");
  text += ink(style, Ink::kBold, named_twice ? owner : workload);
  if (!owner.empty() && !named_twice) text += "   " + owner;
  const std::string endpoint = printable(facts::listener_endpoint(listener));
  const int wanted =
      2 + (named_twice ? 0 : columns(workload) + 3) + columns(owner) + 3 + columns(endpoint);
  text += wanted > style.width ? "\n  " : "   ";
  text += ink(style, Ink::kBold, endpoint) + "\n";
  text += row(style, "accept queue", queue_text(style, listener, report));
  text += row(style, "", timeline_text(style, observation, listener));
  text += row(style, "SYN queue", syn_queue_text(style, listener, report));
  text += row(style, "refused", refused_text(observation, report));
  text += row(style, "clients", clients_text(report));
  text += row(style, "accepted", rates_text(report));
  text += row(style, "waited", time_in_queue_text(report));
  text += row(style, "limit set by", limit_text(observation, listener, report));
  for (const Finding* finding : findings) {
    text += row(style, finding->id, printable(finding->explanation));
  }
  const auto with_remedies = std::ranges::find_if(
      findings, [](const Finding* finding) { return !finding->remedies.empty(); });
  if (with_remedies != findings.end()) text += remedies_text(style, (*with_remedies)->remedies);
  return text;
}

std::string finding_block(const TermStyle& style, const Finding& finding) {
  std::string where;
  if (finding.netns) where = fmt::format("   network namespace {}", finding.netns->value());
  return mark(style, finding.severity) + " " + ink(style, Ink::kBold, finding.title) + where +
         "\n" + row(style, finding.id, printable(finding.explanation)) +
         remedies_text(style, finding.remedies);
}

}  // namespace acceptq::render
