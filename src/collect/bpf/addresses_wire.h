/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The two ends of a connected socket, in records of several iterators. */
#pragma once

#include "wire_types.h"

struct aq_addresses {
  aq_u16 family; /* AF_INET, AF_INET6; else 0 */
  aq_u16 local_port;
  aq_u16 peer_port;
  aq_u16 protocol; /* IPPROTO_…; also of a socket that is not connected */
  aq_u8 local[16];
  aq_u8 peer[16];
};

AQ_WIRE_SIZE(struct aq_addresses, 40);
