/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Names of fixed-width types that BPF programs and user space share. */
#pragma once

#ifdef __cplusplus
#include <cstdint>
using aq_u8 = std::uint8_t;
using aq_u16 = std::uint16_t;
using aq_u32 = std::uint32_t;
using aq_u64 = std::uint64_t;
using aq_s32 = std::int32_t;
#define AQ_WIRE_SIZE(type, size) static_assert(sizeof(type) == (size), "wire format")
#else
typedef unsigned char aq_u8;
typedef unsigned short aq_u16;
typedef unsigned int aq_u32;
typedef unsigned long long aq_u64;
typedef int aq_s32;
#define AQ_WIRE_SIZE(type, size) _Static_assert(sizeof(type) == (size), "wire format")
#endif
