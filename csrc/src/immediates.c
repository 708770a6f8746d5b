/* SPDX-License-Identifier: MIT */
#include "immediates.h"

void heam_immediates_clear(heam_immediates *self) {
    free(self->items);
    free(self->vacant);
    *self = (heam_immediates){.items = NULL};
}

/* Their number is bounded by the instruction buffers and queues of the PIM channels. */
static bool grow(heam_immediates *self) {
    uint32_t capacity = self->capacity == 0 ? 16 : 2 * self->capacity;
    heam_immediate *items = realloc(self->items, capacity * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    self->items = items;
    uint32_t *vacant = realloc(self->vacant, capacity * sizeof(*vacant));
    if (vacant == NULL) {
        return false;
    }
    self->vacant = vacant;
    while (self->capacity < capacity) {
        self->vacant[self->vacant_size++] = self->capacity++;
    }
    return true;
}

uint32_t heam_immediates_take(heam_immediates *self) {
    if (self->vacant_size == 0 && !grow(self)) {
        return UINT32_MAX;
    }
    uint32_t slot = self->vacant[--self->vacant_size];
    self->items[slot] = (heam_immediate){.channel = UINT32_MAX};
    return slot;
}

void heam_immediates_release(heam_immediates *self, uint32_t slot) {
    self->vacant[self->vacant_size++] = slot;
}
