/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What ledger.bpf.c counts and sends, and ledger_records.cc reads: fixed width, explicit padding,
 * host byte order unless a field says otherwise. */
#pragma once

#include "wire_types.h"

/* What is counted for each listener. The names of facts::LedgerTerm are in the same order. */
enum aq_term {
  AQ_SYN_RECEIVED,            /* SYNs for which the listener had no request */
  AQ_SYN_DUPLICATE,           /* SYNs for which it had one */
  AQ_SYN_QUEUED,              /* became a request */
  AQ_SYN_LOST_RACE,           /* freed silently: another CPU had queued the same SYN (6.10) */
  AQ_SYN_COOKIE,              /* answered with a cookie */
  AQ_SYN_FASTOPEN,            /* went straight into the accept queue (TCP Fast Open) */
  AQ_SYN_REFUSED_ACCEPT_FULL, /* accept queue full */
  AQ_SYN_REFUSED_SYN_FULL,    /* SYN queue full, cookies off */
  AQ_SYN_REFUSED_RESERVE,     /* last quarter of tcp_max_syn_backlog, cookies off */
  AQ_SYN_REFUSED_NO_MEMORY,
  AQ_SYN_REFUSED_NO_ROUTE,
  AQ_SYN_REFUSED_SECURITY, /* a security module */
  AQ_SYN_REFUSED_OTHER,
  AQ_SYN_BOTH_FULL, /* of ACCEPT_FULL: would else have become a cookie */
  AQ_SYNACK_SENT,   /* the first of each SYN, cookies included */
  AQ_SYNACK_RETRANSMITTED,
  AQ_SYNACK_FAILED,    /* could not be built */
  AQ_ACK_QUEUED,       /* connections that entered the accept queue */
  AQ_ACK_REFUSED_FULL, /* final ACKs refused for a full accept queue */
  AQ_ACK_REFUSED_OTHER,
  AQ_COOKIE_ACK_REFUSED_FULL, /* the same for handshakes by cookie */
  AQ_COOKIE_ACK_REFUSED_OTHER,
  AQ_ACK_RESET, /* of ACK_REFUSED: answered by RST (tcp_abort_on_overflow) */
  AQ_COOKIE_VALID,
  AQ_COOKIE_INVALID,
  AQ_REQUEST_EXPIRED,     /* no final ACK came in time */
  AQ_REQUEST_RESET,       /* the client sent RST, or a SYN that does not fit */
  AQ_REQUEST_UNREACHABLE, /* an ICMP error came instead */
  AQ_ACCEPTED,            /* taken by accept() */
  AQ_ACCEPTED_UNTIMED,    /* of them, with a time in the queue that is not known */
  AQ_ACCEPTED_DEAD,       /* of them, reset by the client while they waited */
  AQ_ACCEPT_AGAIN,        /* accept() found nothing: EAGAIN */
  AQ_ACCEPT_INTERRUPTED,  /* EINTR, ERESTARTSYS */
  AQ_ACCEPT_EMFILE,       /* the process's descriptors are used up */
  AQ_ACCEPT_ENFILE,       /* the system's */
  AQ_ACCEPT_ABORTED,      /* ECONNABORTED */
  AQ_ACCEPT_OTHER,
  AQ_CLOSED_WAITING, /* reset because the listener was closed */
  AQ_MIGRATED_IN,    /* taken over from a closed member of the SO_REUSEPORT group */
  AQ_LISTEN_CALLS,
  AQ_ATTEMPTS_REFUSED,   /* distinct attempts of which a packet was refused */
  AQ_ATTEMPTS_RECOVERED, /* of them, those that entered the accept queue later */
  AQ_TERMS
};

enum {
  AQ_DEPTH_BUCKETS = 32, /* bucket b: lengths in [2^b, 2^(b+1)); the length with the newcomer */
  AQ_DELAY_BUCKETS = 8,  /* of recovered attempts; bounds in kDelayBounds, ledger_records.cc */
  /* Time in queue: four buckets to an octave, from 1 us on; the first holds all below. */
  AQ_TIME_BUCKETS = 128,
};

struct aq_ledger {
  aq_u64 born_ns; /* when tracing first saw the listener, or it began to listen; tells sockets that
                     lived at one address apart */
  aq_u64 closed_ns;
  aq_u64 cookie;       /* of the socket; 0: none yet */
  aq_u64 netns_cookie; /* 0: this kernel has none (5.12) */
  aq_u32 netns;
  aq_u32 ifindex;
  aq_u16 family;
  aq_u16 port; /* host byte order */
  aq_u32 selected;
  aq_u8 address[16];
  /* The last listen() that was seen. */
  aq_s32 backlog_requested; /* -1 may be what was asked for; see listen_known */
  aq_u32 listen_known;      /* bit 0: somaxconn and limit hold, bit 1: backlog_requested too */
  aq_u32 listen_somaxconn;
  aq_u32 listen_limit;
  aq_u32 longest;     /* highest length of the accept queue at an arrival */
  aq_u32 syn_longest; /* likewise of the SYN queue */
  aq_u64 count[AQ_TERMS];
  aq_u64 depth[AQ_DEPTH_BUCKETS];
  aq_u64 delay[AQ_DELAY_BUCKETS];
  aq_u64 time_in_queue[AQ_TIME_BUCKETS];
  aq_u64 event_second; /* the last in which refusals were sent one by one */
  aq_u64 events_in_second;
};

