#include "collect/bpf/dead_reasons.h"

#include <string_view>
#include <vector>

#include "collect/bpf/kernel_btf.h"
#include "facts/snapshot.h"

namespace acceptq::collect::bpf {
namespace {

// include/net/dropreason-core.h, as far as a SYN can die of it on its way in, before TCP's own
// rules look at it. Left out: those of sockets that have a connection, of packets for other hosts,
// and NOT_SPECIFIED, by which a repeated SYN is freed that was answered (tcp_v4_rcv).
constexpr std::array<std::string_view, 35> kReasons{"SKB_DROP_REASON_NO_SOCKET",
                                                    "SKB_DROP_REASON_SOCKET_FILTER",
                                                    "SKB_DROP_REASON_TCP_CSUM",
                                                    "SKB_DROP_REASON_NETFILTER_DROP",
                                                    "SKB_DROP_REASON_IP_CSUM",
                                                    "SKB_DROP_REASON_IP_INHDR",
                                                    "SKB_DROP_REASON_IP_RPFILTER",
                                                    "SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST",
                                                    "SKB_DROP_REASON_XFRM_POLICY",
                                                    "SKB_DROP_REASON_PROTO_MEM",
                                                    "SKB_DROP_REASON_TCP_AUTH_HDR",
                                                    "SKB_DROP_REASON_TCP_MD5NOTFOUND",
                                                    "SKB_DROP_REASON_TCP_MD5UNEXPECTED",
                                                    "SKB_DROP_REASON_TCP_MD5FAILURE",
                                                    "SKB_DROP_REASON_TCP_AONOTFOUND",
                                                    "SKB_DROP_REASON_TCP_AOUNEXPECTED",
                                                    "SKB_DROP_REASON_TCP_AOKEYNOTFOUND",
                                                    "SKB_DROP_REASON_TCP_AOFAILURE",
                                                    "SKB_DROP_REASON_TCP_MINTTL",
                                                    "SKB_DROP_REASON_IPV6DISABLED",
                                                    "SKB_DROP_REASON_SECURITY_HOOK",
                                                    "SKB_DROP_REASON_CPU_BACKLOG",
                                                    "SKB_DROP_REASON_XDP",
                                                    "SKB_DROP_REASON_TC_INGRESS",
                                                    "SKB_DROP_REASON_TC_COOKIE_ERROR",
                                                    "SKB_DROP_REASON_TC_CHAIN_NOTFOUND",
                                                    "SKB_DROP_REASON_SKB_CSUM",
                                                    "SKB_DROP_REASON_NOMEM",
                                                    "SKB_DROP_REASON_PFMEMALLOC",
                                                    "SKB_DROP_REASON_IP_INADDRERRORS",
                                                    "SKB_DROP_REASON_IP_INNOROUTES",
                                                    "SKB_DROP_REASON_IP_LOCAL_SOURCE",
                                                    "SKB_DROP_REASON_IP_INVALID_SOURCE",
                                                    "SKB_DROP_REASON_IP_LOCALNET",
                                                    "SKB_DROP_REASON_IP_INVALID_DEST"};

}  // namespace

std::map<std::uint32_t, std::string> dead_reasons(const btf* types) {
  std::map<std::uint32_t, std::string> names;
  constexpr int kWithReason = 3;
  if (arguments_of_tracepoint(types, "kfree_skb") < kWithReason) return names;
  constexpr std::size_t kPrefix = std::string_view("SKB_DROP_REASON_").size();
  const std::vector<std::uint32_t> values = enumerators(types, kReasons);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0 && values[i] < AQ_DROP_REASONS) {
      names.emplace(values[i], kReasons[i].substr(kPrefix));
    }
  }
  return names;
}

void choose_dead_reasons(const btf* types, __u8 (&reasons)[AQ_DROP_REASONS], bpf_program& program) {
  const auto names = dead_reasons(types);
  // Packets behind a SYN find no socket wherever a connection has ended.
  for (const auto& [number, name] : names) {
    reasons[number] = name == facts::kNoSocket ? AQ_DEAD_SYNS : AQ_DEAD_PACKETS;
  }
  bpf_program__set_autoload(&program, !names.empty());
}

}  // namespace acceptq::collect::bpf
