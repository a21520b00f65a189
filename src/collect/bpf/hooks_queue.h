/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Hooks of ledger.bpf.c: into the accept queue, and out of it. */
#pragma once

#include "open_file.h"

#define EINTR 4
#define EAGAIN 11
#define ENFILE 23
#define EMFILE 24
#define ECONNABORTED 103
#define ERESTARTSYS 512

/* An accept() that is under way, by thread. */
struct accept_call {
  __u64 sk;
  __u64 second;
  __u64 third;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, struct accept_call);
} accept_calls SEC(".maps");

static __always_inline void enters_queue(struct sock *sk, struct request_sock *req, __u64 child) {
  if (!is_listening(sk)) return; /* closed meanwhile: the kernel will not add it */
  struct aq_ledger *ledger = ledger_of(sk);
  if (!ledger) return;
  count(ledger, AQ_ACK_QUEUED);
  begin_waiting(child, (__u64)sk, bpf_ktime_get_ns());
  const __u32 length = accept_length(sk) + 1;
  if (length > ledger->longest) ledger->longest = length;
  count_bucket(ledger->depth, log2_of(length), AQ_DEPTH_BUCKETS - 1);
  const struct aq_call *call = this_call();
  const bool hung_up = call && call->hung_up;
  if (state.attempts_inserted != state.attempts_removed && !hung_up) {
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

/* It came in through another member of the SO_REUSEPORT group, which was closed, and was not reset
 * there (inet_csk_listen_stop, with tcp_migrate_req). The insertion here was compiled into that
 * function, so it shows only when the connection is taken. */
static __always_inline void note_migration(__u64 from, struct aq_ledger *to) {
  struct aq_ledger *old = bpf_map_lookup_elem(&ledgers, &from);
  if (old) __sync_fetch_and_add(&old->count[AQ_CLOSED_WAITING], (__u64)-1);
  count(to, AQ_MIGRATED_IN);
}

static __always_inline void connection_taken(struct aq_ledger *ledger, __u64 child, __u64 sk) {
  count(ledger, AQ_ACCEPTED);
  struct aq_waiting *entry = find_waiting(child);
  if (entry && entry->sk != sk) note_migration(entry->sk, ledger);
  if (BPF_CORE_READ((struct sock *)child, __sk_common.skc_state) == TCP_CLOSE) {
    count(ledger, AQ_ACCEPTED_DEAD);
  }
  const __u64 now = bpf_ktime_get_ns();
  const __u64 since = entry ? entry->since_ns : made_at((struct tcp_sock *)child, now);
  count_bucket(ledger->time_in_queue, time_bucket(now - since), AQ_TIME_BUCKETS - 1);
  if (entry) entry->key = 0;
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

/* The arguments: the listener, and where the error is put, up to 6.9 a number, then a field of a
 * struct. */
static __always_inline int accept_done(__u64 sk, __u64 second, __u64 third, __u64 child) {
  struct aq_ledger *ledger = ledger_of((struct sock *)sk);
  if (!ledger) return 0;
  if (child) {
    connection_taken(ledger, child, sk);
    return 0;
  }
  __s32 err = 0;
  if (arguments_of_accept == 2) {
    err = BPF_CORE_READ((struct proto_accept_arg *)second, err);
  } else {
    bpf_probe_read_kernel(&err, sizeof err, (void *)third);
  }
  accept_failed(ledger, err);
  return 0;
}

SEC("fexit/inet_csk_accept")
int inet_csk_accept_out(__u64 *ctx) {
  /* 5.10 loads no pointer to a number. */
  const __u64 third = arguments_of_accept == 2 ? 0 : copied_argument(ctx, 2);
  return accept_done(ctx[0], ctx[1], third, return_value(ctx, arguments_of_accept));
}

/* accept() sleeps, and ends on another CPU: what it was called with is kept by thread. */
SEC("kprobe/inet_csk_accept")
int inet_csk_accept_kprobe(struct pt_regs *regs) {
  const __u64 thread = bpf_get_current_pid_tgid();
  const struct accept_call call = {
      .sk = KPROBE_ARG1(regs), .second = KPROBE_ARG2(regs), .third = KPROBE_ARG3(regs)};
  bpf_map_update_elem(&accept_calls, &thread, &call, BPF_ANY);
  return 0;
}

SEC("kretprobe/inet_csk_accept")
int inet_csk_accept_kretprobe(struct pt_regs *regs) {
  const __u64 child = KPROBE_RETURN(regs);
  const __u64 thread = bpf_get_current_pid_tgid();
  const struct accept_call *call = bpf_map_lookup_elem(&accept_calls, &thread);
  if (call) {
    accept_done(call->sk, call->second, call->third, child);
    bpf_map_delete_elem(&accept_calls, &thread);
    return 0;
  }
  /* It slept there before tracing began: where the connection waited says whose it was. */
  const struct aq_waiting *entry = child ? find_waiting(child) : 0;
  const __u64 sk = entry ? entry->sk : 0;
  struct aq_ledger *ledger = bpf_map_lookup_elem(&ledgers, &sk);
  if (ledger) {
    connection_taken(ledger, child, sk);
  } else if (child) {
    lose(AQ_LOST_ACCEPTS);
  }
  return 0;
}

/* Out of descriptors, accept() fails before it looks at the listener. Called with its number. */
SEC("fexit/__sys_accept4")
int __sys_accept4_out(__u64 *ctx) {
  const __s32 result = (__s32)return_value(ctx, 4);
  if (result != -EMFILE && result != -ENFILE && result != -ECONNABORTED) return 0;
  struct file *file = file_of((struct task_struct *)bpf_get_current_task(), (__s32)ctx[0]);
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
