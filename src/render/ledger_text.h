// A ledger for reading, and the names in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "facts/ledger.h"
#include "facts/snapshot.h"
#include "render/listener_rows.h"
#include "render/term.h"

namespace acceptq::render {

// What came, step by step, and what became of it; `listener` may be null.
[[nodiscard]] std::vector<Row> ledger_rows(const facts::Ledger& ledger,
                                           const facts::Listener* listener);

// The same as text, under an empty line and a title.
[[nodiscard]] std::string ledger_text(const TermStyle& style, const facts::Ledger& ledger,
                                      const facts::Snapshot& snapshot);

// Whether anything came to the listener, or was taken from it.
[[nodiscard]] bool has_traffic(const facts::Ledger& ledger);

// "default/web-0 nginx (pid 3985)"; "?" for a listener that is not known (null).
[[nodiscard]] std::string whose(const facts::Snapshot& snapshot, const facts::Listener* listener);

}  // namespace acceptq::render
