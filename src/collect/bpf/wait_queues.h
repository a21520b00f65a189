/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Who waits for a listener, by its wait queue (sk->sk_wq->wait): a list of entries, each with the
 * function that wakes who waits. Part of threads.bpf.c.
 *
 * An entry of accept() names its thread, one of poll() or select() leads to it, and one of epoll
 * leads to the epoll, whose own wait queue names the threads in epoll_wait(). The queues are read
 * without their locks: an entry that goes away meanwhile, mostly from the stack of who waited, ends
 * the walk or leads astray, hence the bounds, and that nothing is written through what is read.
 *
 * All queues of a process's listeners are walked by one loop, a step of which is one entry or the
 * change to the next queue. Its state is global: what a loop keeps on the stack, newer verifiers
 * follow from turn to turn. */
#pragma once

#define SOCKFS_MAGIC 0x534F434B
#define S_IFMT 0170000
#define S_IFIFO 0010000
#define FMODE_READ 1
#define FMODE_WRITE 2
#define IPPROTO_TCP 6
#define TCP_LISTEN 10 /* Unix sockets have it, too */
#define DEFER_TASKRUN (1u << 13)
#define CQ_WAKE_FORCE 0x7fffffff /* it is being woken */
#define MOST_STEPS 8192          /* of all queues of a process */
#define MOST_ENTRIES 256         /* of one queue */
#define MOST_QUEUES 256          /* behind a listener's own */
#define MOST_FOUND 512        /* records of a process: 12 KB of the 32 KB that a visit may write */
#define MOST_DESCRIPTORS 2048 /* that are looked at for what else is waited for */
#define MOST_POLLED 128       /* records of a process: 9 KB */
#define MOST_MARKS 16         /* listeners of a process whose connections are counted */

/* A struct that nothing else in the program needs whole, the compiler takes to pieces, whose types
 * the kernel then refuses. */
#define WHOLE __attribute__((used))

static WHOLE struct reader reader;
bool reader_known = false;

/* The descriptors of listeners of all processes that are watched. */
__s32 listener_fds[AQ_LISTENER_FDS];

/* What the functions in entries mean, by their address. Those that are met and not known are noted
 * for user space, which asks for their names and adds what they mean: so nobody needs to know where
 * the kernel's functions lie. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, __u32);
} wake_functions SEC(".maps");
__u64 unnamed_functions[AQ_UNNAMED_FUNCTIONS];
__u32 unnamed_count = 0;

/* The loop runs once for each element. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, MOST_STEPS);
  __type(key, __u32);
  __type(value, __u8);
} steps SEC(".maps");

enum queue_kind { OF_LISTENER, OF_EPOLL_WAIT, OF_EPOLL_FILE, OF_OTHER, OF_OTHERS_EPOLL };

struct queue {
  struct list_head *head;
  __u32 kind;
};

struct walk {
  struct task_struct *task; /* by whose descriptors */
  __u32 tgid;
  __u32 next_listener;
  __u32 listeners_end;
  __u32 found;
  /* Other descriptors. */
  __s32 next_fd;
  __s32 fds_end;
  __s32 fds;       /* that there are */
  struct sock *sk; /* null: it is a pipe */
  __u64 inode;     /* of the pipe */
  __u32 polled;
  __s32 client_of;
  __u32 marks;
  bool cut; /* not all of them were looked at, or fitted */
  bool done;
  /* The listener. */
  bool open;
  __s32 fd;
  __u32 epolls;
  __u32 next_queue;
  __u32 queues;
  /* The queue. */
  struct list_head *head;
  struct list_head *cursor; /* null: it is done */
  __u32 kind;
  __u32 entries;
};

static WHOLE struct walk walk;
static WHOLE struct queue queues[MOST_QUEUES];
static WHOLE struct aq_queue_record found[MOST_FOUND];
static WHOLE struct aq_polled_record polled[MOST_POLLED];
static WHOLE struct aq_held_record held[MOST_MARKS];
__u64 marks[MOST_MARKS];

/* Null where it is no socket. */
static struct sock *socket_of(struct file *file) {
  if (!file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != SOCKFS_MAGIC) return 0;
  struct socket *socket = BPF_CORE_READ(file, private_data);
  return BPF_CORE_READ(socket, sk);
}

static bool listens(struct sock *sk) {
  return BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
}

static void note(__u32 kind, __u32 tid, __u32 link) {
  const __u32 index = walk.found;
  if (index >= MOST_FOUND) return;
  struct aq_queue_record *record = &found[index];
  record->kind = kind;
  record->tgid = walk.tgid;
  record->fd = walk.fd;
  record->tid = tid;
  record->link = link;
  record->epolls = walk.epolls;
  walk.found = index + 1;
}

