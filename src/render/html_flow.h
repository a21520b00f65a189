// What became of the handshakes of a listener, as a picture from SYN to accept().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "facts/ledger.h"

namespace acceptq::render {

// A step that handshakes take, and those that were lost at it.
struct FlowStep {
  struct Loss {
    std::uint64_t count = 0;
    std::string what;
  };
  std::optional<std::uint64_t> count;  // packets that came that far; empty: not known
  std::string what;
  std::vector<Loss> losses;  // none of them 0
};

// From the first to the last, always four.
[[nodiscard]] std::vector<FlowStep> flow_steps(const facts::Ledger& ledger);

// An <svg>; what it says, the page says in words beside it, and `id` begins the ids of its
// elements.
[[nodiscard]] std::string html_flow(const facts::Ledger& ledger, const std::string& id);

}  // namespace acceptq::render
