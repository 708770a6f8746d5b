/* SPDX-License-Identifier: MIT */
#include "llc.h"

#include <stdlib.h>
#include <string.h>

#include "heam_sim.h"
#include "tables.h"

int32_t heam_llc_init(heam_llc *self, uint32_t sets, uint32_t ways) {
    size_t entries = (size_t)sets * ways;
    *self = (heam_llc){.sets = sets, .ways = ways};
    if (entries == 0) {
        return HEAM_OK;
    }
    self->lines = malloc(entries * sizeof(*self->lines));
    if (self->lines == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    memset(self->lines, 0xFF, entries * sizeof(*self->lines));
    return HEAM_OK;
}

void heam_llc_clear(heam_llc *self) {
    free(self->lines);
    self->lines = NULL;
}

static void to_front(uint64_t *set, uint32_t from, uint64_t line) {
    memmove(set + 1, set, from * sizeof(*set));
    set[0] = line;
}

bool heam_llc_touch(heam_llc *self, uint64_t line) {
    if (self->lines == NULL) {
        return false;
    }
    uint64_t *set = self->lines + line % self->sets * self->ways;
    for (uint32_t way = 0; way < self->ways; way++) {
        if (set[way] == line) {
            to_front(set, way, line);
            return true;
        }
    }
    return false;
}

void heam_llc_insert(heam_llc *self, uint64_t line) {
    if (self->lines != NULL) {
        to_front(self->lines + line % self->sets * self->ways, self->ways - 1, line);
    }
}
