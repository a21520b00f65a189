/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What thread_clock.bpf.c counts in its maps and thread_clock.cc reads; fixed width, explicit
 * padding, host byte order. */
#pragma once

#include "wire_types.h"

enum {
  AQ_CLOCK_THREADS = 4096,
  AQ_CLOCK_PLACES = 8192,
  AQ_CLOCK_STACKS = 2048,
  AQ_CLOCK_CLOSERS = 4096,
  AQ_CLOCK_FRAMES = 32,
};

/* Where a thread is. */
enum {
  AQ_CLOCK_UNMOVED = 0, /* where it was when its clock began: no event told yet */
  AQ_CLOCK_ON_CORE = 1,
  AQ_CLOCK_READY = 2, /* and waits for a core */
  AQ_CLOCK_BLOCKED = 3,
  AQ_CLOCK_ENDED = 4,
};

/* A place where threads block. */
struct aq_clock_place {
  aq_u32 tid;     /* by the kernel's own number */
  aq_s32 stack;   /* in the map of stacks; negative: it is not kept, and this is why */
  aq_s32 syscall; /* negative: none, or not known */
  aq_u32 state;   /* bits of task_struct's __state */
};

struct aq_blocked {
  aq_u64 ns;
  aq_u64 times;
  aq_u64 woken; /* of these: by a thread of the same process, in the same call */
};

/* Who closes connections of which local port. */
struct aq_closer {
  aq_u32 tid; /* by the kernel's own number */
  aq_u32 port;
};

/* One thread's times; `since_ns` by CLOCK_MONOTONIC. */
struct aq_thread_clock {
  aq_u64 begin_ns;
  aq_u64 since_ns; /* it is where it is */
  aq_u64 on_core_ns;
  aq_u64 ready_ns;
  aq_u64 first_blocked_ns;     /* until it was woken for the first time, from the beginning on */
  aq_u64 unplaced_ns;          /* blocked, without room for the place */
  aq_u32 now;                  /* AQ_CLOCK_… */
  struct aq_clock_place place; /* AQ_CLOCK_BLOCKED: where */
  aq_u32 by_own;               /* AQ_CLOCK_BLOCKED: a thread of the same process is waking it */
};

AQ_WIRE_SIZE(struct aq_clock_place, 16);
AQ_WIRE_SIZE(struct aq_blocked, 24);
AQ_WIRE_SIZE(struct aq_closer, 8);
AQ_WIRE_SIZE(struct aq_thread_clock, 72);
