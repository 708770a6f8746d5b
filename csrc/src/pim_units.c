/* SPDX-License-Identifier: MIT */
/* The local controllers of a PIM channel and the arithmetic of its units (docs/engine.md, P7). */
#include "pim.h"

/* The vector of a LOAD, or the product of a MUL, is or will be in the register. */
static void fill_register(heam_pim *self, uint32_t index) {
    const entry *e = &self->pool[index];
    if (e->partner != NOBODY) {
        self->pool[e->partner].loaded = 1;
        self->pool[e->partner].before = NOBODY;
        self->pool[e->partner].reg = e->result;
        self->pool[e->partner].reg_by = e->result_by;
        entry *next = &self->pool[e->partner];
        self->ready[e->partner] = next->source == FROM_LEADER || next->source == FROM_HOST ? HEAM_NEVER : next->available;
    } else {
        self->unit[e->what.unit].load = NOBODY;
        self->unit[e->what.unit].reg = e->result;
        self->unit[e->what.unit].reg_by = e->result_by;
    }
}

static heam_log_record record_of(const entry *e, uint32_t column, int16_t bound) {
    return (heam_log_record){.row = e->what.row, .tag = e->what.tag, .slot = e->what.slot, .bank = e->what.bank, .column = (uint16_t)column,
                             .unit = e->what.unit, .bound = bound, .role = e->what.role};
}

/* Something started waits for what this entry waits for, from now on. */
static void await_older(heam_pim *self, uint32_t index) {
    for (uint32_t link = index; link != NOBODY; link = self->pool[link].before) {
        entry *e = &self->pool[link];
        if (link != index && e->awaited) {
            return;
        }
        e->awaited = e->awaited || link != index;
        if (e->leader != NOBODY && !self->pool[e->leader].awaited) {
            self->pool[e->leader].awaited = 1;
            await_older(self, e->leader);
        }
    }
}

/* What the ALU's next work starts with: what has come last of the ALU, the row (by `row_by`) and the register. */
static uint32_t note_work(heam_pim *self, const entry *e, uint64_t start, uint64_t arrival, uint64_t end, uint32_t row_by) {
    unit *pe = &self->unit[e->what.unit];
    if (start == arrival) {
        bool port = e->source == FROM_PORT;
        return heam_channel_event(&self->base, end, row_by, port ? HEAM_REASON(LUT) : HEAM_REASON(LATENCY));
    }
    bool busy = start == pe->alu_free;
    return heam_channel_event(&self->base, end, busy ? pe->alu_by : e->reg_by, busy ? HEAM_REASON(ALU) : HEAM_REASON(LATENCY));
}

/* `bursts` bursts of an operand, read by the command `row_by`, are there at `arrival`: into the register, or through the ALU. */
static void use_bursts(heam_pim *self, uint32_t index, uint64_t arrival, uint32_t bursts, uint32_t row_by) {
    entry *e = &self->pool[index];
    const heam_channel_desc *desc = &self->base.desc;
    if (e->what.role == HEAM_ROLE_FILL) {
        return;
    }
    if (e->what.role == HEAM_ROLE_LOAD) {
        e->result = arrival;
        e->result_by = row_by;
        return;
    }
    unit *pe = &self->unit[e->what.unit];
    uint64_t cycles = (uint64_t)bursts * (e->what.alu > 0 ? e->what.alu : desc->alu_cycles);
    uint64_t start = larger(pe->alu_free, combines(e) ? larger(arrival, e->reg) : arrival);
    pe->alu_by = note_work(self, e, start, arrival, start + cycles, row_by);
    pe->alu_free = start + cycles;
    self->base.counters[HEAM_COUNT_alu_busy] += cycles;
    if (e->what.role == HEAM_ROLE_MUL) {
        e->result = pe->alu_free + desc->alu_latency;
        e->result_by = pe->alu_by;
    } else {
        partial *sum = partial_of(self, e->what.unit, e->tag);
        sum->ready = larger(sum->ready, pe->alu_free + desc->alu_latency);
        sum->by = pe->alu_by;
    }
}

/* Out of the queue: the row is there, and the next link's register with it. */
static void leave(heam_pim *self, uint32_t position, uint64_t cycle) {
    uint32_t index = self->order[position];
    self->order_size--;
    for (; position < self->order_size; position++) { /* few or none: no call */
        self->order[position] = self->order[position + 1];
    }
    self->vacant[self->vacant_size++] = (uint16_t)index;
    const entry *e = &self->pool[index];
    self->unit[e->what.unit].queued--;
    self->unit[e->what.unit].left = cycle;
    self->unit[e->what.unit].left_by = self->base.last;
    if (self->full_unit == e->what.unit) {
        self->due[STEP_DELIVER] = 0;
    }
    if (feeds_register(e)) {
        fill_register(self, index);
    }
    if (e->fills) {
        heam_pim_fill_lines(self, index);
    }
    if (e->what.role != HEAM_ROLE_FILL) {
        heam_pim_finish_operand(self, e->what.unit, e->tag);
    }
}

static bool may_work(const entry *e) {
    return !combines(e) || e->loaded;
}

