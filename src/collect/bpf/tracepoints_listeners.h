/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Of tracepoints.bpf.c: the listeners that are known, by address and port. */
#pragma once

/* A socket of IPv6 that is bound to a mapped address gets packets of IPv4 alone, to that address.
 */
static __noinline int read_endpoint(struct sock *sk, struct endpoint *key) {
  key->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
  key->port = BPF_CORE_READ(sk, __sk_common.skc_num);
  key->family = BPF_CORE_READ(sk, __sk_common.skc_family);
  if (key->family == AF_INET) {
    const __be32 address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
    __builtin_memcpy(key->address, &address, sizeof address);
  } else if (bpf_core_field_exists(sk->__sk_common.skc_v6_rcv_saddr)) {
    __u32 address[4] = {};
    BPF_CORE_READ_INTO(&address, sk, __sk_common.skc_v6_rcv_saddr);
    if (address[0] == 0 && address[1] == 0 && address[2] == __builtin_bswap32(0xffff)) {
      key->family = AF_INET;
      address[0] = address[3];
      address[2] = address[3] = 0;
    }
    __builtin_memcpy(key->address, address, sizeof key->address);
  }
  return 0;
}

/* 1: it is known, or there is no room; 0: it has no port yet, and gets one right after this. */
static __noinline int learn_endpoint(struct sock *sk) {
  struct endpoint key = {};
  read_endpoint(sk, &key);
  if (key.port == 0) return 0;
  const __u64 own = (__u64)sk;
  for (__u32 member = 0; member < MOST_MEMBERS; ++member) {
    key.member = member;
    __u64 *known = bpf_map_lookup_elem(&endpoints, &key);
    if (known && *known == own) return 1;
    if (known && *known == 0) {
      *known = own;
      return 1;
    }
    if (!known) {
      bpf_map_update_elem(&endpoints, &key, &own, BPF_NOEXIST);
      return 1;
    }
  }
  return 1;
}

static __noinline int forget_endpoint(struct sock *sk) {
  struct endpoint key = {};
  read_endpoint(sk, &key);
  for (__u32 member = 0; member < MOST_MEMBERS; ++member) {
    key.member = member;
    __u64 *known = bpf_map_lookup_elem(&endpoints, &key);
    if (!known) return 0;
    if (*known == (__u64)sk) *known = 0;
  }
  return 0;
}

/* `queued` entries were in the queue before this moment. */
static __noinline struct tracker *meet(struct sock *sk, __u32 queued) {
  const __u64 key = (__u64)sk;
  struct tracker *tracker = bpf_map_lookup_elem(&trackers, &key);
  if (!tracker) {
    meet_namespace(BPF_CORE_READ(sk, __sk_common.skc_net.net));
    const __u32 drops = drops_of(sk);
    const struct tracker fresh = {
        .inserted = queued, .looked_ns = bpf_ktime_get_ns(), .first_drops = drops, .drops = drops};
    bpf_map_update_elem(&trackers, &key, &fresh, BPF_NOEXIST);
    tracker = bpf_map_lookup_elem(&trackers, &key);
  }
  if (tracker && !tracker->has_endpoint) tracker->has_endpoint = learn_endpoint(sk);
  return tracker;
}
