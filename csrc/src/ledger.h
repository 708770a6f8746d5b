/* SPDX-License-Identifier: MIT */
/*
 * What the time of a run went to (docs/engine.md, "What the time went to"). Events are noted as they happen, each with the event that
 * it waited for; now and then the chain that ends in the last finished GnR is walked back, and every interval charged once.
 */
#ifndef HEAM_LEDGER_H
#define HEAM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tables.h"

/* Why something came when it did: a constraint row (0 and above) or one of these, -1 - index. */
#define HEAM_ENUM_REASON(name, text) HEAM_REASON_INDEX_##name,
enum { HEAM_REASON_TABLE(HEAM_ENUM_REASON) HEAM_REASONS };
#undef HEAM_ENUM_REASON
#define HEAM_REASON(name) ((int16_t)(-1 - HEAM_REASON_INDEX_##name))

/* Number of no event. */
#define HEAM_NOTHING 0u

typedef struct {
    uint64_t tick;
    uint32_t cause; /* number of an event, or HEAM_NOTHING */
    int16_t reason;
    uint16_t place; /* channel; the number of channels: the host */
} heam_event;

typedef struct {
    heam_event *events; /* ring: event n at n & mask */
    uint32_t mask;
    uint32_t next;      /* number of the event to come */
    uint32_t oldest;    /* that may still be needed */
    uint32_t recent;    /* older ones are given up together, once none of them is still to come */
    uint64_t latest;    /* tick of any event since `recent` */
    uint64_t latest_before; /* of any before it */
    uint64_t charged_to; /* tick up to which the time has been charged */
    uint64_t window;    /* ticks between walks */
    uint32_t places;
    uint32_t *first;    /* per place: its part of `spent` */
    uint64_t *spent;    /* ticks by row, then by reason; behind all of them, how often each was charged */
    bool failed;
} heam_ledger;

/* `rows`: how many rows each place has. `window`: 0 for no ledger. */
int32_t heam_ledger_init(heam_ledger *self, uint32_t places, const uint32_t *rows, uint64_t window);
void heam_ledger_clear(heam_ledger *self);
/* Makes room for one more event. */
void heam_ledger_grow(heam_ledger *self);
/* Charges the time up to `tick`, when event `last` happened. */
void heam_ledger_walk(heam_ledger *self, uint32_t last, uint64_t tick);

/* Notes an event; returns its number. */
static inline uint32_t heam_ledger_note(heam_ledger *self, uint64_t tick, uint32_t cause, int16_t reason, uint32_t place) {
    if (self == NULL || self->window == 0) {
        return HEAM_NOTHING;
    }
    if (self->next - self->oldest > self->mask) {
        heam_ledger_grow(self);
    }
    uint32_t number = self->next++;
    self->latest = tick > self->latest ? tick : self->latest;
    self->events[number & self->mask] = (heam_event){.tick = tick, .cause = cause, .reason = reason, .place = (uint16_t)place};
    return number;
}

#endif
