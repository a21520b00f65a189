// The reverse of ledger_to_json(). Private to facts: errors are noted in the document.
#pragma once

#include "facts/json_value.h"
#include "facts/ledger.h"

namespace acceptq::facts {

[[nodiscard]] Ledger read_ledger(const json::Value& value);

// One of the names that source_name() gives.
[[nodiscard]] Source read_source(const json::Value& value);

}  // namespace acceptq::facts