/* A connection in an accept queue. */
struct aq_waiting {
  aq_u64 key; /* address of its struct sock, or its place in the queue; 0: nothing is here */
  aq_u64 since_ns;
  aq_u64 sk; /* the listener's, as the key of its ledger */
};

/* One connection attempt: all retransmissions of a SYN, and of the final ACK, are one. */
struct aq_attempt_key {
  aq_u32 netns;
  aq_u32 isn; /* the client's, host byte order; 0: tracepoints do not tell it for each packet */
  aq_u16 client_port;
  aq_u16 port;
  aq_u32 family;
  aq_u8 client[16];
  aq_u8 address[16];
};

struct aq_attempt {
  aq_u64 sk; /* the listener's identity, as the key of its ledger */
  aq_u64 first_ns;
  aq_u64 last_ns;
  aq_u32 refused_syns;
  aq_u32 refused_acks;
};

/* Whose packets were refused: an address, or the /24 (IPv4) or /48 (IPv6) that it is in. */
struct aq_client_key {
  aq_u64 sk;
  aq_u32 family;
  aq_u32 pad;
  aq_u8 address[16];
};

struct aq_client {
  aq_u64 packets;
  aq_u64 attempts;
};

/* SYNs, or what comes behind them, that die before they reach a listener: where they were going,
 * and why. */
struct aq_dead_syn {
  aq_u32 netns;
  aq_u16 port; /* host byte order */
  aq_u16 family;
  aq_u16 reason;   /* enum skb_drop_reason of the running kernel */
  aq_u8 is_routed; /* 0: dropped before it was known whether they were for this host */
  aq_u8 after_syn; /* final ACKs, and what follows them */
  aq_u8 address[16];
};

enum { AQ_DROP_REASONS = 256 };

/* What a drop reason counts for: SYNs, or packets behind them as well. */
enum aq_dead_of { AQ_DEAD_SYNS = 1, AQ_DEAD_PACKETS = 2 };

enum aq_event_kind {
  AQ_EVENT_REFUSED = 1,
  AQ_EVENT_LEDGER = 2, /* the last state of a closed listener whose place another took */
};

enum aq_stage {
  AQ_STAGE_SYN = 0,
  AQ_STAGE_ACK = 1,
  AQ_STAGE_COOKIE_ACK = 2,
};

struct aq_refusal {
  aq_u32 kind;  /* AQ_EVENT_REFUSED */
  aq_u32 stage; /* enum aq_stage */
  aq_u64 sk;
  aq_u64 born_ns;
  aq_u64 at_ns;
  aq_u64 cookie; /* of the listener; 0: none yet */
  struct aq_attempt_key attempt;
  aq_u32 term;    /* the enum aq_term that was counted: the reason */
  aq_u32 packets; /* refused of this attempt so far, with this one */
  aq_u32 length;
  aq_u32 limit;
  aq_u32 syn_length;
  aq_u32 reset; /* a RST was sent */
};

struct aq_final_ledger {
  aq_u32 kind; /* AQ_EVENT_LEDGER */
  aq_u32 pad;
  aq_u64 sk;
  struct aq_ledger ledger;
};

/* What could not be counted, for the whole host. */
enum aq_loss {
  AQ_LOST_LISTENERS, /* no room for another ledger */
  AQ_LOST_ATTEMPTS,  /* no room, or an older one was evicted */
  AQ_LOST_WAITING,   /* time in queue not measured */
  AQ_LOST_EVENTS,    /* ring buffer full */
  AQ_SUPPRESSED,     /* events beyond the rate that was asked for */
  AQ_LOST_ACCEPTS,   /* accept() on a listener that could not be told (kretprobes) */
  AQ_LOST_PACKETS,   /* packets whose listener could not be told (tracepoints) */
  AQ_LOST_REFUSALS,  /* refusals that no packet was seen for (tracepoints) */
  AQ_LOSSES
};

/* The code of one function, in the kernel's memory. */
struct aq_place {
  aq_u64 begin;
  aq_u64 end;
};

/* What the loader and the programs tell each other while they run. */
struct aq_state {
  aq_u32 armed; /* enum aq_armed */
  aq_u32 pad;
  aq_u64 losses[AQ_LOSSES];
  aq_u64 attempts_inserted;
  aq_u64 attempts_removed;
  aq_u64 event_second;
  aq_u64 events_in_second;
  aq_u64 dead_inserted; /* into dead_syns, which forgets */
};

/* Hooks come into place one by one, and a call that began between two of them would be misread. So
 * first the inner ones begin to leave word, then, after more time than any call takes, the outer
 * ones begin to count. */
enum aq_armed { AQ_IDLE, AQ_WATCHING, AQ_COUNTING };

struct aq_listener_choice {
  aq_u32 netns;
  aq_u16 port;
  aq_u16 pad;
};

AQ_WIRE_SIZE(struct aq_ledger, 104 + 8 * 42 + 8 * 32 + 8 * 8 + 8 * 128);
AQ_WIRE_SIZE(struct aq_attempt_key, 48);
AQ_WIRE_SIZE(struct aq_attempt, 32);
AQ_WIRE_SIZE(struct aq_client_key, 32);
AQ_WIRE_SIZE(struct aq_refusal, 112);
AQ_WIRE_SIZE(struct aq_dead_syn, 28);
