/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Of tracepoints.bpf.c: what the kernel counted while it handled the packet that it frees now.
 *
 * The counters of a network namespace are kept by CPU, and a packet of a handshake is handled and
 * freed in one softirq: between the free of one and of the next, this CPU's counters move for the
 * second alone. So a refusal is what the kernel itself has counted as one, and resets, data and the
 * packets of other CPUs do not come between. */
#pragma once

#include "counters_by_cpu.h"

/* Those that are looked at: their places in net->mib.net_statistics, which move from kernel to
 * kernel, by the names of their enumerators. 0: this kernel has none. */
enum {
  SEEN_DROPS,       /* LINUX_MIB_LISTENDROPS */
  SEEN_OVERFLOWS,   /* LINUX_MIB_LISTENOVERFLOWS */
  SEEN_FULL_DROP,   /* LINUX_MIB_TCPREQQFULLDROP */
  SEEN_DO_COOKIES,  /* LINUX_MIB_TCPREQQFULLDOCOOKIES */
  SEEN_COOKIE_SENT, /* LINUX_MIB_SYNCOOKIESSENT */
  SEEN_COUNTERS
};
const volatile __u32 counter_places[SEEN_COUNTERS] = {};
const volatile __u32 possible_cpus = 1;

struct seen {
  __u64 count[SEEN_COUNTERS];
};

/* The counters of one CPU for one namespace. `first` is read for each CPU when the first listener
 * of the namespace is met, by whoever meets it; all the rest belongs to the CPU itself. */
struct glance {
  struct seen first;
  struct seen last;
  __u32 has_first;
  __u32 has_last;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64); /* net_cookie: inodes and addresses are used again */
  __type(value, struct glance);
} glances SEC(".maps");

static __always_inline void read_counters(struct net *net, __u64 distance, struct seen *seen) {
  const __u64 counters = (__u64)BPF_CORE_READ(net, mib.net_statistics) + distance;
  for (int i = 0; i < SEEN_COUNTERS; ++i) {
    seen->count[i] = 0;
    if (counter_places[i]) seen->count[i] = counter_at(counters, counter_places[i]);
  }
}

struct first_glances {
  struct net *net;
  __u64 cookie;
};

static long glance_at_cpu(__u32 cpu, struct first_glances *at) {
  const __u32 zero = 0;
  void *of_cpu = bpf_map_lookup_percpu_elem(&milestone, &zero, cpu);
  struct glance *glance = bpf_map_lookup_percpu_elem(&glances, &at->cookie, cpu);
  if (!of_cpu || !glance) return 0;
  struct seen seen;
  read_counters(at->net, distance_to(of_cpu), &seen);
  glance->first = seen;
  barrier();
  glance->has_first = 1;
  return 0;
}

/* Before the first packet to a listener of the namespace is looked at. */
static __noinline int meet_namespace(struct net *net) {
  struct first_glances at = {.net = net, .cookie = BPF_CORE_READ(net, net_cookie)};
  if (bpf_map_lookup_elem(&glances, &at.cookie)) return 0;
  const struct glance none = {};
  if (bpf_map_update_elem(&glances, &at.cookie, &none, BPF_NOEXIST)) return 0;
  bpf_loop(possible_cpus, glance_at_cpu, &at, 0);
  return 0;
}

/* By how much this CPU's counters have grown since the last look. False where that is not known. */
static __noinline int look_at_counters(struct net *net, struct seen *grown) {
  const __u64 cookie = BPF_CORE_READ(net, net_cookie);
  struct glance *glance = bpf_map_lookup_elem(&glances, &cookie);
  const __u32 zero = 0;
  const void *here = bpf_map_lookup_elem(&milestone, &zero);
  if (!glance || !here || !grown) return 0;
  struct seen now;
  read_counters(net, distance_to(here), &now);
  const bool is_known = glance->has_last || glance->has_first;
  if (!glance->has_last) glance->last = glance->has_first ? glance->first : now;
  for (int i = 0; i < SEEN_COUNTERS; ++i) grown->count[i] = now.count[i] - glance->last.count[i];
  glance->last = now;
  glance->has_last = 1;
  return is_known;
}
