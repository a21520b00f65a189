#include "listenpath/fate.h"

namespace acceptq::listenpath {
namespace {

constexpr std::string_view kOverflows = "TcpExtListenOverflows";
constexpr std::string_view kDrops = "TcpExtListenDrops";
constexpr std::string_view kDoCookies = "TcpExtTCPReqQFullDoCookies";
constexpr std::string_view kSocket = "sk_drops";

constexpr Move kCookie[] = {{kDoCookies}, {"TcpExtSyncookiesSent"}};
constexpr Move kRefusedAcceptFull[] = {{kOverflows}, {kDrops}, {kSocket}};
constexpr Move kRefusedBothFull[] = {{kDoCookies}, {kOverflows}, {kDrops}, {kSocket}};
constexpr Move kRefusedSynFull[] = {{"TcpExtTCPReqQFullDrop"}, {kDrops}, {kSocket}};
constexpr Move kRefusedReserve[] = {{kDrops}, {kSocket}};
constexpr Move kDuplicate[] = {{"TcpExtTCPSynRetrans"}, {"TcpRetransSegs"}, {kSocket}};

constexpr Move kAccepted[] = {{"TcpPassiveOpens"}};
constexpr Move kAcceptedCookie[] = {{"TcpExtSyncookiesRecv"}, {"TcpPassiveOpens"}};
// The overflow helper and the common discard exit of tcp_v4_rcv each add one to sk_drops.
constexpr Move kRefusedKept[] = {{kOverflows}, {kDrops}, {kSocket, 2}};
constexpr Move kRefusedReset[] = {
    {kOverflows}, {kDrops}, {"TcpExtEmbryonicRsts"}, {"TcpOutRsts"}, {kSocket, 2}};
constexpr Move kRefusedCookie[] = {{"TcpExtSyncookiesRecv"}, {kOverflows}, {kDrops}, {kSocket}};
constexpr Move kDeferred[] = {{"TcpExtTCPDeferAcceptDrop"}, {kSocket}};
constexpr Move kBadCookie[] = {{"TcpExtSyncookiesFailed"}, {"TcpOutRsts"}};
constexpr Move kStray[] = {{"TcpOutRsts"}};

bool refuses_syn(const KernelRules& rules, const ListenerState& state) {
  return accept_queue_full(state.accept_length, state.settings.accept_limit) &&
         (!rules.full_needs_young || state.syn_young > 1);
}

}  // namespace

SynFate fate_of_syn(const KernelRules& rules, const ListenerState& state, const SynContext& syn) {
  if (syn.request_exists) return SynFate::kDuplicate;
  const SynQueueSettings& settings = state.settings;
  // Where the release does not tell the rule, the newer one is taken: Debian's and the stable
  // branches' kernels of the last years follow it.
  const bool syn_full = syn_queue_full(rules, settings, state.syn_length).value_or(false);
  bool cookie = false;
  if (!syn.reuses_time_wait && (settings.syncookies == 2 || syn_full)) {
    if (settings.syncookies == 0) return SynFate::kRefusedSynFull;
    cookie = true;
  }
  if (refuses_syn(rules, state)) {
    return cookie ? SynFate::kRefusedBothFull : SynFate::kRefusedAcceptFull;
  }
  if (cookie) return SynFate::kCookie;
  if (settings.syncookies == 0 && !syn.reuses_time_wait && !syn.proven &&
      in_last_quarter(settings.max_syn_backlog, state.syn_length)) {
    return SynFate::kRefusedReserve;
  }
  return SynFate::kQueued;
}

AckFate fate_of_ack(const ListenerState& state, const AckContext& ack) {
  const bool full = accept_queue_full(state.accept_length, state.settings.accept_limit);
  if (ack.request_exists) {
    if (ack.deferred) return AckFate::kDeferred;
    if (!full) return AckFate::kAccepted;
    return state.abort_on_overflow ? AckFate::kRefusedReset : AckFate::kRefusedKept;
  }
  if (state.settings.syncookies == 0 || !ack.cookie_expected) return AckFate::kStray;
  if (!ack.cookie_valid) return AckFate::kBadCookie;
  return full ? AckFate::kRefusedCookie : AckFate::kAcceptedCookie;
}

std::span<const Move> counted(SynFate fate) {
  switch (fate) {
    case SynFate::kQueued:
      return {};
    case SynFate::kCookie:
      return kCookie;
    case SynFate::kRefusedAcceptFull:
      return kRefusedAcceptFull;
    case SynFate::kRefusedBothFull:
      return kRefusedBothFull;
    case SynFate::kRefusedSynFull:
      return kRefusedSynFull;
    case SynFate::kRefusedReserve:
      return kRefusedReserve;
    case SynFate::kDuplicate:
      return kDuplicate;
  }
  return {};
}

std::span<const Move> counted(AckFate fate) {
  switch (fate) {
    case AckFate::kAccepted:
      return kAccepted;
    case AckFate::kAcceptedCookie:
      return kAcceptedCookie;
    case AckFate::kRefusedKept:
      return kRefusedKept;
    case AckFate::kRefusedReset:
      return kRefusedReset;
    case AckFate::kRefusedCookie:
      return kRefusedCookie;
    case AckFate::kDeferred:
      return kDeferred;
    case AckFate::kBadCookie:
      return kBadCookie;
    case AckFate::kStray:
      return kStray;
  }
  return {};
}

}  // namespace acceptq::listenpath
