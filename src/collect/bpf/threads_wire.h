/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What threads.bpf.c writes and thread_records.cc reads: records of several kinds, each told by its
 * first word; fixed width, explicit padding, host byte order. */
#pragma once

#include "addresses_wire.h"
#include "wire_types.h"

enum {
  AQ_THREAD_COMM_LEN = 16,
  AQ_FRAMES = 24,
  AQ_ARGUMENTS = 4,
  AQ_TYPE_LEN = 32,
  AQ_SOURCE_LEN = 128,
  AQ_SYSCALLS = 512, /* numbers below it may be told to be about a descriptor */
  AQ_LISTENER_FDS = 4096,
  AQ_WATCHED = 1024,
  AQ_UNNAMED_FUNCTIONS = 64,
  AQ_ADDRESSES = 256, /* named in one pass */
};

enum {
  AQ_THREAD = 1,
  AQ_TARGET = 2, /* what the call of the thread before it is about */
  AQ_WAITER = 3,
  AQ_QUEUE = 4,  /* a listener whose wait queue was read; behind its waiters */
  AQ_POLLED = 5, /* what a thread waits for in poll(), select() or by an epoll */
  AQ_HELD = 6,   /* connections; of processes whose descriptors were all looked at */
};

/* What an AQ_POLLED is of. */
enum {
  AQ_OF_SOCKET = 0,
  AQ_OF_PIPE = 1,   /* to read from */
  AQ_OF_ASKING = 2, /* a socket at which an answer is due */
  AQ_OF_WRITER = 3, /* of no thread: the process has the end of a pipe to write to */
};

/* Bits of an AQ_THREAD's `valid`. */
enum {
  AQ_THREAD_SYSCALL = 1u << 0,
  AQ_THREAD_DELAY = 1u << 1,
  AQ_THREAD_TIMES = 1u << 2,
  AQ_THREAD_SWITCHES = 1u << 3,
  AQ_THREAD_FAULTS = 1u << 4,
  AQ_THREAD_ON_CORE = 1u << 5, /* it ran on a core */
};

/* How a thread waits for a listener; the strongest first. */
enum { AQ_BY_ACCEPT = 0, AQ_BY_POLL = 1, AQ_BY_EPOLL = 2 };

/* What a function in a wait queue's entry means. */
enum {
  AQ_WAKE_OTHER = 0,
  AQ_WAKE_ACCEPT = 1,
  AQ_WAKE_POLL = 2,
  AQ_WAKE_EPOLL = 3,
  AQ_WAKE_IO_URING = 4,
};

/* Which argument of a system call is a descriptor. */
enum {
  AQ_ON_NONE = 0,
  AQ_ON_FIRST = 1,
  AQ_ON_SECOND_IN_D = 2, /* in state D; else the first */
};

/* Whether the other end of a connection is to say something. */
enum {
  AQ_ANSWER_UNKNOWN = 0,
  AQ_ANSWER_DUE = 1,
  AQ_ANSWER_GIVEN = 2,
};

struct aq_thread_record {
  aq_u32 kind;
  aq_u32 valid;
  aq_u32 tgid; /* this and the next: in the reader's PID namespace */
  aq_u32 tid;
  aq_u64 user_ns;
  aq_u64 system_ns;
  aq_u64 delay_ns;
  aq_u64 voluntary;
  aq_u64 involuntary;
  aq_u64 major_faults;
  aq_u64 arguments[AQ_ARGUMENTS];
  aq_u64 stack_pointer; /* of the thread itself, as the arguments */
  aq_u64 thread_pointer;
  aq_u64 stack[AQ_FRAMES]; /* innermost first */
  aq_s32 syscall;
  aq_u32 state; /* bits of task_struct's __state */
  aq_u32 exit_state;
  aq_u32 frames;     /* of the stack */
  aq_u32 kernel_tid; /* in the first PID namespace */
  aq_u32 pad;
  char comm[AQ_THREAD_COMM_LEN];
};

struct aq_target_record {
  aq_u32 kind;
  aq_u32 device; /* major << 20 | minor */
  aq_u64 inode;
  struct aq_addresses addresses;
  aq_u32 answer_due; /* of a connected socket: AQ_ANSWER_… */
  aq_u32 pad;
  char type[AQ_TYPE_LEN];     /* of the file system; ends with a NUL */
  char source[AQ_SOURCE_LEN]; /* what is mounted; ends with a NUL */
};

/* An AQ_WAITER or an AQ_QUEUE. */
struct aq_queue_record {
  aq_u32 kind;
  aq_u32 tgid; /* whose descriptor it is */
  aq_s32 fd;
  aq_u32 tid;    /* AQ_WAITER */
  aq_u32 link;   /* AQ_WAITER: AQ_BY_… */
  aq_u32 epolls; /* AQ_QUEUE: that hold the listener */
};

/* Of another descriptor than the process's listeners. */
struct aq_polled_record {
  aq_u32 kind;
  aq_u32 tgid; /* this and the next: in the reader's PID namespace */
  aq_u32 tid;
  aq_s32 fd;
  aq_u32 what;      /* AQ_OF_… */
  aq_s32 client_of; /* the descriptor of a listener whose connection it may be, or -1 */
  aq_u64 inode;     /* of a pipe */
  struct aq_addresses addresses;
};

/* How many connections of one of its listeners a process has open. */
struct aq_held_record {
  aq_u32 kind;
  aq_u32 tgid;
  aq_s32 fd; /* the listener's */
  aq_u32 connections;
  aq_u32 silent; /* of these, whose client has sent nothing yet */
  /* Connections to others at which an answer is due, and the last of them: the process's. */
  aq_u32 asked;
  aq_u32 unanswered; /* of the `connections`, whose client may wait for an answer */
  aq_u32 may_ask;    /* others at which an answer may be due: `asked`, and where nothing tells */
  struct aq_addresses addresses;
};

/* A process to look at. */
struct aq_watched {
  aq_u32 listeners_begin; /* of its descriptors in `listener_fds` */
  aq_u32 listeners_end;
  aq_u32 seen; /* threads, in this pass */
  aq_u32 left_out;
  aq_u32 walked;       /* whether its listeners' wait queues were read */
  aq_u32 wants_others; /* whether its other descriptors are to be looked at, too */
};

AQ_WIRE_SIZE(struct aq_thread_record, 344);
AQ_WIRE_SIZE(struct aq_target_record, 224);
AQ_WIRE_SIZE(struct aq_queue_record, 24);
AQ_WIRE_SIZE(struct aq_polled_record, 72);
AQ_WIRE_SIZE(struct aq_held_record, 72);
AQ_WIRE_SIZE(struct aq_watched, 24);
