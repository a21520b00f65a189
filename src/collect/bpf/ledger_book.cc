#include "collect/bpf/ledger_book.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <utility>

#include "facts/retries.h"

namespace acceptq::collect::bpf {
namespace {

std::uint8_t bits_of(const facts::IpAddress& address, bool is_prefix) {
  if (is_prefix) return address.is_v6() ? 48 : 24;
  return address.is_v6() ? 128 : 32;
}

void add_clients(const std::vector<ClientCount>& from, bool are_prefixes,
                 const std::map<std::uint64_t, facts::Ledger*>& to) {
  for (const ClientCount& client : from) {
    const auto ledger = to.find(client.sk);
    if (ledger == to.end()) continue;
    auto& list = are_prefixes ? ledger->second->prefixes : ledger->second->clients;
    list.push_back({.address = client.address,
                    .prefix_bits = bits_of(client.address, are_prefixes),
                    .packets = client.packets,
                    .attempts = client.attempts});
  }
}

bool is_blank(const facts::Ledger& ledger) {
  return !ledger.listen && !ledger.closed_at_ns &&
         std::ranges::all_of(ledger.counts,
                             [](const auto& count) { return count.value_or(0) == 0; });
}

}  // namespace

std::vector<facts::Ledger> bind_books(LedgerParts parts) {
  std::vector<facts::Ledger> ledgers;
  ledgers.reserve(parts.records.size());
  std::map<std::uint64_t, facts::Ledger*> newest;
  std::map<std::uint64_t, std::uint64_t> born;
  for (LedgerRecord& record : parts.records) {
    if (is_blank(record.ledger)) continue;
    ledgers.push_back(std::move(record.ledger));
    auto& last = born[record.id.sk];
    if (newest.contains(record.id.sk) && record.id.born_ns < last) continue;
    last = record.id.born_ns;
    newest[record.id.sk] = &ledgers.back();  // reserved: nothing moves
  }
  add_clients(parts.clients, false, newest);
  add_clients(parts.prefixes, true, newest);
  for (facts::Ledger* ledger : newest | std::views::values) {
    if (!parts.some_clients_forgotten) ledger->addresses = ledger->clients.size();
    ledger->gave_up = 0;
  }
  for (const OpenAttempt& attempt : parts.attempts) {
    const auto ledger = newest.find(attempt.sk);
    if (ledger == newest.end()) continue;
    if (facts::has_given_up(attempt.first_ns, attempt.last_ns, parts.now_ns)) {
      ++*ledger->second->gave_up;
    }
  }
  return ledgers;
}

}  // namespace acceptq::collect::bpf
