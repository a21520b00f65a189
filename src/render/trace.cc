#include "render/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/bytes.h"
#include "base/text.h"
#include "facts/json.h"
#include "facts/ledger_json.h"
#include "render/listener_names.h"
#include "render/names.h"

namespace acceptq::render {
namespace {

using Json = nlohmann::ordered_json;
using facts::Ledger;
using enum facts::LedgerTerm;

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::string clock_text(std::int64_t realtime_ns, const char* format, bool local) {
  const std::time_t seconds = realtime_ns / kNsPerSecond;
  std::tm parts{};
  if (local) {
    ::localtime_r(&seconds, &parts);
  } else {
    ::gmtime_r(&seconds, &parts);
  }
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, format, &parts);
  return std::string(text, size) + fmt::format(".{:03}", realtime_ns % kNsPerSecond / 1'000'000);
}

std::string endpoint(const facts::IpAddress& address, std::uint16_t port) {
  return fmt::format(fmt::runtime(address.is_v6() ? "[{}]:{}" : "{}:{}"), address.to_string(),
                     port);
}

std::string whose(const facts::Snapshot& snapshot, const facts::Listener* listener) {
  if (listener == nullptr) return "?";
  const std::string workload = workload_name(snapshot, *listener);
  const std::string owner = owner_name(snapshot, *listener);
  if (owner.empty() || owner.starts_with(workload)) return owner.empty() ? workload : owner;
  return workload + " " + owner;
}

std::string_view step(facts::Stage stage) {
  switch (stage) {
    case facts::Stage::kSyn:
      return "SYN";
    case facts::Stage::kAck:
      return "ACK";
    case facts::Stage::kCookieAck:
      return "ACK of cookie";
  }
  return "";
}

std::uint64_t value(const Ledger& ledger, facts::LedgerTerm term) {
  return ledger[term].value_or(0);
}

// "25 refused (20 accept queue full, 5 SYN queue full)"; empty where nothing was.
std::string refusals_of(const Ledger& ledger, facts::LedgerTerm first, facts::LedgerTerm last) {
  std::uint64_t total = 0;
  std::string reasons;
  for (auto i = static_cast<int>(first); i <= static_cast<int>(last); ++i) {
    const auto term = static_cast<facts::LedgerTerm>(i);
    const std::uint64_t count = value(ledger, term);
    if (count == 0) continue;
    total += count;
    reasons +=
        fmt::format("{}{} {}", reasons.empty() ? "" : ", ", count, facts::refusal_reason(term));
  }
  return total == 0 ? "" : fmt::format("{} refused ({})", total, reasons);
}

// Parts that are not empty, joined.
std::string joined(std::initializer_list<std::string> parts) {
  std::string text;
  for (const std::string& part : parts) {
    if (!part.empty()) text += (text.empty() ? "" : ", ") + part;
  }
  return text;
}

std::string some(std::uint64_t count, std::string_view what) {
  return count == 0 ? "" : fmt::format("{} {}", count, what);
}

// "  SYNs          12 received …", its further lines indented.
void add_row(const TermStyle& style, std::string_view name, const std::string& row,
             std::string& text) {
  if (row.empty()) return;
  constexpr int kIndent = 14;
  const std::string label = fmt::format("  {:<12}", name);
  text += label + wrap(style, kIndent, row).substr(kIndent);
}

std::string milliseconds(std::uint64_t ns) { return duration_text(static_cast<double>(ns) / 1e6); }

std::string queue_row(const Ledger& ledger) {
  std::string row =
      fmt::format("{} at the longest", ledger.longest.value_or(QueueLength(0)).value());
  if (!ledger.listen) return row;
  row += fmt::format(", limit {} by somaxconn {}", ledger.listen->limit, ledger.listen->somaxconn);
  if (ledger.listen->requested) {
    row += fmt::format(" and a backlog of {}", *ledger.listen->requested);
  }
  return row;
}

std::string clients_row(const Ledger& ledger) {
  const std::uint64_t refused = value(ledger, kAttemptsRefused);
  if (refused == 0) return "";
  std::string row = counted(refused, "attempt", "attempts") + " refused, " +
                    std::to_string(value(ledger, kAttemptsRecovered)) + " let in later";
  for (const facts::Bucket& bucket : ledger.delay_s) {
    row += fmt::format(", {} within {} s", bucket.count, bucket.below);
  }
  if (ledger.gave_up.value_or(0) > 0) row += fmt::format(", {} given up", *ledger.gave_up);
  if (ledger.clients.empty()) return row;
  // Where there are many, whole networks say more.
  const bool by_prefix = ledger.prefixes.size() > 1 && !ledger.addresses;
  row += "; most from ";
  constexpr std::size_t kMost = 3;
  std::size_t shown = 0;
  for (const facts::RefusedClient& client : by_prefix ? ledger.prefixes : ledger.clients) {
    if (shown == kMost) break;
    row += fmt::format("{}{}{} ({})", shown == 0 ? "" : ", ", client.address.to_string(),
                       by_prefix ? fmt::format("/{}", client.prefix_bits) : "", client.attempts);
    ++shown;
  }
  if (ledger.addresses.value_or(0) > shown) {
    row += fmt::format(" and {} more", *ledger.addresses - shown);
  }
  return row;
}

std::string ledger_block(const TermStyle& style, const Ledger& ledger,
                         const facts::Snapshot& snapshot) {
  const facts::Listener* listener = facts::find_listener(snapshot, ledger);
  std::string text = "\n" + ink(style, Ink::kBold, endpoint(ledger.address, ledger.port)) + "  " +
                     printable(whose(snapshot, listener)) +
                     (ledger.closed_at_ns ? "  (closed)" : "") + "\n";
  add_row(style, "SYNs",
          joined({some(value(ledger, kSynReceived), "received"),
                  some(value(ledger, kSynQueued), "queued"),
                  some(value(ledger, kSynCookie), "answered by a cookie"),
                  some(value(ledger, kSynFastopen), "by Fast Open"),
                  some(value(ledger, kSynDuplicate), "repeated"),
                  refusals_of(ledger, kSynRefusedAcceptFull, kSynRefusedOther)}),
          text);
  add_row(style, "SYN-ACKs",
          joined({some(value(ledger, kSynackSent), "sent"),
                  some(value(ledger, kSynackRetransmitted), "retransmitted"),
                  some(value(ledger, kSynackFailed), "failed")}),
          text);
  add_row(style, "final ACKs",
          joined({some(value(ledger, kAckQueued), "into the accept queue"),
                  refusals_of(ledger, kAckRefusedFull, kCookieAckRefusedOther),
                  some(value(ledger, kAckReset), "of them reset"),
                  some(value(ledger, kCookieInvalid), "invalid cookies")}),
          text);
  add_row(style, "given up",
          joined({some(value(ledger, kRequestExpired), "requests expired"),
                  some(value(ledger, kRequestReset), "reset by the client"),
                  some(value(ledger, kRequestUnreachable), "by ICMP")}),
          text);
  std::string taken =
      joined({some(value(ledger, kAccepted), "taken"),
              some(value(ledger, kAcceptedUntimed), "of them not timed"),
              some(value(ledger, kAcceptedDead), "already reset by the client"),
              some(value(ledger, kAcceptEmfile) + value(ledger, kAcceptEnfile),
                   "refused for want of descriptors"),
              some(value(ledger, kClosedWaiting), "reset when the listener was closed")});
  const auto p50 = facts::quantile(ledger.time_in_queue_ns, 0.5);
  const auto p99 = facts::quantile(ledger.time_in_queue_ns, 0.99);
  if (p50 && p99) {
    taken += fmt::format("; waited {} (half), {} (99 %)", milliseconds(*p50), milliseconds(*p99));
  }
  add_row(style, "accept()", taken, text);
  add_row(style, "queue", queue_row(ledger), text);
  add_row(style, "clients", clients_row(ledger), text);
  return text;
}

bool has_traffic(const Ledger& ledger) {
  return value(ledger, kSynReceived) + value(ledger, kSynDuplicate) + value(ledger, kAckQueued) +
             value(ledger, kAccepted) + value(ledger, kClosedWaiting) +
             facts::refused_at_ack(ledger).value_or(0) >
         0;
}

std::string books_text(const TraceSummary& summary) {
  std::string text;
  for (const NamespaceBook& book : summary.books) {
    for (const BookLine& line : book.lines) {
      if (line.kernel == 0 && line.attributed == 0) continue;
      const auto remainder =
          static_cast<std::int64_t>(line.kernel) - static_cast<std::int64_t>(line.attributed);
      text += fmt::format("  netns:{}  {} +{}, attributed {}, remainder {}\n", book.netns.value(),
                          line.counter, line.kernel, line.attributed, remainder);
    }
  }
  return text.empty() ? ""
                      : "\nthe kernel's counters, and what of them the ledgers explain\n" + text;
}

Json owners_json(const facts::Snapshot& snapshot, const facts::Listener* listener) {
  Json owners = Json::array();
  if (listener == nullptr) return owners;
  for (const facts::OwnerRef& owner : listener->owners) {
    const facts::Process* process = facts::find_process(snapshot, owner.pid);
    Json entry = {{"pid", owner.pid.value()}, {"comm", nullptr}, {"pod", nullptr}};
    if (process != nullptr) {
      entry["comm"] = escape_bytes(process->comm);
      if (process->pod && process->pod->name) {
        entry["pod"] = {{"namespace", process->pod->ns ? Json(*process->pod->ns) : Json(nullptr)},
                        {"name", *process->pod->name}};
      }
    }
    owners.push_back(std::move(entry));
  }
  return owners;
}

Json key_json(const facts::Listener* listener) {
  return listener == nullptr ? Json(nullptr) : Json(facts::listener_key(*listener));
}

Json ledger_json(const Ledger& ledger, const facts::Snapshot& snapshot) {
  const facts::Listener* listener = facts::find_listener(snapshot, ledger);
  Json json = {{"listener", key_json(listener)},
               {"closed", ledger.closed_at_ns.has_value()},
               {"owners", owners_json(snapshot, listener)}};
  json.update(facts::ledger_to_json(ledger));
  return json;
}

}  // namespace

