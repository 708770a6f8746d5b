/* SPDX-License-Identifier: MIT */
/* Rows by how long ago they were used: what a generator of stack distances moves at every lookup. */
#include <stdlib.h>
#include <string.h>

#include "heam_sim.h"
#include "tables.h"

struct heam_row_stack {
    uint64_t rows;
    uint32_t *used; /* [start, end): the row used last at the end, so that short distances move little */
    uint64_t start, end, capacity;
};

int32_t heam_row_stack_create(uint64_t rows, heam_row_stack **out) {
    if (out == NULL || rows == 0) {
        return HEAM_BAD_ARGUMENT;
    }
    *out = calloc(1, sizeof(heam_row_stack));
    if (*out == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    (*out)->rows = rows;
    return HEAM_OK;
}

void heam_row_stack_destroy(heam_row_stack *self) {
    if (self != NULL) {
        free(self->used);
        free(self);
    }
}

/* Room for `count` more at the end. What stands is moved to the start, and room for as much again made: so it is moved once in that
   many lookups. */
static int32_t reserve(heam_row_stack *self, uint64_t count) {
    uint64_t depth = self->end - self->start;
    if (count > UINT32_MAX || depth + count > UINT32_MAX) {
        return HEAM_BAD_ARGUMENT; /* rows are numbered in 32 bits */
    }
    if (self->end + count <= self->capacity) {
        return HEAM_OK;
    }
    if (self->start > 0) {
        memmove(self->used, self->used + self->start, depth * sizeof(uint32_t));
        self->start = 0;
        self->end = depth;
    }
    if (2 * depth + count > self->capacity) {
        uint64_t capacity = 2 * depth + count;
        uint32_t *used = realloc(self->used, capacity * sizeof(uint32_t));
        if (used == NULL) {
            return HEAM_OUT_OF_MEMORY;
        }
        self->used = used;
        self->capacity = capacity;
    }
    return HEAM_OK;
}

int32_t heam_row_stack_take(heam_row_stack *self, uint64_t count, const uint64_t *distance, uint64_t *row) {
    if (self == NULL || (count > 0 && (distance == NULL || row == NULL))) {
        return HEAM_BAD_ARGUMENT;
    }
    int32_t status = count == 0 ? HEAM_OK : reserve(self, count);
    if (status != HEAM_OK || count == 0) {
        return status;
    }
    uint32_t *used = self->used;
    uint64_t start = self->start, end = self->end;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t depth = end - start;
        uint32_t taken;
        if (distance[i] < depth) {
            uint64_t moved = distance[i];
            uint32_t *place = used + (end - 1 - moved);
            taken = *place;
            memmove(place, place + 1, moved * sizeof(uint32_t));
            used[end - 1] = taken;
        } else {
            taken = depth < self->rows ? (uint32_t)depth : used[start++];
            used[end++] = taken;
        }
        row[i] = taken;
    }
    self->start = start;
    self->end = end;
    return HEAM_OK;
}
