// Which of the kernel's counters a ledger's refusals move: what makes its books balance, or not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "facts/ledger.h"

namespace acceptq::listenpath {

struct AttributedCounter {
  std::string name;           // "TcpExtListenOverflows"
  std::uint64_t packets = 0;  // of this ledger
};

// Of the terms that make a counter, those that are known; none for a counter of which none is.
// tcp_conn_request, tcp_v4_syn_recv_sock, cookie_v4_check, tcp_req_err (4.10 to 7.2; section 5.1 of
// docs/kernel-listen-path.md).
[[nodiscard]] std::vector<AttributedCounter> attributed_counters(const facts::Ledger& ledger);

}  // namespace acceptq::listenpath
