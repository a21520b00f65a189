/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The forms of a hook: fentry or fexit, and the same by kprobe or kretprobe. */
#pragma once

/* Arguments, kept from a kprobe to its kretprobe. */
enum kept_for {
  KEPT_CONN_REQUEST,
  KEPT_REQSK_ALLOC,
  KEPT_ROUTE,
  KEPT_SECURITY,
  KEPT_HASH_ADD,
  KEPT_SYNACK,
  KEPT_SYN_RECV_V4,
  KEPT_SYN_RECV_V6,
  KEPT_CHECK_REQ,
  KEPT_COOKIE,
  KEPT_COOKIE_V4,
  KEPT_COOKIE_V6,
  KEPT_FOR
};

struct kept_args {
  __u64 arg[5];
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, KEPT_FOR);
  __type(key, __u32);
  __type(value, struct kept_args);
} kept SEC(".maps");

/* An argument, as a number. Copied rather than loaded: the verifier would take it for what its type
 * says, a pointer that is never null or one that it does not know how to load. */
static __always_inline __u64 copied_argument(const __u64 *ctx, __u32 index) {
  __u64 value = 0;
  bpf_probe_read_kernel(&value, sizeof value, ctx + index);
  return value;
}

/* The return value, which comes behind `arguments`, as a number: taken for a pointer that is never
 * null, what follows from the test would be cut out, which is all that we are after (seen on 6.1
 * and 6.12). From 5.17 on a helper gives it, which is compiled into the program. */
static __always_inline __u64 return_value(__u64 *ctx, __u32 arguments) {
  if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_func_ret)) {
    return copied_argument(ctx, arguments);
  }
  __u64 value = 0;
  bpf_get_func_ret(ctx, &value);
  return value;
}

static __always_inline void keep_args(enum kept_for what, struct pt_regs *regs) {
  const __u32 index = what;
  struct kept_args *args = bpf_map_lookup_elem(&kept, &index);
  if (!args) return;
  args->arg[0] = KPROBE_ARG1(regs);
  args->arg[1] = KPROBE_ARG2(regs);
  args->arg[2] = KPROBE_ARG3(regs);
  args->arg[3] = KPROBE_ARG4(regs);
  args->arg[4] = KPROBE_ARG5(regs);
}

/* A hook on entry, both ways. `body` gets the first `safe` arguments as numbers. */
#define ENTRY_HOOK(function, body, safe)                                                     \
  SEC("fentry/" #function)                                                                   \
  int function##_in(__u64 *ctx) {                                                            \
    return body((safe) > 0 ? ctx[0] : 0, (safe) > 1 ? ctx[1] : 0, (safe) > 2 ? ctx[2] : 0,   \
                (safe) > 3 ? ctx[3] : 0);                                                    \
  }                                                                                          \
  SEC("kprobe/" #function)                                                                   \
  int function##_kprobe(struct pt_regs *regs) {                                              \
    return body(KPROBE_ARG1(regs), KPROBE_ARG2(regs), KPROBE_ARG3(regs), KPROBE_ARG4(regs)); \
  }

/* A hook on return, both ways. `body` gets the first `safe` arguments, which every kernel passes,
 * and the return value, which comes behind all `arguments`. */
#define EXIT_HOOK(function, body, arguments, safe, slot)                                         \
  SEC("fexit/" #function)                                                                        \
  int function##_out(__u64 *ctx) {                                                               \
    return body((safe) > 0 ? ctx[0] : 0, (safe) > 1 ? ctx[1] : 0, (safe) > 2 ? ctx[2] : 0,       \
                (safe) > 3 ? ctx[3] : 0, (safe) > 4 ? ctx[4] : 0, return_value(ctx, arguments)); \
  }                                                                                              \
  SEC("kprobe/" #function)                                                                       \
  int function##_kprobe(struct pt_regs *regs) {                                                  \
    keep_args(slot, regs);                                                                       \
    return 0;                                                                                    \
  }                                                                                              \
  SEC("kretprobe/" #function)                                                                    \
  int function##_kretprobe(struct pt_regs *regs) {                                               \
    const __u32 index = slot;                                                                    \
    struct kept_args *args = bpf_map_lookup_elem(&kept, &index);                                 \
    if (!args) return 0;                                                                         \
    return body(args->arg[0], args->arg[1], args->arg[2], args->arg[3], args->arg[4],            \
                KPROBE_RETURN(regs));                                                            \
  }
