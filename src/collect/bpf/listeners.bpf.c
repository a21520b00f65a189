// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// Every listening socket of the host in one pass over the open files of all processes.
//
// An iterator over tasks' files (iter/task_file, Linux 5.8) sees each descriptor of each process of
// its PID namespace; bpf_sock_from_file (5.11) tells the sockets among them. That gives what no
// other interface does at once: the listener with its owner, in every network namespace, without
// entering one and without a socket's lock. (The iterator over TCP sockets locks each socket, and
// hangs behind a process that sleeps with the lock held.) Fields are read without lock: each is one
// aligned number that the kernel itself reads so.
//
// The program copies; what the numbers mean is decided in user space.

// clang-format off: the order matters
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "listeners_wire.h"
// clang-format on

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define TCP_LISTEN 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

// Whether this kernel lets the program call bpf_get_socket_cookie (5.12); decided by loading.
const volatile bool may_make_cookies = true;

// The PID by which the process that reads the iterator, the current task, knows `task`.
static __u32 pid_seen_by_reader(struct task_struct *task) {
  struct task_struct *reader = (struct task_struct *)bpf_get_current_task();
  const __u32 reader_pid_level = BPF_CORE_READ(reader, thread_pid, level);
  struct pid *pid = BPF_CORE_READ(task, thread_pid);
  if (!pid || BPF_CORE_READ(pid, level) < reader_pid_level) return 0;
  struct upid number = {};
  const char *numbers = (const char *)pid + bpf_core_field_offset(struct pid, numbers);
  const __u64 size = bpf_core_type_size(struct upid);
  bpf_probe_read_kernel(&number.nr, sizeof number.nr,
                        numbers + reader_pid_level * size + bpf_core_field_offset(struct upid, nr));
  return number.nr;
}

static void read_task(struct task_struct *task, struct aq_listener_record *record) {
  struct task_struct *leader = BPF_CORE_READ(task, group_leader);
  record->tgid = pid_seen_by_reader(leader);
  record->parent_tgid = pid_seen_by_reader(BPF_CORE_READ(leader, real_parent, group_leader));
  if (bpf_core_field_exists(leader->start_boottime)) {
    record->start_boottime_ns = BPF_CORE_READ(leader, start_boottime);
  } else {
    record->start_boottime_ns =
        BPF_CORE_READ((struct task_struct___before_5_5 *)leader, real_start_time);
  }
  record->uid = BPF_CORE_READ(leader, cred, uid.val);
  record->task_netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
  BPF_CORE_READ_STR_INTO(&record->comm, leader, comm);
}

// A sysctl that is `int` on some kernels and `u8` on others.
#define READ_SYSCTL(record, net, path, field, bit)                                            \
  do {                                                                                        \
    if (bpf_core_field_exists((net)->path)) {                                                 \
      __u32 value = 0;                                                                        \
      const __u32 size = bpf_core_field_size((net)->path);                                    \
      if (size == 1 || size == 4) {                                                           \
        bpf_probe_read_kernel(&value, size == 1 ? 1 : 4,                                      \
                              (const char *)(net) + __builtin_preserve_field_info(            \
                                                        (net)->path, BPF_FIELD_BYTE_OFFSET)); \
        (record)->field = value;                                                              \
        (record)->valid |= (bit);                                                             \
      }                                                                                       \
    }                                                                                         \
  } while (0)

static void read_namespace(struct sock *sk, struct aq_listener_record *record) {
  struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
  record->netns = BPF_CORE_READ(net, ns.inum);
  if (bpf_core_field_exists(net->net_cookie)) {
    bpf_probe_read_kernel(&record->net_cookie, sizeof record->net_cookie,
                          (const char *)net + bpf_core_field_offset(net->net_cookie));
    record->valid |= AQ_HAS_NET_COOKIE;
  }
  READ_SYSCTL(record, net, core.sysctl_somaxconn, somaxconn, AQ_HAS_SOMAXCONN);
  READ_SYSCTL(record, net, ipv4.sysctl_max_syn_backlog, max_syn_backlog, AQ_HAS_MAX_SYN_BACKLOG);
  READ_SYSCTL(record, net, ipv4.sysctl_tcp_syncookies, syncookies, AQ_HAS_SYNCOOKIES);
  READ_SYSCTL(record, net, ipv4.sysctl_tcp_abort_on_overflow, abort_on_overflow,
              AQ_HAS_ABORT_ON_OVERFLOW);
  READ_SYSCTL(record, net, ipv4.sysctl_tcp_synack_retries, synack_retries, AQ_HAS_SYNACK_RETRIES);
  READ_SYSCTL(record, net, ipv4.sysctl_tcp_fastopen, fastopen, AQ_HAS_FASTOPEN);
}

