/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "timing.h"

struct heam_device {
    heam_timing timing;
};

int32_t heam_device_create(const heam_spec *spec, heam_device **out) {
    if (spec == NULL || out == NULL) {
        return HEAM_BAD_ARGUMENT;
    }
    heam_device *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    int32_t status = heam_timing_init(&self->timing, spec);
    if (status != HEAM_OK) {
        free(self);
        return status;
    }
    *out = self;
    return HEAM_OK;
}

void heam_device_destroy(heam_device *self) {
    if (self != NULL) {
        heam_timing_clear(&self->timing);
        free(self);
    }
}

static bool addressable(const heam_device *self, uint32_t command, uint32_t bank) {
    return self != NULL && command < self->timing.spec->commands && bank < self->timing.spec->banks;
}

int32_t heam_device_earliest(const heam_device *self, uint32_t command, uint32_t bank, uint64_t *cycle, int32_t *row) {
    if (!addressable(self, command, bank) || cycle == NULL || row == NULL) {
        return HEAM_BAD_ARGUMENT;
    }
    *cycle = heam_timing_earliest_any(&self->timing, command, bank, row);
    return HEAM_OK;
}

static bool all_closed(const heam_timing *timing, heam_span span) {
    for (uint32_t i = 0; i < span.count; i++) {
        if (timing->open_row[span.first + i * span.step] != HEAM_CLOSED) {
            return false;
        }
    }
    return true;
}

static bool legal_state(const heam_timing *timing, uint32_t command, uint32_t bank, uint64_t dram_row) {
    uint32_t open = timing->open_row[bank];
    switch (timing->spec->kind[command]) {
        case HEAM_KIND_ACT:
            return open == HEAM_CLOSED;
        case HEAM_KIND_PRE:
            return open != HEAM_CLOSED;
        case HEAM_KIND_RD:
        case HEAM_KIND_WR:
        case HEAM_KIND_PIM_RD:
            return open != HEAM_CLOSED && open == dram_row;
        case HEAM_KIND_REF:
            return timing->rank_open[heam_rank_of(timing, bank)] == 0;
        case HEAM_KIND_REFPB:
        case HEAM_KIND_REFSB:
            return all_closed(timing, heam_timing_span(timing, command, bank));
        default:
            return true;
    }
}

int32_t heam_device_probe(const heam_device *self, uint32_t command, uint32_t bank, uint64_t dram_row, uint64_t cycle) {
    if (!addressable(self, command, bank) || dram_row >= self->timing.spec->dram_rows) {
        return HEAM_BAD_ARGUMENT;
    }
    int32_t row;
    if (!legal_state(&self->timing, command, bank, dram_row)) {
        return HEAM_BAD_STATE;
    }
    bool off_beat = heam_timing_align(self->timing.spec, command, cycle) != cycle;
    return off_beat || heam_timing_earliest_any(&self->timing, command, bank, &row) > cycle ? HEAM_TOO_EARLY : HEAM_OK;
}

int32_t heam_device_issue(heam_device *self, uint32_t command, uint32_t bank, uint64_t dram_row, uint64_t cycle) {
    int32_t status = heam_device_probe(self, command, bank, dram_row, cycle);
    if (status == HEAM_OK) {
        heam_timing_issue(&self->timing, command, bank, (uint32_t)dram_row, cycle, 0);
    }
    return status;
}
