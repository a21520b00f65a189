// The ledgers of a namespace beside its counters: what of these is accounted for, and what remains.
#pragma once

#include <span>
#include <vector>

#include "diagnose/report.h"
#include "facts/ledger.h"
#include "facts/snapshot.h"

namespace acceptq::diagnose {

// For each namespace that has ledgers of what the kernel did (those of packets alone do not say
// which counter moved), by its number: the counters that their terms move, by name. A namespace
// that is gone has none; the counters of one that `before` does not have began at 0.
[[nodiscard]] std::vector<NamespaceBook> balance_books(std::span<const facts::Ledger> ledgers,
                                                       const facts::Snapshot& before,
                                                       const facts::Snapshot& after);

// Adds the namespaces that have no ledger, though their counters say that packets were refused:
// tracing could not tell to which listener they came.
void add_unattributed(const facts::Snapshot& before, const facts::Snapshot& after,
                      std::vector<NamespaceBook>& books);

// The book of a namespace; null where nothing was traced there.
[[nodiscard]] const NamespaceBook* book_of(const Report& report, NetnsId netns);

}  // namespace acceptq::diagnose
