/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Hooks of ledger.bpf.c: into the accept queue, and out of it. */
#pragma once

#define EINTR 4
#define EAGAIN 11
#define ENFILE 23
#define EMFILE 24
#define ECONNABORTED 103
#define ERESTARTSYS 512

static __always_inline void enters_queue(struct sock *sk, struct request_sock *req, __u64 child) {
  if (!is_listening(sk)) return; /* closed meanwhile: the kernel will not add it */
  struct aq_ledger *ledger = ledger_of(sk);
  if (!ledger) return;
  count(ledger, AQ_ACK_QUEUED);
  /* One that is there is of a connection that was reset with its listener, and left its memory. */
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

/* It came in through another member of the SO_REUSEPORT group, which was closed, and was not reset
 * there (inet_csk_listen_stop, with tcp_migrate_req). The insertion here was compiled into that
 * function, so it shows only when the connection is taken. */
static __always_inline void note_migration(__u64 from, struct aq_ledger *to) {
  struct aq_ledger *old = bpf_map_lookup_elem(&ledgers, &from);
  if (old) __sync_fetch_and_add(&old->count[AQ_CLOSED_WAITING], (__u64)-1);
  count(to, AQ_MIGRATED_IN);
}

static __always_inline void connection_taken(struct aq_ledger *ledger, __u64 child, __u64 sk,
                                             const struct aq_waiting *entry) {
  count(ledger, AQ_ACCEPTED);
  if (entry && sk && entry->sk != sk) note_migration(entry->sk, ledger);
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
