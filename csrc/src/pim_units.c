/* SPDX-License-Identifier: MIT */
/* The local controllers of a PIM channel and the arithmetic of its units (docs/engine.md, P7). */
#include "pim.h"

/* The vector of a LOAD, or the product of a MUL, is in the register at `time`. */
static void fill_register(heam_pim *self, uint32_t index, uint64_t time) {
    const entry *e = &self->pool[index];
    if (e->partner != NOBODY) {
        self->pool[e->partner].loaded = 1;
        self->pool[e->partner].reg = time;
        self->ready[e->partner] = 0;
    } else {
        self->unit[e->what.unit].load = NOBODY;
        self->unit[e->what.unit].reg = time;
    }
}

/* `bursts` bursts of an operand are there at `arrival`: into the register, or through the ALU. */
static void use_bursts(heam_pim *self, uint32_t index, uint64_t arrival, uint32_t bursts) {
    entry *e = &self->pool[index];
    const heam_channel_desc *desc = &self->base.desc;
    if (e->what.role == HEAM_ROLE_LOAD) {
        e->result = arrival;
        return;
    }
    unit *pe = &self->unit[e->what.unit];
    uint64_t cycles = (uint64_t)bursts * (e->what.alu > 0 ? e->what.alu : desc->alu_cycles);
    uint64_t start = larger(pe->alu_free, combines(e) ? larger(arrival, e->reg) : arrival);
    pe->alu_free = start + cycles;
    self->base.counters[HEAM_COUNT_alu_busy] += cycles;
    if (e->what.role == HEAM_ROLE_MUL) {
        e->result = pe->alu_free + desc->alu_latency;
    } else {
        partial *sum = partial_of(self, e->what.unit, e->tag);
        sum->ready = larger(sum->ready, pe->alu_free + desc->alu_latency);
    }
}

static void leave(heam_pim *self, uint32_t position) {
    uint32_t index = self->order[position];
    self->order_size--;
    memmove(self->order + position, self->order + position + 1, (self->order_size - position) * sizeof(*self->order));
    self->vacant[self->vacant_size++] = (uint16_t)index;
    const entry *e = &self->pool[index];
    self->unit[e->what.unit].queued--;
    if (feeds_register(e)) {
        fill_register(self, index, e->result);
    }
    heam_pim_finish_operand(self, e->what.unit, e->tag);
}

static heam_log_record record_of(const entry *e, uint32_t column, int16_t bound) {
    return (heam_log_record){.row = e->what.row, .tag = e->what.tag, .slot = e->what.slot, .bank = e->what.bank, .column = (uint16_t)column,
                             .unit = e->what.unit, .bound = bound, .role = e->what.role};
}

/* Cycles that so many bursts take through a PE's LUT port. */
static uint64_t port_cycles(const heam_pim *self, uint32_t bursts) {
    uint64_t bytes = (uint64_t)bursts * self->base.timing.spec.burst_bytes;
    uint64_t width = self->base.desc.port_bytes_per_cycle;
    return bytes / width + (bytes % width != 0);
}

/* True if the entry left the queue. */
static bool serve_lut(heam_pim *self, uint32_t position, uint64_t cycle) {
    uint32_t index = self->order[position];
    entry *e = &self->pool[index];
    unit *pe = &self->unit[e->what.unit];
    if (pe->lut_free > cycle || (combines(e) && !e->loaded)) {
        self->ready[index] = combines(e) && !e->loaded ? HEAM_NEVER : pe->lut_free;
        return false;
    }
    if (self->base.desc.host_driven && slot_taken(self, 0, true, cycle)) {
        self->ready[index] = cycle + 1;
        return false;
    }
    int16_t bound = e->available == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_LUT;
    heam_log_record record = record_of(e, 0, bound);
    issue(self, HEAM_KIND_PIM_LUT, cycle, &record);
    if (self->base.desc.host_driven) {
        take_path(self, cycle);
    }
    uint64_t cycles = port_cycles(self, e->what.bursts);
    pe->lut_free = cycle + cycles;
    self->base.counters[HEAM_COUNT_lut_busy] += cycles;
    use_bursts(self, index, pe->lut_free, e->what.bursts);
    leave(self, position);
    return true;
}

static void start(heam_pim *self, entry *e) {
    if (!e->started) {
        e->started = 1;
        if (self->owed_total > 0) {
            heam_pim_wake_all(self);
        }
        self->started_in_bank[e->what.bank]++;
        self->started_in_rank[heam_rank_of(&self->base.timing, e->what.bank)]++;
    }
}

static void stop(heam_pim *self, const entry *e) {
    self->started_in_rank[heam_rank_of(&self->base.timing, e->what.bank)]--;
    if (--self->started_in_bank[e->what.bank] == 0) {
        heam_pim_wake_bank(self, e->what.bank);
    }
}

