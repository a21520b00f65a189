// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// The ledger as far as tracepoints give it, for kernels that refuse hooks on functions.
//
// No drop tracepoint sees a SYN that a listener refuses, but three facts together tell it:
//
//   * every SYN that reaches a listener, refused or not, is freed by a call of consume_skb() in
//     tcp_rcv_state_process(); the tracepoint tells the place of the call from 6.2 on;
//   * a refused one has raised the listener's sk_drops by 1 right before (tcp_listendrop() in
//     tcp_conn_request()), a refused final ACK by 2: in tcp_v4_syn_recv_sock() and, as it is freed,
//     in tcp_v4_rcv(). So what sk_drops has grown by since the last packet says which it was;
//   * the listener is the one at the packet's destination (`endpoints`): those that exist are found
//     by a pass over all files, later ones by inet_sock_set_state and sk_data_ready.
//
// sk_data_ready (6.3) on a listener is one insertion into the accept queue. Removals are not seen;
// but the queue is first in, first out, so insertions and the length of the queue tell at each look
// which entries have left it, and since when. A look happens at each insertion, and whenever user
// space asks. The time in the queue is known to within the time between two looks; where that is
// not good enough, it is not given.
//
// Facts read in the kernel's source, v6.18; seen on 6.12, 6.18 and 7.2.

// clang-format off: the order matters
#include "handshake_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "ledger_wire.h"
// clang-format on

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

#include "ledger_state.h"
#include "waiting_table.h"

enum { MOST_PLACES = 4 };
const volatile struct aq_place syn_place = {};               /* tcp_rcv_state_process */
const volatile struct aq_place ack_places[MOST_PLACES] = {}; /* tcp_v4_rcv, tcp_v6_rcv */
const volatile struct aq_place cookie_places[MOST_PLACES] =
    {}; /* tcp_v4_do_rcv, cookie_v4_check … */
/* The tracepoint kfree_skb tells the receiving socket as its fourth argument (6.11). */
const volatile bool drop_tells_socket = false;
/* … and SKB_DROP_REASON_TCP_LISTEN_OVERFLOW for refused final ACKs (6.15), or 0. */
const volatile __u32 reason_overflow = 0;

enum { MOST_MEMBERS = 64 }; /* of a SO_REUSEPORT group */

struct endpoint {
  __u32 netns;
  __u16 port;
  __u16 family;
  __u32 member;
  __u8 address[16];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct endpoint);
  __type(value, __u64); /* a listener; 0: it was closed */
} endpoints SEC(".maps");

struct tracker {
  __u64 inserted; /* entries of the accept queue ever, with those that were there at first sight */
  __u64 taken;    /* of them, the ones that have left it */
  __u64 looked_ns;
  __u32 drops; /* sk_drops, as far as packets account for it */
  __u32 has_endpoint;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, struct tracker);
} trackers SEC(".maps");

/* The n-th entry of a queue, as the key of its insertion time. Listeners are not
 * 4 GiB apart: the lower half of an address tells them from each other. */
static __always_inline __u64 position(__u64 sk, __u64 number) {
  return number << 32 | (lower_half(sk) + (__u32)number * 64);
}

/* The connection that this CPU is about to insert. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} newborn SEC(".maps");

static __always_inline __u32 drops_of(struct sock *sk) {
  return BPF_CORE_READ(sk, sk_drops.counter);
}

static __always_inline bool is_inside(const volatile struct aq_place *place, __u64 location) {
  return location - place->begin < place->end - place->begin;
}

static __always_inline bool is_inside_any(const volatile struct aq_place *places, __u64 location) {
  for (int i = 0; i < MOST_PLACES; ++i) {
    if (is_inside(&places[i], location)) return true;
  }
  return false;
}

/* --- Listeners ------------------------------------------------------------------------------- */