static void note_waiter(struct task_struct *task, __u32 link) {
  const __u32 tid = task ? pid_seen_by(&reader, task) : 0;
  if (tid) note(AQ_WAITER, tid, link);
}

/* Whether the other end is to say something: what was said last was said from here. Idle
 * connections of a pool have their answers. Of other protocols than TCP nothing tells. */
static bool is_asking(struct sock *sk) {
  if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) != IPPROTO_TCP) return true;
  if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_SYN_SENT) return true;
  if (!BPF_CORE_READ((struct tcp_sock *)sk, bytes_received)) return true;
  const __u32 sent = BPF_CORE_READ((struct tcp_sock *)sk, lsndtime);
  const __u32 received = BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ack.lrcvtime);
  return (__s32)(sent - received) > 0; /* jiffies */
}

/* As far as is known: where question and answer came in one jiffy, more segments have been sent
 * than have come. Whoever asks again at once is asking. */
static bool may_ask(struct sock *sk) {
  if (is_asking(sk)) return true;
  struct tcp_sock *tcp = (struct tcp_sock *)sk;
  const __u32 received = BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ack.lrcvtime);
  return BPF_CORE_READ(tcp, lsndtime) == received &&
         BPF_CORE_READ(tcp, data_segs_out) > BPF_CORE_READ(tcp, data_segs_in);
}

/* Of a client's connection: nothing tells that it has got the answer to what it sent last. Where
 * both were in one jiffy, as many segments as it sent have to have been sent to it. */
static bool may_want_answer(struct sock *sk) {
  if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) != IPPROTO_TCP) return true;
  struct tcp_sock *tcp = (struct tcp_sock *)sk;
  if (!BPF_CORE_READ(tcp, bytes_received)) return false;
  if (BPF_CORE_READ(tcp, rcv_nxt) != BPF_CORE_READ(tcp, copied_seq)) return true;
  const __u32 sent = BPF_CORE_READ(tcp, lsndtime);
  const __u32 received = BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ack.lrcvtime);
  if (sent != received) return (__s32)(received - sent) > 0;
  return BPF_CORE_READ(tcp, data_segs_out) < BPF_CORE_READ(tcp, data_segs_in);
}

static bool is_silent(struct sock *sk) {
  return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) == IPPROTO_TCP &&
         !BPF_CORE_READ((struct tcp_sock *)sk, bytes_received);
}

static void add_polled(__u32 tid, __u32 what) {
  const __u32 index = walk.polled;
  if (index >= MOST_POLLED) {
    walk.cut = true;
    return;
  }
  struct aq_polled_record *record = &polled[index];
  __builtin_memset(record, 0, sizeof *record);
  record->kind = AQ_POLLED;
  record->tgid = walk.tgid;
  record->tid = tid;
  record->fd = walk.fd;
  record->what = what;
  const bool is_pipe = what == AQ_OF_PIPE || what == AQ_OF_WRITER;
  record->client_of = is_pipe ? -1 : walk.client_of;
  record->inode = is_pipe ? walk.inode : 0;
  if (!is_pipe) read_addresses(walk.sk, &record->addresses);
  walk.polled = index + 1;
}

static void note_polled(struct task_struct *task) {
  const __u32 tid = task ? pid_seen_by(&reader, task) : 0;
  struct sock *sk = walk.sk; /* the program's own struct is not to be relocated */
  if (tid) add_polled(tid, !sk ? AQ_OF_PIPE : is_asking(sk) ? AQ_OF_ASKING : AQ_OF_SOCKET);
}

static void add_queue(struct list_head *head, __u32 kind) {
  const __u32 index = walk.queues;
  if (index >= MOST_QUEUES) return;
  queues[index].head = head;
  queues[index].kind = kind;
  walk.queues = index + 1;
}

static void open_queue(struct list_head *head, __u32 kind) {
  walk.head = head;
  walk.kind = kind;
  walk.entries = 0;
  walk.cursor = BPF_CORE_READ(head, next);
}

static __u32 meaning_of(__u64 function) {
  const __u32 *known = bpf_map_lookup_elem(&wake_functions, &function);
  if (known) return *known;
  const __u32 other = AQ_WAKE_OTHER;
  const __u32 index = unnamed_count;
  if (index < AQ_UNNAMED_FUNCTIONS &&
      !bpf_map_update_elem(&wake_functions, &function, &other, BPF_NOEXIST)) {
    unnamed_functions[index] = function;
    unnamed_count = index + 1;
  }
  return AQ_WAKE_OTHER;
}

