/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Of tracepoints.bpf.c: packets that came to a listener, and those that it refused. */
#pragma once

struct suspect {
  struct endpoint at;
  __u64 sk;      /* the likeliest of those at the endpoint */
  __u32 members; /* listeners at the endpoint: 0, 1, or 2 for several */
  __u32 likely;  /* how likely: 2: its sk_drops have grown; 1: its accept queue is full */
};

/* In a SO_REUSEPORT group it is the member that drops went up for since the last packet to the
 * group. Resets and data raise them, too, so a full queue speaks for a member as well. This only
 * chooses: whether a packet was refused is known before. */
static long suspect_member(__u32 member, struct suspect *suspect) {
  suspect->at.member = member;
  const __u64 *sk = bpf_map_lookup_elem(&endpoints, &suspect->at);
  if (!sk) return 1;
  const __u64 key = *sk;
  struct tracker *tracker = key ? bpf_map_lookup_elem(&trackers, &key) : 0;
  if (!tracker) return 0;
  struct sock *listener = (struct sock *)key;
  const __u32 drops = drops_of(listener);
  const __u32 likely = (drops != tracker->drops ? 2 : 0) +
                       (accept_length(listener) > accept_limit(listener) ? 1 : 0);
  tracker->drops = drops;
  if (!suspect->members || likely > suspect->likely) {
    suspect->sk = key;
    suspect->likely = likely;
  }
  /* Not counted on: the verifier would go through the loop once for each number. */
  suspect->members = suspect->members ? 2 : 1;
  return 0;
}

static __noinline int suspects_at(struct suspect *suspect) {
  return bpf_loop(MOST_MEMBERS, suspect_member, suspect, 0);
}

/* The listener that a packet came to, in the kernel's order (inet_lookup_listener): its address,
 * any address, any address of IPv6. */
static __noinline int find_suspect(const struct aq_attempt_key *packet, struct suspect *suspect) {
  suspect->at.netns = packet->netns;
  suspect->at.port = packet->port;
  suspect->at.family = packet->family;
  __builtin_memcpy(suspect->at.address, packet->address, sizeof packet->address);
  suspects_at(suspect);
  if (suspect->members) return 0;
  __builtin_memset(suspect->at.address, 0, sizeof suspect->at.address);
  suspects_at(suspect);
  if (suspect->members || packet->family != AF_INET) return 0;
  suspect->at.family = AF_INET6;
  return suspects_at(suspect);
}

/* By the packet's route: its device is no longer told when TCP has it. */
static __always_inline struct net *net_of(struct sk_buff *skb) {
  struct dst_entry *route = (struct dst_entry *)(BPF_CORE_READ(skb, _skb_refdst) & ~1ULL);
  return route ? BPF_CORE_READ(route, dev, nd_net.net) : 0;
}

static __always_inline void read_received(struct sk_buff *skb, struct net *net, bool is_ack,
                                          struct aq_attempt_key *key) {
  read_packet(skb, is_ack, key);
  /* A final ACK may come as data, and then not the first: its number tells no attempt. */
  key->isn = 0;
  key->netns = BPF_CORE_READ(net, ns.inum);
}

/* Refusals beyond the one of this packet: looks were missed, where one of these programs
 * interrupted itself. They are counted, but nobody's. */
static __always_inline void lose_others(const struct seen *grown) {
  const __u64 refused = grown->count[SEEN_DROPS];
  if (refused > 1) __sync_fetch_and_add(&state.losses[AQ_LOST_REFUSALS], refused - 1);
}

/* Puts one dropped packet to the listener. False where the listener itself has not dropped so many:
 * then it was another's, whose look was missed. Each drop is counted at the socket before it is at
 * the namespace (tcp_listendrop); other packets raise that count as well. */
static __always_inline bool has_dropped(struct sock *sk) {
  const __u64 key = (__u64)sk;
  struct tracker *tracker = bpf_map_lookup_elem(&trackers, &key);
  if (!tracker) return true;
  const __u32 most = drops_of(sk) - tracker->first_drops;
  if (__sync_fetch_and_add(&tracker->dropped, 1) < most) return true;
  __sync_fetch_and_add(&tracker->dropped, -1);
  lose(AQ_LOST_REFUSALS);
  return false;
}

/* Why a SYN was refused, by what the kernel counted: the tests of tcp_conn_request() in their
 * order. Only for the last quarter of the SYN queue it has no counter of its own. */
static __always_inline enum aq_term why_refused(struct sock *sk, const struct seen *grown) {
  if (grown->count[SEEN_FULL_DROP]) return AQ_SYN_REFUSED_SYN_FULL;
  if (grown->count[SEEN_OVERFLOWS]) return AQ_SYN_REFUSED_ACCEPT_FULL;
  struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
  const __u32 cookies = BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_syncookies);
  const __s32 most = BPF_CORE_READ(net, ipv4.sysctl_max_syn_backlog);
  if (cookies == 0 && most - (__s32)syn_length(sk) < most >> 2) return AQ_SYN_REFUSED_RESERVE;
  return AQ_SYN_REFUSED_OTHER;
}

/* Where the packet came from that an ICMP error quotes: from a listener, whose SYN-ACK did not
 * arrive. */
