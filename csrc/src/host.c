/* SPDX-License-Identifier: MIT */
/* The finite host (docs/engine.md, "The host"). */
#include "bits.h"
#include "system.h"

static uint32_t host_event(heam_system *self, uint64_t cycle, uint32_t cause, int16_t reason) {
    return heam_ledger_note(&self->ledger, cycle * self->desc.period, cause, reason, self->channels);
}

/* The GnR's sum is complete at host cycle `cycle`. */
static void finish_at(heam_system *self, uint32_t slot, uint64_t cycle, uint32_t cause, int16_t reason) {
    finish item = {.cycle = cycle, .slot = slot, .by = host_event(self, cycle, cause, reason)};
    if (!heam_ring_reserve(&self->finishes)) {
        self->failed = true;
        return;
    }
    heam_ring_push(&self->finishes, &item, sizeof(item));
    /* Empty bags finish at once and may overtake sums that wait for the adder. */
    for (size_t at = self->finishes.size - 1; at > 0; at--) {
        finish *before = heam_ring_at(&self->finishes, at - 1);
        finish *here = heam_ring_at(&self->finishes, at);
        if (before->cycle <= here->cycle) {
            break;
        }
        finish swap = *before;
        *before = *here;
        *here = swap;
    }
}

/* The host adds bytes that came with the event `by`. */
static void add_bytes(heam_system *self, uint64_t host_cycle, uint64_t bytes, uint32_t by) {
    uint64_t now = host_cycle * self->desc.add_bytes_per_cycle;
    self->adder_by = self->adder > now ? self->adder_by : by;
    self->adder = (self->adder > now ? self->adder : now) + bytes;
    self->counters[HEAM_HOST_added_bytes] += bytes;
}

/* After the event `by`. Not before now: a GnR of nothing but FILLs adds nothing. */
static void finish_if_complete(heam_system *self, uint32_t slot, uint64_t host_cycle, uint32_t by) {
    if (self->flights[slot].waiting == 0 && self->flights[slot].issued) {
        uint64_t added = ceil_div(self->adder, self->desc.add_bytes_per_cycle);
        bool waits = added > host_cycle;
        finish_at(self, slot, waits ? added : host_cycle, waits ? self->adder_by : by, HEAM_REASON(ADDER));
    }
}

/* The channel's first cycle that is not before a tick. */
static uint64_t cycle_at(const heam_system *self, uint32_t c, uint64_t tick) {
    uint64_t cycle = ceil_div(tick, self->members[c].base->desc.period);
    return cycle == 0 ? 1 : cycle;
}

/* Data of an immediate are at the host after the event `by`, or will be when they have passed its adder. */
static void immediate_comes(heam_system *self, uint32_t slot, bool added, uint64_t host_cycle, uint32_t by) {
    heam_immediate *it = &self->immediates.items[slot];
    uint64_t cycle = added ? ceil_div(self->adder, self->desc.add_bytes_per_cycle) : host_cycle;
    uint64_t ready = cycle * self->desc.period;
    if (ready >= it->ready) {
        it->ready = ready;
        it->by = added && cycle > host_cycle ? host_event(self, cycle, self->adder_by, HEAM_REASON(ADDER)) : by;
    }
    if (it->missing == 0 && it->channel != NOBODY) {
        uint64_t there = cycle_at(self, it->channel, it->ready);
        heam_pim_immediate_there(self->members[it->channel].pim, there);
        wake_channel(self, it->channel, there);
    }
}

/* A burst of a host read has come. */
static void read_comes(heam_system *self, heam_channel *base, const heam_burst *burst, uint64_t host_cycle) {
    self->outstanding--;
    base->counters[HEAM_COUNT_read_latency] += burst->cycle - burst->arrival;
    base->counters[HEAM_COUNT_reads_completed]++;
    if (!burst->unadded) {
        add_bytes(self, host_cycle, base->timing.spec->burst_bytes, self->collected_by);
    }
    if (burst->immediate > 0) {
        self->immediates.items[burst->immediate - 1].missing--;
        immediate_comes(self, burst->immediate - 1, !burst->unadded, host_cycle, self->collected_by);
    }
}

