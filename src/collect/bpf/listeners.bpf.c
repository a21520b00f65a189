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
// What the pass costs is what it does with the files that are no listeners, hence the order of the
// tests: one helper call and at most three loads for each of them. What loading costs is, above
// all, libbpf's search through the kernel's types for each struct that is relocated here (about
// 0.4 ms each), hence as few of them as will do.
//
// What moved or changed its type between kernels is read through READ_FIELD, which takes offset,
// size and sign from the running kernel; what a kernel lacks leaves its bit of `valid` clear. The
// program copies; what the numbers mean is decided in user space.

// clang-format off: the order matters
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "listeners_wire.h"
#include "reader.h"
#include "counters_by_cpu.h"
// clang-format on

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LISTEN 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

// Whether this kernel lets the program call bpf_get_socket_cookie (5.12); decided by loading.
const volatile bool may_make_cookies = true;

// Whether this pass looks at those that wait in accept queues, and at how many it did so far. A
// queue that holds more than a pass may look at is looked at from its head on.
bool look_at_waiting = false;
__u32 waiting_seen = 0;
#define MOST_WAITING 65536

// The queues that this pass has looked at, by the socket's inode: one that several processes hold
// need not be walked for each of them. Two that meet in one slot are walked again, no more.
#define WALKED_SLOTS 256
__u64 walked[WALKED_SLOTS];

// What the namespaces of listeners have counted, by their inode, and in which pass: read by the
// program that counts alone, at the first listener of each.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, struct aq_namespace_counters);
} counted SEC(".maps");
const volatile __u32 net_counter_places[AQ_NET_COUNTERS] = {};
const volatile __u32 tcp_counter_places[AQ_TCP_COUNTERS] = {};
const volatile __u32 possible_cpus = 1;
struct aq_namespace_counters sums; /* no place for it on the stack; `pass` is the present one */

// How many listeners the pass met without being allowed to read the kernel's memory (a lockdown
// forbids it at run time up to 5.12, later at load time).
__u64 unreadable = 0;

// record->member = pointer->field with its bit of `valid`, if this kernel has the field.
#define READ_IF_THERE(record, member, bit, pointer, field) \
  do {                                                     \
    if (bpf_core_field_exists((pointer)->field)) {         \
      (record)->member = READ_FIELD(pointer, field);       \
      (record)->valid |= (bit);                            \
    }                                                      \
  } while (0)

static void read_task(struct task_struct *task, const struct reader *reader,
                      struct aq_listener_record *record) {
  struct task_struct *leader = BPF_CORE_READ(task, group_leader);
  record->tgid = pid_seen_by(reader, leader);
  record->parent_tgid = pid_seen_by(reader, BPF_CORE_READ(leader, real_parent, group_leader));
  if (bpf_core_field_exists(leader->start_boottime)) {
    record->start_boottime_ns = BPF_CORE_READ(leader, start_boottime);
  } else {
    record->start_boottime_ns =
        BPF_CORE_READ((struct task_struct___before_5_5 *)leader, real_start_time);
  }
  record->uid = BPF_CORE_READ(leader, real_cred, euid.val);
  record->task_netns = BPF_CORE_READ(leader, nsproxy, net_ns, ns.inum);
  BPF_CORE_READ_STR_INTO(&record->comm, leader, comm);
}

static void read_namespace(struct sock *sk, struct aq_listener_record *record) {
  struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
  record->netns = BPF_CORE_READ(net, ns.inum);
  READ_IF_THERE(record, net_cookie, AQ_HAS_NET_COOKIE, net, net_cookie);
  READ_IF_THERE(record, somaxconn, AQ_HAS_SOMAXCONN, net, core.sysctl_somaxconn);
  READ_IF_THERE(record, max_syn_backlog, AQ_HAS_MAX_SYN_BACKLOG, net, ipv4.sysctl_max_syn_backlog);
  READ_IF_THERE(record, syncookies, AQ_HAS_SYNCOOKIES, net, ipv4.sysctl_tcp_syncookies);
  READ_IF_THERE(record, abort_on_overflow, AQ_HAS_ABORT_ON_OVERFLOW, net,
                ipv4.sysctl_tcp_abort_on_overflow);
  READ_IF_THERE(record, synack_retries, AQ_HAS_SYNACK_RETRIES, net, ipv4.sysctl_tcp_synack_retries);
  READ_IF_THERE(record, fastopen, AQ_HAS_FASTOPEN, net, ipv4.sysctl_tcp_fastopen);
}

