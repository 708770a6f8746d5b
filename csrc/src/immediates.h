/* SPDX-License-Identifier: MIT */
/* Vectors that the host makes of its reads and sends to PEs (docs/engine.md, "Immediates"): when they are there. */
#ifndef HEAM_IMMEDIATES_H
#define HEAM_IMMEDIATES_H

#include "buffer.h"

/* One of them, from its first read until its last burst has been sent. */
typedef struct {
    uint64_t ready;   /* tick from which the host has what has come so far */
    uint32_t missing; /* bursts on their way to the host */
    uint32_t by;      /* the ledger's number of what came last */
    uint32_t channel; /* that will send it; UINT32_MAX while its reads are issued */
} heam_immediate;

typedef struct {
    heam_immediate *items;
    uint32_t *vacant;
    uint32_t vacant_size;
    uint32_t capacity;
} heam_immediates;

void heam_immediates_clear(heam_immediates *self);
/* A fresh one; UINT32_MAX: memory is exhausted. */
uint32_t heam_immediates_take(heam_immediates *self);
void heam_immediates_release(heam_immediates *self, uint32_t slot);

#endif
