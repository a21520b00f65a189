/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What a descriptor stands for. After kernel_types.h and libbpf's headers. */
#pragma once

/* Null where it is not open. Without the locks of the table: a descriptor that is opened or closed
 * meanwhile is seen or not. */
static struct file *file_of(struct task_struct *task, __s32 fd) {
  struct fdtable *table = BPF_CORE_READ(task, files, fdt);
  if (!table || fd < 0 || (__u32)fd >= BPF_CORE_READ(table, max_fds)) return 0;
  struct file **slot = BPF_CORE_READ(table, fd) + fd;
  struct file *file = 0;
  bpf_probe_read_kernel(&file, sizeof file, slot);
  return file;
}