static __noinline int read_endpoint(struct sock *sk, struct endpoint *key) {
  key->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
  key->port = BPF_CORE_READ(sk, __sk_common.skc_num);
  key->family = BPF_CORE_READ(sk, __sk_common.skc_family);
  if (key->family == AF_INET) {
    const __be32 address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
    __builtin_memcpy(key->address, &address, sizeof address);
  } else if (bpf_core_field_exists(sk->__sk_common.skc_v6_rcv_saddr)) {
    BPF_CORE_READ_INTO(&key->address, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
  }
  return 0;
}

/* 1: it is known, or there is no room; 0: it has no port yet, and gets one right after this. */
static __noinline int learn_endpoint(struct sock *sk) {
  struct endpoint key = {};
  read_endpoint(sk, &key);
  if (key.port == 0) return 0;
  const __u64 own = (__u64)sk;
  for (__u32 member = 0; member < MOST_MEMBERS; ++member) {
    key.member = member;
    __u64 *known = bpf_map_lookup_elem(&endpoints, &key);
    if (known && *known == own) return 1;
    if (known && *known == 0) {
      *known = own;
      return 1;
    }
    if (!known) {
      bpf_map_update_elem(&endpoints, &key, &own, BPF_NOEXIST);
      return 1;
    }
  }
  return 1;
}

static __noinline int forget_endpoint(struct sock *sk) {
  struct endpoint key = {};
  read_endpoint(sk, &key);
  for (__u32 member = 0; member < MOST_MEMBERS; ++member) {
    key.member = member;
    __u64 *known = bpf_map_lookup_elem(&endpoints, &key);
    if (!known) return 0;
    if (*known == (__u64)sk) *known = 0;
  }
  return 0;
}

/* `queued` entries were in the queue before this moment. */
static __noinline struct tracker *meet(struct sock *sk, __u32 queued) {
  const __u64 key = (__u64)sk;
  struct tracker *tracker = bpf_map_lookup_elem(&trackers, &key);
  if (!tracker) {
    const struct tracker fresh = {
        .inserted = queued, .looked_ns = bpf_ktime_get_ns(), .drops = drops_of(sk)};
    bpf_map_update_elem(&trackers, &key, &fresh, BPF_NOEXIST);
    tracker = bpf_map_lookup_elem(&trackers, &key);
  }
  if (tracker && !tracker->has_endpoint) tracker->has_endpoint = learn_endpoint(sk);
  return tracker;
}

/* --- The accept queue ------------------------------------------------------------------------ */

struct departure {
  __u64 sk;
  __u64 first;
  __u64 looked_ns;
  __u64 now;
};

/* Left the queue between the last look and now. */
static long leave_queue(__u32 index, struct departure *departure) {
  struct aq_waiting *entry = find_waiting(position(departure->sk, departure->first + index));
  struct aq_ledger *ledger = ledger_of((struct sock *)departure->sk);
  const __u64 since = entry ? entry->since_ns : 0;
  if (ledger) {
    count(ledger, AQ_ACCEPTED);
    const __u64 most = since ? departure->now - since : 0;
    const __u64 least = since && departure->looked_ns > since ? departure->looked_ns - since : 0;
    const __u64 in_doubt = most - least;
    const __u64 millisecond = 1000000;
    if (since && (in_doubt * 4 <= most || most <= millisecond)) {
      count_bucket(ledger->time_in_queue, time_bucket(most - in_doubt / 2), AQ_TIME_BUCKETS - 1);
    } else {
      count(ledger, AQ_ACCEPTED_UNTIMED);
    }
  }
  if (entry) entry->key = 0;
  return 0;
}

/* When the connection at the head of the queue was made. */
static __always_inline __u64 head_since(struct sock *sk, __u64 now) {
  struct inet_connection_sock___head *connection = (struct inet_connection_sock___head *)sk;
  struct request_sock *head = BPF_CORE_READ(connection, icsk_accept_queue.rskq_accept_head);
  struct tcp_sock *child = head ? (struct tcp_sock *)BPF_CORE_READ(head, sk) : 0;
  if (!child) return 0;
  return made_at(child, now);
}

static __noinline int look(struct sock *sk, struct tracker *tracker) {
  const __u64 now = bpf_ktime_get_ns();
  const __u64 taken = tracker->taken;
  const __u64 inserted = tracker->inserted;
  const __u32 length = accept_length(sk);
  /* An insertion on another CPU may be in the length and not yet in `inserted`. */
  const __u64 gone = inserted > length ? inserted - length : 0;
  if (gone > taken) {
    struct departure departure = {
        .sk = (__u64)sk, .first = taken, .looked_ns = tracker->looked_ns, .now = now};
    if (__sync_val_compare_and_swap(&tracker->taken, taken, gone) != taken) return 0;
    bpf_loop(gone - taken, leave_queue, &departure, 0);
  }
  tracker->looked_ns = now;
  const __u64 head = position((__u64)sk, gone > taken ? gone : taken);
  if (length && !find_waiting(head)) {
    const __u64 since = head_since(sk, now);
    if (since) begin_waiting(head, (__u64)sk, since);
  }
  return 0;
}

SEC("tp_btf/sk_data_ready")
int on_data_ready(__u64 *ctx) {
  struct sock *sk = (struct sock *)ctx[0];
  if (!is_listening(sk) || !this_call()) return 0;
  /* An MPTCP listener is told, too, behind the TCP socket below it, which has the queue. */
  if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) != IPPROTO_TCP) return 0;
  const __u32 length = accept_length(sk);
  struct tracker *tracker = meet(sk, length ? length - 1 : 0);
  if (!tracker) {
    lose(AQ_LOST_LISTENERS);
    return 0;
  }
  const __u64 number = __sync_fetch_and_add(&tracker->inserted, 1);
  begin_waiting(position((__u64)sk, number), (__u64)sk, bpf_ktime_get_ns());
  look(sk, tracker);

  struct aq_ledger *ledger = ledger_of(sk);
  if (!ledger) return 0;
  count(ledger, AQ_ACK_QUEUED);
  if (length > ledger->longest) ledger->longest = length;
  count_bucket(ledger->depth, log2_of(length), AQ_DEPTH_BUCKETS - 1);
  const __u32 zero = 0;
  const __u64 *child = bpf_map_lookup_elem(&newborn, &zero);
  if (child && *child && state.attempts_inserted != state.attempts_removed) {
    struct aq_attempt_key key = {};
    attempt_of_peer(sk, (struct request_sock *)*child, &key);
    note_recovery(&key, ledger);
  }
  return 0;
}

