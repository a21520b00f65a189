/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The maps of the handshake programs, and what every program does with them: find a listener's
 * ledger, count in it, and keep the books of a refusal. */
#pragma once

/* Set by the loader. */
const volatile __u32 events_per_second = 100;
const volatile __u32 events_per_listener = 0; /* a second; 0: as many as all have together */
const volatile bool only_selected = false;
/* 3479c7549fb1 (6.13, and stable of early 2025): the SYN queue is full at qlen > max, not >=. */
const volatile bool syn_queue_holds_one_more = true;

const volatile __u64 tick_ns = 4000000; /* of a jiffy */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1); /* make_room() */
  __type(key, __u64);     /* address of the listening struct sock */
  __type(value, struct aq_ledger);
} ledgers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct aq_attempt_key);
  __type(value, struct aq_attempt);
} attempts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct aq_client_key);
  __type(value, struct aq_client);
} clients SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct aq_client_key);
  __type(value, struct aq_client);
} prefixes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1); /* make_room() */
  __type(key, struct aq_listener_choice);
  __type(value, __u32);
} selected SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Too large for the stack: where the last state of a ledger is put together. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct aq_final_ledger);
} scratch SEC(".maps");

/* What inner functions tell the outer ones that called them. All run in softirq context with
 * bottom halves disabled, so one set for each CPU will do. */
struct aq_call {
  __u64 syn_request;      /* the request that tcp_conn_request allocated */
  __u64 queued_request;   /* … and put into the SYN queue */
  __u64 fastopen_request; /* … whose connection goes into the accept queue at once */
  __u64 unrouted_request;
  __u64 forbidden_request;
  __u64 created_for;   /* the request that a child socket was created for */
  __u64 queued_child;  /* that inet_csk_complete_hashdance is about to insert */
  __u64 timer_request; /* whose timer has fired */
  __u32 allocated;     /* inet_reqsk_alloc was called: 1, and failed: 2 */
  __u32 lost_race;
  __u32 cookie_made;
  __u32 cookie_checked; /* 1: invalid, 2: valid */
  __u32 synack;         /* 1: built, 2: failed */
  __u32 hung_up;        /* the child was created for a FIN */
  __u32 pad;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct aq_call);
} calls SEC(".maps");

/* By thread: what a listen() that is under way was called with. */
struct listen_call {
  __u64 sk;      /* 0: the system call has not reached the socket yet */
  __u32 backlog; /* clamped by somaxconn */
  __u32 asked;
  __u32 has_asked;
  __u32 pad;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, struct listen_call);
} listen_calls SEC(".maps");

/* One struct, so that each object of programs shows it to its loader in the same form. */
struct aq_state state SEC(".data.state") = {};

static __always_inline void count_bucket(__u64 *buckets, __u64 bucket, __u64 last) {
  __asm__ volatile("" : "+r"(bucket));
  if (bucket > last) bucket = last;
  __sync_fetch_and_add(&buckets[bucket], 1);
}

static __always_inline void lose(enum aq_loss what) {
  __sync_fetch_and_add(&state.losses[what], 1);
}

static __always_inline struct aq_call *this_call(void) {
  if (state.armed == AQ_IDLE) return 0;
  const __u32 zero = 0;
  return bpf_map_lookup_elem(&calls, &zero);
}

static __always_inline void count(struct aq_ledger *ledger, enum aq_term term) {
  __u64 index = term;
  __asm__ volatile("" : "+r"(index)); /* the verifier must see the bound that the type implies */
  if (index < AQ_TERMS) __sync_fetch_and_add(&ledger->count[index], 1);
}

static __always_inline __u32 log2_of(__u64 value) {
  __u32 bits = 0;
  if (value >> 32) bits += 32, value >>= 32;
  if (value >> 16) bits += 16, value >>= 16;
  if (value >> 8) bits += 8, value >>= 8;
  if (value >> 4) bits += 4, value >>= 4;
  if (value >> 2) bits += 2, value >>= 2;
  if (value >> 1) bits += 1;
  return bits;
}

static __always_inline __u32 accept_length(struct sock *sk) {
  return BPF_CORE_READ(sk, sk_ack_backlog);
}

static __always_inline __u32 accept_limit(struct sock *sk) {
  return BPF_CORE_READ(sk, sk_max_ack_backlog);
}

static __always_inline __u32 syn_length(struct sock *sk) {
  return BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_accept_queue.qlen.counter);
}

static __always_inline bool is_listening(struct sock *sk) {
  return BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
}