/* A ring holds the listener as an epoll does. */
static void read_ring(struct io_ring_ctx *ring) {
  if (!ring) return;
  ++walk.epolls;
  add_queue(__builtin_preserve_access_index(&ring->cq_wait.head), OF_EPOLL_WAIT);
  /* With IORING_SETUP_DEFER_TASKRUN only the ring's own thread may wait, and has no entry: it says
   * for how many completions (io_cqring_wait, 6.3). */
  if (!bpf_core_field_exists(ring->cq_wait_nr.counter)) return;
  const int wanted = BPF_CORE_READ(ring, cq_wait_nr.counter);
  if (BPF_CORE_READ(ring, flags) & DEFER_TASKRUN && wanted > 0 && wanted < CQ_WAKE_FORCE) {
    note_waiter(BPF_CORE_READ(ring, submitter_task), AQ_BY_EPOLL);
  }
}

static struct eventpoll *epoll_of(struct wait_queue_entry *entry) {
  struct eppoll_entry *of_epoll = (void *)entry - bpf_core_field_offset(struct eppoll_entry, wait);
  return BPF_CORE_READ(of_epoll, base, ep);
}

static void read_entry(struct wait_queue_entry *entry) {
  void *who = BPF_CORE_READ(entry, private);
  if (walk.kind == OF_EPOLL_WAIT) {
    note_waiter(who, AQ_BY_EPOLL);
    return;
  }
  if (walk.kind == OF_OTHERS_EPOLL) {
    note_polled(who);
    return;
  }
  const __u32 meaning = meaning_of((__u64)BPF_CORE_READ(entry, func));
  if (walk.kind == OF_OTHER) {
    if (meaning == AQ_WAKE_POLL) {
      note_polled(BPF_CORE_READ((struct poll_wqueues *)who, polling_task));
    } else if (meaning == AQ_WAKE_EPOLL) {
      struct eventpoll *epoll = epoll_of(entry);
      if (epoll) add_queue(__builtin_preserve_access_index(&epoll->wq.head), OF_OTHERS_EPOLL);
    }
    return;
  }
  if (meaning == AQ_WAKE_ACCEPT && walk.kind == OF_LISTENER) {
    note_waiter(who, AQ_BY_ACCEPT);
  } else if (meaning == AQ_WAKE_POLL) {
    note_waiter(BPF_CORE_READ((struct poll_wqueues *)who, polling_task),
                walk.kind == OF_LISTENER ? AQ_BY_POLL : AQ_BY_EPOLL);
  } else if (meaning == AQ_WAKE_EPOLL) {
    struct eventpoll *epoll = epoll_of(entry);
    if (!epoll) return;
    ++walk.epolls;
    add_queue(__builtin_preserve_access_index(&epoll->wq.head), OF_EPOLL_WAIT);
    /* An epoll may itself be waited for by poll() and by another epoll. */
    add_queue(__builtin_preserve_access_index(&epoll->poll_wait.head), OF_EPOLL_FILE);
  } else if (meaning == AQ_WAKE_IO_URING && bpf_core_field_exists(struct io_kiocb, ctx) &&
             bpf_core_field_exists(struct io_ring_ctx, cq_wait)) { /* CONFIG_IO_URING */
    /* The lowest bits mark the pointer. */
    struct io_kiocb *request = (void *)((__u64)who & ~7ull);
    read_ring(BPF_CORE_READ(request, ctx));
  }
}

static void end_listener(void) {
  if (walk.open) note(AQ_QUEUE, 0, 0);
  walk.open = false;
}

/* What the connections of a listener have in common with it: its port, or, of a Unix socket, the
 * address, which they share (unix_stream_connect, net/unix/af_unix.c). 0: nothing. */
static __u64 mark_of(struct sock *sk) {
  const __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
  if (family == AF_UNIX) return (__u64)BPF_CORE_READ((struct unix_sock *)sk, addr);
  if (family != AF_INET && family != AF_INET6) return 0;
  return BPF_CORE_READ(sk, __sk_common.skc_num);
}

static void add_mark(struct sock *sk) {
  const __u64 mark = mark_of(sk);
  const __u32 index = walk.marks;
  if (!mark || index >= MOST_MARKS) return;
  marks[index] = mark;
  held[index].kind = AQ_HELD;
  held[index].tgid = walk.tgid;
  held[index].fd = walk.fd;
  held[index].connections = 0;
  held[index].silent = 0;
  held[index].asked = 0;
  held[index].unanswered = 0;
  held[index].may_ask = 0;
  walk.marks = index + 1;
}

/* Counts it for each listener whose connection it may be; of several that have one port, nothing
 * here tells them apart. Returns the descriptor of one of them, or -1. */
static __s32 count_client(struct sock *sk) {
  const __u64 mark = mark_of(sk);
  __s32 client_of = -1;
  if (!mark) return client_of;
  for (__u32 i = 0; i < MOST_MARKS; ++i) {
    if (i >= walk.marks) break;
    if (marks[i] != mark) continue;
    ++held[i].connections;
    if (is_silent(sk)) ++held[i].silent;
    if (may_want_answer(sk)) ++held[i].unanswered;
    client_of = held[i].fd;
  }
  return client_of;
}