static void count_row(heam_pim *self, entry *e) {
    if (!e->counted) {
        e->counted = 1;
        heam_channel_count_row(&self->base, e->what.bank, e->what.row);
    }
}

static bool read_burst(heam_pim *self, uint32_t position, uint64_t cycle, int16_t bound) {
    uint32_t index = self->order[position];
    entry *e = &self->pool[index];
    count_row(self, e);
    heam_log_record record = record_of(e, (uint32_t)e->what.column + e->issued, bound);
    issue(self, HEAM_KIND_PIM_RD, cycle, &record);
    self->column_used[slots_of(self, e->what.unit)] = cycle;
    start(self, e);
    e->issued++;
    use_bursts(self, index, cycle + self->base.timing.spec.read_latency, 1);
    if (e->issued < e->what.bursts) {
        self->ready[index] = cycle + 1;
        return false;
    }
    stop(self, e);
    leave(self, position);
    return true;
}

static void row_command(heam_pim *self, entry *e, uint32_t kind, uint64_t cycle, int16_t bound) {
    count_row(self, e);
    heam_log_record record = record_of(e, e->what.column, bound);
    issue(self, kind, cycle, &record);
    self->row_used[slots_of(self, e->what.unit)] = cycle;
    if (kind == HEAM_KIND_ACT) {
        start(self, e);
    }
    heam_pim_wake_bank(self, e->what.bank);
}

/* While a rank owes a refresh only what has started goes on, and what a started link of the same chain waits for. */
static bool held_by_refresh(const heam_pim *self, const entry *e) {
    if (self->owed[heam_rank_of(&self->base.timing, e->what.bank)] == 0 || e->started) {
        return false;
    }
    for (uint32_t link = e->partner; link != NOBODY; link = self->pool[link].partner) {
        if (self->pool[link].started) {
            return false;
        }
    }
    return true;
}

/* Does an older operand want the row that is open in this bank, and may go on? */
static bool wanted_by_older(const heam_pim *self, uint32_t position, uint32_t bank, uint32_t open) {
    for (uint32_t i = 0; i < position; i++) {
        const entry *older = &self->pool[self->order[i]];
        if (older->what.kind == HEAM_ITEM_PIM_READ && older->what.bank == bank && older->what.row == open && !held_by_refresh(self, older)) {
            return true;
        }
    }
    return false;
}

/* What a READ needs next; HEAM_NEVER as its time while something else must happen first. */
static uint32_t next_command(const heam_pim *self, uint32_t position, uint64_t *due, int32_t *row) {
    const entry *e = &self->pool[self->order[position]];
    uint32_t bank = e->what.bank;
    uint32_t open = self->base.timing.open_row[bank];
    uint32_t kind = open == HEAM_CLOSED ? HEAM_KIND_ACT : open == e->what.row ? HEAM_KIND_PIM_RD : HEAM_KIND_PRE;
    bool blocked = held_by_refresh(self, e);
    if (kind == HEAM_KIND_PIM_RD) {
        blocked = blocked || (combines(e) && !e->loaded);
    } else if (kind == HEAM_KIND_PRE) {
        blocked = blocked || self->started_in_bank[bank] > 0 || wanted_by_older(self, position, bank, open);
    }
    *due = HEAM_NEVER;
    *row = HEAM_BOUND_NONE;
    if (!blocked) {
        *due = earliest(self, kind, e->what.bank, row);
    }
    return kind;
}

/* True if the entry left the queue. */
static bool serve_read(heam_pim *self, uint32_t position, uint64_t cycle) {
    uint32_t index = self->order[position];
    entry *e = &self->pool[index];
    uint64_t due;
    int32_t row;
    uint32_t kind = next_command(self, position, &due, &row);
    if (due > cycle) {
        self->ready[index] = due;
        return false;
    }
    if (slot_taken(self, e->what.unit, kind == HEAM_KIND_PIM_RD, cycle)) {
        self->ready[index] = cycle + 1;
        return false;
    }
    int16_t otherwise = e->available == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_SLOT;
    int16_t bound = bound_of(due, row, cycle, otherwise);
    if (kind == HEAM_KIND_PIM_RD) {
        return read_burst(self, position, cycle, bound);
    }
    row_command(self, e, kind, cycle, bound);
    return false;
}

void heam_pim_walk(heam_pim *self, uint64_t cycle) {
    uint32_t position = 0;
    while (position < self->order_size) {
        uint32_t index = self->order[position];
        if (self->ready[index] > cycle) {
            position++;
            continue;
        }
        const entry *e = &self->pool[index];
        if (e->available > cycle) {
            self->ready[index] = e->available;
            position++;
            continue;
        }
        bool left = e->what.kind == HEAM_ITEM_PIM_LUT ? serve_lut(self, position, cycle) : serve_read(self, position, cycle);
        position += !left;
    }
}
