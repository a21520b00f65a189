// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// Every handshake accounted for: hooks on the kernel's listen path that keep a ledger for each
// listener.
//
// Drop tracers watch where packets are freed as dropped, and so miss the most common loss: a SYN
// refused for a full accept queue leaves tcp_conn_request() like one that was taken, returning 0,
// and its packet is freed by consume_skb(). So the functions themselves are hooked, and the fate of
// each packet is what its functions did, not what the state of the queues lets one expect:
//
//   tcp_conn_request        one SYN. Which of the functions below it called tells its fate:
//     inet_reqsk_alloc        not called: a queue was full
//     inet_csk_route_req, security_inet_conn_request     the reasons of later refusals
//     inet_csk_reqsk_queue_hash_add   it is in the SYN queue
//     cookie_v4_init_sequence         it is answered by a cookie
//     tcp_make_synack                 the answer itself; elsewhere, a retransmission
//   tcp_check_req           a packet for a request: the final ACK, a repeated SYN, a RST
//     tcp_v4_syn_recv_sock    makes the connection; null: refused
//       tcp_create_openreq_child   not called: the accept queue was full
//   cookie_v4_check         a final ACK without request
//   inet_csk_complete_hashdance, inet_csk_reqsk_queue_add    insertion into the accept queue
//   inet_csk_accept         taken out of it
//   reqsk_timer_handler     no answer came in time
//   inet_listen, __inet_listen_sk, inet_csk_listen_stop     a listener begins, and ends
//
// Inner functions leave what they did in `calls`, one for each CPU; the outer one reads it when it
// returns. Each hook exists as fentry/fexit and as kprobe/kretprobe; the loader decides, one by one
// (handshake_tracer.cc). Programs count and copy. What it means is decided in user space.

// clang-format off: the order matters
#include "handshake_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "ledger_wire.h"
// clang-format on

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EINTR 4
#define EAGAIN 11
#define ENFILE 23
#define EMFILE 24
#define ECONNABORTED 103
#define ERESTARTSYS 512

#include "hook_forms.h"
#include "ledger_state.h"

/* Number of arguments of functions whose signature drifts, from BTF: a return value comes behind
 * the arguments. */
const volatile __u32 arguments_of_hash_add = 3;
const volatile __u32 arguments_of_make_synack = 6;
const volatile __u32 arguments_of_check_req = 5;
const volatile __u32 arguments_of_syn_recv_sock = 6;
const volatile __u32 arguments_of_accept = 4;
const volatile __u32 arguments_of_cookie_check = 2; /* of __cookie_v4_check */
const volatile __u32 arguments_of_reqsk_alloc = 3;
/* inet_csk_reqsk_queue_hash_add tells whether another CPU was faster (6.10). */
const volatile bool hash_add_returns = false;

/* Every body gets what any needs. */
#pragma clang diagnostic ignored "-Wunused-parameter"

/* --- SYN ------------------------------------------------------------------------------------ */

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

/* --- Final ACK ------------------------------------------------------------------------------- */