static void read_cgroup(struct sock *sk, struct aq_listener_record *record) {
  struct sock___before_5_15 *old = (struct sock___before_5_15 *)sk;
  struct cgroup *cgroup = 0;
  if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
    cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
  }
  if (bpf_core_field_exists(old->sk_cgrp_data.val)) {
    // The two lowest bits mark what is not a counted pointer (struct sock_cgroup_data up to 5.14).
    const __u64 word = BPF_CORE_READ(old, sk_cgrp_data.val);
    cgroup = (struct cgroup *)(word & 3 ? 0 : word);
  }
  if (!cgroup || !bpf_core_field_exists(struct kernfs_node, id)) return;
  record->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
  record->valid |= AQ_HAS_CGROUP;
}

// What TCP and Unix sockets have in common.
static void read_socket(struct sock *sk, struct aq_listener_record *record) {
  record->accept_len = READ_FIELD(sk, sk_ack_backlog);
  record->accept_limit = READ_FIELD(sk, sk_max_ack_backlog);
  record->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
  READ_IF_THERE(record, socket_uid, AQ_HAS_SOCKET_UID, sk, sk_uid.val);
  read_cgroup(sk, record);
}

static void read_tcp(struct sock *sk, struct aq_listener_record *record) {
  record->port = BPF_CORE_READ(sk, __sk_common.skc_num);
  record->ifindex = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
  if (record->family == AF_INET) {
    const __be32 address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
    __builtin_memcpy(record->address, &address, sizeof address);
  } else if (bpf_core_field_exists(sk->__sk_common.skc_v6_rcv_saddr)) {
    BPF_CORE_READ_INTO(&record->address, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
  }
  if (READ_FIELD(sk, __sk_common.skc_ipv6only)) record->flags |= AQ_V6ONLY;
  if (READ_FIELD(sk, __sk_common.skc_reuseport)) record->flags |= AQ_REUSEPORT;
  const struct inet_connection_sock *connection = (const struct inet_connection_sock *)sk;
  if (bpf_core_field_exists(connection->icsk_accept_queue.young.counter)) {
    READ_IF_THERE(record, syn_len, AQ_HAS_SYN_QUEUE, connection, icsk_accept_queue.qlen.counter);
    record->syn_young = READ_FIELD(connection, icsk_accept_queue.young.counter);
    record->defer_accept = BPF_CORE_READ(connection, icsk_accept_queue.rskq_defer_accept);
  }
  READ_IF_THERE(record, drops, AQ_HAS_DROPS, sk, sk_drops.counter);
}

static void read_unix(struct sock *sk, struct aq_listener_record *record) {
  // A Unix listener's queue is its receive queue: one skb for each connection that waits
  // (unix_stream_connect, net/unix/af_unix.c).
  record->accept_len = BPF_CORE_READ(sk, sk_receive_queue.qlen);
  struct unix_address *address = BPF_CORE_READ((struct unix_sock *)sk, addr);
  if (!address) return;
  const int header = 2;  // sun_family
  const int length = BPF_CORE_READ(address, len) - header;
  if (length <= 0) return;
  // The bound must be a constant where the verifier can see it.
  const __u32 bytes = length < AQ_PATH_LEN ? (__u32)length & 127 : AQ_PATH_LEN;
  const char *path = (const char *)address + bpf_core_field_offset(address->name) + header;
  if (bytes <= AQ_PATH_LEN && !bpf_probe_read_kernel(record->path, bytes, path)) {
    record->path_len = bytes;
  }
}

struct walk {
  struct request_sock___waiting *request;
  __u32 seen;
  __u32 hung_up;
};

// The queue is read without its lock: accept() may take its head meanwhile, and free it. What is
// read then is stale or empty, never a fault, and the walk is bounded.
static long look_at_one(__u32 index, void *context) {
  (void)index;
  struct walk *walk = context;
  struct request_sock___waiting *request = walk->request;
  if (!request) return 1;
  struct sock *child = BPF_CORE_READ(request, sk);
  if (!child) return 1;
  const unsigned char state = BPF_CORE_READ(child, __sk_common.skc_state);
  ++walk->seen;
  // A FIN came, or a RST: inet_csk_accept() gives out such a connection like any other.
  if (state == TCP_CLOSE_WAIT || state == TCP_CLOSE) ++walk->hung_up;
  walk->request = BPF_CORE_READ(request, dl_next);
  return 0;
}

static void walk_accept_queue(struct sock *sk, struct aq_listener_record *record) {
  __u64 *slot = &walked[record->inode % WALKED_SLOTS];
  if (*slot == record->inode || waiting_seen >= MOST_WAITING) return;
  *slot = record->inode;
  struct walk walk = {};
  walk.request = (struct request_sock___waiting *)BPF_CORE_READ((struct inet_connection_sock *)sk,
                                                                icsk_accept_queue.rskq_accept_head);
  bpf_loop(MOST_WAITING - waiting_seen, look_at_one, &walk, 0);
  record->waiting_seen = walk.seen;
  record->waiting_hung_up = walk.hung_up;
  record->valid |= AQ_HAS_WAITING;
  waiting_seen += walk.seen;
}

struct counters_of {
  __u64 net;
  __u64 tcp;
};

static long add_counters_of_cpu(__u32 cpu, struct counters_of *of) {
  const __u32 zero = 0;
  const void *of_cpu = bpf_map_lookup_percpu_elem(&milestone, &zero, cpu);
  if (!of_cpu) return 0;
  const __u64 distance = distance_to(of_cpu);
  for (int i = 0; i < AQ_NET_COUNTERS; ++i) {
    sums.net[i] += counter_at(of->net + distance, net_counter_places[i]);
  }
  for (int i = 0; i < AQ_TCP_COUNTERS; ++i) {
    sums.tcp[i] += counter_at(of->tcp + distance, tcp_counter_places[i]);
  }
  return 0;
}

static void read_counters(struct sock *sk, __u32 netns) {
  const struct aq_namespace_counters *known = bpf_map_lookup_elem(&counted, &netns);
  if (known && known->pass == sums.pass) return;
  struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
  struct counters_of of = {.net = (__u64)BPF_CORE_READ(net, mib.net_statistics),
                           .tcp = (__u64)BPF_CORE_READ(net, mib.tcp_statistics)};
  __builtin_memset(sums.net, 0, sizeof sums.net);
  __builtin_memset(sums.tcp, 0, sizeof sums.tcp);
  bpf_loop(possible_cpus, add_counters_of_cpu, &of, 0);
  bpf_map_update_elem(&counted, &netns, &sums, BPF_ANY);
}

// What a form of the program does besides: kernels do not allow each.
enum { WALKS = 1, COUNTS = 2 };

// Writes the record of one file, if it is a listener.
static __always_inline int scan(struct bpf_iter__task_file *ctx, int does) {
  struct task_struct *task = ctx->task;
  struct file *file = ctx->file;
  if (!task || !file) return 0;
  struct socket *socket = bpf_sock_from_file(file);
  if (!socket) return 0;
  struct sock *sk = socket->sk;
  if (!sk || sk->__sk_common.skc_state != TCP_LISTEN || socket->type != SOCK_STREAM) return 0;

  struct reader reader = {};
  if (find_reader(&reader)) {
    ++unreadable;
    return 0;
  }
  struct aq_listener_record record = {};
  record.family = sk->__sk_common.skc_family;
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  record.inode = READ_FIELD(inode, i_ino);
  if (record.family == AF_UNIX) {
    read_socket(sk, &record);
    read_unix(sk, &record);
    read_namespace(sk, &record);
  } else if (record.family == AF_INET || record.family == AF_INET6) {
    const __u32 protocol = READ_FIELD(sk, sk_protocol);
    struct sock *tcp = sk;
    if (protocol == IPPROTO_MPTCP && bpf_core_field_exists(struct mptcp_sock, first)) {
      // The listener proper is the TCP subflow below: its queue fills, and sock_diag shows it.
      tcp = BPF_CORE_READ((struct mptcp_sock *)sk, first);
      if (!tcp || BPF_CORE_READ(tcp, __sk_common.skc_state) != TCP_LISTEN) return 0;
      record.flags |= AQ_MPTCP;
    } else if (protocol != IPPROTO_TCP) {
      return 0;
    }
    read_socket(tcp, &record);
    read_tcp(tcp, &record);
    read_namespace(tcp, &record);
    if ((does & WALKS) && look_at_waiting && record.accept_len) walk_accept_queue(tcp, &record);
  } else {
    return 0;
  }
  // The cookie of a socket that nobody asked for it yet is made now, as ss would make it (one
  // compare-and-swap): it tells sockets apart from report to report. Not a subflow's: the helper
  // takes only a pointer that the verifier saw being followed, and none leads there
  // (bpf_skc_to_mptcp_sock refuses the sockets of an iterator, 6.18). It is 0 until sock_diag asks.
  if (record.cookie == 0 && may_make_cookies && !(record.flags & AQ_MPTCP)) {
    record.cookie = bpf_get_socket_cookie(sk);
  }
  if ((does & COUNTS) && sums.pass) read_counters(sk, record.netns);
  record.fd = ctx->fd;
  read_task(task, &reader, &record);
  bpf_seq_write(ctx->meta->seq, &record, sizeof record);
  return 0;
}

// Of these forms one is loaded. Loops need bpf_loop (5.17), counters bpf_map_lookup_percpu_elem
// (5.19).
SEC("iter/task_file")
int scan_listeners(struct bpf_iter__task_file *ctx) { return scan(ctx, 0); }

SEC("iter/task_file")
int scan_listeners_and_waiting(struct bpf_iter__task_file *ctx) { return scan(ctx, WALKS); }

SEC("iter/task_file")
int scan_listeners_and_counters(struct bpf_iter__task_file *ctx) {
  return scan(ctx, WALKS | COUNTS);
}
