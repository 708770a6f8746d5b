/* SPDX-License-Identifier: MIT */
/* Read latencies as a histogram of constant size: exact up to HEAM_LATENCY_EXACT, then HEAM_LATENCY_OCTAVE bins for every doubling. */
#ifndef HEAM_LATENCIES_H
#define HEAM_LATENCIES_H

#include <stdint.h>

#include "../include/heam_sim.h"

/* Number of the highest bit of a value that is not 0. */
static inline uint32_t heam_highest_bit(uint64_t value) {
#if defined(__GNUC__)
    return 63u - (uint32_t)__builtin_clzll(value);
#else
    uint32_t at = 0;
    while ((value >>= 1) != 0) {
        at++;
    }
    return at;
#endif
}

static inline uint32_t heam_latency_bin(uint64_t latency) {
    if (latency < HEAM_LATENCY_EXACT) {
        return (uint32_t)latency;
    }
    uint32_t octave = heam_highest_bit(latency / HEAM_LATENCY_EXACT);
    uint64_t part = (latency >> octave) - HEAM_LATENCY_EXACT; /* < HEAM_LATENCY_EXACT */
    return HEAM_LATENCY_EXACT + octave * HEAM_LATENCY_OCTAVE + (uint32_t)(part / (HEAM_LATENCY_EXACT / HEAM_LATENCY_OCTAVE));
}

#endif