static __always_inline int child_created(__u64 sk, __u64 req, __u64 skb, __u64 a4) {
  struct aq_call *call = this_call();
  if (call) call->created_for = req;
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
  enum aq_term term;
  if (flags & TH_RST) {
    term = AQ_REQUEST_RESET;
  } else if ((flags & TH_SYN) && !(flags & TH_ACK)) {
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

/* --- Accept queue ------------------------------------------------------------------------------
 */

static __always_inline void enters_queue(struct sock *sk, struct request_sock *req, __u64 child) {
  if (!is_listening(sk)) return; /* closed meanwhile: the kernel will not add it */
  struct aq_ledger *ledger = ledger_of(sk);
  if (!ledger) return;
  count(ledger, AQ_ACK_QUEUED);
  const struct aq_waiting entry = {.since_ns = bpf_ktime_get_ns(), .sk = (__u64)sk};
  if (bpf_map_update_elem(&waiting, &child, &entry, BPF_ANY)) lose(AQ_LOST_WAITING);
  const __u32 length = accept_length(sk) + 1;
  if (length > ledger->longest) ledger->longest = length;
  count_bucket(ledger->depth, log2_of(length), AQ_DEPTH_BUCKETS - 1);
  if (state.attempts_inserted != state.attempts_removed) {
    struct aq_attempt_key key = {};
    attempt_of_request(sk, req, &key);
    note_recovery(&key, ledger);
  }
}

/* A final ACK has won its request (else another CPU has, and the child is dropped). The insertion
 * itself is often compiled into this function, and only sometimes a call that the next hook sees.
 */
static __always_inline int hashdance_begins(__u64 sk, __u64 child, __u64 req, __u64 own) {
  struct aq_call *call = this_call();
  if (!call || !(__u8)own) return 0;
  call->queued_child = child;
  enters_queue((struct sock *)sk, (struct request_sock *)req, child);
  return 0;
}

/* Connections by cookie and by Fast Open come straight here. */
static __always_inline int queue_add_begins(__u64 sk, __u64 req, __u64 child, __u64 a4) {
  struct aq_call *call = this_call();
  if (!call) return 0;
  const bool seen = call->queued_child == child;
  call->queued_child = 0;
  if (!seen) enters_queue((struct sock *)sk, (struct request_sock *)req, child);
  return 0;
}

static __always_inline void connection_taken(struct aq_ledger *ledger, __u64 child, __u64 sk,
                                             const struct aq_waiting *entry) {
  count(ledger, AQ_ACCEPTED);
  /* It came in through another member of the group, which was closed. */
  if (entry && sk && entry->sk != sk) count(ledger, AQ_MIGRATED_IN);
  if (BPF_CORE_READ((struct sock *)child, __sk_common.skc_state) == TCP_CLOSE) {
    count(ledger, AQ_ACCEPTED_DEAD);
  }
  const __u64 now = bpf_ktime_get_ns();
  const __u64 since = entry ? entry->since_ns : made_at((struct tcp_sock *)child, now);
  count_bucket(ledger->time_in_queue, time_bucket(now - since), AQ_TIME_BUCKETS - 1);
  if (entry) bpf_map_delete_elem(&waiting, &child);
}

static __always_inline void accept_failed(struct aq_ledger *ledger, __s32 err) {
  switch (-err) {
    case EAGAIN:
      count(ledger, AQ_ACCEPT_AGAIN);
      break;
    case EINTR:
    case ERESTARTSYS:
      count(ledger, AQ_ACCEPT_INTERRUPTED);
      break;
    case EMFILE:
      count(ledger, AQ_ACCEPT_EMFILE);
      break;
    case ENFILE:
      count(ledger, AQ_ACCEPT_ENFILE);
      break;
    case ECONNABORTED:
      count(ledger, AQ_ACCEPT_ABORTED);
      break;
    default:
      count(ledger, AQ_ACCEPT_OTHER);
      break;
  }
}

/* The listener is an argument, and so is the place of the error: up to 6.9 a pointer, then a field
 * of a struct. */
SEC("fexit/inet_csk_accept")
int inet_csk_accept_out(__u64 *ctx) {
  const __u64 child = return_value(ctx, arguments_of_accept);
  struct aq_ledger *ledger = ledger_of((struct sock *)ctx[0]);
  if (!ledger) return 0;
  if (child) {
    connection_taken(ledger, child, ctx[0], bpf_map_lookup_elem(&waiting, &child));
    return 0;
  }
  __s32 err = 0;
  if (arguments_of_accept == 2) {
    err = BPF_CORE_READ((struct proto_accept_arg *)ctx[1], err);
  } else {
    /* Copied as a return value is: 5.10 loads no pointer to a number. */
    bpf_probe_read_kernel(&err, sizeof err, (void *)return_value(ctx, 2));
  }
  accept_failed(ledger, err);
  return 0;
}

/* A kretprobe sees the connection alone; where it waited says whose it was. */
SEC("kretprobe/inet_csk_accept")
int inet_csk_accept_kretprobe(struct pt_regs *regs) {
  const __u64 child = KPROBE_RETURN(regs);
  if (!child) return 0;
  const struct aq_waiting *entry = bpf_map_lookup_elem(&waiting, &child);
  struct aq_ledger *ledger = entry ? bpf_map_lookup_elem(&ledgers, &entry->sk) : 0;
  if (ledger) {
    connection_taken(ledger, child, 0, entry);
  } else {
    lose(AQ_LOST_ACCEPTS);
  }
  return 0;
}

/* Out of descriptors, accept() fails before it looks at the listener. Called with its number. */
SEC("fexit/__sys_accept4")
int __sys_accept4_out(__u64 *ctx) {
  const __s32 result = (__s32)return_value(ctx, 4);
  if (result != -EMFILE && result != -ENFILE && result != -ECONNABORTED) return 0;
  const __u32 fd = (__u32)ctx[0];
  struct task_struct___files *task = (struct task_struct___files *)bpf_get_current_task();
  struct fdtable *table = BPF_CORE_READ(task, files, fdt);
  if (fd >= BPF_CORE_READ(table, max_fds)) return 0;
  struct file **slot = BPF_CORE_READ(table, fd) + fd;
  struct file___socket *file = 0;
  bpf_probe_read_kernel(&file, sizeof file, slot);
  struct socket *socket = BPF_CORE_READ(file, private_data);
  struct sock *sk = BPF_CORE_READ(socket, sk);
  /* Whatever lies there: only what is known as a listener counts. */
  const __u64 key = (__u64)sk;
  struct aq_ledger *ledger = bpf_map_lookup_elem(&ledgers, &key);
  if (!ledger && sk && is_listening(sk)) ledger = ledger_of(sk);
  if (ledger) accept_failed(ledger, result);
  return 0;
}

ENTRY_HOOK(inet_csk_complete_hashdance, hashdance_begins, 4)
ENTRY_HOOK(inet_csk_reqsk_queue_add, queue_add_begins, 3)

/* --- Requests that end otherwise ----------------------------------------------------------------
 */

static __always_inline int timer_begins(__u64 timer, __u64 a2, __u64 a3, __u64 a4) {
  struct aq_call *call = this_call();
  if (call) call->timer_request = timer - bpf_core_field_offset(struct request_sock, rsk_timer);
  return 0;
}

static __always_inline int timer_ends(void) {
  struct aq_call *call = this_call();
  if (!call || !call->timer_request) return 0;
  struct request_sock *req = (struct request_sock *)call->timer_request;
  call->timer_request = 0;
  /* Still in the table: it was answered again. */
  if (BPF_CORE_READ(req, __req_common.skc_nulls_node.pprev)) return 0;
  struct sock *sk = BPF_CORE_READ(req, __req_common.skc_listener);
  if (!sk) return 0;
  struct aq_ledger *ledger = ledger_of(sk);
  if (ledger) count(ledger, AQ_REQUEST_EXPIRED);
  return 0;
}

SEC("fexit/reqsk_timer_handler")
int reqsk_timer_handler_out(__u64 *ctx) { return timer_ends(); }

SEC("kretprobe/reqsk_timer_handler")
int reqsk_timer_handler_kretprobe(struct pt_regs *regs) { return timer_ends(); }

/* tcp_req_err(sk, seq, abort): an ICMP error for the request `sk`. */
static __always_inline int request_error(__u64 sk, __u64 seq, __u64 abort, __u64 a4) {
  if (!(__u8)abort) return 0;
  struct request_sock *req = (struct request_sock *)sk;
  struct sock *listener = BPF_CORE_READ(req, __req_common.skc_listener);
  struct aq_ledger *ledger = listener ? ledger_of(listener) : 0;
  if (ledger) count(ledger, AQ_REQUEST_UNREACHABLE);
  return 0;
}

ENTRY_HOOK(reqsk_timer_handler, timer_begins, 1)
ENTRY_HOOK(tcp_req_err, request_error, 3)

/* --- A listener begins, and ends -----------------------------------------------------------------
 */

static __always_inline int asked_to_listen(__u64 fd, __u64 backlog, __u64 a3, __u64 a4) {
  const __u64 thread = bpf_get_current_pid_tgid();
  const struct listen_call call = {.asked = (__u32)backlog, .has_asked = 1};
  bpf_map_update_elem(&listen_calls, &thread, &call, BPF_ANY);
  return 0;
}

/* SYNs may come before listen() returns: what an earlier listener left at this address must be out
 * of the way now. */
static __always_inline int listen_begins(struct sock *sk, __u32 backlog) {
  if (!sk) return 0;
  const __u64 key = (__u64)sk;
  const __u64 thread = bpf_get_current_pid_tgid();
  const struct listen_call *outer = bpf_map_lookup_elem(&listen_calls, &thread);
  if (outer && outer->sk == key) return 0; /* __inet_listen_sk, called by inet_listen */
  struct aq_ledger *ledger = bpf_map_lookup_elem(&ledgers, &key);
  if (ledger && ledger->closed_ns) replace_ledger(sk, ledger);
  struct listen_call call = {.sk = key, .backlog = backlog};
  if (outer && !outer->sk) {
    call.asked = outer->asked;
    call.has_asked = outer->has_asked;
  }
  bpf_map_update_elem(&listen_calls, &thread, &call, BPF_ANY);
  return 0;
}

static __always_inline int inet_listen_begins(__u64 socket, __u64 backlog, __u64 a3, __u64 a4) {
  return listen_begins(BPF_CORE_READ((struct socket *)socket, sk), backlog);
}

/* Where inet_listen() is made of it (6.5): MPTCP calls it directly. */
static __always_inline int inet_listen_sk_begins(__u64 sk, __u64 backlog, __u64 a3, __u64 a4) {
  return listen_begins((struct sock *)sk, backlog);
}

/* The limit is the backlog that the kernel was given: the system call has clamped it. The inner of
 * two functions is the one that finds the call. */
static __always_inline int listen_ends(__u64 result) {
  const __u64 thread = bpf_get_current_pid_tgid();
  const struct listen_call *call = bpf_map_lookup_elem(&listen_calls, &thread);
  if (!call || !call->sk) return 0;
  struct sock *sk = (struct sock *)call->sk;
  struct aq_ledger *ledger = !(__s32)result && is_listening(sk) ? ledger_of(sk) : 0;
  if (ledger) {
    const __u64 born_ns = ledger->born_ns;
    describe(sk, ledger); /* it may have got its port only now */
    ledger->born_ns = born_ns;
    count(ledger, AQ_LISTEN_CALLS);
    ledger->listen_limit = call->backlog;
    ledger->listen_somaxconn = BPF_CORE_READ(sk, __sk_common.skc_net.net, core.sysctl_somaxconn);
    ledger->backlog_requested = (__s32)call->asked;
    ledger->listen_known = call->has_asked ? 3 : 1;
  }
  bpf_map_delete_elem(&listen_calls, &thread);
  return 0;
}

SEC("fexit/inet_listen")
int inet_listen_out(__u64 *ctx) { return listen_ends(ctx[2]); }

SEC("kretprobe/inet_listen")
int inet_listen_kretprobe(struct pt_regs *regs) { return listen_ends(KPROBE_RETURN(regs)); }

SEC("fexit/__inet_listen_sk")
int __inet_listen_sk_out(__u64 *ctx) { return listen_ends(ctx[2]); }

SEC("kretprobe/__inet_listen_sk")
int __inet_listen_sk_kretprobe(struct pt_regs *regs) { return listen_ends(KPROBE_RETURN(regs)); }

static __always_inline int listen_stops(__u64 sk_address, __u64 a2, __u64 a3, __u64 a4) {
  struct sock *sk = (struct sock *)sk_address;
  struct aq_ledger *ledger = ledger_of(sk);
  if (!ledger) return 0;
  __sync_fetch_and_add(&ledger->count[AQ_CLOSED_WAITING], accept_length(sk));
  ledger->closed_ns = bpf_ktime_get_ns();
  return 0;
}

ENTRY_HOOK(__sys_listen, asked_to_listen, 2)
ENTRY_HOOK(inet_listen, inet_listen_begins, 2)
ENTRY_HOOK(__inet_listen_sk, inet_listen_sk_begins, 2)
ENTRY_HOOK(inet_csk_listen_stop, listen_stops, 1)
