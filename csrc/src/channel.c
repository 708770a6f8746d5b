/* SPDX-License-Identifier: MIT */
#include "channel.h"

static const uint8_t counter_of_kind[HEAM_KINDS] = {
    [HEAM_KIND_ACT] = HEAM_COUNT_act,
    [HEAM_KIND_PRE] = HEAM_COUNT_pre,
    [HEAM_KIND_PREA] = HEAM_COUNT_prea,
    [HEAM_KIND_RD] = HEAM_COUNT_rd,
    [HEAM_KIND_WR] = HEAM_COUNT_wr,
    [HEAM_KIND_REF] = HEAM_COUNT_ref,
    [HEAM_KIND_PIM_RD] = HEAM_COUNT_pim_rd,
    [HEAM_KIND_PIM_MOV] = HEAM_COUNT_pim_mov,
    [HEAM_KIND_PIM_RDRES] = HEAM_COUNT_pim_rdres,
    [HEAM_KIND_PIM_WRLUT] = HEAM_COUNT_pim_wrlut,
    [HEAM_KIND_PIM_LUT] = HEAM_COUNT_pim_lut,
    [HEAM_KIND_OTHER] = HEAM_COUNT_cycles,
    [HEAM_KIND_REFPB] = HEAM_COUNT_ref_bank,
    [HEAM_KIND_REFSB] = HEAM_COUNT_ref_bank,
    [HEAM_KIND_PIM_WRIMM] = HEAM_COUNT_pim_wrimm,
};

#define BOUND_CODES 6u

int32_t heam_channel_init(heam_channel *self, const heam_channel_desc *desc, const heam_spec *spec, uint16_t index, heam_ring *log) {
    if (!heam_spec_can_refresh(spec, desc)) {
        return HEAM_BAD_REFRESH;
    }
    self->desc = *desc;
    self->index = index;
    self->log = log;
    self->orders.record = sizeof(heam_order);
    self->bursts.record = sizeof(heam_burst);
    int32_t status = heam_timing_init(&self->timing, spec);
    if (status != HEAM_OK) {
        return status;
    }
    self->bounds = calloc(self->timing.spec.rows_count + BOUND_CODES, sizeof(*self->bounds));
    return self->bounds == NULL ? HEAM_OUT_OF_MEMORY : HEAM_OK;
}

void heam_channel_clear(heam_channel *self) {
    heam_timing_clear(&self->timing);
    heam_ring_clear(&self->orders);
    heam_ring_clear(&self->bursts);
    free(self->bounds);
    self->bounds = NULL;
}

void heam_channel_issue(heam_channel *self, uint32_t kind, uint64_t cycle, const heam_log_record *record) {
    uint32_t command = self->timing.spec.of_kind[kind];
    heam_timing_issue(&self->timing, command, record->bank, record->row, cycle);
    self->counters[counter_of_kind[kind]]++;
    heam_channel_note(self, command, cycle, record);
}

void heam_channel_note(heam_channel *self, uint32_t command, uint64_t cycle, const heam_log_record *record) {
    uint32_t rows = self->timing.spec.rows_count;
    self->counters[HEAM_COUNT_cycles] = cycle;
    self->bounds[record->bound >= 0 ? (uint32_t)record->bound : rows + (uint32_t)(-1 - record->bound)]++;
    if (self->log == NULL) {
        return;
    }
    if (!heam_ring_reserve(self->log)) {
        self->failed = true;
        return;
    }
    heam_log_record *at = heam_ring_push(self->log, record);
    at->clock = cycle;
    at->channel = self->index;
    at->command = (uint8_t)command;
}

void heam_channel_count_row(heam_channel *self, uint32_t bank, uint32_t row) {
    uint32_t open = self->timing.open_row[bank];
    uint32_t counter = open == row ? HEAM_COUNT_row_hits : open == HEAM_CLOSED ? HEAM_COUNT_row_misses : HEAM_COUNT_row_conflicts;
    self->counters[counter]++;
}

void heam_channel_push_burst(heam_channel *self, const heam_burst *burst) {
    if (!heam_ring_reserve(&self->bursts)) {
        self->failed = true;
        return;
    }
    heam_ring_push(&self->bursts, burst);
}

uint32_t heam_channel_counters(const heam_channel *self, uint64_t cycle, uint64_t *out, uint32_t capacity) {
    for (uint32_t i = 0; i < HEAM_COUNTERS && i < capacity; i++) {
        out[i] = self->counters[i];
    }
    if (capacity > HEAM_COUNT_rank_active) {
        out[HEAM_COUNT_rank_active] = heam_timing_active(&self->timing, cycle);
    }
    return HEAM_COUNTERS;
}

uint32_t heam_channel_bounds(const heam_channel *self, uint64_t *out, uint32_t capacity) {
    uint32_t length = self->timing.spec.rows_count + BOUND_CODES;
    for (uint32_t i = 0; i < length && i < capacity; i++) {
        out[i] = self->bounds[i];
    }
    return length;
}
