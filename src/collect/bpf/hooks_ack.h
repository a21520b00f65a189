/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Hooks of ledger.bpf.c: packets for a request, and final ACKs of cookies. */
#pragma once

static __always_inline int child_created(__u64 sk, __u64 req, __u64 skb, __u64 a4) {
  struct aq_call *call = this_call();
  if (!call) return 0;
  call->created_for = req;
  call->hung_up = (flags_of((struct sk_buff *)skb) & TH_FIN) != 0;
  return 0;
}

/* tcp_v4_syn_recv_sock and its kin, with or without a child. */
static __always_inline int syn_recv_sock_done(struct sock *sk, struct sk_buff *skb,
                                              struct request_sock *req, __u64 child) {
  struct aq_call *call = this_call();
  if (!call) return 0;
  const bool created = call->created_for == (__u64)req;
  call->created_for = 0;
  if (child) return 0;
  struct aq_ledger *ledger = ledger_of(sk);
  if (!ledger) return 0;
  /* A request of the SYN queue is in the table of connections; that of a cookie is nowhere. */
  const bool by_cookie = BPF_CORE_READ(req, __req_common.skc_nulls_node.pprev) == 0;
  struct refusal_of refusal = {.sk = sk, .ledger = ledger};
  if (by_cookie) {
    refusal.stage = AQ_STAGE_COOKIE_ACK;
    refusal.term = created ? AQ_COOKIE_ACK_REFUSED_OTHER : AQ_COOKIE_ACK_REFUSED_FULL;
  } else {
    struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
    refusal.stage = AQ_STAGE_ACK;
    refusal.term = created ? AQ_ACK_REFUSED_OTHER : AQ_ACK_REFUSED_FULL;
    refusal.reset = BPF_CORE_READ_BITFIELD_PROBED(net, ipv4.sysctl_tcp_abort_on_overflow) != 0;
    if (refusal.reset) count(ledger, AQ_ACK_RESET);
  }
  count(ledger, refusal.term);
  struct aq_attempt_key key = {};
  attempt_of_request(sk, req, &key);
  note_refusal(&refusal, &key);
  return 0;
}

static __always_inline int syn_recv_v4_done(__u64 sk_address, __u64 skb, __u64 req, __u64 dst,
                                            __u64 a5, __u64 child) {
  struct sock *sk = (struct sock *)sk_address;
  /* For an IPv4 client of an IPv6 listener the IPv6 function calls this one. */
  if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_INET) return 0;
  return syn_recv_sock_done(sk, (struct sk_buff *)skb, (struct request_sock *)req, child);
}

static __always_inline int syn_recv_v6_done(__u64 sk, __u64 skb, __u64 req, __u64 dst, __u64 a5,
                                            __u64 child) {
  return syn_recv_sock_done((struct sock *)sk, (struct sk_buff *)skb, (struct request_sock *)req,
                            child);
}

static __always_inline int check_req_done(__u64 sk_address, __u64 skb, __u64 req, __u64 fastopen,
                                          __u64 a5, __u64 child) {
  struct sock *sk = (struct sock *)sk_address;
  struct aq_call *call = this_call();
  if (call) call->queued_child = 0; /* its memory may become another connection's */
  if (child) return 0; /* a connection, or the listener itself: not a packet for the request */
  if ((__u8)fastopen || !is_listening(sk)) return 0;
  const __u8 flags = flags_of((struct sk_buff *)skb);
  /* It is no longer in the table of connections: what came has ended it. A RST out of its window
   * does not (tcp_check_req). */
  const bool is_over =
      BPF_CORE_READ((struct request_sock *)req, __req_common.skc_nulls_node.pprev) == 0;
  enum aq_term term;
  if (is_over && (flags & (TH_RST | TH_SYN))) {
    term = AQ_REQUEST_RESET;
  } else if ((flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN) {
    term = AQ_SYN_DUPLICATE;
  } else {
    return 0; /* a final ACK that was refused, deferred, or out of window */
  }
  struct aq_ledger *ledger = ledger_of(sk);
  if (ledger) count(ledger, term);
  return 0;
}

static __always_inline int cookie_checked(__u64 a1, __u64 a2, __u64 a3, __u64 a4, __u64 a5,
                                          __u64 mss) {
  struct aq_call *call = this_call();
  if (call) call->cookie_checked = (__u32)mss ? 2 : 1;
  return 0;
}

static __always_inline int cookie_check_done(__u64 sk, __u64 skb, __u64 a3, __u64 a4, __u64 a5,
                                             __u64 child) {
  struct aq_call *call = this_call();
  if (!call) return 0;
  call->allocated = 0; /* a request for the cookie, not for a SYN */
  if (!call->cookie_checked) return 0;
  const enum aq_term term = call->cookie_checked == 2 ? AQ_COOKIE_VALID : AQ_COOKIE_INVALID;
  call->cookie_checked = 0;
  struct aq_ledger *ledger = ledger_of((struct sock *)sk);
  if (ledger) count(ledger, term);
  return 0;
}

ENTRY_HOOK(tcp_create_openreq_child, child_created, 3)
EXIT_HOOK(tcp_v4_syn_recv_sock, syn_recv_v4_done, arguments_of_syn_recv_sock, 4, KEPT_SYN_RECV_V4)
EXIT_HOOK(tcp_v6_syn_recv_sock, syn_recv_v6_done, arguments_of_syn_recv_sock, 4, KEPT_SYN_RECV_V6)
EXIT_HOOK(tcp_check_req, check_req_done, arguments_of_check_req, 4, KEPT_CHECK_REQ)
EXIT_HOOK(__cookie_v4_check, cookie_checked, arguments_of_cookie_check, 2, KEPT_COOKIE)
EXIT_HOOK(__cookie_v6_check, cookie_checked, arguments_of_cookie_check, 2, KEPT_COOKIE)
EXIT_HOOK(cookie_v4_check, cookie_check_done, 2, 2, KEPT_COOKIE_V4)
EXIT_HOOK(cookie_v6_check, cookie_check_done, 2, 2, KEPT_COOKIE_V6)
