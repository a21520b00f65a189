// How long the two queues of a listener may grow.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.h"
#include "facts/listener.h"
#include "listenpath/kernel.h"

namespace acceptq::listenpath {

// What listen(fd, backlog) grants: both numbers are compared as unsigned, so that a negative
// backlog asks for as much as somaxconn allows (net/socket.c, __sys_listen).
[[nodiscard]] QueueLimit granted_limit(std::int32_t backlog, std::uint32_t somaxconn);

// sk_acceptq_is_full: refuses when length > limit, in every release from 2.6.20 to 7.3, hence room
// for limit + 1 (facts::accept_queue_capacity).
[[nodiscard]] bool accept_queue_full(QueueLength length, QueueLimit limit);

struct SynQueueSettings {
  QueueLimit accept_limit;            // of the listener
  std::uint32_t max_syn_backlog = 0;  // tcp_max_syn_backlog
  std::uint32_t syncookies = 1;       // tcp_syncookies
};

// inet_csk_reqsk_queue_is_full. With SynQueueRule::kTable the table's size is taken from the
// present limit, which is right unless listen() was called twice. Empty where the rule is not known
// and `length` is just the number on which the candidates differ.
[[nodiscard]] std::optional<bool> syn_queue_full(const KernelRules& rules,
                                                 const SynQueueSettings& settings,
                                                 std::uint32_t length);

// The last-quarter reserve (tcp_conn_request, only with tcp_syncookies 0): an unproven client is
// refused when M - qlen < M / 4, M being tcp_max_syn_backlog.
[[nodiscard]] bool in_last_quarter(std::uint32_t max_syn_backlog, std::uint32_t length);

// Most requests that the SYN queue can hold: until it is "full", and with cookies off also until
// the last-quarter reserve closes. Empty where the release does not tell.
[[nodiscard]] std::optional<std::uint64_t> syn_queue_capacity(const KernelRules& rules,
                                                              const SynQueueSettings& settings);

}  // namespace acceptq::listenpath
