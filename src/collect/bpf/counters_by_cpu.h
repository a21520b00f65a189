/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The counters of a network namespace, which the kernel keeps by CPU. After kernel_types.h and
 * libbpf's headers. */
#pragma once

/* What lies at one place for each CPU lies as far from its per-CPU pointer as everything else does
 * on that CPU: an array of our own tells how far. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} milestone SEC(".maps");

/* The verifier lets nobody calculate with a pointer, but with what is read from where it is. */
static __always_inline __u64 number_of(const void *pointer) {
  const void *volatile kept = pointer;
  __u64 number = 0;
  bpf_probe_read_kernel(&number, sizeof number, (const void *)&kept);
  return number;
}

static __always_inline __u64 distance_to(const void *milestone_of_cpu) {
  __u64 shared = 0;
  const __u64 array = number_of(&milestone);
  bpf_probe_read_kernel(
      &shared, sizeof shared,
      (const void *)(array + __builtin_preserve_field_info(((struct bpf_array *)0)->pptrs,
                                                           BPF_FIELD_BYTE_OFFSET)));
  return number_of(milestone_of_cpu) - shared;
}

/* `counters`: of one CPU, an array of unsigned long by the numbers of their enumerators. */
static __always_inline __u64 counter_at(__u64 counters, __u32 place) {
  __u64 count = 0;
  bpf_probe_read_kernel(&count, sizeof count, (const void *)(counters + 8 * place));
  return count;
}
