/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Of tracepoints.bpf.c: insertions into accept queues, and what has left them. */
#pragma once

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
  if (!child || !*child) return 0;
  /* The packet that made it is dealt with by now (tcp_child_process). */
  struct sock *born = (struct sock *)*child;
  const bool hung_up = BPF_CORE_READ(born, __sk_common.skc_state) == TCP_CLOSE_WAIT;
  if (state.attempts_inserted != state.attempts_removed && !hung_up) {
    struct aq_attempt_key key = {};
    attempt_of_peer(sk, (struct request_sock *)*child, &key);
    note_recovery(&key, ledger);
  }
  return 0;
}
