/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The two ends of a connected socket. After addresses_wire.h and libbpf's headers. */
#pragma once

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

/* False where it is of another family, or not connected. */
static bool read_addresses(struct sock *sk, struct aq_addresses *addresses) {
  if (!sk) return false;
  addresses->protocol = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol);
  if (!BPF_CORE_READ(sk, __sk_common.skc_dport)) return false;
  const __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
  if (family == AF_INET) {
    const __be32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
    const __be32 peer = BPF_CORE_READ(sk, __sk_common.skc_daddr);
    __builtin_memcpy(addresses->local, &local, sizeof local);
    __builtin_memcpy(addresses->peer, &peer, sizeof peer);
  } else if (family == AF_INET6 && bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
    BPF_CORE_READ_INTO(&addresses->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
    BPF_CORE_READ_INTO(&addresses->peer, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
  } else {
    return false;
  }
  addresses->family = family;
  addresses->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
  addresses->peer_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
  return true;
}
