/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* More of the kernel's types, as far as the handshake programs read them; see kernel_types.h. */
#pragma once

#include "kernel_types.h"

enum bpf_func_id { BPF_FUNC_get_func_ret = 184 }; /* the number is the running kernel's */
enum { AF_INET = 2, AF_INET6 = 10 };
enum {
  TCP_SYN_RECV = 3,
  TCP_CLOSE = 7,
  TCP_CLOSE_WAIT = 8,
  TCP_LISTEN = 10
}; /* include/net/tcp_states.h */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_nulls_node {
  struct hlist_nulls_node **pprev;
};

/* sock_common has more fields than kernel_types.h needs; the flavour is resolved like the original.
 */
struct sock_common___request {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
  struct hlist_nulls_node skc_nulls_node;
  struct sock *skc_listener; /* request sockets only */
};

struct request_sock {
  struct sock_common___request __req_common;
  struct sock *sk; /* the connection that was made from it */
  struct {
    int unused;
  } rsk_timer;
};

struct tcp_request_sock {
  __u32 rcv_isn;
};

struct sk_buff {
  unsigned long _skb_refdst;
  unsigned char *head;
  unsigned int tail; /* an offset, on 64-bit kernels */
  __be16 protocol;
  __u8 pkt_type : 3;
  struct net_device *dev;
  __u16 transport_header;
  __u16 network_header;
};

struct net_device {
  possible_net_t nd_net;
};

struct dst_entry {
  struct net_device *dev;
  unsigned short flags;
};

/* Routes of IPv4 and IPv6; each begins with its dst_entry. */
struct rtable {
  unsigned int rt_flags;
};

struct rt6_info {
  __u32 rt6i_flags;
};

struct request_sock_queue___head {
  struct request_sock *rskq_accept_head;
};

struct inet_connection_sock___head {
  struct request_sock_queue___head icsk_accept_queue;
};

struct tcp_sock {
  __u32 lsndtime; /* in jiffies; of a new connection, when it was made (tcp_create_openreq_child) */
};

/* 6.10 and later: what accept() is told, and what it answers. */
struct proto_accept_arg {
  int flags;
  int err;
};

#pragma clang attribute pop

/* The registers of a kprobe: their order is the kernel's ABI for these programs
 * (bpf_user_pt_regs_t). */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
};
#define KPROBE_ARG1(regs) ((regs)->di)
#define KPROBE_ARG2(regs) ((regs)->si)
#define KPROBE_ARG3(regs) ((regs)->dx)
#define KPROBE_ARG4(regs) ((regs)->cx)
#define KPROBE_ARG5(regs) ((regs)->r8)
#define KPROBE_RETURN(regs) ((regs)->ax)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
  unsigned long regs[31];
};
#define KPROBE_ARG1(ctx) ((ctx)->regs[0])
#define KPROBE_ARG2(ctx) ((ctx)->regs[1])
#define KPROBE_ARG3(ctx) ((ctx)->regs[2])
#define KPROBE_ARG4(ctx) ((ctx)->regs[3])
#define KPROBE_ARG5(ctx) ((ctx)->regs[4])
#define KPROBE_RETURN(ctx) ((ctx)->regs[0])
#else
#error "the registers of kprobes are not known for this architecture"
#endif
