/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* How a thread that is inside the kernel entered it, and what it is there for. After
 * thread_types.h, reader.h and libbpf's headers. */
#pragma once

/* Whether this kernel lets the program call bpf_task_pt_regs (5.15); decided by loading. */
const volatile bool may_read_registers = true;

#if defined(__TARGET_ARCH_x86)

#define TS_COMPAT 0x0002 /* in a system call of 32-bit numbering */

static bool from_user_space(struct pt_regs *regs) { return (READ_FIELD(regs, cs) & 3) == 3; }

static bool has_other_numbers(struct task_struct *task) {
  return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
}

/* An interrupt or a fault leaves a negative number; the kernel itself looks at 32 bits. */
static __s32 call_number(struct pt_regs *regs) { return (__s32)BPF_CORE_READ(regs, orig_ax); }

/* As it was when the thread last left its core. */
static inline __u64 thread_pointer(struct task_struct *task) {
  return BPF_CORE_READ(task, thread.fsbase);
}

static inline void read_arguments(struct pt_regs *regs, __u64 *arguments) {
  arguments[0] = BPF_CORE_READ(regs, di);
  arguments[1] = BPF_CORE_READ(regs, si);
  arguments[2] = BPF_CORE_READ(regs, dx);
  arguments[3] = BPF_CORE_READ(regs, r10);
}

#elif defined(__TARGET_ARCH_arm64)

#define TIF_32BIT 22

static bool from_user_space(struct pt_regs *regs) {
  return (BPF_CORE_READ(regs, pstate) & 15) == 0;
}

static bool has_other_numbers(struct task_struct *task) {
  return BPF_CORE_READ(task, thread_info.flags) >> TIF_32BIT & 1;
}

static __s32 call_number(struct pt_regs *regs) { return BPF_CORE_READ(regs, syscallno); }

static inline __u64 thread_pointer(struct task_struct *task) {
  return BPF_CORE_READ(task, thread.uw.tp_value);
}

static inline void read_arguments(struct pt_regs *regs, __u64 *arguments) {
  arguments[0] = BPF_CORE_READ(regs, orig_x0);
  arguments[1] = BPF_CORE_READ(regs, regs[1]);
  arguments[2] = BPF_CORE_READ(regs, regs[2]);
  arguments[3] = BPF_CORE_READ(regs, regs[3]);
}

#else
#error "How does a thread enter the kernel on this architecture?"
#endif

/* Of a thread that is not in user space: what it left on its kernel's stack is how it entered the
 * kernel. Null where it did not come by a system call of this architecture's numbering. Threads of
 * the kernel within a process (io_uring's workers) never came from user space. */
static __always_inline struct pt_regs *entry_registers(struct task_struct *task) {
  if (!may_read_registers) return 0;
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  if (!regs || !from_user_space(regs) || has_other_numbers(task)) return 0;
  return regs;
}

static __u32 state_of(struct task_struct *task) {
  if (bpf_core_field_exists(task->__state)) return BPF_CORE_READ(task, __state);
  return BPF_CORE_READ((struct task_struct___before_5_14 *)task, state);
}