static void collect(heam_system *self, uint64_t host_cycle) {
    uint64_t tick = host_cycle * self->desc.period;
    if (self->next_burst > tick) {
        return;
    }
    uint64_t next = HEAM_NEVER;
    for (uint32_t c = 0; c < self->channels; c++) {
        while (self->burst_tick[c] <= tick) {
            heam_channel *base = self->members[c].base;
            const heam_burst *burst = heam_ring_at(&base->bursts, 0);
            self->collected_by = heam_ledger_note(&self->ledger, tick, burst->by, HEAM_REASON(LATENCY), c);
            if (self->members[c].plain != NULL) {
                read_comes(self, base, burst, host_cycle);
            } else {
                self->counters[HEAM_HOST_result_bursts]++;
                add_bytes(self, host_cycle, base->timing.spec->burst_bytes, self->collected_by);
            }
            uint32_t slot = burst->gnr_slot;
            self->flights[slot].waiting--;
            heam_ring_pop(&base->bursts);
            heam_note_burst(self, c);
            finish_if_complete(self, slot, host_cycle, self->collected_by);
        }
        next = self->burst_tick[c] < next ? self->burst_tick[c] : next;
    }
    self->next_burst = next;
}

static void retire(heam_system *self, uint64_t host_cycle) {
    while (self->finishes.size > 0) {
        const finish *item = heam_ring_at(&self->finishes, 0);
        if (item->cycle > host_cycle) {
            break;
        }
        const flight *f = &self->flights[item->slot];
        heam_latency_record record = {.gnr = f->gnr, .arrival = f->arrival, .finish = item->cycle * self->desc.period};
        if (!heam_ring_reserve(&self->latencies)) {
            self->failed = true;
            return;
        }
        heam_ring_push(&self->latencies, &record, sizeof(record));
        self->counters[HEAM_HOST_gnrs]++;
        self->counters[HEAM_HOST_latency_ticks] += record.finish - record.arrival;
        self->time = record.finish > self->time ? record.finish : self->time;
        self->finished++;
        self->vacant[self->vacant_size++] = item->slot;
        self->retired_by = item->by;
        heam_ring_pop(&self->finishes);
    }
    if (self->time - self->ledger.charged_to >= self->ledger.window && self->ledger.window > 0) {
        heam_ledger_walk(&self->ledger, self->retired_by, self->time);
    }
}

/* Has the next GnR arrived? Without arrivals all have. */
static bool has_arrived(const heam_system *self, uint64_t host_cycle) {
    return !self->work.timed || self->work.arrivals[self->position] <= host_cycle * self->desc.period;
}

static bool may_admit(const heam_system *self) {
    if (self->vacant_size == 0) {
        return false;
    }
    uint64_t batch = self->desc.batch;
    return batch == 0 || self->admitted / batch * batch <= self->finished;
}

/* Is this the first item seen of the GnR there? Then nothing of its result is known yet. */
static bool first_sight(gathering *self, uint64_t stamp) {
    if (self->stamp == stamp) {
        return false;
    }
    *self = (gathering){.stamp = stamp};
    return true;
}

/* Marks the last items per unit and channel, and counts the result bursts to come. */
static uint64_t mark_last(heam_system *self, uint64_t first, uint64_t end) {
    uint64_t stamp = self->admitted + 1;
    uint64_t results = 0;
    for (uint64_t i = end; i-- > first;) {
        heam_order *order = &self->work.orders[i];
        if (order->kind == HEAM_ITEM_HOST_READ || order->role == HEAM_ROLE_FILL) {
            continue;
        }
        uint32_t c = self->work.channels[i];
        const heam_channel_desc *desc = &self->members[c].base->desc;
        gathering *of_unit = &self->of_unit[self->unit_base[c] + order->unit];
        gathering *of_channel = &self->of_channel[c];
        order->last_of_unit = first_sight(of_unit, stamp);
        order->last_of_channel = first_sight(of_channel, stamp);
        gathering *result = desc->merge ? of_channel : of_unit;
        if (desc->stack > 0) {
            gathering *of_stack = &self->of_stack[desc->stack - 1];
            first_sight(of_stack, stamp);
            of_stack->parts += desc->merge ? order->last_of_channel : order->last_of_unit;
            result = of_stack;
        }
        results += heam_ones(order->adds & ~result->bursts);
        result->bursts |= order->adds;
    }
    return results;
}

