// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// The exact time of chosen threads: on a core, ready and without one, blocked, and there by where.
// And who of them closes connections: a server's thread seldom blocks in accept() while its queue
// is full, so that no look meets it there, but whoever serves a connection closes it.
//
// A thread leaves its core in sched_switch, as the previous one, and takes one there, as the next;
// in between it is made ready by sched_wakeup, unless its core was only taken away. All of these
// happen under the lock of the run queue that the thread belongs to at that moment, so that what is
// counted for one thread needs no lock of its own.
//
// Every switch of the whole host comes here: user space attaches the programs only while it wants
// to know. What costs most is the stack of a chosen thread that blocks.

// clang-format off: the order matters
#include "thread_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "thread_clock_wire.h"
#include "reader.h"
#include "entry_registers.h"
// clang-format on

#if defined(__TARGET_ARCH_x86)
enum { AQ_CALL_CLOSE = 3 };
#else
enum { AQ_CALL_CLOSE = 57 };
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// By the kernel's own number of the thread; user space puts them there.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, AQ_CLOCK_THREADS);
  __type(key, __u32);
  __type(value, struct aq_thread_clock);
} clocks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, AQ_CLOCK_PLACES);
  __type(key, struct aq_clock_place);
  __type(value, struct aq_blocked);
} blocked SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, AQ_CLOCK_STACKS);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, AQ_CLOCK_FRAMES * sizeof(__u64));
} stacks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, AQ_CLOCK_CLOSERS);
  __type(key, struct aq_closer);
  __type(value, __u64);
} closers SEC(".maps");

static __always_inline void add_blocked(struct aq_thread_clock *clock, __u64 ns) {
  const struct aq_clock_place place = clock->place;
  struct aq_blocked *at = bpf_map_lookup_elem(&blocked, &place);
  if (at) {
    at->ns += ns;
    ++at->times;
    at->woken += clock->by_own;
    return;
  }
  const struct aq_blocked first = {.ns = ns, .times = 1, .woken = clock->by_own};
  if (bpf_map_update_elem(&blocked, &place, &first, BPF_NOEXIST)) clock->unplaced_ns += ns;
}

// What it was until now, given what it was doing as the first event tells: `before`.
static __always_inline void end_stretch(struct aq_thread_clock *clock, __u32 before, __u64 now) {
  const __u64 ns = now - clock->since_ns;
  clock->since_ns = now;
  if (clock->now == AQ_CLOCK_BLOCKED) {
    add_blocked(clock, ns);
  } else if (before == AQ_CLOCK_BLOCKED) {
    clock->first_blocked_ns += ns;
  } else if (before == AQ_CLOCK_ON_CORE) {
    clock->on_core_ns += ns;
  } else {
    clock->ready_ns += ns;
  }
}

static __always_inline void leave(void *ctx, struct task_struct *task, bool preempted, __u64 now) {
  const __u32 tid = task->pid;
  struct aq_thread_clock *clock = bpf_map_lookup_elem(&clocks, &tid);
  if (!clock || clock->now == AQ_CLOCK_ENDED) return;
  end_stretch(clock, AQ_CLOCK_ON_CORE, now);
  if (BPF_CORE_READ(task, exit_state)) {
    clock->now = AQ_CLOCK_ENDED;
    return;
  }
  // Not the tracepoint's prev_state, which kernels before 5.18 do not pass: whoever wakes the
  // thread meanwhile changes its state to another that is not "running", and to that one only with
  // the lock of the run queue, which is held here.
  const __u32 state = preempted ? 0 : state_of(task);
  if (!state) {
    clock->now = AQ_CLOCK_READY;
    return;
  }
  clock->now = AQ_CLOCK_BLOCKED;
  clock->by_own = 0;
  clock->place.tid = tid;
  clock->place.state = state;
  clock->place.stack = bpf_get_stackid(ctx, &stacks, 0);
  struct pt_regs *regs = entry_registers(task);
  clock->place.syscall = regs ? call_number(regs) : -1;
}

static __always_inline void arrive(struct task_struct *task, __u64 now) {
  const __u32 tid = task->pid;
  struct aq_thread_clock *clock = bpf_map_lookup_elem(&clocks, &tid);
  if (!clock || clock->now == AQ_CLOCK_ENDED) return;
  end_stretch(clock, AQ_CLOCK_READY, now);
  clock->now = AQ_CLOCK_ON_CORE;
}