/* A follower, and whatever waits for it in its chain, takes its row if it has come and its register is loaded. */
static void take_rows(heam_pim *self, uint32_t index, uint64_t cycle) {
    while (index != NOBODY && self->pool[index].arrival > 0 && may_work(&self->pool[index])) {
        entry *e = &self->pool[index];
        uint32_t next = e->partner;
        uint32_t position = 0;
        while (self->order[position] != index) {
            position++;
        }
        heam_log_record record = record_of(e, e->what.column, HEAM_BOUND_NONE);
        heam_channel_note(&self->base, HEAM_LOG_MERGED, cycle, &record);
        use_bursts(self, index, e->arrival, e->what.bursts, e->row_by);
        e->arrival = 0; /* once only: it may follow the link before it */
        leave(self, position, cycle);
        index = next;
    }
}

/* An entry whose last burst is there at `arrival` leaves, and with it everything that has waited for that alone. */
static void leave_with_followers(heam_pim *self, uint32_t position, uint64_t arrival, uint64_t cycle) {
    uint32_t index = self->order[position];
    uint32_t next = self->pool[index].partner;
    uint32_t follower = self->pool[index].source == FROM_BANK ? self->pool[index].follower : NOBODY;
    leave(self, position, cycle);
    while (follower != NOBODY) {
        uint32_t after = self->pool[follower].follower;
        self->pool[follower].leader = NOBODY;
        self->pool[follower].arrival = arrival;
        self->pool[follower].row_by = self->base.last;
        take_rows(self, follower, cycle);
        follower = after;
    }
    take_rows(self, next, cycle);
}

/* An entry's next command waited for its delivery, or for the last command of its unit. */
static void wait_for(heam_pim *self, const entry *e, bool arrived, int16_t reason) {
    bool delivery = arrived || self->unit[e->what.unit].last_by == HEAM_NOTHING;
    heam_channel_because(&self->base, delivery ? e->by : self->unit[e->what.unit].last_by, delivery ? HEAM_REASON(PATH) : reason);
}

/* Cycles that so many bursts take through a PE's LUT port. */
static uint64_t port_cycles(const heam_pim *self, uint32_t bursts) {
    uint64_t bytes = (uint64_t)bursts * self->base.timing.spec->burst_bytes;
    uint64_t width = self->base.desc.port_bytes_per_cycle;
    return bytes / width + (bytes % width != 0);
}

/* True if the entry left the queue. */
static bool serve_port(heam_pim *self, uint32_t position, uint64_t cycle) {
    uint32_t index = self->order[position];
    entry *e = &self->pool[index];
    unit *pe = &self->unit[e->what.unit];
    if (pe->lut_free > cycle || !may_work(e)) {
        self->ready[index] = may_work(e) ? pe->lut_free : HEAM_NEVER;
        return false;
    }
    if (self->base.desc.host_driven && slot_taken(self, 0, true, cycle)) {
        self->ready[index] = cycle + 1;
        return false;
    }
    int16_t bound = e->available == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_LUT;
    bool lut = e->what.kind == HEAM_ITEM_PIM_LUT;
    heam_log_record record = record_of(e, lut ? 0 : e->what.column, bound);
    wait_for(self, e, bound == HEAM_BOUND_ARRIVAL, pe->lut_free == cycle ? HEAM_REASON(LUT) : HEAM_REASON(ORDER));
    if (lut) {
        issue(self, HEAM_KIND_PIM_LUT, cycle, &record);
    } else {
        heam_channel_note(&self->base, HEAM_LOG_PE_HIT, cycle, &record);
        self->base.counters[HEAM_COUNT_pe_read] += e->what.bursts;
        self->base.last = heam_channel_event(&self->base, cycle, self->base.because, self->base.reason);
    }
    if (self->base.desc.host_driven) {
        take_path(self, cycle);
    }
    uint64_t cycles = port_cycles(self, e->what.bursts);
    pe->lut_free = cycle + cycles;
    self->base.counters[HEAM_COUNT_lut_busy] += cycles;
    pe->last_by = self->base.last;
    use_bursts(self, index, pe->lut_free, e->what.bursts, self->base.last);
    leave_with_followers(self, position, pe->lut_free, cycle);
    return true;
}

/* While a rank owes a refresh only what has started goes on, and what something started waits for. */
static bool held_by_refresh(const heam_pim *self, const entry *e) {
    return self->owed[heam_rank_of(&self->base.timing, e->what.bank)] > 0 && !e->started && !e->awaited;
}

/* Does an older operand want the row that is open in this bank, and may go on? */
static bool wanted_by_older(const heam_pim *self, uint32_t position, uint32_t bank, uint32_t open) {
    for (uint32_t i = 0; i < position; i++) {
        const entry *older = &self->pool[self->order[i]];
        if (older->source == FROM_BANK && older->what.bank == bank && older->what.row == open && !held_by_refresh(self, older)) {
            return true;
        }
    }
    return false;
}