/* Notes that something is issued in this cycle, and what that has waited for. */
static void note_issue(heam_system *self, uint64_t host_cycle) {
    if (self->issued_at == host_cycle) {
        return;
    }
    uint32_t cause = self->issued_by;
    int16_t reason = HEAM_REASON(ISSUE);
    if (self->waits == WAIT_ARRIVAL) {
        /* What the host had to do last; before the first GnR there is nothing. */
        bool idle = self->issued_at == HEAM_NEVER || self->time >= self->issued_at * self->desc.period;
        cause = idle ? self->retired_by : self->issued_by;
        reason = HEAM_REASON(ARRIVAL);
    } else if (self->waits == WAIT_WINDOW) {
        cause = self->retired_by;
        reason = HEAM_REASON(WINDOW);
    } else if (self->waits == WAIT_BUFFER) {
        cause = heam_pim_delivered_by(self->members[self->buffer_of].pim);
        reason = HEAM_REASON(PATH);
    } else if (self->waits == WAIT_STACK) {
        cause = heam_stack_freed_by(self->stack_waited);
        reason = HEAM_REASON(SUMS);
    } else if (self->waits == WAIT_OUTSTANDING) {
        cause = self->collected_by;
        reason = HEAM_REASON(LATENCY);
    }
    self->issued_at = host_cycle;
    self->issued_by = host_event(self, host_cycle, cause, reason);
    self->waits = WAIT_TOKENS;
}

static void admit(heam_system *self, uint64_t host_cycle) {
    note_issue(self, host_cycle);
    uint32_t slot = self->vacant[--self->vacant_size];
    uint64_t first = self->work.offsets[self->position];
    uint64_t end = self->work.offsets[self->position + 1];
    flight *f = &self->flights[slot];
    *f = (flight){.gnr = self->admitted, .arrival = self->work.timed ? self->work.arrivals[self->position] : host_cycle * self->desc.period};
    f->waiting = mark_last(self, first, end);
    self->admitted++;
    self->item = first;
    self->line = 0;
    if (first == end) {
        f->issued = true;
        self->position++;
        finish_at(self, slot, host_cycle, self->issued_by, HEAM_REASON(ISSUE));
    } else {
        self->issuing = slot;
    }
}

/* Hands an order of the GnR that is being issued to a channel, which may look at it from its first cycle that is not before this one.
   NULL: memory is exhausted. */
static heam_order *push(heam_system *self, uint32_t c, const heam_order *order, uint64_t host_cycle) {
    member *m = &self->members[c];
    uint64_t cycle = cycle_at(self, c, host_cycle * self->desc.period);
    if (!heam_ring_reserve(&m->base->orders)) {
        self->failed = true;
        return NULL;
    }
    heam_order *at = heam_ring_push(&m->base->orders, order, sizeof(*order));
    at->pushed = cycle;
    at->by = self->issued_by;
    at->tag = (uint32_t)self->flights[self->issuing].gnr;
    at->gnr_slot = self->issuing;
    wake_channel(self, c, cycle);
    return at;
}

static void log_hit(heam_system *self, const heam_order *order, uint32_t c, uint32_t first, uint32_t bursts, uint64_t host_cycle) {
    for (uint32_t b = 0; self->with_log && b < bursts; b++) {
        heam_log_record record = {.clock = host_cycle, .row = order->row, .tag = (uint32_t)self->flights[self->issuing].gnr, .slot = order->slot,
                                  .channel = (uint16_t)c, .bank = order->bank, .column = (uint16_t)(order->column + first + b), .unit = HEAM_NO_UNIT,
                                  .bound = HEAM_BOUND_NONE, .command = HEAM_LOG_LLC_HIT, .role = order->role};
        if (!heam_ring_reserve(&self->log)) {
            self->failed = true;
            return;
        }
        heam_ring_push(&self->log, &record, sizeof(record));
    }
}

