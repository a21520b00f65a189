#include "listenpath/ledger_counters.h"

#include <initializer_list>

namespace acceptq::listenpath {

std::vector<AttributedCounter> attributed_counters(const facts::Ledger& ledger) {
  using enum facts::LedgerTerm;
  const auto sum = [&](std::initializer_list<facts::LedgerTerm> terms) {
    std::uint64_t total = 0;
    for (const facts::LedgerTerm term : terms) total += ledger[term].value_or(0);
    return total;
  };
  const std::uint64_t overflows =
      sum({kSynRefusedAcceptFull, kAckRefusedFull, kCookieAckRefusedFull});
  const std::uint64_t others = sum({kSynRefusedSynFull, kSynRefusedReserve, kSynRefusedNoMemory,
                                    kSynRefusedNoRoute, kSynRefusedSecurity, kSynRefusedOther,
                                    kAckRefusedOther, kCookieAckRefusedOther, kRequestUnreachable});
  return {
      {"TcpExtListenOverflows", overflows},
      {"TcpExtListenDrops", overflows + others},
      {"TcpExtTCPReqQFullDrop", sum({kSynRefusedSynFull})},
      {"TcpExtTCPReqQFullDoCookies", sum({kSynCookie, kSynBothFull})},
      {"TcpExtSyncookiesSent", sum({kSynCookie})},
      {"TcpExtSyncookiesRecv", sum({kCookieValid})},
      {"TcpExtSyncookiesFailed", sum({kCookieInvalid})},
  };
}

}  // namespace acceptq::listenpath
