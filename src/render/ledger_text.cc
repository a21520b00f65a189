#include "render/ledger_text.h"

#include <fmt/format.h>

#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "render/listener_names.h"
#include "render/names.h"

namespace acceptq::render {

std::string whose(const facts::Snapshot& snapshot, const facts::Listener* listener) {
  if (listener == nullptr) return "?";
  std::string workload = workload_name(snapshot, *listener);
  const std::string owner = owner_name(snapshot, *listener);
  const std::string program = program_name(snapshot, *listener);
  if (owner.empty()) return workload;
  return workload.starts_with(program) && owner.starts_with(program) ? owner
                                                                     : workload + " " + owner;
}

namespace {

using facts::Ledger;
using enum facts::LedgerTerm;

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
    reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", count,
                           facts::refusal_reason_of_ack(term));
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
std::string row_text(const TermStyle& style, const Row& row) {
  constexpr int kIndent = 14;
  return fmt::format("  {:<12}", row.label) + wrap(style, kIndent, row.text).substr(kIndent);
}

std::string milliseconds(std::uint64_t ns) { return duration_text(static_cast<double>(ns) / 1e6); }

// A ledger knows the length at arrivals alone: what waited before the first is the listener's.
std::string queue_row(const Ledger& ledger, const facts::Listener* listener) {
  QueueLength longest = ledger.longest.value_or(QueueLength(0));
  if (listener != nullptr) longest = std::max(longest, listener->accept_queue_len);
  std::string row = fmt::format("{} at the longest", longest.value());
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

}  // namespace

std::vector<Row> ledger_rows(const Ledger& ledger, const facts::Listener* listener) {
  std::vector<Row> rows;
  const auto add = [&rows](std::string_view label, std::string text) {
    if (!text.empty()) rows.push_back({.label = std::string(label), .text = std::move(text)});
  };
  add("SYNs", joined({some(value(ledger, kSynReceived), "received"),
                      some(value(ledger, kSynQueued), "queued"),
                      some(value(ledger, kSynCookie), "answered by a cookie"),
                      some(value(ledger, kSynFastopen), "by Fast Open"),
                      some(value(ledger, kSynDuplicate), "repeated"),
                      refusals_of(ledger, kSynRefusedAcceptFull, kSynRefusedOther)}));
  add("SYN-ACKs", joined({some(value(ledger, kSynackSent), "sent"),
                          some(value(ledger, kSynackRetransmitted), "retransmitted"),
                          some(value(ledger, kSynackFailed), "failed")}));
  add("final ACKs", joined({some(value(ledger, kAckQueued), "into the accept queue"),
                            refusals_of(ledger, kAckRefusedFull, kCookieAckRefusedOther),
                            some(value(ledger, kAckReset), "of them reset"),
                            some(value(ledger, kCookieInvalid), "invalid cookies")}));
  add("given up", joined({some(value(ledger, kRequestExpired), "requests expired"),
                          some(value(ledger, kRequestReset), "reset by the client"),
                          some(value(ledger, kRequestUnreachable), "by ICMP")}));
  std::string taken =
      joined({some(value(ledger, kAccepted), "taken"),
              some(value(ledger, kAcceptedUntimed), "whose wait is not known"),
              some(value(ledger, kAcceptedDead), "already reset by the client"),
              some(value(ledger, kAcceptEmfile) + value(ledger, kAcceptEnfile),
                   "refused for want of descriptors"),
              some(value(ledger, kClosedWaiting), "reset when the listener was closed")});
  const bool timed = facts::is_mostly_timed(ledger);
  const auto p50 = timed ? facts::quantile(ledger.time_in_queue_ns, 0.5) : std::nullopt;
  const auto p99 = timed ? facts::quantile(ledger.time_in_queue_ns, 0.99) : std::nullopt;
  if (p50) taken += fmt::format("; waited {} (half)", milliseconds(*p50));
  if (p99) taken += fmt::format(", {} (99 %)", milliseconds(*p99));
  add("accept()", taken);
  add("queue", queue_row(ledger, listener));
  add("clients", clients_row(ledger));
  return rows;
}

std::string ledger_text(const TermStyle& style, const Ledger& ledger,
                        const facts::Snapshot& snapshot) {
  const facts::Listener* listener = facts::find_listener(snapshot, ledger);
  const std::string place = listener != nullptr ? Twins(snapshot).where(*listener) : "";
  const std::string where = listener != nullptr ? printable(facts::listener_endpoint(*listener))
                                                : facts::host_and_port(ledger.address, ledger.port);
  std::string text = "\n" + ink(style, Ink::kBold, where) + "  " +
                     printable(whose(snapshot, listener)) + (place.empty() ? "" : "  " + place) +
                     (ledger.closed_at_ns ? "  (closed)" : "") + "\n";
  for (const Row& row : ledger_rows(ledger, listener)) text += row_text(style, row);
  return text;
}

bool has_traffic(const Ledger& ledger) {
  return value(ledger, kSynReceived) + value(ledger, kSynDuplicate) + value(ledger, kAckQueued) +
             value(ledger, kAccepted) + value(ledger, kClosedWaiting) +
             facts::refused_at_ack(ledger).value_or(0) >
         0;
}

}  // namespace acceptq::render