/* The immediate (number + 1) that a host read is for; 0: none. */
static uint32_t made_of(heam_system *self, const heam_order *order) {
    if (order->immediate == 0) {
        return 0;
    }
    if (self->making == NOBODY) {
        self->making = heam_immediates_take(&self->immediates);
        self->failed = self->failed || self->making == NOBODY;
    }
    return self->making + 1; /* NOBODY + 1 is none */
}

/* One line of a host read; false: it has to wait. */
static bool issue_line(heam_system *self, const heam_order *order, uint32_t c, uint64_t host_cycle) {
    uint32_t per_line = self->desc.line_bytes / self->members[c].base->timing.spec->burst_bytes;
    uint64_t line = self->work.lines[self->item] + self->line;
    flight *f = &self->flights[self->issuing];
    uint32_t first = self->line * per_line;
    uint32_t immediate = made_of(self, order);
    bool unadded = (order->flags & HEAM_FLAG_UNADDED) != 0;
    if (heam_llc_touch(&self->llc, line)) {
        note_issue(self, host_cycle);
        self->counters[HEAM_HOST_llc_hits]++;
        if (!unadded) {
            add_bytes(self, host_cycle, self->desc.line_bytes, self->issued_by);
        }
        if (immediate > 0) {
            immediate_comes(self, immediate - 1, !unadded, host_cycle, self->issued_by);
        }
        log_hit(self, order, c, first, per_line, host_cycle);
    } else {
        if (self->outstanding + per_line > self->desc.outstanding) {
            self->counters[HEAM_HOST_stalled_outstanding]++;
            self->waits = WAIT_OUTSTANDING;
            return false;
        }
        note_issue(self, host_cycle);
        heam_llc_insert(&self->llc, line);
        self->outstanding += per_line;
        if (self->outstanding > self->counters[HEAM_HOST_outstanding_peak]) {
            self->counters[HEAM_HOST_outstanding_peak] = self->outstanding;
        }
        f->waiting += per_line;
        if (immediate > 0) {
            self->immediates.items[immediate - 1].missing += per_line;
        }
        self->counters[HEAM_HOST_bursts_read] += per_line;
        for (uint32_t b = 0; b < per_line; b++) {
            heam_order *burst = push(self, c, order, host_cycle);
            if (burst != NULL) {
                burst->column = (uint16_t)(order->column + first + b);
                burst->bursts = 1;
                burst->immediate = immediate;
            }
        }
    }
    self->counters[HEAM_HOST_lines]++;
    self->line++;
    return true;
}

static void push_item(heam_system *self, const heam_order *order, uint32_t c, uint64_t host_cycle) {
    heam_order *at = push(self, c, order, host_cycle);
    if (at != NULL && order->immediate > 0) {
        at->immediate = self->making + 1;
        self->immediates.items[self->making].channel = c;
        self->making = NOBODY;
    }
}

/* The GnR that is being issued takes an accumulator of a stack node, if it needs one. */
static bool admit_to_stack(heam_system *self, uint32_t number) {
    const gathering *coming = &self->of_stack[number];
    uint64_t gnr = self->flights[self->issuing].gnr;
    bool uses = coming->stamp == gnr + 1;
    return heam_stack_admit(self->stacks[number], gnr, self->issuing, uses ? coming->parts : 0, coming->bursts);
}

static bool issue_instruction(heam_system *self, const heam_order *order, uint32_t c, uint64_t host_cycle) {
    heam_channel *base = self->members[c].base;
    if (base->instructions >= base->desc.instruction_buffer && !self->lockstep) {
        heam_system_catch_up(self, c, host_cycle * self->desc.period);
    }
    if (base->instructions >= base->desc.instruction_buffer) {
        self->counters[HEAM_HOST_stalled_instructions]++;
        self->blocked_on = c;
        self->waits = WAIT_BUFFER;
        self->buffer_of = c;
        return false;
    }
    if (base->desc.stack > 0 && !admit_to_stack(self, base->desc.stack - 1)) {
        self->counters[HEAM_HOST_stalled_instructions]++;
        self->blocked_on_stack = self->stack_waited = self->stacks[base->desc.stack - 1];
        self->waits = WAIT_STACK;
        return false;
    }
    note_issue(self, host_cycle);
    base->instructions++;
    push_item(self, order, c, host_cycle);
    return true;
}

