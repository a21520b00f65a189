#include "diagnose/books.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "diagnose/deltas.h"
#include "listenpath/ledger_counters.h"

namespace acceptq::diagnose {

std::vector<NamespaceBook> balance_books(std::span<const facts::Ledger> ledgers,
                                         const facts::Snapshot& before,
                                         const facts::Snapshot& after) {
  std::map<NetnsId, std::map<std::string, std::uint64_t>> attributed;
  for (const facts::Ledger& ledger : ledgers) {
    if (ledger.source == facts::Source::kPackets) continue;
    for (const auto& [name, packets] : listenpath::attributed_counters(ledger)) {
      attributed[ledger.netns][name] += packets;
    }
  }
  std::vector<NamespaceBook> books;
  for (const auto& [netns, counters] : attributed) {
    const facts::Namespace* now = facts::find_namespace(after, netns);
    if (now == nullptr) continue;  // gone, and its counters with it
    const NamespaceDelta delta(facts::find_namespace(before, netns), now);
    NamespaceBook book{.netns = netns};
    for (const auto& [name, packets] : counters) {
      const auto kernel = delta.comparable() ? delta.delta(name) : delta.total(name);
      if (!kernel) continue;
      book.lines.push_back({.counter = name, .kernel = *kernel, .attributed = packets});
    }
    books.push_back(std::move(book));
  }
  return books;
}

void add_unattributed(const facts::Snapshot& before, const facts::Snapshot& after,
                      std::vector<NamespaceBook>& books) {
  for (const facts::Namespace& now : after.namespaces) {
    if (std::ranges::find(books, now.id, &NamespaceBook::netns) != books.end()) continue;
    const NamespaceDelta delta(facts::find_namespace(before, now.id), &now);
    if (!delta.comparable()) continue;
    NamespaceBook book{.netns = now.id};
    for (const char* name : {"TcpExtListenDrops", "TcpExtListenOverflows"}) {
      if (delta.grew(name) == 0) continue;
      book.lines.push_back({.counter = name, .kernel = delta.grew(name), .attributed = 0});
    }
    if (!book.lines.empty()) books.push_back(std::move(book));
  }
  std::ranges::sort(books, {}, &NamespaceBook::netns);
}

const NamespaceBook* book_of(const Report& report, NetnsId netns) {
  const auto it = std::ranges::lower_bound(report.books, netns, {}, &NamespaceBook::netns);
  return it != report.books.end() && it->netns == netns ? &*it : nullptr;
}

}  // namespace acceptq::diagnose
