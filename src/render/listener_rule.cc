#include "render/listener_rule.h"

#include <fmt/format.h>

#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "render/listener_block.h"
#include "render/listener_names.h"

namespace acceptq::render {
namespace {

using diagnose::Cookies;
using diagnose::ListenerReport;

std::string accept_rule(const facts::Listener& listener) {
  if (!listener.limit) return "The limit of its accept queue could not be read.";
  const std::uint32_t limit = listener.limit->value();
  const std::uint64_t capacity = facts::accept_queue_capacity(*listener.limit);
  const std::uint32_t length = listener.accept_queue_len.value();
  // connect() to a Unix socket blocks (unix_stream_connect, every version).
  const bool is_unix = listener.protocol == facts::Protocol::kUnix;
  std::string text = fmt::format(
      "Its accept queue holds {} now. The kernel {} when the length is greater than the limit, {}, "
      "so {} {}",
      counted(length, "complete connection", "complete connections"),
      is_unix ? "lets the next connect() wait, or fail with EAGAIN where it must not block,"
              : "refuses the next one",
      limit, capacity, capacity == 1 ? "fits" : "fit");
  if (length >= capacity) return text + ": it is full.";
  return text + fmt::format(" and {} more would be taken.", capacity - length);
}

std::string limit_rule(const facts::Listener& listener, const ListenerReport& report) {
  if (!listener.limit) return "";
  if (report.limit_set_by == diagnose::LimitSetBy::kKernel) {
    return "No process holds the socket: it is the kernel's own, and somaxconn does not bound the "
           "limits of those.";
  }
  if (!report.somaxconn) return "";
  return fmt::format(
      "The limit was fixed by listen() as the smaller of what the application asked for and "
      "net.core.somaxconn of the socket's network namespace at that time; that is {} now.",
      *report.somaxconn);
}

std::string syn_rule(const facts::Listener& listener, const ListenerReport& report) {
  if (listener.protocol == facts::Protocol::kUnix) return "";
  std::string text;
  if (listener.syn_queue_len) {
    text = fmt::format(
        "Its SYN queue holds {}. ",
        counted(*listener.syn_queue_len, "incomplete handshake", "incomplete handshakes"));
  }
  if (listener.defer_accept.value_or(0) > 0) {
    text += "A handshake stays there until its client sends data (TCP_DEFER_ACCEPT). ";
  }
  if (report.syn_queue_capacity) {
    text += fmt::format("{} is full from {} on. ", text.empty() ? "Its SYN queue" : "That queue",
                        *report.syn_queue_capacity);
  }
  if (!report.cookies) return text;
  switch (*report.cookies) {
    case Cookies::kOff:
      return text + "When it is full, SYNs are refused: tcp_syncookies is 0.";
    case Cookies::kWhenFull:
      return text +
             "When it is full, the kernel answers with SYN cookies, which need no room in it: "
             "tcp_syncookies is 1.";
    case Cookies::kAlways:
      return text +
             "New handshakes do not go there: tcp_syncookies is 2, so every SYN is answered with a "
             "SYN cookie.";
  }
  return text;
}

}  // namespace

std::string listener_rules(const TermStyle& style, const diagnose::Report& report,
                           const facts::Observation& observation) {
  const Twins twins(observation.after);
  std::string text;
  for (std::size_t i = 0; i < report.listeners.size(); ++i) {
    const facts::Listener& listener = observation.after.listeners[i];
    const ListenerReport& rules = report.listeners[i];
    if (!text.empty()) text += "\n";
    text += ink(style, Ink::kBold, printable(facts::listener_endpoint(listener))) + "   " +
            twins.workload_name(listener) + "\n";
    for (const std::string& sentence :
         {accept_rule(listener), limit_rule(listener, rules), syn_rule(listener, rules)}) {
      if (!sentence.empty()) text += wrap(style, 2, sentence);
    }
    for (const diagnose::Finding& finding : report.findings) {
      if (finding.listener != rules.key) continue;
      text += wrap(style, 2, finding.id + ": " + printable(finding.explanation));
    }
  }
  return for_terminal(style, text);
}

}  // namespace acceptq::render
