// What `acceptq trace` shows: refused handshakes as they happen, and the ledgers at the end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diagnose/report.h"
#include "facts/ledger.h"
#include "facts/snapshot.h"
#include "render/term.h"

namespace acceptq::render {

// One refusal on one line. `listener` may be null: then its owner is not known. `realtime_ns`:
// when, since 1970.
[[nodiscard]] std::string refusal_text(const TermStyle& style, const facts::Refusal& refusal,
                                       const facts::Snapshot& snapshot,
                                       const facts::Listener* listener, std::int64_t realtime_ns);
// The same as one line of JSON (docs/formats.md, acceptq.trace/1).
[[nodiscard]] std::string refusal_json(const facts::Refusal& refusal,
                                       const facts::Snapshot& snapshot,
                                       const facts::Listener* listener, std::int64_t realtime_ns);

// Something that was lost to the books, with its count: "refusals not shown".
struct Loss {
  std::string what;
  std::uint64_t count = 0;
};

struct TraceSummary {
  double seconds = 0;
  // SYNs that this host dropped without an answer before a listener saw them, or where there is
  // none; empty: the kernel does not tell.
  std::optional<std::vector<facts::DeadSyn>> dead_syns;
  std::string hooks;  // "25 functions by fentry" …
  std::vector<facts::Ledger> ledgers;
  std::vector<diagnose::NamespaceBook> books;
  std::vector<Loss> losses;
};

[[nodiscard]] std::string trace_summary_text(const TermStyle& style, const TraceSummary& summary,
                                             const facts::Snapshot& snapshot);
[[nodiscard]] std::string trace_summary_json(const TraceSummary& summary,
                                             const facts::Snapshot& snapshot);

}  // namespace acceptq::render
