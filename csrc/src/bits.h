/* SPDX-License-Identifier: MIT */
/* Sets of up to 64 bursts, a bit each. */
#ifndef HEAM_BITS_H
#define HEAM_BITS_H

#include <stdint.h>

/* How many. The compiler's own is a call where the processor need not have an instruction for it. */
static inline uint64_t heam_ones(uint64_t bits) {
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    return ((bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0Fu) * 0x0101010101010101u >> 56;
}

#endif