static void item_done(heam_system *self, uint64_t host_cycle) {
    self->counters[HEAM_HOST_items]++;
    self->item++;
    self->line = 0;
    if (self->item == self->work.offsets[self->position + 1]) {
        uint32_t slot = self->issuing;
        self->position++;
        self->issuing = NOBODY;
        self->flights[slot].issued = true;
        finish_if_complete(self, slot, host_cycle, self->issued_by);
    }
}

/* One token's worth of the GnR that is being issued; false: it has to wait. */
static bool issue_token(heam_system *self, uint64_t host_cycle) {
    const heam_order *order = &self->work.orders[self->item];
    uint32_t c = self->work.channels[self->item];
    if (order->kind != HEAM_ITEM_HOST_READ) {
        if (!issue_instruction(self, order, c, host_cycle)) {
            return false;
        }
        item_done(self, host_cycle);
        while (self->issuing != NOBODY && (self->work.orders[self->item].flags & HEAM_FLAG_CARRIED) != 0) {
            push_item(self, &self->work.orders[self->item], c, host_cycle);
            item_done(self, host_cycle);
        }
        return true;
    }
    if (!issue_line(self, order, c, host_cycle)) {
        return false;
    }
    uint32_t per_line = self->desc.line_bytes / self->members[c].base->timing.spec->burst_bytes;
    if (self->line * per_line == order->bursts) {
        item_done(self, host_cycle);
    }
    return true;
}

typedef enum { ISSUE_TOKENS, ISSUE_WAITS, ISSUE_INPUT, ISSUE_END } issue_result;

static issue_result issue(heam_system *self, uint64_t host_cycle) {
    while (self->tokens > 0 && !self->failed) {
        if (self->issuing == NOBODY) {
            if (self->position == self->work.gnrs) {
                return self->last_input ? ISSUE_END : ISSUE_INPUT;
            }
            if (!has_arrived(self, host_cycle)) {
                self->waits = WAIT_ARRIVAL;
                return ISSUE_WAITS;
            }
            if (!may_admit(self)) {
                self->counters[HEAM_HOST_stalled_window]++;
                self->waits = WAIT_WINDOW;
                return ISSUE_WAITS;
            }
            admit(self, host_cycle);
        } else if (issue_token(self, host_cycle)) {
            self->tokens--;
        } else {
            return ISSUE_WAITS;
        }
    }
    return ISSUE_TOKENS;
}

/* The host cycle at which the next burst has come, the next GnR finishes, or the one that issue waits for arrives. */
static uint64_t next_event(const heam_system *self, uint64_t host_cycle) {
    uint64_t next = self->next_burst == HEAM_NEVER ? HEAM_NEVER : ceil_div(self->next_burst, self->desc.period);
    if (self->finishes.size > 0) {
        const finish *item = heam_ring_at(&self->finishes, 0);
        next = item->cycle < next ? item->cycle : next;
    }
    if (self->waits == WAIT_ARRIVAL) {
        uint64_t arrives = ceil_div(self->work.arrivals[self->position], self->desc.period);
        next = arrives < next ? arrives : next;
    }
    return next == HEAM_NEVER || next > host_cycle ? next : host_cycle + 1;
}

bool heam_host_run(heam_system *self) {
    uint64_t cycle = self->host_cycle;
    if (!self->resume) {
        self->blocked_on = NOBODY;
        self->blocked_on_stack = NULL;
        collect(self, cycle);
        retire(self, cycle);
        self->tokens = self->desc.issue_per_cycle;
    }
    self->resume = false;
    switch (issue(self, cycle)) {
        case ISSUE_INPUT:
            self->resume = true;
            return false;
        case ISSUE_TOKENS:
            self->host_cycle = cycle + 1;
            break;
        default:
            self->host_cycle = next_event(self, cycle);
            break;
    }
    return true;
}
