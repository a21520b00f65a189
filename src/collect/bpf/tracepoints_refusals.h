/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Of tracepoints.bpf.c: packets that a listener refused. */
#pragma once

struct suspect {
  struct endpoint at;
  __u64 sk; /* the one whose sk_drops has grown enough; else any at the endpoint */
  __u32 is_guilty;
  __u32 members; /* listeners at the endpoint */
};

static __noinline int suspects_at(struct suspect *suspect, __u32 growth) {
  for (__u32 member = 0; member < MOST_MEMBERS; ++member) {
    suspect->at.member = member;
    const __u64 *sk = bpf_map_lookup_elem(&endpoints, &suspect->at);
    if (!sk) return 0;
    const __u64 key = *sk;
    struct tracker *tracker = key ? bpf_map_lookup_elem(&trackers, &key) : 0;
    if (!tracker) continue;
    ++suspect->members;
    if (suspect->is_guilty) continue;
    suspect->sk = key;
    suspect->is_guilty = (__s32)(drops_of((struct sock *)key) - tracker->drops) >= (__s32)growth;
  }
  return 0;
}

/* The listener that a packet came to, in the kernel's order (inet_lookup_listener): its address,
 * any address, any address of IPv6. */
static __noinline int find_suspect(const struct aq_attempt_key *packet, struct suspect *suspect,
                                   __u32 growth) {
  suspect->at.netns = packet->netns;
  suspect->at.port = packet->port;
  suspect->at.family = packet->family;
  __builtin_memcpy(suspect->at.address, packet->address, sizeof packet->address);
  suspects_at(suspect, growth);
  if (suspect->members) return 0;
  __builtin_memset(suspect->at.address, 0, sizeof suspect->at.address);
  suspects_at(suspect, growth);
  if (suspect->members || packet->family != AF_INET) return 0;
  suspect->at.family = AF_INET6;
  return suspects_at(suspect, growth);
}

static __always_inline void read_received(struct sk_buff *skb, bool is_ack,
                                          struct aq_attempt_key *key) {
  read_packet(skb, is_ack, key);
  /* A final ACK may come as data, and then not the first: its number tells no attempt. */
  key->isn = 0;
  struct dst_entry *route = (struct dst_entry *)(BPF_CORE_READ(skb, _skb_refdst) & ~1ULL);
  key->netns = route ? BPF_CORE_READ(route, dev, nd_net.net, ns.inum) : 0;
}

/* Why a SYN was refused, as far as the state right after it tells: the tests of
 * tcp_conn_request() in their order. */
static __always_inline enum aq_term reason_by_state(struct sock *sk) {
  struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
  const __u32 cookies = BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_syncookies);
  const __u32 limit = accept_limit(sk);
  const __u32 waiting_syns = syn_length(sk);
  if (cookies == 0 && syn_queue_full(waiting_syns, limit)) return AQ_SYN_REFUSED_SYN_FULL;
  /* accept() may have taken one in between. */
  if (accept_length(sk) >= limit) return AQ_SYN_REFUSED_ACCEPT_FULL;
  const __s32 most = BPF_CORE_READ(net, ipv4.sysctl_max_syn_backlog);
  if (cookies == 0 && most - (__s32)waiting_syns < most >> 2) return AQ_SYN_REFUSED_RESERVE;
  return AQ_SYN_REFUSED_OTHER;
}

