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
//   kfree_skb (a tracepoint)   SYNs that never reach a listener (dead_syns.h)
//
// Inner functions leave what they did in `calls`, one for each CPU; the outer one reads it when it
// returns. Each hook exists as fentry/fexit and as kprobe/kretprobe; the loader decides, one by one
// (function_hooks.cc). Programs count and copy. What it means is decided in user space.

// clang-format off: the order matters
#include "handshake_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "ledger_wire.h"
// clang-format on

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#include "hook_forms.h"
#include "ledger_state.h"
#include "waiting_table.h"

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

// clang-format off: in the order of a connection's life
#include "hooks_syn.h"
#include "hooks_ack.h"
#include "hooks_queue.h"
#include "hooks_listen.h"
#include "dead_syns.h"
// clang-format on
