// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// The ledger as far as tracepoints give it, for kernels that refuse hooks on functions.
//
// No drop tracepoint sees a SYN that a listener refuses, but three facts together tell it:
//
//   * every SYN that reaches a listener, refused or not, is freed by a call of consume_skb() in
//     tcp_rcv_state_process(); the tracepoint tells the place of the call from 6.2 on;
//   * for a refused one this CPU's ListenDrops of the namespace have grown since the packet before,
//     and ListenOverflows with them where the accept queue was full (tracepoints_counters.h). So
//     have they for a refused final ACK, which is freed as dropped in tcp_v4_rcv(), or where a
//     cookie is checked;
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
const volatile struct aq_place error_places[MOST_PLACES] = {}; /* icmp_rcv, icmpv6_rcv */
/* The tracepoint kfree_skb tells the receiving socket as its fourth argument (6.11). */
const volatile bool drop_tells_socket = false;

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
  __u64 dropped;     /* packets of those that it dropped that were put to it */
  __u32 first_drops; /* sk_drops at first sight */
  __u32 drops;       /* and at the last packet */
  __u32 has_endpoint;
  __u32 pad;
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

// clang-format off: each needs the one before
#include "tracepoints_counters.h"
#include "tracepoints_listeners.h"
#include "tracepoints_queue.h"
#include "tracepoints_refusals.h"
#include "dead_syns.h"
// clang-format on

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
