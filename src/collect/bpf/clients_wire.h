/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* One record per descriptor that holds a connection to one of the chosen ports, or one that waits
 * in the accept queue of a Unix socket, or such a listener; written by clients.bpf.c and read by
 * client_records.cc. */
#pragma once

#include "addresses_wire.h"

enum {
  AQ_CLIENT_PORTS = 256, /* that may be chosen */
  AQ_CLIENT_COMM_LEN = 16,
};

struct aq_client_record {
  aq_u64 inode; /* of the descriptor's socket */
  aq_u32 tgid;  /* in the reader's PID namespace */
  aq_u32 netns; /* inode of the socket's network namespace */
  aq_u32 state; /* TCP_ESTABLISHED, TCP_SYN_SENT …; TCP_LISTEN of a Unix socket */
  aq_u32 pad;
  aq_u64 queue; /* of a Unix socket: the same of a listener and of who waits for it */
  struct aq_addresses addresses; /* of a Unix socket its family alone */
  char comm[AQ_CLIENT_COMM_LEN]; /* of the thread group leader */
};

AQ_WIRE_SIZE(struct aq_client_record, 88);
