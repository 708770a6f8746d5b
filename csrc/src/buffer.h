/* SPDX-License-Identifier: MIT */
/* Growable queues of plain records: the command log, latencies, completions. */
#ifndef HEAM_BUFFER_H
#define HEAM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A first-in first-out ring of fixed-size records that grows by doubling. */
typedef struct {
    unsigned char *data;
    size_t record; /* bytes */
    size_t capacity; /* records, a power of two */
    size_t head;   /* index of the oldest */
    size_t size;
} heam_ring;

static inline void heam_ring_clear(heam_ring *self) {
    free(self->data);
    self->data = NULL;
    self->capacity = self->head = self->size = 0;
}

static inline void *heam_ring_at(const heam_ring *self, size_t index) {
    return self->data + ((self->head + index) & (self->capacity - 1)) * self->record;
}

/* Room for one more; false when memory is exhausted (the ring is unchanged then). */
static inline bool heam_ring_reserve(heam_ring *self) {
    if (self->size < self->capacity) {
        return true;
    }
    size_t capacity = self->capacity == 0 ? 64 : 2 * self->capacity;
    unsigned char *data = malloc(capacity * self->record);
    if (data == NULL) {
        return false;
    }
    size_t first = self->capacity - self->head;
    if (self->size > 0) {
        memcpy(data, self->data + self->head * self->record, first * self->record);
        memcpy(data + first * self->record, self->data, self->head * self->record);
    }
    free(self->data);
    self->data = data;
    self->capacity = capacity;
    self->head = 0;
    return true;
}

/* Appends a copy of a record, whose size must be the ring's: where it is known, copying is no call. The caller has reserved. */
static inline void *heam_ring_push(heam_ring *self, const void *record, size_t size) {
    void *at = self->data + ((self->head + self->size) & (self->capacity - 1)) * size;
    memcpy(at, record, size);
    self->size++;
    return at;
}

static inline void heam_ring_pop(heam_ring *self) {
    self->head = (self->head + 1) & (self->capacity - 1);
    self->size--;
}

/* Moves up to `capacity` of the oldest records to `out`; returns how many. */
static inline uint64_t heam_ring_take(heam_ring *self, void *out, uint64_t capacity) {
    uint64_t count = 0;
    while (count < capacity && self->size > 0) {
        memcpy((unsigned char *)out + count * self->record, heam_ring_at(self, 0), self->record);
        heam_ring_pop(self);
        count++;
    }
    return count;
}

#endif
