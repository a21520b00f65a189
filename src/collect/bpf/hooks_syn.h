/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Hooks of ledger.bpf.c: a SYN, from tcp_conn_request() and the functions that it calls. */
#pragma once

static __always_inline int reqsk_alloc_done(__u64 ops, __u64 sk, __u64 a3, __u64 a4, __u64 a5,
                                            __u64 req) {
  struct aq_call *call = this_call();
  if (!call) return 0;
  call->allocated = req ? 1 : 2;
  call->syn_request = req;
  return 0;
}

static __always_inline int route_req_done(__u64 sk, __u64 flow, __u64 req, __u64 a4, __u64 a5,
                                          __u64 dst) {
  if (dst) return 0;
  struct aq_call *call = this_call();
  if (call) call->unrouted_request = req;
  return 0;
}

static __always_inline int conn_request_judged(__u64 sk, __u64 skb, __u64 req, __u64 a4, __u64 a5,
                                               __u64 refused) {
  if (!(__u32)refused) return 0;
  struct aq_call *call = this_call();
  if (call) call->forbidden_request = req;
  return 0;
}

static __always_inline int hash_add_done(__u64 sk, __u64 req, __u64 a3, __u64 a4, __u64 a5,
                                         __u64 added) {
  struct aq_call *call = this_call();
  if (!call) return 0;
  call->queued_request = req;
  call->lost_race = hash_add_returns && !(__u8)added;
  return 0;
}

static __always_inline int cookie_made(__u64 a1, __u64 a2, __u64 a3, __u64 a4) {
  struct aq_call *call = this_call();
  if (call) call->cookie_made = 1;
  return 0;
}

enum { SYNACK_NORMAL, SYNACK_FASTOPEN, SYNACK_COOKIE }; /* enum tcp_synack_type */

static __always_inline int make_synack_done(__u64 sk, __u64 dst, __u64 req, __u64 foc, __u64 type,
                                            __u64 skb) {
  struct aq_call *call = this_call();
  if (!call) return 0;
  if ((__u32)type == SYNACK_FASTOPEN) call->fastopen_request = req;
  if (call->queued_request == req || (__u32)type == SYNACK_FASTOPEN ||
      (__u32)type == SYNACK_COOKIE) {
    call->synack = skb ? 1 : 2; /* tcp_conn_request counts it */
    return 0;
  }
  struct aq_ledger *ledger = ledger_of((struct sock *)sk);
  if (ledger) count(ledger, skb ? AQ_SYNACK_RETRANSMITTED : AQ_SYNACK_FAILED);
  return 0;
}

/* Why tcp_conn_request() refused, in the order of its tests. */
static __always_inline enum aq_term why_refused(struct sock *sk, const struct aq_call *call,
                                                struct aq_ledger *ledger) {
  struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
  const __u32 cookies = BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_syncookies);
  const __u32 waiting_syns = syn_length(sk);
  const __u32 limit = accept_limit(sk);
  if (call->allocated == 2) return AQ_SYN_REFUSED_NO_MEMORY;
  if (call->allocated == 0) {
    const bool full = syn_queue_full(waiting_syns, limit);
    const bool accept_full = accept_length(sk) > limit;
    if (cookies == 0 && full) return AQ_SYN_REFUSED_SYN_FULL;
    /* Nothing else refuses before the allocation: the queue was full, though it may have drained
     * since. */
    if (cookies == 2 || (cookies && full)) count(ledger, AQ_SYN_BOTH_FULL);
    return accept_full || cookies ? AQ_SYN_REFUSED_ACCEPT_FULL : AQ_SYN_REFUSED_OTHER;
  }
  const __u64 req = call->syn_request;
  if (call->unrouted_request == req) return AQ_SYN_REFUSED_NO_ROUTE;
  if (call->forbidden_request == req) return AQ_SYN_REFUSED_SECURITY;
  if (cookies == 0) {
    const __s32 most = BPF_CORE_READ(net, ipv4.sysctl_max_syn_backlog);
    if (most - (__s32)waiting_syns < most >> 2) return AQ_SYN_REFUSED_RESERVE;
  }
  return AQ_SYN_REFUSED_OTHER;
}

static __always_inline int conn_request_done(__u64 ops, __u64 af_ops, __u64 sk_address, __u64 skb,
                                             __u64 a5, __u64 ret) {
  struct sock *sk = (struct sock *)sk_address;
  struct aq_call *shared = this_call();
  if (!shared) return 0;
  const struct aq_call call = *shared;
  shared->syn_request = shared->queued_request = shared->fastopen_request = 0;
  shared->unrouted_request = shared->forbidden_request = 0;
  shared->allocated = shared->lost_race = shared->cookie_made = shared->synack = 0;
  struct aq_ledger *ledger = ledger_of(sk);
  if (!ledger) return 0;
  count(ledger, AQ_SYN_RECEIVED);
  if (call.synack) count(ledger, call.synack == 1 ? AQ_SYNACK_SENT : AQ_SYNACK_FAILED);
  if (call.queued_request) {
    count(ledger, call.lost_race ? AQ_SYN_LOST_RACE : AQ_SYN_QUEUED);
    const __u32 length = syn_length(sk);
    if (length > ledger->syn_longest) ledger->syn_longest = length;
  } else if (call.cookie_made) {
    count(ledger, AQ_SYN_COOKIE);
  } else if (call.fastopen_request) {
    count(ledger, AQ_SYN_FASTOPEN);
  } else {
    struct refusal_of refusal = {.sk = sk, .ledger = ledger, .stage = AQ_STAGE_SYN};
    refusal.term = why_refused(sk, &call, ledger);
    count(ledger, refusal.term);
    struct aq_attempt_key key = {};
    attempt_of_packet(sk, (struct sk_buff *)skb, false, &key);
    note_refusal(&refusal, &key);
  }
  return 0;
}

EXIT_HOOK(inet_reqsk_alloc, reqsk_alloc_done, arguments_of_reqsk_alloc, 2, KEPT_REQSK_ALLOC)
EXIT_HOOK(inet_csk_route_req, route_req_done, 3, 3, KEPT_ROUTE)
EXIT_HOOK(inet6_csk_route_req, route_req_done, 4, 3, KEPT_ROUTE)
EXIT_HOOK(security_inet_conn_request, conn_request_judged, 3, 3, KEPT_SECURITY)
EXIT_HOOK(inet_csk_reqsk_queue_hash_add, hash_add_done, arguments_of_hash_add, 2, KEPT_HASH_ADD)
ENTRY_HOOK(cookie_v4_init_sequence, cookie_made, 2)
ENTRY_HOOK(cookie_v6_init_sequence, cookie_made, 2)
EXIT_HOOK(tcp_make_synack, make_synack_done, arguments_of_make_synack, 5, KEPT_SYNACK)
EXIT_HOOK(tcp_conn_request, conn_request_done, 4, 4, KEPT_CONN_REQUEST)
