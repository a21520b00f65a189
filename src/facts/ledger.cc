#include "facts/ledger.h"

#include <cmath>
#include <initializer_list>

namespace acceptq::facts {
namespace {

struct Term {
  std::string_view name;
  std::string_view reason;
};

constexpr std::array<Term, kLedgerTerms> kTerms = {{
    {"syn_received", ""},
    {"syn_duplicate", ""},
    {"syn_queued", ""},
    {"syn_lost_race", ""},
    {"syn_cookie", ""},
    {"syn_fastopen", ""},
    {"syn_refused_accept_full", "accept queue full"},
    {"syn_refused_syn_full", "SYN queue full"},
    {"syn_refused_reserve", "last quarter of the SYN queue"},
    {"syn_refused_no_memory", "no memory"},
    {"syn_refused_no_route", "no route back"},
    {"syn_refused_security", "security module"},
    {"syn_refused_other", "other"},
    {"syn_both_full", ""},
    {"synack_sent", ""},
    {"synack_retransmitted", ""},
    {"synack_failed", ""},
    {"ack_queued", ""},
    {"ack_refused_full", "accept queue full"},
    {"ack_refused_other", "other"},
    {"cookie_ack_refused_full", "accept queue full"},
    {"cookie_ack_refused_other", "other"},
    {"ack_reset", ""},
    {"cookie_valid", ""},
    {"cookie_invalid", ""},
    {"request_expired", ""},
    {"request_reset", ""},
    {"request_unreachable", ""},
    {"accepted", ""},
    {"accepted_untimed", ""},
    {"accepted_dead", ""},
    {"accept_again", ""},
    {"accept_interrupted", ""},
    {"accept_emfile", ""},
    {"accept_enfile", ""},
    {"accept_aborted", ""},
    {"accept_other", ""},
    {"closed_waiting", ""},
    {"migrated_in", ""},
    {"listen_calls", ""},
    {"attempts_refused", ""},
    {"attempts_recovered", ""},
}};

std::optional<std::uint64_t> sum(const Ledger& ledger, std::initializer_list<LedgerTerm> terms) {
  std::uint64_t total = 0;
  for (const LedgerTerm term : terms) {
    const auto value = ledger[term];
    if (!value) return std::nullopt;
    total += *value;
  }
  return total;
}

}  // namespace

std::string_view ledger_term_name(LedgerTerm term) {
  return kTerms[static_cast<std::size_t>(term)].name;
}

std::string_view refusal_reason(LedgerTerm term) {
  return kTerms[static_cast<std::size_t>(term)].reason;
}

std::optional<std::uint64_t> quantile(const Histogram& histogram, double share) {
  std::uint64_t total = 0;
  for (const Bucket& bucket : histogram) total += bucket.count;
  if (total == 0) return std::nullopt;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (const Bucket& bucket : histogram) {
    seen += bucket.count;
    if (seen >= wanted) return bucket.below;
  }
  return histogram.back().below;
}

std::optional<std::uint64_t> refused_at_syn(const Ledger& ledger) {
  using enum LedgerTerm;
  return sum(ledger,
             {kSynRefusedAcceptFull, kSynRefusedSynFull, kSynRefusedReserve, kSynRefusedNoMemory,
              kSynRefusedNoRoute, kSynRefusedSecurity, kSynRefusedOther});
}

std::optional<std::uint64_t> refused_at_ack(const Ledger& ledger) {
  using enum LedgerTerm;
  return sum(ledger,
             {kAckRefusedFull, kAckRefusedOther, kCookieAckRefusedFull, kCookieAckRefusedOther});
}

}  // namespace acceptq::facts
