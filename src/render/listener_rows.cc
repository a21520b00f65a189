#include "render/listener_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "diagnose/deltas.h"
#include "render/listener_names.h"
#include "render/names.h"

namespace acceptq::render {

using diagnose::LimitSetBy;
using diagnose::ListenerReport;
using diagnose::Severity;

namespace {

// The samples of an armed watch are those of its last seconds: a timeline tells more, and
// differently.
std::string fullness(const ListenerReport& report, bool shows_timeline) {
  const auto& share = report.full_fraction;
  if (!share) return "";
  if (report.full_between_samples && !shows_timeline) {
    return fmt::format("{} at most in the samples, full between them", report.longest.value());
  }
  if (shows_timeline || *share <= 0) {
    return fmt::format("{} at most", report.longest.value());
  }
  if (*share >= 1) return "full the whole time";
  return fmt::format("full in {:.0f} % of the samples", std::clamp(*share * 100, 1.0, 99.0));
}

// How full a queue is, with what is to be said of it.
std::string filling(const TermStyle& style, std::uint64_t length, std::uint64_t limit, double share,
                    const std::string& words) {
  constexpr int kBar = 20;
  const std::string text = fmt::format("{} of {}", length, limit);
  if (style.bars) return text + " " + bar(style, share, kBar) + " " + words;
  return words.empty() ? text : text + ", " + words;
}

}  // namespace

// What is little keeps a digit behind the point: "0.4", "12", and "0" for nothing at all.
std::string rate_text(double per_second) {
  constexpr double kWholeFrom = 9.95;
  if (per_second <= 0 || per_second >= kWholeFrom) return fmt::format("{:.0f}", per_second);
  const std::string text = fmt::format("{:.1f}", std::max(per_second, 0.1));
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

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
                       const ListenerReport& report, bool shows_timeline) {
  const std::uint32_t length = listener.accept_queue_len.value();
  if (!listener.queue_seen) return "";
  if (!listener.limit) {
    return fmt::format("{} waiting; the limit could not be read", length);
  }
  if (listener.closed) {
    return fmt::format("closed while acceptq watched; {} of {} at most before",
                       report.longest.value(), listener.limit->value());
  }
  const std::uint64_t capacity = facts::accept_queue_capacity(*listener.limit);
  const double share = facts::sampled_full(listener.accept_queue_len, *listener.limit)
                           ? 1
                           : static_cast<double>(length) / static_cast<double>(capacity);
  std::string text =
      filling(style, length, listener.limit->value(), share, fullness(report, shows_timeline));
  if (const std::uint32_t gone = listener.waiting_hung_up.value_or(0); gone > 0) {
    const std::string who =
        gone > 1 && gone == listener.waiting_seen ? "all" : fmt::format("{} of those", gone);
    text += fmt::format("; {} that wait {} hung up", who, gone == 1 ? "has" : "have");
  }
  return text;
}

// Only where something waits there: handshakes of healthy clients are done in a round trip.
std::string syn_queue_text(const TermStyle& style, const facts::Listener& listener,
                           const ListenerReport& report) {
  if (listener.syn_queue_len.value_or(0) == 0) return "";
  const std::uint32_t length = *listener.syn_queue_len;
  const std::string off = report.cookies == diagnose::Cookies::kOff ? "SYN cookies are off" : "";
  if (const auto& capacity = report.syn_queue_capacity; capacity && *capacity > 0) {
    return filling(style, length, *capacity,
                   static_cast<double>(length) / static_cast<double>(*capacity), off);
  }
  return counted(length, "handshake", "handshakes") + " under way " + off;
}

std::string refused_text(const facts::Observation& observation, const facts::Listener& listener,
                         const ListenerReport& report) {
  if (!report.refused.total || !facts::is_compared(observation, listener.netns)) return "";
  const bool more = report.refused.at_least && *report.refused.total > 0;
  std::string text =
      (more ? "at least " : "") + counted(*report.refused.total, "packet", "packets");
  if (const auto seconds = facts::seconds_of(observation, listener.netns)) {
    text += fmt::format(" in {:.1f} s", *seconds);
    const double rate = static_cast<double>(*report.refused.total) / *seconds;
    if (!more) text += fmt::format(" ({}/s)", rate_text(rate));
  } else {
    text += " between the two samples";
  }
  if (report.refused.source == facts::Source::kSocketDrops) {
    text += " at most: the socket's own count, which counts some packets twice";
  }
  if (report.refused.at_syn && report.refused.at_ack && *report.refused.total > 0) {
    if (*report.refused.at_ack == 0) return text + " at SYN";
    if (*report.refused.at_syn == 0) return text + " at the final ACK";
    text += fmt::format(", {} at SYN and {} at the final ACK", *report.refused.at_syn,
                        *report.refused.at_ack);
  }
  return text;
}

// "12 attempts at the server's side: 5 completed, 7 never answered"
std::string captured_text(const ListenerReport& report) {
  if (!report.captured) return "";
  const facts::Captured& captured = *report.captured;
  constexpr std::string_view kSides[] = {", seen from an unknown place", " seen at the client",
                                         " seen at the server", " seen on the way",
                                         " of this host to itself"};
  std::string text = counted(captured.attempts, "attempt", "attempts");
  text += kSides[static_cast<std::size_t>(captured.side)];
  std::string_view comma = ": ";
  const auto add = [&](std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    text += fmt::format("{}{} {}", comma, count, what);
    comma = ", ";
  };
  add(captured.completed, "completed");
  // Without packets behind the SYN-ACK none is known to be completed.
  if (!captured.holds_others && captured.holds_answers) {
    const std::uint64_t open = captured.never_answered + captured.turned_away + captured.pending;
    add(captured.attempts - std::min(captured.attempts, open), "answered");
  }
  add(captured.never_answered, "never answered");
  add(captured.turned_away, "answered by a reset");
  add(captured.half_open, "answered and not acknowledged");
  add(captured.pending, "under way at the end");
  // They are counted above as well: as completed, where the server took a later packet.
  if (captured.attempts_unheard + captured.resets > 0) comma = "; of all ";
  add(captured.attempts_unheard, "with a final ACK that the server did not take");
  add(captured.resets, "reset once complete");
  return text;
}

std::string unanswered_text(const ListenerReport& report) {
  if (report.syn_unanswered.value_or(0) == 0) return "";
  return fmt::format(
      "{} came here and got neither a SYN-ACK nor a reset, and no listener refused them: they or "
      "their answers were dropped on this host, or the answers lost on the way",
      counted(*report.syn_unanswered, "SYN", "SYNs"));
}

// Those without an attempt only repeated packets of attempts that began before.
std::string attempts_text(const facts::RefusedClient& client, bool is_first) {
  if (client.attempts == 0) return "retries";
  if (!is_first) return std::to_string(client.attempts);
  return counted(client.attempts, "attempt", "attempts");
}

// "10.0.0.3 (41 attempts), 10.0.0.4 (7) and 55 more"
std::string clients_text(const ListenerReport& report) {
  constexpr std::size_t kMost = 3;
  const diagnose::Refused& refused = report.refused;
  std::string text;
  std::size_t shown = 0;
  for (const facts::RefusedClient& client : refused.top) {
    if (shown == kMost) break;
    text += fmt::format("{}{} ({})", shown == 0 ? "" : ", ", client.address.to_string(),
                        attempts_text(client, shown == 0));
    ++shown;
  }
  const std::uint64_t all = refused.addresses.value_or(refused.top.size());
  if (all > shown) text += fmt::format(" and {} more", all - shown);
  return text;
}

std::string time_in_queue_text(const ListenerReport& report) {
  if (!report.time_in_queue) {
    if (!report.estimated_wait_ms) return "";
    return fmt::format("about {} for a new one, by the rate of accept()",
                       duration_text(*report.estimated_wait_ms));
  }
  std::string text = duration_text(report.time_in_queue->p50_ms) + " for half";
  if (const auto& p99 = report.time_in_queue->p99_ms) {
    text += fmt::format(", {} for 99 %", duration_text(*p99));
  }
  return text + ", between handshake and accept()";
}

std::string first_sentence(std::string_view text) {
  const std::size_t end = text.find(". ");
  return std::string(text.substr(0, end == std::string_view::npos ? end : end + 1));
}

namespace {

std::string who_set_it(const facts::Observation& observation, const facts::Listener& listener,
                       const ListenerReport& report) {
  const facts::Snapshot& after = observation.after;
  const std::string whose = namespace_owner(after, listener);
  const std::string somaxconn = report.somaxconn ? std::to_string(*report.somaxconn) : "unknown";
  const facts::Namespace* ns = facts::find_namespace(after, listener.netns);
  const facts::Namespace* host = facts::host_namespace(after);
  switch (report.limit_set_by) {
    case LimitSetBy::kSomaxconn: {
      // What it was then is the limit, whatever it is now.
      const bool of_then = report.stale == true || !report.somaxconn;
      std::string text =
          fmt::format("net.core.somaxconn = {} in {} network namespace",
                      of_then ? std::int64_t{listener.limit->value()} : *report.somaxconn, whose);
      if (!report.somaxconn) text += " at the time of listen()";
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
      return "the kernel: somaxconn does not bound its own listeners";
    case LimitSetBy::kAcceptq:
      return listener.resized_from ? fmt::format("acceptq, which resized the queue (from {})",
                                                 listener.resized_from->value())
                                   : "acceptq, which resized the queue";
    case LimitSetBy::kUnknown:
      break;
  }
  if (!listener.limit) return "";
  if (!report.somaxconn) {
    return fmt::format("not known: net.core.somaxconn of {} namespace, or the application", whose);
  }
  return fmt::format("not certain: the application, or an older somaxconn ({} now)", somaxconn);
}

}  // namespace

std::string limit_text(const facts::Observation& observation, const facts::Listener& listener,
                       const ListenerReport& report) {
  std::string text = who_set_it(observation, listener, report);
  if (report.limit_before) {
    text += fmt::format("; it was {} when the watch began, and listen() was called again since",
                        report.limit_before->value());
  }
  return text;
}

std::string rates_text(const ListenerReport& report) {
  // Of those that arrive the refused ones are a part.
  const bool some_missed = report.refused.at_least && report.refused.total.value_or(0) > 0;
  if (!report.arrivals_per_s || !report.accepts_per_s || some_missed) return "";
  if (*report.arrivals_per_s <= 0 && *report.accepts_per_s <= 0) return "";
  const std::string accepted = rate_text(*report.accepts_per_s);
  const std::string arrived = rate_text(*report.arrivals_per_s);
  // Handshakes that are never completed are in no rate, be there ever so many.
  const std::string_view which =
      report.refused.total.value_or(0) > 0 ? "arrive, retries included" : "are completed";
  if (*report.accepts_per_s > *report.arrivals_per_s) {
    return fmt::format("{} connections/s, while {}/s {}", accepted, arrived, which);
  }
  return fmt::format("{} connections/s of {}/s that {}", accepted, arrived, which);
}

}  // namespace acceptq::render