static void read_socket(struct sock *sk, struct aq_listener_record *record) {
  record->accept_len = BPF_CORE_READ(sk, sk_ack_backlog);
  record->accept_limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
  record->socket_uid = BPF_CORE_READ(sk, sk_uid.val);
  record->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
  // Up to 5.14 the pointer shares its word with two numbers of cgroup v1.
  if (!bpf_core_field_exists(((struct sock_cgroup_data___before_5_15 *)&sk->sk_cgrp_data)->val) &&
      bpf_core_field_exists(sk->sk_cgrp_data)) {
    record->cgroup_id = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
    record->valid |= AQ_HAS_CGROUP;
  }
}

static void read_tcp(struct sock *sk, struct aq_listener_record *record) {
  record->family = BPF_CORE_READ(sk, __sk_common.skc_family);
  record->port = BPF_CORE_READ(sk, __sk_common.skc_num);
  record->ifindex = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
  if (record->family == AF_INET6) {
    BPF_CORE_READ_INTO(&record->address, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
  } else {
    const __be32 address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
    __builtin_memcpy(record->address, &address, sizeof address);
  }
  if (BPF_CORE_READ_BITFIELD_PROBED(&sk->__sk_common, skc_ipv6only)) record->flags |= AQ_V6ONLY;
  if (BPF_CORE_READ_BITFIELD_PROBED(&sk->__sk_common, skc_reuseport)) {
    record->flags |= AQ_REUSEPORT;
  }
  const struct inet_connection_sock *connection = (const struct inet_connection_sock *)sk;
  record->syn_len = BPF_CORE_READ(connection, icsk_accept_queue.qlen.counter);
  record->syn_young = BPF_CORE_READ(connection, icsk_accept_queue.young.counter);
  record->drops = BPF_CORE_READ(sk, sk_drops.counter);
  record->valid |= AQ_HAS_SYN_QUEUE | AQ_HAS_DROPS;
}

static void read_unix(struct sock *sk, struct aq_listener_record *record) {
  record->family = AF_UNIX;
  // A Unix listener's queue is its receive queue: one skb for each connection that waits.
  record->accept_len = BPF_CORE_READ(sk, sk_receive_queue.qlen);
  struct unix_address *address = BPF_CORE_READ((struct unix_sock *)sk, addr);
  if (!address) return;
  const int header = 2;  // sun_family
  int length = BPF_CORE_READ(address, len) - header;
  if (length <= 0) return;
  if (length > AQ_PATH_LEN) length = AQ_PATH_LEN;
  bpf_probe_read_kernel(record->path, sizeof record->path,
                        (const char *)address + bpf_core_field_offset(address->name) + header);
  record->path_len = length;
}

SEC("iter/task_file")
int scan_listeners(struct bpf_iter__task_file *ctx) {
  struct task_struct *task = ctx->task;
  struct file *file = ctx->file;
  if (!task || !file) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  if (!socket) return 0;
  struct sock *sk = socket->sk;
  if (!sk || sk->__sk_common.skc_state != TCP_LISTEN || socket->type != SOCK_STREAM) return 0;

  struct aq_listener_record record = {};
  const __u16 family = sk->__sk_common.skc_family;
  __u32 protocol = 0;
  if (bpf_core_field_size(sk->sk_protocol) == 2) {
    protocol = BPF_CORE_READ(sk, sk_protocol);
  } else {
    protocol = IPPROTO_TCP;
  }
  if (family == AF_UNIX) {
    read_socket(sk, &record);
    read_unix(sk, &record);
  } else if (family == AF_INET || family == AF_INET6) {
    if (protocol == IPPROTO_MPTCP) {
      // The listener proper is the TCP subflow below: its queue fills, and sock_diag shows it.
      if (!bpf_core_type_exists(struct mptcp_sock)) return 0;
      struct sock *subflow = BPF_CORE_READ((struct mptcp_sock *)sk, first);
      if (!subflow) return 0;
      sk = subflow;
      record.flags |= AQ_MPTCP;
    } else if (protocol != IPPROTO_TCP) {
      return 0;
    }
    read_socket(sk, &record);
    read_tcp(sk, &record);
  } else {
    return 0;
  }
  // A subflow's pointer was read, not walked, so the verifier does not let it into the helper: its
  // cookie stays 0 until sock_diag makes one.
  if (record.cookie == 0 && may_make_cookies && !(record.flags & AQ_MPTCP)) {
    record.cookie = bpf_get_socket_cookie(socket->sk);
  }
  record.inode = BPF_CORE_READ(file, f_inode, i_ino);
  record.fd = ctx->fd;
  read_namespace(sk, &record);
  read_task(task, &record);
  bpf_seq_write(ctx->meta->seq, &record, sizeof record);
  return 0;
}
