/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "heam_sim.h"

#define FIRST_CAPACITY 1024u
/* Beyond that the oldest events are given up: what led to them is charged to nobody ("unknown"). */
#define LAST_CAPACITY (1u << 22)

int32_t heam_ledger_init(heam_ledger *self, uint32_t places, const uint32_t *rows, uint64_t window) {
    *self = (heam_ledger){.next = 1, .oldest = 1, .recent = 1, .window = window, .places = places};
    uint32_t size = 0;
    self->first = calloc((size_t)places + 1, sizeof(*self->first));
    if (self->first == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    for (uint32_t place = 0; place < places; place++) {
        self->first[place] = size;
        size += rows[place] + HEAM_REASONS;
    }
    self->first[places] = size;
    self->spent = calloc(2 * (size_t)size, sizeof(*self->spent));
    self->events = calloc(FIRST_CAPACITY, sizeof(*self->events));
    self->mask = FIRST_CAPACITY - 1;
    if (self->spent == NULL || self->events == NULL) {
        heam_ledger_clear(self);
        return HEAM_OUT_OF_MEMORY;
    }
    return HEAM_OK;
}

void heam_ledger_clear(heam_ledger *self) {
    free(self->events);
    free(self->first);
    free(self->spent);
    *self = (heam_ledger){.window = 0};
}

void heam_ledger_grow(heam_ledger *self) {
    uint32_t capacity = self->mask + 1;
    heam_event *larger = capacity < LAST_CAPACITY ? malloc(2 * (size_t)capacity * sizeof(*larger)) : NULL;
    if (larger == NULL) {
        self->failed = self->failed || capacity < LAST_CAPACITY;
        self->recent += self->recent == self->oldest;
        self->oldest++;
        return;
    }
    for (uint32_t number = self->oldest; number != self->next; number++) {
        larger[number & (2 * capacity - 1)] = self->events[number & self->mask];
    }
    free(self->events);
    self->events = larger;
    self->mask = 2 * capacity - 1;
}

static const heam_event *find(const heam_ledger *self, uint32_t number) {
    bool kept = number != HEAM_NOTHING && number - self->oldest < self->next - self->oldest;
    return kept ? &self->events[number & self->mask] : NULL;
}

static void charge(heam_ledger *self, uint32_t place, int16_t reason, uint64_t ticks) {
    uint32_t rows = self->first[place + 1] - self->first[place] - HEAM_REASONS;
    uint32_t index = reason >= 0 ? (uint32_t)reason : rows + (uint32_t)(-1 - reason);
    uint32_t at = self->first[place] + index;
    self->spent[at] += ticks;
    self->spent[self->first[self->places] + at]++;
}

void heam_ledger_walk(heam_ledger *self, uint32_t last, uint64_t tick) {
    if (self->window == 0) {
        return;
    }
    uint64_t from = self->charged_to;
    const heam_event *event = find(self, last);
    uint64_t now = tick;
    while (event != NULL && now > from) {
        const heam_event *cause = find(self, event->cause);
        /* What happened before the events that are kept happened before what has been charged; the first of all at tick 0. */
        uint64_t then = cause == NULL ? from : cause->tick;
        then = then < from ? from : then > now ? now : then;
        charge(self, event->place, event->reason, now - then);
        now = then;
        event = cause;
    }
    if (now > from) {
        charge(self, self->places - 1, HEAM_REASON(UNKNOWN), now - from);
    }
    self->charged_to = tick > from ? tick : from;
    /* What happens later than what is charged may still be the cause of something; an ALU's work can end that much later. */
    if (self->latest_before <= self->charged_to) {
        self->oldest = self->recent;
        self->latest_before = self->latest;
        self->recent = self->next;
        self->latest = 0;
    }
}
