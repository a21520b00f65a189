/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Hooks of ledger.bpf.c: requests that end by themselves; listeners that begin and end. */
#pragma once

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