std::string refusal_text(const TermStyle& style, const facts::Refusal& refusal,
                         const facts::Snapshot& snapshot, const facts::Listener* listener,
                         std::int64_t realtime_ns) {
  const std::string_view arrow = style.unicode ? "→" : "->";
  std::string text = fmt::format(
      "{}  {} {} {}  {}  {} refused: {}, {} of {} waiting",
      clock_text(realtime_ns, "%H:%M:%S", true), endpoint(refusal.client, refusal.client_port),
      arrow, endpoint(refusal.address, refusal.port), printable(whose(snapshot, listener)),
      step(refusal.stage), facts::refusal_reason(refusal.reason), refusal.length.value(),
      refusal.limit.value());
  if (refusal.reset) text += ", reset sent";
  if (refusal.attempt_packets > 1) {
    text += fmt::format(", packet {} of its attempt", refusal.attempt_packets);
  }
  return text + "\n";
}

std::string refusal_json(const facts::Refusal& refusal, const facts::Snapshot& snapshot,
                         const facts::Listener* listener, std::int64_t realtime_ns) {
  const Json line = {
      {"event", "refused"},
      {"at", clock_text(realtime_ns, "%Y-%m-%dT%H:%M:%S", false) + "Z"},
      {"client", refusal.client.to_string()},
      {"client_port", refusal.client_port},
      {"address", refusal.address.to_string()},
      {"port", refusal.port},
      {"netns", refusal.netns.value()},
      {"listener", key_json(listener)},
      {"stage", facts::stage_name(refusal.stage)},
      {"reason", facts::refusal_reason(refusal.reason)},
      {"reset", refusal.reset},
      {"attempt",
       {{"isn", refusal.isn ? Json(*refusal.isn) : Json(nullptr)},
        {"refused_packets", refusal.attempt_packets}}},
      {"accept_queue", {{"length", refusal.length.value()}, {"limit", refusal.limit.value()}}},
      {"syn_queue", {{"length", refusal.syn_length}}},
      {"owners", owners_json(snapshot, listener)}};
  return line.dump() + "\n";
}