/* One to another server, which belongs to none of its listeners. */
static void count_asked(struct sock *sk) {
  struct aq_addresses addresses = {};
  if (!may_ask(sk) || !read_addresses(sk, &addresses)) return;
  const bool asks = is_asking(sk);
  for (__u32 i = 0; i < MOST_MARKS; ++i) {
    if (i >= walk.marks) break;
    ++held[i].may_ask;
    if (!asks) continue;
    ++held[i].asked;
    held[i].addresses = addresses;
  }
}

/* Nonzero: there is none. */
static long begin_listener(void) {
  const __u32 index = walk.next_listener;
  if (index >= walk.listeners_end || index >= AQ_LISTENER_FDS) return 1;
  walk.next_listener = index + 1;
  walk.fd = listener_fds[index];
  struct sock *sk = socket_of(file_of(walk.task, walk.fd));
  if (!sk || !listens(sk)) return 0;
  add_mark(sk);
  struct socket_wq *waiting = BPF_CORE_READ(sk, sk_wq);
  if (!waiting) return 0;
  walk.open = true;
  walk.epolls = 0;
  walk.queues = 0;
  walk.next_queue = 0;
  open_queue(__builtin_preserve_access_index(&waiting->wait.head), OF_LISTENER);
  return 0;
}

/* Null where it is no pipe. */
static struct inode *pipe_of(struct file *file) {
  if (!file) return 0;
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  return (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFIFO ? inode : 0;
}

/* The next socket that does not listen, or pipe; nonzero: there is none. */
static long begin_other(void) {
  const __s32 fd = walk.next_fd;
  if (fd >= walk.fds_end) {
    walk.cut = walk.cut || walk.fds_end < walk.fds;
    walk.done = true;
    return 1;
  }
  walk.next_fd = fd + 1;
  walk.fd = fd;
  walk.queues = 0;
  walk.next_queue = 0;
  struct file *file = file_of(walk.task, fd);
  struct sock *sk = socket_of(file); /* the program's own struct is not to be relocated */
  walk.sk = sk;
  if (sk) {
    if (listens(sk)) return 0;
    walk.client_of = count_client(sk);
    if (walk.client_of < 0) count_asked(sk);
    struct socket_wq *waiting = BPF_CORE_READ(sk, sk_wq);
    if (waiting) open_queue(__builtin_preserve_access_index(&waiting->wait.head), OF_OTHER);
    return 0;
  }
  struct inode *inode = pipe_of(file);
  if (!inode) return 0;
  const unsigned int mode = BPF_CORE_READ(file, f_mode);
  walk.inode = READ_FIELD(inode, i_ino);
  if (mode & FMODE_WRITE) add_polled(0, AQ_OF_WRITER);
  struct pipe_inode_info *pipe = BPF_CORE_READ(inode, i_pipe);
  if (mode & FMODE_READ && pipe) {
    open_queue(__builtin_preserve_access_index(&pipe->rd_wait.head), OF_OTHER);
  }
  return 0;
}

static void begin_walk(struct task_struct *task, __u32 tgid, const struct aq_watched *process) {
  walk.task = task;
  walk.tgid = tgid;
  walk.next_listener = process->listeners_begin;
  walk.listeners_end = process->listeners_end;
  walk.found = 0;
  walk.polled = 0;
  walk.marks = 0;
  walk.cut = false;
  walk.done = false;
  walk.next_fd = 0;
  walk.fds_end = 0;
  walk.fds = 0;
  if (process->wants_others) {
    walk.fds = BPF_CORE_READ(task, files, fdt, max_fds);
    walk.fds_end = walk.fds < MOST_DESCRIPTORS ? walk.fds : MOST_DESCRIPTORS;
  }
  walk.open = false;
  walk.queues = 0;
  walk.next_queue = 0;
  walk.cursor = 0;
}

/* Nonzero: all is done. */
static long walk_step(struct bpf_map *map, __u32 *key, __u8 *value, void *context) {
  (void)map;
  (void)key;
  (void)value;
  (void)context;
  if (walk.cursor && walk.cursor != walk.head && walk.entries < MOST_ENTRIES) {
    struct list_head *cursor = walk.cursor; /* the program's own struct is not to be relocated */
    struct wait_queue_entry *entry =
        (void *)cursor - bpf_core_field_offset(struct wait_queue_entry, entry);
    ++walk.entries;
    walk.cursor = BPF_CORE_READ(cursor, next);
    read_entry(entry);
    return 0;
  }
  walk.cursor = 0;
  const __u32 index = walk.next_queue;
  if (index < walk.queues && index < MOST_QUEUES) {
    walk.next_queue = index + 1;
    open_queue(queues[index].head, queues[index].kind);
    return 0;
  }
  end_listener();
  return begin_listener() ? begin_other() : 0;
}