SEC("tp_btf/consume_skb")
int on_consume(__u64 *ctx) {
  if (!is_inside(&syn_place, ctx[1]) || !this_call()) return 0;
  struct sk_buff *skb = (struct sk_buff *)ctx[0];
  const __u8 flags = flags_of(skb);
  if ((flags & (TH_SYN | TH_ACK | TH_RST)) != TH_SYN) return 0;
  struct aq_attempt_key key = {};
  read_received(skb, false, &key);
  struct suspect suspect = {};
  find_suspect(&key, &suspect, 1);
  if (!suspect.members) {
    if (state.armed == AQ_COUNTING) lose(AQ_LOST_PACKETS);
    return 0;
  }
  const __u64 sk_address = suspect.sk;
  struct tracker *tracker = bpf_map_lookup_elem(&trackers, &sk_address);
  struct sock *sk = (struct sock *)sk_address;
  if (tracker && suspect.is_guilty) __sync_fetch_and_add(&tracker->drops, 1);
  struct aq_ledger *ledger = suspect.is_guilty || suspect.members == 1 ? ledger_of(sk) : 0;
  if (!ledger) return 0;
  count(ledger, AQ_SYN_RECEIVED);
  const __u32 length = syn_length(sk);
  if (length > ledger->syn_longest) ledger->syn_longest = length;
  if (!suspect.is_guilty) return 0;
  struct refusal_of refusal = {.sk = sk, .ledger = ledger, .stage = AQ_STAGE_SYN};
  refusal.term = reason_by_state(sk);
  count(ledger, refusal.term);
  note_refusal(&refusal, &key);
  return 0;
}

static __always_inline __u32 segments_of(struct sk_buff *skb) {
  struct skb_shared_info *shared =
      (struct skb_shared_info *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));
  const __u32 segments = BPF_CORE_READ(shared, gso_segs);
  return segments ? segments : 1; /* sk_drops_skbadd() */
}

SEC("tp_btf/kfree_skb")
int on_drop(__u64 *ctx) {
  const __u64 location = ctx[1];
  const bool by_cookie = is_inside_any(cookie_places, location);
  if ((!by_cookie && !is_inside_any(ack_places, location)) || !this_call()) return 0;
  struct sk_buff *skb = (struct sk_buff *)ctx[0];
  const __u8 flags = flags_of(skb);
  const bool may_be_final = (flags & (TH_SYN | TH_ACK | TH_RST)) == TH_ACK;
  if (by_cookie && !may_be_final) return 0;
  /* What a drop adds as the packet is freed, and what refusing it added before. */
  const __u32 freed = by_cookie ? 0 : segments_of(skb);
  struct aq_attempt_key key = {};
  read_received(skb, true, &key);
  struct suspect suspect = {};
  if (drop_tells_socket) {
    const __u64 receiver = ctx[3];
    if (!receiver || !is_listening((struct sock *)receiver)) return 0;
    suspect.sk = receiver;
  } else {
    find_suspect(&key, &suspect, freed + 1);
    if (!suspect.members) return 0;
  }
  const __u64 sk_address = suspect.sk;
  struct sock *sk = (struct sock *)sk_address;
  struct tracker *tracker = bpf_map_lookup_elem(&trackers, &sk_address);
  if (!tracker) return 0;
  const __s32 growth = drops_of(sk) - tracker->drops;
  bool refused = may_be_final && growth > (__s32)freed;
  if (reason_overflow && !by_cookie) refused = (__u32)ctx[2] == reason_overflow;
  const __u32 accounted = freed + (refused ? 1 : 0);
  if (growth >= (__s32)accounted) __sync_fetch_and_add(&tracker->drops, accounted);
  struct aq_ledger *ledger = refused ? ledger_of(sk) : 0;
  if (!ledger) return 0;
  struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
  const bool full = accept_length(sk) >= accept_limit(sk);
  struct refusal_of refusal = {.sk = sk, .ledger = ledger};
  if (by_cookie) {
    refusal.stage = AQ_STAGE_COOKIE_ACK;
    refusal.term = full ? AQ_COOKIE_ACK_REFUSED_FULL : AQ_COOKIE_ACK_REFUSED_OTHER;
  } else {
    refusal.stage = AQ_STAGE_ACK;
    refusal.term = full ? AQ_ACK_REFUSED_FULL : AQ_ACK_REFUSED_OTHER;
    refusal.reset = BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_abort_on_overflow) != 0;
    if (refusal.reset) count(ledger, AQ_ACK_RESET);
  }
  count(ledger, refusal.term);
  note_refusal(&refusal, &key);
  return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int on_retransmit_synack(__u64 *ctx) {
  struct sock *sk = (struct sock *)ctx[0];
  struct aq_ledger *ledger = is_listening(sk) ? ledger_of(sk) : 0;
  if (ledger) count(ledger, AQ_SYNACK_RETRANSMITTED);
  return 0;
}
