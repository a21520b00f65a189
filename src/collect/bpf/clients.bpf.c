// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// Which processes of this host are connected to chosen ports, or try to be: in one pass over the
// open files of all processes (see listeners.bpf.c), in every network namespace, without a lock.

// clang-format off: the order matters
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "clients_wire.h"
#include "reader.h"
#include "socket_addresses.h"
// clang-format on

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SOCK_STREAM 1
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define MOST_CLIENTS 16384 /* records of a pass: 1.3 MB */

/* Chosen ports, in host byte order. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, AQ_CLIENT_PORTS);
  __type(key, __u32);
  __type(value, __u8);
} ports SEC(".maps");

/* Records of this pass, and those for which there was no room. */
__u32 written = 0;
__u32 left_out = 0;
/* How often the pass was not allowed to read the kernel's memory. */
__u64 unreadable = 0;

SEC("iter/task_file")
int find_clients(struct bpf_iter__task_file *ctx) {
  struct task_struct *task = ctx->task;
  struct file *file = ctx->file;
  if (!task || !file) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  if (!socket || socket->type != SOCK_STREAM) return 0;
  struct sock *sk = socket->sk;
  if (!sk) return 0;
  const __u32 state = sk->__sk_common.skc_state;
  if (state != TCP_ESTABLISHED && state != TCP_SYN_SENT) return 0;
  const __u32 port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
  if (!bpf_map_lookup_elem(&ports, &port)) return 0;
  if (written >= MOST_CLIENTS) {
    ++left_out;
    return 0;
  }
  struct reader reader = {};
  if (find_reader(&reader)) {
    ++unreadable;
    return 0;
  }
  struct aq_client_record record = {};
  /* A Unix socket has no addresses. */
  if (!read_addresses(sk, &record.addresses)) return 0;
  struct task_struct *leader = BPF_CORE_READ(task, group_leader);
  record.tgid = pid_seen_by(&reader, leader);
  if (!record.tgid) return 0;
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  record.inode = READ_FIELD(inode, i_ino);
  record.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
  record.state = state;
  BPF_CORE_READ_STR_INTO(&record.comm, leader, comm);
  if (!bpf_seq_write(ctx->meta->seq, &record, sizeof record)) ++written;
  return 0;
}
