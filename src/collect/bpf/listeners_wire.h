/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* One record per descriptor that holds a listening socket, written by listeners.bpf.c and read by
 * iterator_records.cc: fixed width, explicit padding, host byte order. */
#pragma once

#include "wire_types.h"

enum {
  AQ_COMM_LEN = 16,
  AQ_PATH_LEN = 108, /* sun_path */
};

/* Bits of `valid`: which of the fields that a kernel may lack hold a value. */
enum {
  AQ_HAS_SYN_QUEUE = 1u << 0,
  AQ_HAS_DROPS = 1u << 1,
  AQ_HAS_CGROUP = 1u << 2,
  AQ_HAS_NET_COOKIE = 1u << 3,
  AQ_HAS_SOMAXCONN = 1u << 4,
  AQ_HAS_MAX_SYN_BACKLOG = 1u << 5,
  AQ_HAS_SYNCOOKIES = 1u << 6,
  AQ_HAS_ABORT_ON_OVERFLOW = 1u << 7,
  AQ_HAS_SYNACK_RETRIES = 1u << 8,
  AQ_HAS_FASTOPEN = 1u << 9,
  AQ_HAS_SOCKET_UID = 1u << 10,
  AQ_HAS_WAITING = 1u << 11,
};

/* Bits of `flags`. */
enum {
  AQ_MPTCP = 1u << 0,
  AQ_V6ONLY = 1u << 1,
  AQ_REUSEPORT = 1u << 2,
};

/* The counters of a network namespace, in the order of kNetCounters and kTcpCounters in
 * listener_iterator.cc. */
enum {
  AQ_NET_COUNTERS = 9,
  AQ_TCP_COUNTERS = 2,
};

struct aq_namespace_counters {
  aq_u64 pass; /* the one that read them; 0: no pass reads any */
  aq_u64 net[AQ_NET_COUNTERS];
  aq_u64 tcp[AQ_TCP_COUNTERS];
};

AQ_WIRE_SIZE(struct aq_namespace_counters, 96);

struct aq_listener_record {
  aq_u64 start_boottime_ns; /* of the thread group leader, in the initial time namespace */
  aq_u64 cookie;            /* of the socket; 0: none yet (MPTCP subflows, and before 5.12) */
  aq_u64 inode;             /* of the descriptor's socket */
  aq_u64 cgroup_id;         /* v2 id of the socket's cgroup */
  aq_u64 net_cookie;
  aq_u32 tgid; /* in the reader's PID namespace; 0: not visible there */
  aq_u32 parent_tgid;
  aq_u32 uid;        /* of the process: effective, as the kernel numbers it */
  aq_u32 task_netns; /* inode of the process's network namespace; 0: it is ending */
  aq_u32 fd;
  aq_u32 netns; /* inode of the socket's network namespace */
  aq_u32 ifindex;
  aq_u32 socket_uid;
  aq_u32 accept_len;
  aq_u32 accept_limit;
  aq_u32 syn_len;
  aq_u32 syn_young;
  aq_u32 drops;
  aq_u32 waiting_seen;    /* of the accept queue, looked at */
  aq_u32 waiting_hung_up; /* of them, whose client has closed or reset the connection */
  aq_s32 somaxconn;
  aq_s32 max_syn_backlog;
  aq_s32 syncookies;
  aq_s32 abort_on_overflow;
  aq_s32 synack_retries;
  aq_s32 fastopen;
  aq_u32 valid;
  aq_u16 family; /* AF_INET, AF_INET6, AF_UNIX */
  aq_u16 port;   /* host byte order */
  aq_u16 flags;
  aq_u16 path_len;    /* bytes of `path`; an abstract name begins with a NUL */
  aq_u8 defer_accept; /* with AQ_HAS_SYN_QUEUE */
  aq_u8 pad_defer[7];
  aq_u8 address[16];
  char comm[AQ_COMM_LEN]; /* of the thread group leader */
  char path[AQ_PATH_LEN];
  aq_u8 pad[4];
};

AQ_WIRE_SIZE(struct aq_listener_record, 288);