std::string trace_summary_text(const TermStyle& style, const TraceSummary& summary,
                               const facts::Snapshot& snapshot) {
  std::string text =
      ink(style, Ink::kDim, fmt::format("traced {:.1f} s, {}", summary.seconds, summary.hooks)) +
      "\n";
  std::size_t shown = 0;
  for (const Ledger& ledger : summary.ledgers) {
    if (!has_traffic(ledger)) continue;
    text += ledger_block(style, ledger, snapshot);
    ++shown;
  }
  if (shown == 0) text += "no handshake reached a listener\n";
  text += books_text(summary);
  for (const Loss& loss : summary.losses) {
    if (loss.count > 0) text += fmt::format("{} {}\n", loss.count, loss.what);
  }
  return for_terminal(style, std::move(text));
}

std::string trace_summary_json(const TraceSummary& summary, const facts::Snapshot& snapshot) {
  Json ledgers = Json::array();
  for (const Ledger& ledger : summary.ledgers) ledgers.push_back(ledger_json(ledger, snapshot));
  Json books = Json::array();
  for (const NamespaceBook& book : summary.books) {
    for (const BookLine& line : book.lines) {
      books.push_back({{"netns", book.netns.value()},
                       {"counter", line.counter},
                       {"kernel", line.kernel},
                       {"attributed", line.attributed},
                       {"remainder", static_cast<std::int64_t>(line.kernel) -
                                         static_cast<std::int64_t>(line.attributed)}});
    }
  }
  Json losses = Json::object();
  for (const Loss& loss : summary.losses) losses[loss.what] = loss.count;
  const Json line = {
      {"event", "summary"},         {"schema", "acceptq.trace/1"},   {"seconds", summary.seconds},
      {"hooks", summary.hooks},     {"ledgers", std::move(ledgers)}, {"counters", std::move(books)},
      {"losses", std::move(losses)}};
  return line.dump() + "\n";
}

}  // namespace acceptq::render