static __always_inline bool syn_queue_full(__u32 length, __u32 limit) {
  return syn_queue_holds_one_more ? length > limit : length >= limit;
}

static __noinline int describe(struct sock *sk, struct aq_ledger *ledger) {
  ledger->born_ns = bpf_ktime_get_ns();
  ledger->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
  struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
  ledger->netns = BPF_CORE_READ(net, ns.inum);
  if (bpf_core_field_exists(net->net_cookie) &&
      bpf_core_field_size(net->net_cookie) == sizeof(__u64)) {
    ledger->netns_cookie = BPF_CORE_READ(net, net_cookie);
  }
  ledger->ifindex = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
  ledger->family = BPF_CORE_READ(sk, __sk_common.skc_family);
  ledger->port = BPF_CORE_READ(sk, __sk_common.skc_num);
  if (ledger->family == AF_INET) {
    const __be32 address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
    __builtin_memcpy(ledger->address, &address, sizeof address);
  } else if (bpf_core_field_exists(sk->__sk_common.skc_v6_rcv_saddr)) {
    BPF_CORE_READ_INTO(&ledger->address, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
  }
  struct aq_listener_choice choice = {.netns = ledger->netns, .port = ledger->port};
  ledger->selected = !only_selected || bpf_map_lookup_elem(&selected, &choice) != 0;
  return 0;
}

const volatile __u64 blank_ledger[sizeof(struct aq_ledger) / sizeof(__u64)] = {};

static __noinline struct aq_ledger *open_ledger(struct sock *sk) {
  const __u64 key = (__u64)sk;
  const bool opened = !bpf_map_update_elem(&ledgers, &key, (const void *)blank_ledger, BPF_NOEXIST);
  struct aq_ledger *ledger = bpf_map_lookup_elem(&ledgers, &key);
  if (!ledger) {
    lose(AQ_LOST_LISTENERS);
  } else if (opened) {
    describe(sk, ledger);
  }
  return ledger;
}

/* The ledger of a listener; a new one at first sight. Null where there is no room, and before the
 * tracer has started. */
static __always_inline struct aq_ledger *ledger_of(struct sock *sk) {
  if (state.armed != AQ_COUNTING) return 0;
  const __u64 key = (__u64)sk;
  struct aq_ledger *ledger = bpf_map_lookup_elem(&ledgers, &key);
  if (!ledger) return open_ledger(sk);
  /* A socket gets its cookie when somebody asks for it, as a scan does. */
  if (!ledger->cookie) ledger->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
  return ledger;
}

/* The place of a closed listener in memory is taken by another: hand over what was counted. */
static __noinline struct aq_ledger *replace_ledger(struct sock *sk, struct aq_ledger *old) {
  const __u64 key = (__u64)sk;
  const __u32 zero = 0;
  struct aq_final_ledger *last = bpf_map_lookup_elem(&scratch, &zero);
  if (!last) return 0;
  last->kind = AQ_EVENT_LEDGER;
  last->pad = 0;
  last->sk = key;
  if (bpf_probe_read_kernel(&last->ledger, sizeof last->ledger, old)) return 0;
  if (bpf_ringbuf_output(&events, last, sizeof *last, 0)) lose(AQ_LOST_EVENTS);
  bpf_map_delete_elem(&ledgers, &key);
  return open_ledger(sk);
}

/* CPUs may count one event for two, and so send a few more: atomic operations that return a value
 * are from 5.12 on. */
static __always_inline bool may_send_event(struct aq_ledger *ledger) {
  const __u64 second = bpf_ktime_get_ns() / 1000000000;
  if (events_per_listener) {
    if (ledger->event_second != second) {
      ledger->event_second = second;
      ledger->events_in_second = 0;
    }
    if (ledger->events_in_second++ >= events_per_listener) return false;
  }
  if (state.event_second != second) {
    state.event_second = second;
    state.events_in_second = 0;
  }
  return state.events_in_second++ < events_per_second;
}

static __always_inline void count_client(void *map, const struct aq_client_key *key, bool is_new) {
  struct aq_client *client = bpf_map_lookup_elem(map, key);
  if (!client) {
    const struct aq_client none = {};
    bpf_map_update_elem(map, key, &none, BPF_NOEXIST);
    client = bpf_map_lookup_elem(map, key);
    if (!client) return;
  }
  __sync_fetch_and_add(&client->packets, 1);
  if (is_new) __sync_fetch_and_add(&client->attempts, 1);
}

static __noinline int count_clients(const struct aq_attempt_key *attempt, __u64 sk, __u32 is_new) {
  struct aq_client_key key = {.sk = sk, .family = attempt->family};
  __builtin_memcpy(key.address, attempt->client, sizeof key.address);
  count_client(&clients, &key, is_new);
  const int kept_bytes = attempt->family == AF_INET ? 3 : 6;
  for (int i = 3; i < 16; ++i) {
    if (i >= kept_bytes) key.address[i] = 0;
  }
  count_client(&prefixes, &key, is_new);
  return 0;
}

/* The books of one refused packet: its term, its attempt, its client, and an event. */
struct refusal_of {
  struct sock *sk;
  struct aq_ledger *ledger;
  __u32 stage;
  __u32 term;
  __u32 reset;
};

/* A client gives up after 127 s (tcp_syn_retries 6): what has its addresses and ports later is
 * another attempt. */
#define LONGEST_ATTEMPT_NS 180000000000ULL

static __always_inline struct aq_attempt *open_attempt(const struct aq_attempt_key *key,
                                                       __u64 now) {
  struct aq_attempt *attempt = bpf_map_lookup_elem(&attempts, key);
  if (!attempt || now - attempt->last_ns < LONGEST_ATTEMPT_NS) return attempt;
  if (!bpf_map_delete_elem(&attempts, key)) __sync_fetch_and_add(&state.attempts_removed, 1);
  return 0;
}

static __noinline int note_refusal(struct refusal_of *what, struct aq_attempt_key *key) {
  struct aq_ledger *ledger = what->ledger;
  if (!ledger) return 0;
  const __u64 now = bpf_ktime_get_ns();
  struct aq_attempt *attempt = open_attempt(key, now);
  __u32 is_new = 0;
  if (!attempt) {
    const struct aq_attempt fresh = {.sk = (__u64)what->sk, .first_ns = now, .last_ns = now};
    if (!bpf_map_update_elem(&attempts, key, &fresh, BPF_NOEXIST)) {
      is_new = 1;
      __sync_fetch_and_add(&state.attempts_inserted, 1);
      count(ledger, AQ_ATTEMPTS_REFUSED);
    }
    attempt = bpf_map_lookup_elem(&attempts, key);
  }
  __u32 packets = 1;
  if (attempt) {
    attempt->last_ns = now;
    if (what->stage == AQ_STAGE_SYN) {
      __sync_fetch_and_add(&attempt->refused_syns, 1);
    } else {
      __sync_fetch_and_add(&attempt->refused_acks, 1);
    }
    packets = attempt->refused_syns + attempt->refused_acks;
  } else {
    lose(AQ_LOST_ATTEMPTS);
  }
  count_clients(key, (__u64)what->sk, is_new);
  if (!events_per_second || !ledger->selected) return 0;
  if (!may_send_event(ledger)) {
    lose(AQ_SUPPRESSED);
    return 0;
  }
  struct aq_refusal *event = bpf_ringbuf_reserve(&events, sizeof *event, 0);
  if (!event) {
    lose(AQ_LOST_EVENTS);
    return 0;
  }
  event->kind = AQ_EVENT_REFUSED;
  event->stage = what->stage;
  event->sk = (__u64)what->sk;
  event->born_ns = ledger->born_ns;
  event->at_ns = now;
  struct sock *sk = what->sk;
  event->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
  event->attempt = *key;
  event->term = what->term;
  event->packets = packets;
  event->length = accept_length(what->sk);
  event->limit = accept_limit(what->sk);
  event->syn_length = syn_length(what->sk);
  event->reset = what->reset;
  bpf_ringbuf_submit(event, 0);
  return 0;
}

/* A refused attempt that is in the accept queue after all. Where its client has hung up meanwhile,
 * and only its FIN is let in, it has not come through. */
static __noinline int note_recovery(struct aq_attempt_key *key, struct aq_ledger *ledger) {
  const __u64 now = bpf_ktime_get_ns();
  struct aq_attempt *attempt = open_attempt(key, now);
  if (!attempt || !ledger) return 0;
  const __u64 seconds = (now - attempt->first_ns) / 1000000000;
  /* Buckets: below 1 s, then [2^(b-1), 2^b) s. */
  count_bucket(ledger->delay, seconds ? log2_of(seconds) + 1 : 0, AQ_DELAY_BUCKETS - 1);
  count(ledger, AQ_ATTEMPTS_RECOVERED);
  if (!bpf_map_delete_elem(&attempts, key)) __sync_fetch_and_add(&state.attempts_removed, 1);
  return 0;
}

/* Four buckets to an octave, from 1 us on. */
static __always_inline __u32 time_bucket(__u64 ns) {
  const __u64 quarter_us = ns / 250;
  if (quarter_us < 4) return 0;
  const __u32 octave = log2_of(quarter_us); /* >= 2 */
  const __u32 quarter = (quarter_us >> (octave - 2)) & 3;
  return (octave - 2) * 4 + quarter + 1;
}

enum { TH_FIN = 1, TH_SYN = 2, TH_RST = 4, TH_ACK = 16 };

static __always_inline __u8 flags_of(struct sk_buff *skb) {
  const unsigned char *head = BPF_CORE_READ(skb, head);
  __u8 flags = 0;
  bpf_probe_read_kernel(&flags, 1, head + BPF_CORE_READ(skb, transport_header) + 13);
  return flags;
}

/* When a connection that waits for accept() was made, to the jiffy: for those that were in the
 * queue before tracing began. It has sent no data yet, so tcp_sock.lsndtime is what
 * tcp_create_openreq_child() made it. */
static __always_inline __u64 made_at(struct tcp_sock *connection, __u64 now) {
  const __u32 ticks = (__u32)bpf_jiffies64() - BPF_CORE_READ(connection, lsndtime);
  return now - ticks * tick_ns;
}

/* Addresses, ports and first sequence number of a packet from the client; no namespace. */
static __always_inline void read_packet(struct sk_buff *skb, bool is_ack,
                                        struct aq_attempt_key *key) {
  const unsigned char *head = BPF_CORE_READ(skb, head);
  const unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
  const unsigned char *tcp = head + BPF_CORE_READ(skb, transport_header);
  __u8 version = 0;
  bpf_probe_read_kernel(&version, sizeof version, ip);
  if (version >> 4 == 4) {
    key->family = AF_INET;
    bpf_probe_read_kernel(key->client, 4, ip + 12);
    bpf_probe_read_kernel(key->address, 4, ip + 16);
  } else {
    key->family = AF_INET6;
    bpf_probe_read_kernel(key->client, 16, ip + 8);
    bpf_probe_read_kernel(key->address, 16, ip + 24);
  }
  struct {
    __be16 source, dest;
    __be32 seq;
  } header = {};
  bpf_probe_read_kernel(&header, sizeof header, tcp);
  key->client_port = __builtin_bswap16(header.source);
  key->port = __builtin_bswap16(header.dest);
  key->isn = __builtin_bswap32(header.seq) - (is_ack ? 1 : 0);
}

/* The attempt that a packet belongs to. */
static __always_inline void attempt_of_packet(struct sock *sk, struct sk_buff *skb, bool is_ack,
                                              struct aq_attempt_key *key) {
  read_packet(skb, is_ack, key);
  key->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* … and a request, or the socket that was made from one: both begin alike. An IPv4 client of an
 * IPv6 listener has a mapped address here, but an IPv4 header in its packets: it is one client. */
static __always_inline void attempt_of_peer(struct sock *sk, struct request_sock *req,
                                            struct aq_attempt_key *key) {
  key->family = BPF_CORE_READ(req, __req_common.skc_family);
  if (key->family == AF_INET6 && bpf_core_field_exists(req->__req_common.skc_v6_daddr)) {
    __u32 client[4] = {};
    BPF_CORE_READ_INTO(&client, req, __req_common.skc_v6_daddr);
    const __be32 mapped = __builtin_bswap32(0xffff);
    if (client[0] == 0 && client[1] == 0 && client[2] == mapped) {
      key->family = AF_INET;
    } else {
      __builtin_memcpy(key->client, client, sizeof client);
      BPF_CORE_READ_INTO(&key->address, req, __req_common.skc_v6_rcv_saddr);
    }
  }
  if (key->family == AF_INET) {
    const __be32 client = BPF_CORE_READ(req, __req_common.skc_daddr);
    const __be32 address = BPF_CORE_READ(req, __req_common.skc_rcv_saddr);
    __builtin_memcpy(key->client, &client, sizeof client);
    __builtin_memcpy(key->address, &address, sizeof address);
  }
  const __be16 port = BPF_CORE_READ(req, __req_common.skc_dport);
  key->client_port = __builtin_bswap16(port);
  key->port = BPF_CORE_READ(req, __req_common.skc_num);
  key->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline void attempt_of_request(struct sock *sk, struct request_sock *req,
                                               struct aq_attempt_key *key) {
  attempt_of_peer(sk, req, key);
  key->isn = BPF_CORE_READ((struct tcp_request_sock *)req, rcv_isn);
}
