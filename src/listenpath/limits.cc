#include "listenpath/limits.h"

#include <algorithm>
#include <bit>

namespace acceptq::listenpath {
namespace {

// ≤ 4.3, reqsk_queue_alloc: a power of two above max(8, min(backlog, tcp_max_syn_backlog)).
std::uint64_t table_size(const SynQueueSettings& settings) {
  const std::uint64_t wanted = std::max<std::uint64_t>(
      8, std::min<std::uint64_t>(settings.accept_limit.value(), settings.max_syn_backlog));
  return std::bit_ceil(wanted + 1);
}

// Requests that fit before the queue counts as full.
std::optional<std::uint64_t> capacity_before_full(const KernelRules& rules,
                                                  const SynQueueSettings& settings) {
  const std::uint64_t limit = settings.accept_limit.value();
  switch (rules.syn_queue) {
    case SynQueueRule::kTable:
      return table_size(settings);
    case SynQueueRule::kAtLimit:
      return limit;
    case SynQueueRule::kAboveLimit:
      return limit + 1;
    case SynQueueRule::kAtOrAboveLimit:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

QueueLimit granted_limit(std::int32_t backlog, std::uint32_t somaxconn) {
  return QueueLimit(std::min(static_cast<std::uint32_t>(backlog), somaxconn));
}

bool accept_queue_full(QueueLength length, QueueLimit limit) {
  return length.value() > limit.value();
}

std::optional<bool> syn_queue_full(const KernelRules& rules, const SynQueueSettings& settings,
                                   std::uint32_t length) {
  if (const auto capacity = capacity_before_full(rules, settings)) return length >= *capacity;
  const std::uint32_t limit = settings.accept_limit.value();
  if (length == limit) return std::nullopt;
  return length > limit;
}

bool in_last_quarter(std::uint32_t max_syn_backlog, std::uint32_t length) {
  const auto most = static_cast<std::int64_t>(max_syn_backlog);
  return most - static_cast<std::int64_t>(length) < most / 4;
}

std::optional<std::uint64_t> syn_queue_capacity(const KernelRules& rules,
                                                const SynQueueSettings& settings) {
  const std::optional<std::uint64_t> capacity = capacity_before_full(rules, settings);
  if (settings.syncookies != 0 || !capacity) return capacity;
  const std::uint64_t most = settings.max_syn_backlog;
  return std::min(*capacity, most - most / 4 + 1);
}

}  // namespace acceptq::listenpath
