/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What the iterators share: fields whose type differs between kernels, and processes by the numbers
 * that the reader of the iterator knows them by. After kernel_types.h and libbpf's headers. */
#pragma once

/* Takes offset, size and sign from the running kernel. */
#define READ_FIELD(pointer, field) BPF_CORE_READ_BITFIELD_PROBED(pointer, field)

/* The PID namespace of the process that reads the iterator, which is the current task. */
struct reader {
  __u32 level;
  struct pid_namespace *ns;
};

/* A pointer whose numbers[0] is numbers[level] of `pid`: an index must be constant to be relocated.
 */
static inline struct pid *at_level(struct pid *pid, __u32 level) {
  const __u64 entry = bpf_core_field_size(struct pid, numbers[0]);
  return (struct pid *)((char *)pid + level * entry);
}

static inline long find_reader(struct reader *reader) {
  struct task_struct *current = (struct task_struct *)bpf_get_current_task();
  struct pid *pid = 0;
  const long err = bpf_core_read(&pid, sizeof pid, &current->thread_pid);
  if (err) return err;
  reader->level = BPF_CORE_READ(pid, level);
  pid = at_level(pid, reader->level);
  reader->ns = BPF_CORE_READ(pid, numbers[0].ns);
  return 0;
}

/* The PID by which the reader knows `task`; 0 where it does not, or where the task is gone. */
static inline __u32 pid_seen_by(const struct reader *reader, struct task_struct *task) {
  struct pid *pid = BPF_CORE_READ(task, thread_pid);
  if (!pid || BPF_CORE_READ(pid, level) < reader->level) return 0;
  pid = at_level(pid, reader->level);
  if (BPF_CORE_READ(pid, numbers[0].ns) != reader->ns) return 0;
  return BPF_CORE_READ(pid, numbers[0].nr);
}
