/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The kernel's types as far as the programs read them. CO-RE relocates every access at load time by
 * the running kernel's BTF, so only names matter here: neither order, nor size, nor the fields left
 * out. Declared here so that the build needs no BTF of the machine that it runs on. */
#pragma once

typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef _Bool bool;

enum { false = 0, true = 1 };

/* include/uapi/linux/bpf.h */
enum {
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
  BPF_MAP_TYPE_PERCPU_HASH = 5,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_STACK_TRACE = 7,
  BPF_MAP_TYPE_LRU_HASH = 9,
  BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  int counter;
} atomic_t;

typedef struct {
  __s64 counter;
} atomic64_t;

typedef struct {
  unsigned int val;
} kuid_t;

struct ns_common {
  unsigned int inum;
};

struct pid_namespace;

struct upid {
  int nr;
  struct pid_namespace *ns;
};

struct pid {
  unsigned int level;
  struct upid numbers[1]; /* level + 1 of them */
};

struct cred {
  kuid_t euid;
};

struct netns_core {
  int sysctl_somaxconn;
};

struct netns_ipv4 {
  int sysctl_max_syn_backlog;
  __u8 sysctl_tcp_syncookies;
  __u8 sysctl_tcp_abort_on_overflow; /* this and the next: int before they became u8 */
  __u8 sysctl_tcp_synack_retries;
  int sysctl_tcp_fastopen;
};

struct linux_mib;
struct tcp_mib;

struct netns_mib {
  struct tcp_mib *tcp_statistics; /* by CPU, as the next */
  struct linux_mib *net_statistics;
};

struct bpf_array {
  void *pptrs[1]; /* by CPU; in a union, and of no fixed number */
};

struct net {
  struct ns_common ns;
  __u64 net_cookie; /* up to 5.11 an atomic64_t, which then counts as absent */
  struct netns_core core;
  struct netns_ipv4 ipv4;
  struct netns_mib mib;
};

typedef struct {
  struct net *net;
} possible_net_t;

struct nsproxy {
  struct net *net_ns;
};

struct thread_info {
  unsigned long flags;
  __u32 status; /* x86 */
};

/* The registers that a thread left its core with. */
#if defined(__TARGET_ARCH_x86)
struct thread_struct {
  unsigned long fsbase;
};
#elif defined(__TARGET_ARCH_arm64)
struct thread_struct {
  struct {
    unsigned long tp_value;
  } uw;
};
#endif

struct sched_info {
  unsigned long pcount;
  unsigned long long run_delay;
};

struct files_struct;

struct task_struct {
  struct thread_info thread_info;
  unsigned int __state;
  int exit_state;
  int on_cpu;
  int pid;
  int tgid;
  __u64 utime;
  __u64 stime;
  unsigned long nvcsw;
  unsigned long nivcsw;
  unsigned long maj_flt;
  struct sched_info sched_info;
  struct files_struct *files;
  struct task_struct *group_leader;
  struct task_struct *real_parent;
  struct pid *thread_pid;
  __u64 start_boottime;
  const struct cred *real_cred;
  struct nsproxy *nsproxy;
  char comm[16];
  struct thread_struct thread;
};

/* Before 5.5 start_boottime had another name; RHEL 8 brings iterators to a kernel older than that.
 */
struct task_struct___before_5_5 {
  __u64 real_start_time;
};

/* Before 5.14 the state was signed and had another name. */
struct task_struct___before_5_14 {
  volatile long state;
};

struct file_system_type {
  const char *name;
};

struct super_block {
  __u32 s_dev;
  unsigned long s_magic;
  struct file_system_type *s_type;
};

struct pipe_inode_info;

struct inode {
  unsigned short i_mode;
  struct super_block *i_sb;
  struct pipe_inode_info *i_pipe; /* in a union */
  unsigned long i_ino;            /* u64 in 7.x, which is as wide */
};

struct vfsmount;

struct path {
  struct vfsmount *mnt;
};

struct file {
  unsigned int f_mode;
  struct inode *f_inode;
  struct path f_path;
  void *private_data;
};

struct vfsmount {
  int mnt_flags;
};

struct mount {
  struct vfsmount mnt;
  const char *mnt_devname;
};

struct fdtable {
  unsigned int max_fds;
  struct file **fd;
};

struct files_struct {
  struct fdtable *fdt;
};

struct list_head {
  struct list_head *next, *prev;
};

struct wait_queue_head {
  struct list_head head;
};

struct socket_wq {
  struct wait_queue_head wait;
};

struct in6_addr {
  union {
    __u8 u6_addr8[16];
  } in6_u;
};

struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  unsigned char skc_reuseport : 1;
  unsigned char skc_ipv6only : 1;
  int skc_bound_dev_if;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
  atomic64_t skc_cookie;
};

struct sk_buff_head {
  __u32 qlen;
};

struct kernfs_node {
  __u64 id;
};

struct cgroup {
  struct kernfs_node *kn;
};

struct sock_cgroup_data {
  struct cgroup *cgroup;
};

/* Up to 5.14 the word is a pointer, or, marked by its lowest bit, two numbers of cgroup v1. */
struct sock_cgroup_data___before_5_15 {
  __u64 val;
};

struct sock {
  struct sock_common __sk_common;
  atomic_t sk_drops;
  struct sk_buff_head sk_receive_queue;
  struct socket *sk_socket;
  __u16 sk_type;
  __u16 sk_protocol; /* a bit field up to 5.5 */
  __u32 sk_ack_backlog;
  __u32 sk_max_ack_backlog;
  struct socket_wq *sk_wq;
  kuid_t sk_uid;
  struct sock_cgroup_data sk_cgrp_data;
};

struct sock___before_5_15 {
  struct sock_cgroup_data___before_5_15 sk_cgrp_data;
};

/* One that waits in an accept queue; `sk` is the connection. */
struct request_sock;
struct request_sock___waiting {
  struct request_sock___waiting *dl_next;
  struct sock *sk;
};

struct request_sock_queue {
  __u8 rskq_defer_accept;
  atomic_t qlen;
  atomic_t young;
  struct request_sock *rskq_accept_head;
};

struct inet_connection_sock {
  struct request_sock_queue icsk_accept_queue;
  struct {
    __u32 lrcvtime; /* in jiffies: when data came */
  } icsk_ack;
};

struct mptcp_sock {
  struct sock *first;
};

struct sockaddr_un {
  char sun_path[108];
};

struct unix_address {
  int len;
  struct sockaddr_un name[1];
};

struct unix_sock {
  struct unix_address *addr;
  struct sock *peer;
};

struct socket {
  short type;
  struct sock *sk;
};

#pragma clang attribute pop

enum { BPF_F_NO_PREALLOC = 1 };

/* What the kernel hands the program is not relocated: the verifier checks its layout, and refuses
 * to load rather than read something else. */
struct seq_file;

struct bpf_iter_meta {
  struct seq_file *seq;
  __u64 session_id;
  __u64 seq_num;
};

struct bpf_iter__task_file {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
  __u32 fd;
  struct file *file;
};

struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};

struct bpf_map;

struct bpf_iter__bpf_map_elem {
  struct bpf_iter_meta *meta;
  struct bpf_map *map;
  void *key;
  void *value;
};