static __noinline int read_quoted(struct sk_buff *skb, struct aq_attempt_key *key) {
  enum { ICMP_HEADER = 8, IPV6_BYTES = 40 };
  if (!key) return 0;
  const unsigned char *head = BPF_CORE_READ(skb, head);
  const unsigned char *ip = head + BPF_CORE_READ(skb, transport_header) + ICMP_HEADER;
  __u8 first = 0;
  __u32 length = IPV6_BYTES;
  bpf_probe_read_kernel(&first, sizeof first, ip);
  if (first >> 4 == 4) {
    key->family = AF_INET;
    length = (first & 15) * 4;
    bpf_probe_read_kernel(key->address, 4, ip + 12);
  } else {
    key->family = AF_INET6;
    bpf_probe_read_kernel(key->address, 16, ip + 8);
  }
  __be16 port = 0;
  bpf_probe_read_kernel(&port, sizeof port, ip + length);
  key->port = __builtin_bswap16(port);
  return 0;
}

/* An ICMP error that ended a request is a drop (tcp_req_err), and no packet's that was refused. */
static __noinline int on_error(struct sk_buff *skb, struct net *net) {
  struct seen grown = {};
  if (!net || !look_at_counters(net, &grown) || !grown.count[SEEN_DROPS]) return 0;
  if (state.armed != AQ_COUNTING) return 0;
  struct aq_attempt_key key = {.netns = BPF_CORE_READ(net, ns.inum)};
  read_quoted(skb, &key);
  struct suspect suspect = {};
  find_suspect(&key, &suspect);
  lose_others(&grown);
  struct aq_ledger *ledger = suspect.members ? ledger_of((struct sock *)suspect.sk) : 0;
  if (ledger && has_dropped((struct sock *)suspect.sk)) count(ledger, AQ_REQUEST_UNREACHABLE);
  return 0;
}

SEC("tp_btf/consume_skb")
int on_consume(__u64 *ctx) {
  const __u64 location = ctx[1];
  const bool is_error = is_inside_any(error_places, location);
  if ((!is_error && !is_inside(&syn_place, location)) || !this_call()) return 0;
  struct sk_buff *skb = (struct sk_buff *)ctx[0];
  struct net *net = net_of(skb);
  if (is_error) return on_error(skb, net);
  struct seen grown = {};
  const __u8 flags = flags_of(skb);
  if (!net || (flags & (TH_SYN | TH_ACK | TH_RST)) != TH_SYN) return 0;
  const bool is_known = look_at_counters(net, &grown);
  const bool is_refused = is_known && grown.count[SEEN_DROPS];
  struct aq_attempt_key key = {};
  read_received(skb, net, false, &key);
  struct suspect suspect = {};
  find_suspect(&key, &suspect);
  if (state.armed != AQ_COUNTING) return 0;
  if (!suspect.members || !is_known) {
    lose(AQ_LOST_PACKETS);
    if (!suspect.members) return 0;
  }
  lose_others(&grown);
  struct sock *sk = (struct sock *)suspect.sk;
  struct aq_ledger *ledger = is_refused || suspect.members == 1 ? ledger_of(sk) : 0;
  if (!ledger) return 0;
  count(ledger, AQ_SYN_RECEIVED);
  const __u32 length = syn_length(sk);
  if (length > ledger->syn_longest) ledger->syn_longest = length;
  if (grown.count[SEEN_COOKIE_SENT]) count(ledger, AQ_SYN_COOKIE);
  if (!is_refused || !has_dropped(sk)) return 0;
  if (grown.count[SEEN_DO_COOKIES]) count(ledger, AQ_SYN_BOTH_FULL);
  struct refusal_of refusal = {.sk = sk, .ledger = ledger, .stage = AQ_STAGE_SYN};
  refusal.term = why_refused(sk, &grown);
  count(ledger, refusal.term);
  note_refusal(&refusal, &key);
  return 0;
}

SEC("tp_btf/kfree_skb")
int on_drop(__u64 *ctx) {
  const __u64 location = ctx[1];
  const bool by_cookie = is_inside_any(cookie_places, location);
  if ((!by_cookie && !is_inside_any(ack_places, location)) || !this_call()) return 0;
  struct sk_buff *skb = (struct sk_buff *)ctx[0];
  const __u8 flags = flags_of(skb);
  if ((flags & (TH_SYN | TH_ACK | TH_RST)) != TH_ACK) return 0;
  struct suspect suspect = {};
  struct net *net = 0;
  if (drop_tells_socket) {
    struct sock *receiver = (struct sock *)ctx[3];
    if (!receiver || !is_listening(receiver)) return 0;
    net = BPF_CORE_READ(receiver, __sk_common.skc_net.net);
    suspect.sk = (__u64)receiver;
    suspect.members = 1;
  } else {
    net = net_of(skb);
  }
  if (!net) return 0;
  struct seen grown = {};
  if (!look_at_counters(net, &grown) || !grown.count[SEEN_DROPS]) return 0;
  if (state.armed != AQ_COUNTING) return 0;
  struct aq_attempt_key key = {};
  read_received(skb, net, true, &key);
  if (!drop_tells_socket) find_suspect(&key, &suspect);
  lose_others(&grown);
  if (!suspect.members) {
    lose(AQ_LOST_PACKETS);
    return 0;
  }
  struct sock *sk = (struct sock *)suspect.sk;
  struct aq_ledger *ledger = ledger_of(sk);
  if (!ledger || !has_dropped(sk)) return 0;
  const bool full = grown.count[SEEN_OVERFLOWS] != 0;
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