// Arguments: whether it is preempted, the thread before, the next one; behind them, since 5.18, the
// state of the first. Where something else stands in their places, as in 5.18's candidates, the
// verifier refuses the program: it knows the types.
SEC("tp_btf/sched_switch")
int count_switch(__u64 *ctx) {
  struct task_struct *previous = (void *)ctx[1];
  struct task_struct *next = (void *)ctx[2];
  const __u64 now = bpf_ktime_get_ns();
  leave(ctx, previous, ctx[0] & 1, now);
  arrive(next, now);
  return 0;
}

SEC("tp_btf/sched_wakeup")
int count_wakeup(__u64 *ctx) {
  struct task_struct *task = (void *)ctx[0];
  const __u32 tid = task->pid;
  struct aq_thread_clock *clock = bpf_map_lookup_elem(&clocks, &tid);
  // Others are awake already.
  if (!clock || (clock->now != AQ_CLOCK_BLOCKED && clock->now != AQ_CLOCK_UNMOVED)) return 0;
  end_stretch(clock, AQ_CLOCK_BLOCKED, bpf_ktime_get_ns());
  clock->now = AQ_CLOCK_READY;
  return 0;
}

// The helper is of 5.11.
static __always_inline struct pt_regs *registers_of_current(void) {
  return may_read_registers ? entry_registers(bpf_get_current_task_btf()) : 0;
}

// In the context of whoever wakes it; sched_wakeup may come later and elsewhere, by an interrupt
// that tells its core to (ttwu_queue_wakelist, kernel/sched/core.c).
SEC("tp_btf/sched_waking")
int note_waker(__u64 *ctx) {
  struct task_struct *task = (void *)ctx[0];
  const __u32 tid = task->pid;
  struct aq_thread_clock *clock = bpf_map_lookup_elem(&clocks, &tid);
  if (!clock || clock->now != AQ_CLOCK_BLOCKED) return 0;
  // Whoever ends a wait in futex() is in futex() itself.
  struct pt_regs *regs = registers_of_current();
  clock->by_own = (__u32)(bpf_get_current_pid_tgid() >> 32) == (__u32)task->tgid &&
                  (regs ? call_number(regs) : -1) == clock->place.syscall;
  return 0;
}

static __always_inline void add_close(__u32 tid, __u16 port) {
  const struct aq_closer closer = {.tid = tid, .port = port};
  __u64 *count = bpf_map_lookup_elem(&closers, &closer);
  if (count) {
    ++*count;
    return;
  }
  const __u64 first = 1;
  bpf_map_update_elem(&closers, &closer, &first, BPF_NOEXIST);
}

// close() and shutdown() make these changes in the caller's context, and nothing else does:
// tcp_close_state(), net/ipv4/tcp.c.
SEC("tp_btf/inet_sock_set_state")
int count_close(__u64 *ctx) {
  const struct sock *sk = (void *)ctx[0];
  const int before = (int)ctx[1];
  const int now = (int)ctx[2];
  if (!(before == TCP_ESTABLISHED && now == TCP_FIN_WAIT1) &&
      !(before == TCP_CLOSE_WAIT && now == TCP_LAST_ACK)) {
    return 0;
  }
  const __u32 tid = (__u32)bpf_get_current_pid_tgid();
  if (bpf_map_lookup_elem(&clocks, &tid)) add_close(tid, BPF_CORE_READ(sk, __sk_common.skc_num));
  return 0;
}

// A connection that its client has reset, or of which not all was read, ends in close() itself
// (__tcp_close, net/ipv4/tcp.c); others end later, in whatever context. Its inet_num is 0 by now.
SEC("tp_btf/tcp_destroy_sock")
int count_end(__u64 *ctx) {
  const struct inet_sock *inet = (void *)ctx[0];
  const __u32 tid = (__u32)bpf_get_current_pid_tgid();
  if (!bpf_map_lookup_elem(&clocks, &tid)) return 0;
  struct pt_regs *regs = registers_of_current();
  if (!regs || call_number(regs) != AQ_CALL_CLOSE) return 0;
  add_close(tid, bpf_ntohs(BPF_CORE_READ(inet, inet_sport)));
  return 0;
}
