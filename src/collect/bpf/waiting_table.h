/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* When each connection entered its accept queue, until it leaves. An array that is used as an open
 * hash table: lookups in an array are compiled into the program. Two CPUs that take one place at
 * once lose one of the two times, and nothing else: accept() then goes by what the connection
 * itself tells (made_at()). */
#pragma once

enum { WAITING_BITS = 17, WAITING_PLACES = 1 << WAITING_BITS, WAITING_TRIES = 8 };

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, WAITING_PLACES);
  __type(key, __u32);
  __type(value, struct aq_waiting);
} waiting SEC(".maps");

/* The verifier lets nobody calculate with a pointer, but with half of it. */
static __always_inline __u32 lower_half(__u64 pointer) {
  __u32 half = (__u32)pointer;
  __asm__ volatile("%0 = %0" : "+w"(half));
  return half;
}

static __always_inline struct aq_waiting *waiting_place(__u64 key, __u32 attempt) {
  const __u32 hash = lower_half(key) * 0x9e3779b1U; /* 2^32 / the golden ratio */
  const __u32 index = ((hash >> (32 - WAITING_BITS)) + attempt) & (WAITING_PLACES - 1);
  return bpf_map_lookup_elem(&waiting, &index);
}

/* `key` is never 0. An entry that is there under it is of a connection that was reset with its
 * listener, and left its memory. */
static __always_inline void begin_waiting(__u64 key, __u64 sk, __u64 now) {
  struct aq_waiting *oldest = 0;
  for (__u32 attempt = 0; attempt < WAITING_TRIES; ++attempt) {
    struct aq_waiting *place = waiting_place(key, attempt);
    if (!place) return;
    if (!place->key || place->key == key) {
      oldest = place;
      break;
    }
    if (!oldest || place->since_ns < oldest->since_ns) oldest = place;
  }
  if (!oldest) return;
  if (oldest->key && oldest->key != key) lose(AQ_LOST_WAITING);
  oldest->since_ns = now;
  oldest->sk = sk;
  oldest->key = key;
}

/* Null where it is not known. The caller puts 0 into `key` when it has left. */
static __always_inline struct aq_waiting *find_waiting(__u64 key) {
  for (__u32 attempt = 0; attempt < WAITING_TRIES; ++attempt) {
    struct aq_waiting *place = waiting_place(key, attempt);
    if (!place) return 0;
    if (place->key == key) return place;
  }
  return 0;
}