/* --- Refused packets ------------------------------------------------------------------------- */

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

/* --- A listener begins, and ends ------------------------------------------------------------- */

static __always_inline void listening_begins(struct sock *sk) {
  const __u64 key = (__u64)sk;
  struct aq_ledger *old = bpf_map_lookup_elem(&ledgers, &key);
  if (old && old->closed_ns) replace_ledger(sk, old);
  bpf_map_delete_elem(&trackers, &key);
  meet(sk, 0);
  ledger_of(sk);
}

static long drop_position(__u32 index, struct departure *departure) {
  struct aq_waiting *entry = find_waiting(position(departure->sk, departure->first + index));
  if (entry) entry->key = 0;
  return 0;
}

static __always_inline void listening_ends(struct sock *sk) {
  const __u64 key = (__u64)sk;
  struct tracker *tracker = bpf_map_lookup_elem(&trackers, &key);
  if (tracker) {
    look(sk, tracker);
    struct departure left = {.sk = key, .first = tracker->taken};
    bpf_loop(tracker->inserted - tracker->taken, drop_position, &left, 0);
  }
  struct aq_ledger *ledger = ledger_of(sk);
  if (ledger) {
    __sync_fetch_and_add(&ledger->count[AQ_CLOSED_WAITING], accept_length(sk));
    ledger->closed_ns = bpf_ktime_get_ns();
  }
  forget_endpoint(sk);
  bpf_map_delete_elem(&trackers, &key);
}

SEC("tp_btf/inet_sock_set_state")
int on_set_state(__u64 *ctx) {
  struct sock *sk = (struct sock *)ctx[0];
  const __u32 before = ctx[1];
  const __u32 after = ctx[2];
  if ((before != TCP_LISTEN && after != TCP_LISTEN) || !this_call()) return 0;
  if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) != IPPROTO_TCP) return 0;
  if (before == TCP_LISTEN && after == TCP_SYN_RECV) {
    /* A copy of the listener: a connection. */
    const __u32 zero = 0;
    const __u64 child = (__u64)sk;
    bpf_map_update_elem(&newborn, &zero, &child, BPF_ANY);
  } else if (after == TCP_LISTEN) {
    listening_begins(sk);
  } else if (after == TCP_CLOSE) {
    listening_ends(sk);
  }
  return 0;
}

/* --- A pass over all files: listeners that were there before, and a look at each queue ------- */

SEC("iter/task_file")
int look_at_all(struct bpf_iter__task_file *ctx) {
  struct file *file = ctx->file;
  if (!ctx->task || !file || state.armed == AQ_IDLE) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  struct sock *sk = socket ? socket->sk : 0;
  if (!sk || sk->__sk_common.skc_state != TCP_LISTEN) return 0;
  const __u16 family = sk->__sk_common.skc_family;
  if (family != AF_INET && family != AF_INET6) return 0;
  const __u32 protocol = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol);
  if (protocol == IPPROTO_MPTCP && bpf_core_field_exists(struct mptcp_sock, first)) {
    sk = BPF_CORE_READ((struct mptcp_sock *)sk, first);
    if (!sk || !is_listening(sk)) return 0;
  } else if (protocol != IPPROTO_TCP) {
    return 0;
  }
  struct tracker *tracker = meet(sk, accept_length(sk));
  if (tracker) look(sk, tracker);
  return 0;
}
