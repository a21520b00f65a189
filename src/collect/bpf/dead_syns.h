/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* SYNs that this host drops before a listener sees them: a packet filter, the reverse path filter,
 * a checksum, no listener at that port. So too the packets behind them, of which the first
 * completes the handshake. The tracepoint kfree_skb tells the reason (enum skb_drop_reason,
 * from 5.17 on; seen on 6.12 and 6.18). A SYN that a listener refuses is freed by consume_skb(),
 * and is not among them.
 *
 * Only what was on its way to this host counts. With a route that is what the route says; before
 * there is one (the reverse path filter, chains of the prerouting hook, XDP), user space asks
 * whether the address is one of the namespace's. */
#pragma once

/* What each reason counts for (enum aq_dead_of), by its number on the running kernel. */
const volatile __u8 dead_reasons[AQ_DROP_REASONS] = {};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384); /* a scan of all ports fills it: what goes on being dropped stays */
  __type(key, struct aq_dead_syn);
  __type(value, __u64); /* packets */
} dead_syns SEC(".maps");

enum { ETH_P_IP = 0x0800, ETH_P_IPV6 = 0x86dd, NEXT_IS_TCP = 6, PACKET_HOST = 0 };
enum { IPV4_HEADER = 20, IPV6_HEADER = 40, TCP_FLAGS_END = 14 };
/* include/net/dst.h: what a tunnel left, no route. */
enum { DST_METADATA = 0x80 };
/* RTCF_LOCAL of IPv4 and RTF_LOCAL of IPv6. */
#define ROUTE_IS_LOCAL 0x80000000U

/* Where the TCP header of a packet begins, from the head of its memory; 0: it is no whole TCP
 * packet. Where it is freed before IP has looked at it, only the network header is known. */
static __noinline __u32 tcp_offset(struct sk_buff *skb, struct aq_dead_syn *key) {
  if (!key) return 0;
  const unsigned char *head = BPF_CORE_READ(skb, head);
  const __u32 at = BPF_CORE_READ(skb, network_header);
  const __u32 tail = BPF_CORE_READ(skb, tail);
  const __be16 protocol = BPF_CORE_READ(skb, protocol);
  __u8 ip[IPV6_HEADER] = {};
  if (protocol == __builtin_bswap16(ETH_P_IP)) {
    if (at + IPV4_HEADER > tail || bpf_probe_read_kernel(ip, IPV4_HEADER, head + at)) return 0;
    const bool is_later_fragment = (ip[6] & 0x1f) || ip[7];
    if (ip[0] >> 4 != 4 || ip[9] != NEXT_IS_TCP || is_later_fragment) return 0;
    key->family = AF_INET;
    __builtin_memcpy(key->address, ip + 16, 4);
    return at + (ip[0] & 15) * 4;
  }
  if (protocol != __builtin_bswap16(ETH_P_IPV6)) return 0;
  if (at + IPV6_HEADER > tail || bpf_probe_read_kernel(ip, IPV6_HEADER, head + at)) return 0;
  if (ip[0] >> 4 != 6 || ip[6] != NEXT_IS_TCP) return 0;
  key->family = AF_INET6;
  __builtin_memcpy(key->address, ip + 24, 16);
  return at + IPV6_HEADER;
}

/* A SYN, or a packet that a client sends behind it. */
static __always_inline bool is_of_client(struct sk_buff *skb, struct aq_dead_syn *key) {
  const __u32 at = tcp_offset(skb, key);
  if (!at || at + TCP_FLAGS_END > BPF_CORE_READ(skb, tail)) return false;
  __u8 tcp[TCP_FLAGS_END] = {};
  if (bpf_probe_read_kernel(tcp, sizeof tcp, BPF_CORE_READ(skb, head) + at)) return false;
  const __u8 flags = tcp[13] & (TH_SYN | TH_ACK | TH_RST | TH_FIN);
  if (flags != TH_SYN && flags != TH_ACK) return false;
  key->after_syn = flags == TH_ACK;
  key->port = tcp[2] << 8 | tcp[3];
  return true;
}

/* The namespace that it was going to be delivered in; null where it was not. */
static __always_inline struct net *destination_of(struct sk_buff *skb, struct aq_dead_syn *key) {
  struct dst_entry *route = (struct dst_entry *)(BPF_CORE_READ(skb, _skb_refdst) & ~1ULL);
  if (route && !(BPF_CORE_READ(route, flags) & DST_METADATA)) {
    const __u32 flags = key->family == AF_INET
                            ? BPF_CORE_READ((struct rtable *)route, rt_flags)
                            : BPF_CORE_READ((struct rt6_info *)route, rt6i_flags);
    key->is_routed = 1;
    return flags & ROUTE_IS_LOCAL ? BPF_CORE_READ(route, dev, nd_net.net) : 0;
  }
  struct net_device *device = BPF_CORE_READ(skb, dev);
  if (!device || BPF_CORE_READ_BITFIELD_PROBED(skb, pkt_type) != PACKET_HOST) return 0;
  return BPF_CORE_READ(device, nd_net.net);
}

SEC("tp_btf/kfree_skb")
int on_dead_syn(__u64 *ctx) {
  if (state.armed != AQ_COUNTING) return 0;
  __u64 reason = (__u32)ctx[2];
  __asm__ volatile("" : "+r"(reason));
  if (reason >= AQ_DROP_REASONS || !dead_reasons[reason]) return 0;
  struct sk_buff *skb = (struct sk_buff *)ctx[0];
  struct aq_dead_syn key = {.reason = reason};
  if (!is_of_client(skb, &key)) return 0;
  if (key.after_syn && dead_reasons[reason] != AQ_DEAD_PACKETS) return 0;
  struct net *net = destination_of(skb, &key);
  if (!net) return 0;
  key.netns = BPF_CORE_READ(net, ns.inum);
  __u64 *packets = bpf_map_lookup_elem(&dead_syns, &key);
  if (!packets) {
    const __u64 none = 0;
    if (!bpf_map_update_elem(&dead_syns, &key, &none, BPF_NOEXIST)) {
      __sync_fetch_and_add(&state.dead_inserted, 1);
    }
    packets = bpf_map_lookup_elem(&dead_syns, &key);
    if (!packets) return 0;
  }
  __sync_fetch_and_add(packets, 1);
  return 0;
}
