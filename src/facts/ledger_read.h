// The reverse of ledger_to_json(), and what else reads its parts. Private to facts: errors are
// noted in the document.
#pragma once

#include "facts/json_value.h"
#include "facts/ledger.h"

namespace acceptq::facts {

[[nodiscard]] Ledger read_ledger(const json::Value& value);

void read_address(const json::Value& value, IpAddress& out);

// One of the names that source_name() gives.
[[nodiscard]] Source read_source(const json::Value& value);

}  // namespace acceptq::facts