/* What a READ needs next; HEAM_NEVER as its time while something else must happen first. */
static uint32_t next_command(heam_pim *self, uint32_t position, uint64_t cycle, uint64_t *due, int32_t *row) {
    const entry *e = &self->pool[self->order[position]];
    uint32_t bank = e->what.bank;
    uint32_t open = self->base.timing.open_row[bank];
    uint32_t kind = open == HEAM_CLOSED ? HEAM_KIND_ACT : open == e->what.row ? HEAM_KIND_PIM_RD : HEAM_KIND_PRE;
    bool blocked = held_by_refresh(self, e);
    if (kind == HEAM_KIND_PIM_RD) {
        blocked = blocked || !may_work(e);
    } else if (kind == HEAM_KIND_PRE) {
        blocked = blocked || self->started_in_bank[bank] > 0 || wanted_by_older(self, position, bank, open);
    }
    *due = HEAM_NEVER;
    *row = HEAM_BOUND_NONE;
    if (!blocked) {
        *due = earliest(self, kind, e->what.bank, cycle, row);
    }
    return kind;
}

/* What the entries of a bank can do next has changed. */
static void wake_bank(heam_pim *self, uint32_t bank, uint64_t cycle) {
    for (uint32_t i = 0; i < self->order_size; i++) {
        const entry *e = &self->pool[self->order[i]];
        if (e->what.bank == bank && e->source == FROM_BANK) {
            uint64_t due;
            int32_t row;
            next_command(self, i, cycle, &due, &row);
            self->ready[self->order[i]] = larger(due, e->available);
        }
    }
}

static void start(heam_pim *self, uint32_t index) {
    entry *e = &self->pool[index];
    if (!e->started) {
        e->started = 1;
        await_older(self, index);
        if (self->owed_total > 0) {
            heam_pim_wake_all(self);
        }
        self->started_in_bank[e->what.bank]++;
        self->started_in_rank[heam_rank_of(&self->base.timing, e->what.bank)]++;
    }
}

/* A started operand of this bank has left the queue. */
static void stop(heam_pim *self, uint32_t bank, uint64_t cycle) {
    if (--self->started_in_rank[heam_rank_of(&self->base.timing, bank)] == 0 && self->owed_total > 0) {
        self->due[STEP_REFRESH] = 0;
    }
    if (--self->started_in_bank[bank] == 0) {
        wake_bank(self, bank, cycle);
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
    wait_for(self, e, bound == HEAM_BOUND_ARRIVAL, HEAM_REASON(ORDER));
    issue(self, HEAM_KIND_PIM_RD, cycle, &record);
    self->unit[e->what.unit].last_by = self->base.last;
    self->column_used[slots_of(self, e->what.unit)] = cycle;
    start(self, index);
    e->issued++;
    uint64_t arrival = cycle + self->base.timing.spec->read_latency;
    use_bursts(self, index, arrival, 1, self->base.last);
    if (e->issued < e->what.bursts) {
        int32_t row;
        self->ready[index] = larger(cycle + 1, earliest(self, HEAM_KIND_PIM_RD, e->what.bank, cycle + 1, &row));
        return false;
    }
    uint32_t bank = e->what.bank;
    leave_with_followers(self, position, arrival, cycle);
    stop(self, bank, cycle);
    return true;
}

static void row_command(heam_pim *self, uint32_t index, uint32_t kind, uint64_t cycle, int16_t bound) {
    entry *e = &self->pool[index];
    count_row(self, e);
    heam_log_record record = record_of(e, e->what.column, bound);
    wait_for(self, e, bound == HEAM_BOUND_ARRIVAL, HEAM_REASON(ORDER));
    issue(self, kind, cycle, &record);
    self->unit[e->what.unit].last_by = self->base.last;
    self->row_used[slots_of(self, e->what.unit)] = cycle;
    if (kind == HEAM_KIND_ACT) {
        start(self, index);
    }
    wake_bank(self, e->what.bank, cycle);
}

/* True if the entry left the queue. */
static bool serve_read(heam_pim *self, uint32_t position, uint64_t cycle) {
    uint32_t index = self->order[position];
    entry *e = &self->pool[index];
    uint64_t due;
    int32_t row;
    uint32_t kind = next_command(self, position, cycle, &due, &row);
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
    row_command(self, index, kind, cycle, bound);
    return false;
}

void heam_pim_burst_came(heam_pim *self, uint32_t index, uint64_t arrival, uint64_t cycle) {
    entry *e = &self->pool[index];
    use_bursts(self, index, arrival, 1, self->base.last);
    e->issued++;
    if (e->issued < e->what.bursts) {
        return;
    }
    uint32_t position = 0;
    while (self->order[position] != index) {
        position++;
    }
    leave_with_followers(self, position, arrival, cycle);
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
        if (e->source == FROM_LEADER || e->source == FROM_HOST) {
            self->ready[index] = HEAM_NEVER;
            position++;
            continue;
        }
        bool left = e->source == FROM_PORT ? serve_port(self, position, cycle) : serve_read(self, position, cycle);
        position += !left;
    }
    for (uint32_t i = 0; i < self->order_size; i++) {
        later(self, self->ready[self->order[i]]);
    }
}
