/* SPDX-License-Identifier: MIT */
/* Some rows of a model and a number for each: what lowering asks for every lookup. */
#include <stdbool.h>
#include <stdlib.h>

#include "heam_sim.h"
#include "tables.h"

#define VACANT UINT64_MAX
#define AHEAD 16u /* rows whose entries are fetched before they are looked at */

/* Row and number stand together, so that a row costs one access to memory as a rule. */
typedef struct {
    uint64_t row;
    uint64_t slot; /* VACANT: there is no row */
} entry;

struct heam_row_set {
    entry *entries;
    uint64_t mask;
    uint32_t shift;
};

/* Golden ratio, odd: spreads neighbours over the entries. */
static inline uint64_t place_of(const heam_row_set *self, uint64_t row) {
    return row * 0x9E3779B97F4A7C15u >> self->shift;
}

static inline uint64_t find(const heam_row_set *self, uint64_t row) {
    uint64_t at = place_of(self, row);
    while (self->entries[at].slot != VACANT && self->entries[at].row != row) {
        at = (at + 1) & self->mask;
    }
    return at;
}

void heam_row_set_destroy(heam_row_set *self) {
    if (self != NULL) {
        free(self->entries);
        free(self);
    }
}

/* At least half of the entries stay vacant, and two are there at least. */
static bool make_entries(heam_row_set *self, uint64_t rows) {
    uint32_t bits = 1;
    while (rows > (uint64_t)1 << bits >> 1) {
        bits++;
    }
    self->mask = ((uint64_t)1 << bits) - 1;
    self->shift = 64 - bits;
    self->entries = malloc(((size_t)self->mask + 1) * sizeof(entry));
    for (uint64_t i = 0; self->entries != NULL && i <= self->mask; i++) {
        self->entries[i] = (entry){.slot = VACANT};
    }
    return self->entries != NULL;
}

int32_t heam_row_set_create(uint64_t rows, const uint64_t *row, const uint64_t *slot, heam_row_set **out) {
    if (out == NULL || (rows > 0 && (row == NULL || slot == NULL)) || rows > UINT32_MAX) {
        return HEAM_BAD_ARGUMENT;
    }
    heam_row_set *self = calloc(1, sizeof(*self));
    if (self == NULL || !make_entries(self, rows)) {
        heam_row_set_destroy(self);
        return HEAM_OUT_OF_MEMORY;
    }
    for (uint64_t i = 0; i < rows; i++) {
        entry *found = &self->entries[find(self, row[i])];
        if (slot[i] == VACANT || found->slot != VACANT) {
            heam_row_set_destroy(self);
            return HEAM_BAD_ARGUMENT;
        }
        *found = (entry){row[i], slot[i]};
    }
    *out = self;
    return HEAM_OK;
}

int32_t heam_row_set_find(const heam_row_set *self, uint64_t count, const uint64_t *row, uint64_t *slot) {
    if (self == NULL || (count > 0 && (row == NULL || slot == NULL))) {
        return HEAM_BAD_ARGUMENT;
    }
    uint64_t together = count > AHEAD ? count - AHEAD : 0;
    for (uint64_t i = 0; i < together; i++) {
        __builtin_prefetch(&self->entries[place_of(self, row[i + AHEAD])]);
        slot[i] = self->entries[find(self, row[i])].slot;
    }
    for (uint64_t i = together; i < count; i++) {
        slot[i] = self->entries[find(self, row[i])].slot;
    }
    return HEAM_OK;
}
