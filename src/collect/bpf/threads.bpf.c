// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// The threads of chosen processes, and who waits for their listeners, in one pass.
//
// An iterator over tasks (iter/task, Linux 5.8) visits every thread of its reader's PID namespace;
// those of other processes cost a look into a hash. It does what reading /proc/PID/task/TID/* does
// not: all threads are of one moment, and no lock is taken, so that a process that is stuck in
// execve(), or with its memory locked, is seen like any other. For the same reason nothing is read
// of a process's own memory here (bpf_copy_from_user_task waits for it).
//
// Everything is read through bpf_probe_read_kernel: a thread that ends, a descriptor that is closed
// and a wait queue's entry that goes away give a stale or empty value, never a fault. Loads cost
// libbpf's search for each struct that is relocated (about 0.4 ms each).

// clang-format off: the order matters
#include "thread_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "threads_wire.h"
#include "reader.h"
#include "entry_registers.h"
#include "open_file.h"
#include "socket_addresses.h"
#include "wait_queues.h"
// clang-format on

#define TASK_UNINTERRUPTIBLE 2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// By the number of a system call, which argument is a descriptor (AQ_ON_…).
const volatile __u8 on_descriptor[AQ_SYSCALLS];

// Threads of one process that a pass looks at; the others are counted.
__u32 most_threads = 0;

// How often the program was not allowed to read the kernel's memory (a lockdown forbids it at run
// time up to 5.12, later at load time).
__u64 unreadable = 0;

// By process id, as the reader knows it.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, AQ_WATCHED);
  __type(key, __u32);
  __type(value, struct aq_watched);
} watched SEC(".maps");

// The records being made: too large for the stack. One pass runs at a time.
static WHOLE struct aq_thread_record thread;
static WHOLE struct aq_target_record target;

static __always_inline void read_syscall(struct task_struct *task,
                                         struct aq_thread_record *record) {
  struct pt_regs *regs = entry_registers(task);
  if (!regs) return;
  record->syscall = call_number(regs);
  read_arguments(regs, record->arguments);
  record->stack_pointer = BPF_CORE_READ(regs, sp);
  record->thread_pointer = thread_pointer(task);
  if (record->syscall >= 0) record->valid |= AQ_THREAD_SYSCALL;
}

static void read_times(struct task_struct *task, struct aq_thread_record *record) {
  record->user_ns = BPF_CORE_READ(task, utime);
  record->system_ns = BPF_CORE_READ(task, stime);
  record->voluntary = BPF_CORE_READ(task, nvcsw);
  record->involuntary = BPF_CORE_READ(task, nivcsw);
  record->major_faults = BPF_CORE_READ(task, maj_flt);
  record->valid |= AQ_THREAD_TIMES | AQ_THREAD_SWITCHES | AQ_THREAD_FAULTS;
  // Without CONFIG_SCHED_INFO the struct is empty; where it is switched off
  // (CONFIG_TASK_DELAY_ACCT alone, kernel.task_delayacct), a thread that ran has no count of it.
  if (bpf_core_field_exists(task->sched_info.run_delay) && BPF_CORE_READ(task, sched_info.pcount)) {
    record->delay_ns = BPF_CORE_READ(task, sched_info.run_delay);
    record->valid |= AQ_THREAD_DELAY;
  }
}

// False where the descriptor is not open.
static bool read_target(struct task_struct *task, __s32 fd, struct aq_target_record *record) {
  struct file *file = file_of(task, fd);
  if (!file) return false;
  __builtin_memset(record, 0, sizeof *record);
  record->kind = AQ_TARGET;
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  struct super_block *fs = BPF_CORE_READ(inode, i_sb);
  record->inode = READ_FIELD(inode, i_ino);
  record->device = BPF_CORE_READ(fs, s_dev);
  bpf_probe_read_kernel_str(record->type, sizeof record->type, BPF_CORE_READ(fs, s_type, name));
  struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
  struct mount *mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
  bpf_probe_read_kernel_str(record->source, sizeof record->source,
                            BPF_CORE_READ(mount, mnt_devname));
  if (BPF_CORE_READ(fs, s_magic) == SOCKFS_MAGIC) {
    struct socket *socket = BPF_CORE_READ(file, private_data);
    struct sock *sk = BPF_CORE_READ(socket, sk);
    if (read_addresses(sk, &record->addresses)) {
      record->answer_due = is_asking(sk) ? AQ_ANSWER_DUE : AQ_ANSWER_GIVEN;
    }
  }
  return true;
}

// A kernel for one CPU has no such field: there the reader is the one that runs.
static bool runs(struct task_struct *task) {
  return bpf_core_field_exists(task->on_cpu) && BPF_CORE_READ(task, on_cpu);
}

