// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// Which processes of this host are connected to chosen ports, or try to be, and which wait in the
// accept queue of a Unix socket: in one pass over the open files of all processes (see
// listeners.bpf.c), in every network namespace, without a lock.

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
#define TCP_LISTEN 10
#define MOST_CLIENTS 16384 /* records of a pass: 1.4 MB */

/* Chosen ports, in host byte order. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, AQ_CLIENT_PORTS);
  __type(key, __u32);
  __type(value, __u8);
} ports SEC(".maps");

/* Whether Unix sockets are looked for as well. */
__u32 with_unix = 0;

/* Records of this pass, and those for which there was no room. */
__u32 written = 0;
__u32 left_out = 0;
/* How often the pass was not allowed to read the kernel's memory. */
__u64 unreadable = 0;

/* What a Unix listener and those that wait for it have in common, as a number; 0 of any other.
 * The end of a connection that accept() has not taken yet has the listener's address and no file
 * (unix_stream_connect, net/unix/af_unix.c), nor has one that was closed, which is not connected.
 */
static __u64 unix_queue(struct sock *sk, __u32 state) {
  if (state == TCP_LISTEN) return (__u64)BPF_CORE_READ((struct unix_sock *)sk, addr);
  struct sock *peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
  if (state != TCP_ESTABLISHED || !peer || BPF_CORE_READ(peer, sk_socket)) return 0;
  if (BPF_CORE_READ(peer, __sk_common.skc_state) != TCP_ESTABLISHED) return 0;
  return (__u64)BPF_CORE_READ((struct unix_sock *)peer, addr);
}

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
  struct aq_client_record record = {};
  const bool is_unix = BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX;
  if (is_unix) {
    record.queue = with_unix ? unix_queue(sk, state) : 0;
    if (!record.queue) return 0;
    record.addresses.family = AF_UNIX;
  } else {
    if (state != TCP_ESTABLISHED && state != TCP_SYN_SENT) return 0;
    const __u32 port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
    if (!bpf_map_lookup_elem(&ports, &port)) return 0;
  }
  if (written >= MOST_CLIENTS) {
    ++left_out;
    return 0;
  }
  struct reader reader = {};
  if (find_reader(&reader)) {
    ++unreadable;
    return 0;
  }
  if (!is_unix && !read_addresses(sk, &record.addresses)) return 0;
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
