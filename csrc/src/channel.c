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

#define MOST_ENERGY ((uint64_t)1 << 40)

/* Sums of so many commands as a run can have do not overflow. */
static bool valid_energy(const heam_channel_desc *desc) {
    for (uint32_t kind = 0; kind < HEAM_KINDS; kind++) {
        if (desc->energy[kind] > MOST_ENERGY) {
            return false;
        }
    }
    return true;
}

int32_t heam_channel_init(heam_channel *self, const heam_channel_desc *desc, const heam_spec *spec, uint16_t index, heam_ring *log) {
    if (!heam_spec_can_refresh(spec, desc)) {
        return HEAM_BAD_REFRESH;
    }
    if (!valid_energy(desc)) {
        return HEAM_BAD_CHANNEL;
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
    self->bounds = calloc(self->timing.spec->rows_count + HEAM_BOUND_CODES, sizeof(*self->bounds));
    self->bank_since = calloc(self->timing.spec->banks, sizeof(*self->bank_since));
    if (desc->energy_window > 0) {
        self->window_sums = calloc((size_t)self->timing.spec->nodes[1] + 1, sizeof(*self->window_sums));
    }
    self->bank_reads = calloc(self->timing.spec->banks, sizeof(*self->bank_reads));
    bool complete = self->bounds != NULL && self->bank_since != NULL && self->bank_reads != NULL && (self->window_sums != NULL) == (desc->energy_window > 0);
    return complete ? HEAM_OK : HEAM_OUT_OF_MEMORY;
}

void heam_channel_clear(heam_channel *self) {
    heam_timing_clear(&self->timing);
    heam_ring_clear(&self->orders);
    heam_ring_clear(&self->bursts);
    free(self->bounds);
    free(self->bank_since);
    free(self->bank_reads);
    free(self->window_sums);
    self->bounds = NULL;
    self->bank_since = NULL;
    self->bank_reads = NULL;
    self->window_sums = NULL;
}

#define READ_KINDS (1u << HEAM_KIND_RD | 1u << HEAM_KIND_PIM_RD)

/* How long rows are open, from the state before the command. */
static void note_open(heam_channel *self, uint32_t kind, uint64_t cycle, uint32_t bank) {
    const heam_timing *timing = &self->timing;
    if (kind == HEAM_KIND_ACT && timing->open_row[bank] == HEAM_CLOSED) {
        self->bank_since[bank] = cycle;
    } else if (kind != HEAM_KIND_ACT) {
        uint32_t stride = timing->spec->stride[1];
        uint32_t first = kind == HEAM_KIND_PRE ? bank : bank / stride * stride;
        uint32_t end = kind == HEAM_KIND_PRE ? bank + 1 : first + stride;
        for (uint32_t b = first; b < end; b++) {
            self->counters[HEAM_COUNT_bank_active] += timing->open_row[b] == HEAM_CLOSED ? 0 : cycle - self->bank_since[b];
        }
    }
}

/* The peaks with those of the present window. */
static uint64_t peak(const heam_channel *self) {
    return larger(self->counters[HEAM_COUNT_energy_peak], self->window_sums[0]);
}

static uint64_t rank_peak(const heam_channel *self) {
    uint64_t most = self->counters[HEAM_COUNT_energy_rank_peak];
    for (uint32_t rank = 0; rank < self->timing.spec->nodes[1]; rank++) {
        most = larger(most, self->window_sums[1 + rank]);
    }
    return most;
}

/* Goes on to the window of `cycle`. */
static void next_window(heam_channel *self, uint64_t cycle) {
    self->counters[HEAM_COUNT_energy_peak] = peak(self);
    self->counters[HEAM_COUNT_energy_rank_peak] = rank_peak(self);
    memset(self->window_sums, 0, ((size_t)self->timing.spec->nodes[1] + 1) * sizeof(*self->window_sums));
    uint64_t length = self->desc.energy_window;
    self->window_end = (cycle - 1) / length * length + length;
}

/* What comes from a merge node belongs to the channel, but to none of its ranks. */
static inline void spend(heam_channel *self, uint32_t kind, uint64_t cycle, const heam_log_record *record) {
    if (self->window_sums == NULL) {
        return;
    }
    if (cycle > self->window_end) {
        next_window(self, cycle);
    }
    uint64_t energy = self->desc.energy[kind];
    bool in_rank = (kind != HEAM_KIND_PIM_RDRES) | (record->unit != HEAM_NO_UNIT);
    self->counters[HEAM_COUNT_energy] += energy;
    self->window_sums[0] += energy;
    self->window_sums[1 + heam_rank_of(&self->timing, record->bank)] += in_rank ? energy : 0;
}

static void write_log(heam_channel *self, uint32_t command, uint64_t cycle, const heam_log_record *record) {
    if (!heam_ring_reserve(self->log)) {
        self->failed = true;
        return;
    }
    heam_log_record *at = heam_ring_push(self->log, record, sizeof(*record));
    at->clock = cycle;
    at->channel = self->index;
    at->command = (uint8_t)command;
}

static inline void note(heam_channel *self, uint32_t command, uint64_t cycle, const heam_log_record *record) {
    self->counters[HEAM_COUNT_cycles] = cycle;
    self->bounds[record->bound + (int32_t)HEAM_BOUND_CODES]++;
    if (self->log != NULL) {
        write_log(self, command, cycle, record);
    }
}

void heam_channel_issue(heam_channel *self, uint32_t kind, uint64_t cycle, const heam_log_record *record) {
    uint32_t command = self->timing.spec->of_kind[kind];
    if ((HEAM_ROW_KINDS >> kind & 1) != 0) {
        note_open(self, kind, cycle, record->bank);
    }
    spend(self, kind, cycle, record);
    if (self->ledger != NULL) {
        bool row = record->bound >= 0;
        uint32_t cause = row ? self->row_by : self->because;
        self->last = heam_channel_event(self, cycle, cause, row ? record->bound : self->reason);
    }
    heam_timing_issue(&self->timing, command, record->bank, record->row, cycle, self->last);
    self->counters[counter_of_kind[kind]]++;
    self->bank_reads[record->bank] += READ_KINDS >> kind & 1;
    note(self, command, cycle, record);
}

void heam_channel_note(heam_channel *self, uint32_t command, uint64_t cycle, const heam_log_record *record) {
    note(self, command, cycle, record);
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
    heam_burst *at = heam_ring_push(&self->bursts, burst, sizeof(*burst));
    at->by = self->last;
}

/* Cycles for which the rows that are open now have been open. */
static uint64_t still_open(const heam_channel *self, uint64_t cycle) {
    uint64_t sum = 0;
    for (uint32_t bank = 0; bank < self->timing.spec->banks; bank++) {
        bool counts = self->timing.open_row[bank] != HEAM_CLOSED && cycle > self->bank_since[bank];
        sum += counts ? cycle - self->bank_since[bank] : 0;
    }
    return sum;
}

uint32_t heam_channel_counters(const heam_channel *self, uint64_t cycle, uint64_t *out, uint32_t capacity) {
    for (uint32_t i = 0; i < HEAM_COUNTERS && i < capacity; i++) {
        out[i] = self->counters[i];
    }
    if (capacity > HEAM_COUNT_energy_peak && self->window_sums != NULL) {
        out[HEAM_COUNT_energy_peak] = peak(self);
    }
    if (capacity > HEAM_COUNT_energy_rank_peak && self->window_sums != NULL) {
        out[HEAM_COUNT_energy_rank_peak] = rank_peak(self);
    }
    if (capacity > HEAM_COUNT_rank_active) {
        out[HEAM_COUNT_rank_active] = heam_timing_active(&self->timing, cycle);
    }
    if (capacity > HEAM_COUNT_bank_active) {
        out[HEAM_COUNT_bank_active] += still_open(self, cycle);
    }
    return HEAM_COUNTERS;
}

uint32_t heam_channel_bounds(const heam_channel *self, uint64_t *out, uint32_t capacity) {
    uint32_t rows = self->timing.spec->rows_count;
    uint32_t length = rows + HEAM_BOUND_CODES;
    for (uint32_t i = 0; i < length && i < capacity; i++) {
        out[i] = self->bounds[i < rows ? HEAM_BOUND_CODES + i : HEAM_BOUND_CODES - 1 - (i - rows)];
    }
    return length;
}
