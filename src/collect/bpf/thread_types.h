/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* More of the kernel's types, as far as the thread iterator reads them; see kernel_types.h. */
#pragma once

#include "kernel_types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* What a thread had in its registers when it entered the kernel. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long r10, dx, si, di, orig_ax, sp;
  unsigned long cs; /* narrower since 6.9 */
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
  __u64 regs[31];
  __u64 sp;
  __u64 pstate;
  __u64 orig_x0;
  __s32 syscallno;
};
#endif

/* include/net/tcp_states.h */
enum {
  TCP_ESTABLISHED = 1,
  TCP_SYN_SENT = 2,
  TCP_FIN_WAIT1 = 4,
  TCP_CLOSE_WAIT = 8,
  TCP_LAST_ACK = 9,
};

struct inet_sock {
  struct sock sk;
  __u16 inet_sport; /* network byte order */
};

struct wait_queue_entry {
  void *private;
  void *func;
  struct list_head entry;
};

/* Of poll() and select(). */
struct poll_wqueues {
  struct task_struct *polling_task;
};

struct eventpoll {
  struct wait_queue_head wq;
  struct wait_queue_head poll_wait;
};

struct tcp_sock {
  __u32 lsndtime; /* in jiffies: when data was sent */
  __u32 rcv_nxt;  /* this and the next: they differ while data is unread */
  __u32 copied_seq;
  __u64 bytes_received;
  __u32 data_segs_in; /* this and the next: segments with data */
  __u32 data_segs_out;
};

struct pipe_inode_info {
  struct wait_queue_head rd_wait;
};

struct epitem {
  struct eventpoll *ep;
};

struct eppoll_entry {
  struct epitem *base;
  struct wait_queue_entry wait;
};

struct io_ring_ctx {
  unsigned int flags;
  struct task_struct *submitter_task;
  atomic_t cq_wait_nr;
  struct wait_queue_head cq_wait;
};

struct io_kiocb {
  struct io_ring_ctx *ctx;
};

#pragma clang attribute pop
