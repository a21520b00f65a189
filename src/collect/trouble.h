// Which listeners are worth a closer look at those who accept for them.
#pragma once

#include "facts/listener.h"

namespace acceptq::collect {

// Connections wait for accept(): many, or half of what the queue holds.
[[nodiscard]] inline bool is_filling(const facts::Listener& listener) {
  constexpr std::uint32_t kMany = 8;  // that wait, though more may fit
  const std::uint64_t length = listener.accept_queue_len.value();
  return length >= kMany || (length > 0 && listener.limit && length * 2 >= listener.limit->value());
}

}  // namespace acceptq::collect
