/* SPDX-License-Identifier: MIT */
/* Vectors that the host sends to the units of a PIM channel (docs/engine.md, P3a). */
#include "pim.h"

/* The channel's first cycle in which the host has the vector of an entry; HEAM_NEVER: not known yet. */
static uint64_t there_from(const heam_pim *self, const entry *e) {
    const heam_immediate *from = &self->immediates->items[e->what.immediate - 1];
    uint32_t period = self->base.desc.period;
    if (from->missing > 0) {
        return HEAM_NEVER;
    }
    return larger(e->available, from->ready / period + (from->ready % period != 0));
}

/* A burst waited for its instruction, for its vector, or for the path. */
static void say_why(heam_pim *self, const entry *e, uint64_t cycle, bool fresh) {
    if (fresh && e->available == cycle) {
        heam_channel_because(&self->base, e->by, HEAM_REASON(PATH));
    } else if (fresh) {
        heam_channel_because(&self->base, self->immediates->items[e->what.immediate - 1].by, HEAM_REASON(ISSUE));
    } else {
        heam_channel_because(&self->base, self->path_by, HEAM_REASON(PATH));
    }
}

static void send(heam_pim *self, uint32_t at, uint64_t cycle, int16_t bound) {
    uint32_t index = self->waiting_immediates[at];
    const entry *e = &self->pool[index];
    const heam_channel_desc *desc = &self->base.desc;
    uint64_t arrival = cycle + desc->imm_latency + self->base.timing.spec->burst_cycles;
    heam_log_record record = {.bank = (uint16_t)(e->what.unit * self->unit_stride),
                              .column = (uint16_t)(first_burst(e->what.adds) + e->issued), .tag = e->what.tag, .slot = e->what.slot,
                              .unit = e->what.unit, .bound = bound, .role = e->what.role};
    say_why(self, e, cycle, bound == HEAM_BOUND_ARRIVAL);
    issue(self, HEAM_KIND_PIM_WRIMM, cycle, &record);
    take_path(self, cycle);
    if (desc->path_uses_dq) {
        heam_pim_take_pins(self, &self->pins, arrival);
    }
    if (e->issued + 1u == e->what.bursts) {
        heam_immediates_release(self->immediates, e->what.immediate - 1);
        self->immediates_size--;
        memmove(self->waiting_immediates + at, self->waiting_immediates + at + 1,
                (self->immediates_size - at) * sizeof(*self->waiting_immediates));
    }
    heam_pim_burst_came(self, index, arrival, cycle);
}

void heam_pim_send_immediates(heam_pim *self, uint64_t cycle) {
    if (self->immediates_size == 0 || !path_is_free(self, cycle)) {
        return;
    }
    for (uint32_t i = 0; i < self->immediates_size; i++) {
        const entry *e = &self->pool[self->waiting_immediates[i]];
        uint64_t there = there_from(self, e);
        if (there > cycle) {
            later(self, there);
            continue;
        }
        int32_t row;
        uint64_t due = earliest(self, HEAM_KIND_PIM_WRIMM, e->what.unit * self->unit_stride, cycle, &row);
        if (due > cycle) {
            later(self, due);
            continue;
        }
        send(self, i, cycle, bound_of(due, row, cycle, there == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_PATH));
        later(self, self->immediates_size > 0 ? cycle + 1 : HEAM_NEVER);
        return;
    }
}