static __always_inline void write_thread(struct bpf_iter__task *ctx, struct task_struct *task,
                                         __u32 tgid, struct aq_watched *process) {
  struct aq_thread_record *record = &thread;
  __builtin_memset(record, 0, sizeof *record);
  record->kind = AQ_THREAD;
  record->tgid = tgid;
  record->tid = pid_seen_by(&reader, task);
  if (!record->tid) return;
  record->kernel_tid = task->pid;
  record->state = state_of(task);
  record->exit_state = BPF_CORE_READ(task, exit_state);
  BPF_CORE_READ_STR_INTO(&record->comm, task, comm);
  read_times(task, record);
  bool has_target = false;
  // What lies on the stack of a thread that runs is from before, and of one that has ended, gone.
  if (runs(task)) {
    record->valid |= AQ_THREAD_ON_CORE;
  } else if (!record->exit_state) {
    read_syscall(task, record);
    const __u32 number = record->syscall;
    if (record->valid & AQ_THREAD_SYSCALL && number < AQ_SYSCALLS && on_descriptor[number]) {
      const bool second =
          on_descriptor[number] == AQ_ON_SECOND_IN_D && record->state & TASK_UNINTERRUPTIBLE;
      has_target = read_target(task, record->arguments[second ? 1 : 0], &target);
    }
    // One that was only preempted has nothing to say by where.
    if (record->state) {
      const long bytes = bpf_get_task_stack(task, record->stack, sizeof record->stack, 0);
      if (bytes > 0) record->frames = bytes / sizeof record->stack[0];
    }
  }
  // What does not fit into the reader's buffer is asked for again, with this thread.
  if (bpf_seq_write(ctx->meta->seq, record, sizeof *record)) return;
  if (has_target && bpf_seq_write(ctx->meta->seq, &target, sizeof target)) return;
  ++process->seen;
}

/* Of `count` records, at most `most` of which there can be. */
static __always_inline long write_all(struct bpf_iter__task *ctx, void *records, __u32 count,
                                      __u32 most, __u32 size) {
  if (count > most) return 0;
  /* Else the compiler folds this test into the next one, and compares count - 1, by which the
   * verifier of 6.1 learns nothing of count. */
  barrier_var(count);
  if (!count) return 0;
  return bpf_seq_write(ctx->meta->seq, records, count * size);
}

static __always_inline int look(struct bpf_iter__task *ctx, bool can_walk) {
  struct task_struct *task = ctx->task;
  if (!task) return 0;
  if (!reader_known) {
    if (find_reader(&reader)) {
      ++unreadable;
      return 0;
    }
    reader_known = true;
  }
  // The kernel's own number is the reader's in the first PID namespace.
  const __u32 tgid = reader.level ? pid_seen_by(&reader, task->group_leader) : (__u32)task->tgid;
  struct aq_watched *process = bpf_map_lookup_elem(&watched, &tgid);
  if (!process) return 0;
  // A first thread that has ended alone has no descriptors any more; the next one has.
  if (can_walk && !process->walked && BPF_CORE_READ(task, files)) {
    begin_walk(task, tgid, process);
    bpf_for_each_map_elem(&steps, walk_step, (void *)0, 0);
    end_listener();
    if (write_all(ctx, found, walk.found, MOST_FOUND, sizeof found[0]) ||
        write_all(ctx, polled, walk.polled, MOST_POLLED, sizeof polled[0])) {
      return 0;
    }
    if (process->wants_others && walk.done && !walk.cut &&
        write_all(ctx, held, walk.marks, MOST_MARKS, sizeof held[0])) {
      return 0;
    }
    process->walked = 1;
  }
  if (process->seen < most_threads) {
    write_thread(ctx, task, tgid, process);
  } else {
    ++process->left_out;
  }
  return 0;
}

SEC("iter/task")
int look_at_threads(struct bpf_iter__task *ctx) { return look(ctx, false); }

// The same, for kernels that have loops (bpf_for_each_map_elem, 5.13): only one of the two is
// loaded.
SEC("iter/task")
int look_at_threads_and_queues(struct bpf_iter__task *ctx) { return look(ctx, true); }

// Addresses that user space wants named; 0 where there is none.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, AQ_ADDRESSES);
  __type(key, __u32);
  __type(value, __u64);
} addresses SEC(".maps");

// Names by the kernel itself: "INDEX NAME+0xOFFSET/0xSIZE [MODULE]". A look meets a few dozen
// addresses, each of which is named once; /proc/kallsyms is ten megabytes and a tenth of a second,
// and shows no addresses at all under kernel.kptr_restrict=2. %pB is the oldest of its kind in
// bpf_seq_printf (5.9), and takes an address for one that is returned to: it looks at the byte
// before it.
SEC("iter/bpf_map_elem")
int name_addresses(struct bpf_iter__bpf_map_elem *ctx) {
  const __u32 *index = ctx->key;
  const __u64 *address = ctx->value;
  if (!index || !address || !*address) return 0;
  static const char format[] = "%u %pB\n";
  const __u64 arguments[] = {*index, *address};
  bpf_seq_printf(ctx->meta->seq, format, sizeof format, arguments, sizeof arguments);
  return 0;
}
