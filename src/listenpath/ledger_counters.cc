#include "listenpath/ledger_counters.h"

#include <initializer_list>
#include <optional>

namespace acceptq::listenpath {

std::vector<AttributedCounter> attributed_counters(const facts::Ledger& ledger) {
  using enum facts::LedgerTerm;
  std::vector<AttributedCounter> counters;
  const auto add = [&](const char* name, std::initializer_list<facts::LedgerTerm> terms) {
    std::optional<std::uint64_t> total;
    for (const facts::LedgerTerm term : terms) {
      if (const auto value = ledger[term]) total = total.value_or(0) + *value;
    }
    if (total) counters.push_back({name, *total});
  };
  add("TcpExtListenOverflows", {kSynRefusedAcceptFull, kAckRefusedFull, kCookieAckRefusedFull});
  add("TcpExtListenDrops",
      {kSynRefusedAcceptFull, kAckRefusedFull, kCookieAckRefusedFull, kSynRefusedSynFull,
       kSynRefusedReserve, kSynRefusedNoMemory, kSynRefusedNoRoute, kSynRefusedSecurity,
       kSynRefusedOther, kAckRefusedOther, kCookieAckRefusedOther, kRequestUnreachable});
  add("TcpExtTCPReqQFullDrop", {kSynRefusedSynFull});
  add("TcpExtTCPReqQFullDoCookies", {kSynCookie, kSynBothFull});
  add("TcpExtSyncookiesSent", {kSynCookie});
  add("TcpExtSyncookiesRecv", {kCookieValid});
  add("TcpExtSyncookiesFailed", {kCookieInvalid});
  return counters;
}

}  // namespace acceptq::listenpath
