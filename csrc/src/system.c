/* SPDX-License-Identifier: MIT */
/* Host and channels in one run on a common tick (docs/engine.md, "Time"). */
#include "system.h"

/* ---- creation ---- */

static bool valid_host(const heam_host_desc *host) {
    return host->period > 0 && host->issue_per_cycle > 0 && host->outstanding > 0 && host->outstanding <= 1u << 24 &&
           host->add_bytes_per_cycle > 0 && host->line_bytes > 0 && host->line_bytes <= 65536 && host->window > 0 &&
           host->window <= 1u << 20 && (host->llc_sets == 0) == (host->llc_ways == 0) && (uint64_t)host->llc_sets * host->llc_ways <= 1u << 28;
}

/* A stack node has done something that a channel must look at. */
static void wake_from_stack(void *owner, uint16_t channel, uint64_t cycle) {
    wake_channel(owner, channel, cycle);
}

static int32_t join_stack(heam_system *self, heam_pim *pim) {
    uint32_t number = heam_pim_base(pim)->desc.stack;
    if (number == 0) {
        return HEAM_OK;
    }
    if (number > self->channels) {
        return HEAM_BAD_STACK;
    }
    heam_stack **stack = &self->stacks[number - 1];
    self->stacks_size = number > self->stacks_size ? number : self->stacks_size;
    if (*stack == NULL) {
        int32_t status = heam_stack_create(self->channels, wake_from_stack, self, stack);
        if (status != HEAM_OK) {
            return status;
        }
    }
    return heam_stack_join(*stack, pim);
}

static int32_t add_member(heam_system *self, uint32_t index, const heam_channel_desc *desc, const heam_spec *spec) {
    member *m = &self->members[index];
    heam_ring *log = self->with_log ? &self->log : NULL;
    if (desc->kind == HEAM_CHANNEL_PLAIN) {
        int32_t status = heam_plain_create(desc, spec, (uint16_t)index, log, &m->plain);
        if (status == HEAM_OK) {
            m->base = heam_plain_base(m->plain);
            if (self->desc.line_bytes % spec->burst_bytes != 0 || self->desc.line_bytes / spec->burst_bytes > self->desc.outstanding) {
                return HEAM_BAD_HOST;
            }
        }
        return status;
    }
    if (desc->kind != HEAM_CHANNEL_PIM) {
        return HEAM_BAD_CHANNEL;
    }
    int32_t status = heam_pim_create(desc, spec, (uint16_t)index, log, &m->pim);
    if (status == HEAM_OK) {
        m->base = heam_pim_base(m->pim);
        heam_pim_set_immediates(m->pim, &self->immediates);
        status = join_stack(self, m->pim);
        m->stack = status == HEAM_OK && m->base->desc.stack > 0 ? self->stacks[m->base->desc.stack - 1] : NULL;
    }
    return status;
}

/* Channels of the same memory have the same rules. */
static void share_rules(heam_system *self, uint32_t index, const heam_spec *const *specs) {
    for (uint32_t i = 0; i < index; i++) {
        if (specs[i] == specs[index] && self->members[i].base->timing.own != NULL) {
            heam_timing_share(&self->members[index].base->timing, &self->members[i].base->timing);
            return;
        }
    }
}

/* A result takes so long from its command to the host, and data of a plain channel their read latency: it writes nothing that a read
   could be answered from. */
static uint64_t reach_of(const member *m) {
    const heam_channel *base = m->base;
    uint64_t cycles = m->plain != NULL ? base->timing.spec->read_latency : base->desc.res_latency + (uint64_t)base->timing.spec->burst_cycles;
    return cycles * base->desc.period;
}

static int32_t add_members(heam_system *self, const heam_channel_desc *desc, const heam_spec *const *specs, uint64_t *detail) {
    uint32_t units = 0;
    for (uint32_t i = 0; i < self->channels; i++) {
        if (detail != NULL) {
            *detail = i;
        }
        if (specs[i] == NULL) {
            return HEAM_BAD_ARGUMENT;
        }
        int32_t status = add_member(self, i, &desc[i], specs[i]);
        if (status != HEAM_OK) {
            return status;
        }
        share_rules(self, i, specs);
        member *m = &self->members[i];
        m->next_cycle = 1;
        self->next_tick[i] = desc[i].period;
        self->reach[i] = reach_of(m);
        self->lockstep = self->lockstep || self->reach[i] == 0 || m->stack != NULL;
        self->burst_tick[i] = HEAM_NEVER;
        self->unit_base[i] = units;
        units += m->pim != NULL ? heam_pim_units(m->pim) : 0;
    }
    self->of_unit = calloc((size_t)units + 1, sizeof(*self->of_unit));
    return self->of_unit == NULL ? HEAM_OUT_OF_MEMORY : HEAM_OK;
}

static int32_t add_ledger(heam_system *self) {
    uint32_t *rows = calloc((size_t)self->channels + 1, sizeof(*rows));
    if (rows == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    for (uint32_t c = 0; c < self->channels; c++) {
        rows[c] = self->members[c].base->timing.spec->rows_count;
        self->members[c].base->ledger = self->desc.ledger_ticks > 0 ? &self->ledger : NULL;
    }
    int32_t status = heam_ledger_init(&self->ledger, self->channels + 1, rows, self->desc.ledger_ticks);
    free(rows);
    return status;
}

int32_t heam_system_create(const heam_host_desc *host, uint32_t channels, const heam_channel_desc *desc, const heam_spec *const *specs,
                           uint32_t with_log, heam_system **out, uint64_t *detail) {
    if (host == NULL || desc == NULL || specs == NULL || out == NULL || channels == 0 || channels > MAX_CHANNELS) {
        return HEAM_BAD_ARGUMENT;
    }
    if (!valid_host(host)) {
        return HEAM_BAD_HOST;
    }
    int32_t status = HEAM_OUT_OF_MEMORY;
    heam_system *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return status;
    }
    self->desc = *host;
    self->channels = channels;
    self->with_log = with_log != 0;
    self->lockstep = self->with_log; /* its records stand in order of time */
    self->log.record = sizeof(heam_log_record);
    self->latencies.record = sizeof(heam_latency_record);
    self->finishes.record = sizeof(finish);
    self->issuing = NOBODY;
    self->making = NOBODY;
    self->blocked_on = NOBODY;
    self->issued_at = HEAM_NEVER;
    self->members = calloc(channels, sizeof(*self->members));
    self->next_tick = calloc(channels, sizeof(*self->next_tick));
    self->reach = calloc(channels, sizeof(*self->reach));
    self->next_burst = HEAM_NEVER;
    self->burst_tick = calloc(channels, sizeof(*self->burst_tick));
    self->unit_base = calloc(channels, sizeof(*self->unit_base));
    self->of_channel = calloc(channels, sizeof(*self->of_channel));
    self->of_stack = calloc(channels, sizeof(*self->of_stack));
    self->stacks = calloc(channels, sizeof(heam_stack *));
    self->flights = calloc(host->window, sizeof(*self->flights));
    self->vacant = calloc(host->window, sizeof(*self->vacant));
    if (self->members == NULL || self->next_tick == NULL || self->reach == NULL || self->burst_tick == NULL || self->unit_base == NULL ||
        self->of_channel == NULL || self->of_stack == NULL || self->stacks == NULL || self->flights == NULL || self->vacant == NULL ||
        heam_llc_init(&self->llc, host->llc_sets, host->llc_ways) != HEAM_OK) {
        goto out;
    }
    for (uint32_t i = 0; i < host->window; i++) {
        self->vacant[self->vacant_size++] = host->window - 1 - i;
    }
    status = add_members(self, desc, specs, detail);
    if (status == HEAM_OK) {
        status = add_ledger(self);
    }
    if (status == HEAM_OK) {
        *out = self;
        self = NULL;
    }
out:
    heam_system_destroy(self);
    return status;
}

void heam_system_destroy(heam_system *self) {
    if (self == NULL) {
        return;
    }
    for (uint32_t i = 0; self->members != NULL && i < self->channels; i++) {
        heam_plain_destroy(self->members[i].plain);
        heam_pim_destroy(self->members[i].pim);
    }
    for (uint32_t i = 0; self->stacks != NULL && i < self->channels; i++) {
        heam_stack_destroy(self->stacks[i]);
    }
    free(self->stacks);
    free(self->of_stack);
    free(self->members);
    free(self->next_tick);
    free(self->reach);
    free(self->burst_tick);
    free(self->unit_base);
    free(self->of_unit);
    free(self->of_channel);
    free(self->flights);
    free(self->vacant);
    heam_immediates_clear(&self->immediates);
    heam_llc_clear(&self->llc);
    heam_ring_clear(&self->log);
    heam_ring_clear(&self->latencies);
    heam_ring_clear(&self->finishes);
    heam_work_clear(&self->work);
    heam_work_clear(&self->spare);
    heam_ledger_clear(&self->ledger);
    free(self);
}

int32_t heam_system_feed(heam_system *self, const heam_items *items, uint32_t last, uint64_t *detail) {
    if (self == NULL || items == NULL) {
        return HEAM_BAD_ARGUMENT;
    }
    if (self->last_input || self->position < self->work.gnrs || self->issuing != NOBODY) {
        return HEAM_WRONG_CALL;
    }
    int32_t status = heam_work_validate(self, items, detail);
    if (status == HEAM_OK) {
        status = heam_work_copy(&self->spare, items);
    }
    if (status == HEAM_OK) {
        work before = self->work;
        self->work = self->spare;
        self->spare = before;
        self->position = 0;
        self->last_input = last != 0;
    }
    return status;
}

/* ---- the run ---- */

static void wake_host(heam_system *self, uint64_t host_cycle) {
    if (host_cycle < self->host_cycle) {
        self->host_cycle = host_cycle;
    }
}

/* Lets a channel that has something to do take its next cycle, and all that it has to do before `limit`. */
static void run_channel(heam_system *self, uint32_t c, uint64_t limit) {
    member *m = &self->members[c];
    size_t before = m->base->bursts.size;
    m->next_cycle = m->pim != NULL ? heam_pim_run(m->pim, m->next_cycle, limit) : heam_plain_run(m->plain, m->next_cycle, limit);
    self->next_tick[c] = m->next_cycle == HEAM_NEVER ? HEAM_NEVER : m->next_cycle * m->base->desc.period;
    self->failed = self->failed || m->base->failed;
    if (before == 0 && m->base->bursts.size > 0) {
        heam_note_burst(self, c);
        self->next_burst = self->burst_tick[c] < self->next_burst ? self->burst_tick[c] : self->next_burst;
        wake_host(self, ceil_div(self->burst_tick[c], self->desc.period));
    }
}

/* One cycle at a tick, after which the host may go on. */
static void step_channel(heam_system *self, uint32_t c, uint64_t tick) {
    const member *m = &self->members[c];
    run_channel(self, c, 0);
    bool room = self->blocked_on == c && m->base->instructions < m->base->desc.instruction_buffer;
    bool freed = m->stack != NULL && heam_stack_freed(m->stack) && self->blocked_on_stack == m->stack;
    if (room || freed) {
        wake_host(self, tick / self->desc.period + 1);
    }
}

static bool all_done(const heam_system *self) {
    return self->last_input && self->position == self->work.gnrs && self->issuing == NOBODY && self->finished == self->admitted;
}

/* Lets the stack nodes that have something to do at a tick do it; returns when one may next. */
static uint64_t run_stacks(heam_system *self, uint64_t tick) {
    uint64_t next = HEAM_NEVER;
    for (uint32_t s = 0; s < self->stacks_size; s++) {
        if (self->stacks[s] == NULL) {
            continue;
        }
        if (heam_stack_next_tick(self->stacks[s]) == tick) {
            self->failed = !heam_stack_send(self->stacks[s]) || self->failed;
        }
        uint64_t mine = heam_stack_next_tick(self->stacks[s]);
        next = mine < next ? mine : next;
    }
    return next;
}

/* Runs the channels and then the stack nodes that have a cycle at the present tick, and finds the next one. Which channels they are
   nothing foretells, so they are gathered without a branch. */
static void run_memories(heam_system *self) {
    uint64_t tick = self->tick;
    for (uint32_t first = 0; first < self->channels; first += 64) {
        uint32_t count = self->channels - first < 64 ? self->channels - first : 64;
        uint64_t due = 0;
        for (uint32_t i = 0; i < count; i++) {
            due |= (uint64_t)(self->next_tick[first + i] == tick) << i;
        }
        for (; due != 0; due &= due - 1) {
            step_channel(self, first + (uint32_t)__builtin_ctzll(due), tick);
        }
    }
    uint64_t next = run_stacks(self, tick);
    for (uint32_t c = 0; c < self->channels; c++) {
        next = self->next_tick[c] < next ? self->next_tick[c] : next;
    }
    self->tick = next;
}

static uint64_t host_tick(const heam_system *self) {
    return self->host_cycle == HEAM_NEVER ? HEAM_NEVER : self->host_cycle * self->desc.period;
}

void heam_system_catch_up(heam_system *self, uint32_t channel, uint64_t tick) {
    if (self->next_tick[channel] < tick) {
        run_channel(self, channel, ceil_div(tick, self->members[channel].base->desc.period));
    }
}

/* The first tick at which the host may have something to do, now or by a burst that is not on its way yet. */
static uint64_t next_host(const heam_system *self) {
    uint64_t tick = host_tick(self);
    return tick < self->safe ? tick : self->safe;
}

/* The channel whose buffer the host waits for: room there lets the host act earlier. */
static void run_full_channel(heam_system *self) {
    uint32_t full = self->blocked_on;
    while (self->next_tick[full] < next_host(self)) {
        step_channel(self, full, self->next_tick[full]);
    }
}

/* Every channel by itself up to where the host may act on it. */
static void run_behind_host(heam_system *self) {
    uint64_t end = next_host(self);
    uint64_t safe = HEAM_NEVER;
    for (uint32_t c = 0; c < self->channels; c++) {
        heam_system_catch_up(self, c, end);
        uint64_t tick = self->next_tick[c] == HEAM_NEVER ? HEAM_NEVER : self->next_tick[c] + self->reach[c];
        safe = tick < safe ? tick : safe;
    }
    self->safe = safe;
}

/* The memories' part of a step; false: nothing can happen any more. */
static bool run_channels(heam_system *self) {
    uint64_t next = self->lockstep ? self->tick : self->safe;
    if (next == HEAM_NEVER && self->host_cycle == HEAM_NEVER) {
        return false;
    }
    if (self->lockstep) {
        run_memories(self);
    } else {
        run_behind_host(self);
    }
    return true;
}

/* Is nothing to come any more that the host would have to see before its next cycle? In lockstep it comes first in a tick. */
static bool host_is_next(const heam_system *self) {
    uint64_t tick = host_tick(self);
    return tick != HEAM_NEVER && (self->lockstep ? tick <= self->tick : tick < self->safe);
}

static void end_run(heam_system *self, uint32_t *state) {
    for (uint32_t c = 0; !self->lockstep && c < self->channels; c++) {
        heam_system_catch_up(self, c, self->ended_at);
    }
    heam_ledger_walk(&self->ledger, self->retired_by, self->time);
    *state = HEAM_STATE_DONE;
}

int32_t heam_system_run(heam_system *self, uint64_t max_steps, uint32_t *state) {
    if (self == NULL || state == NULL) {
        return HEAM_BAD_ARGUMENT;
    }
    for (uint64_t step = 0; step < max_steps; step++) {
        if (self->failed) {
            return HEAM_OUT_OF_MEMORY;
        }
        if (step == 0 && all_done(self)) {
            end_run(self, state);
            return HEAM_OK;
        }
        if (self->blocked_on != NOBODY && !self->lockstep) {
            run_full_channel(self);
        }
        if (!host_is_next(self)) {
            if (!run_channels(self)) {
                return HEAM_STUCK;
            }
            continue;
        }
        self->ended_at = host_tick(self);
        if (!heam_host_run(self)) {
            *state = HEAM_STATE_NEED_INPUT;
            return HEAM_OK;
        }
        if (all_done(self)) {
            end_run(self, state);
            return self->failed ? HEAM_OUT_OF_MEMORY : HEAM_OK;
        }
    }
    *state = HEAM_STATE_PAUSED;
    return self->failed ? HEAM_OUT_OF_MEMORY : HEAM_OK;
}

/* ---- what came out ---- */

uint64_t heam_system_time(const heam_system *self) {
    return self == NULL ? 0 : self->time;
}

uint64_t heam_system_finished(const heam_system *self) {
    return self == NULL ? 0 : self->finished;
}

uint32_t heam_system_counters(const heam_system *self, uint32_t channel, uint64_t *out, uint32_t capacity) {
    if (self == NULL || channel >= self->channels || (out == NULL && capacity > 0)) {
        return 0;
    }
    const heam_channel *base = self->members[channel].base;
    return heam_channel_counters(base, self->time / base->desc.period, out, capacity);
}

uint32_t heam_system_host_counters(const heam_system *self, uint64_t *out, uint32_t capacity) {
    if (self == NULL || (out == NULL && capacity > 0)) {
        return 0;
    }
    for (uint32_t i = 0; i < HEAM_HOST_COUNTERS && i < capacity; i++) {
        out[i] = self->counters[i];
    }
    return HEAM_HOST_COUNTERS;
}

uint32_t heam_system_bounds(const heam_system *self, uint32_t channel, uint64_t *out, uint32_t capacity) {
    if (self == NULL || channel >= self->channels || (out == NULL && capacity > 0)) {
        return 0;
    }
    return heam_channel_bounds(self->members[channel].base, out, capacity);
}

uint32_t heam_system_spent(const heam_system *self, uint32_t place, uint64_t *out, uint32_t capacity) {
    if (self == NULL || place > self->channels || (out == NULL && capacity > 0)) {
        return 0;
    }
    uint32_t first = self->ledger.first[place];
    uint32_t length = self->ledger.first[place + 1] - first;
    uint32_t all = self->ledger.first[self->channels + 1];
    for (uint32_t i = 0; i < 2 * length && i < capacity; i++) {
        out[i] = self->ledger.spent[i < length ? first + i : all + first + i - length];
    }
    return 2 * length;
}

uint32_t heam_system_bank_reads(const heam_system *self, uint32_t channel, uint64_t *out, uint32_t capacity) {
    if (self == NULL || channel >= self->channels || (out == NULL && capacity > 0)) {
        return 0;
    }
    const heam_channel *base = self->members[channel].base;
    for (uint32_t i = 0; i < base->timing.spec->banks && i < capacity; i++) {
        out[i] = base->bank_reads[i];
    }
    return base->timing.spec->banks;
}

uint64_t heam_system_take_log(heam_system *self, heam_log_record *out, uint64_t capacity) {
    return self == NULL || out == NULL ? 0 : heam_ring_take(&self->log, out, capacity);
}

uint64_t heam_system_take_latencies(heam_system *self, heam_latency_record *out, uint64_t capacity) {
    return self == NULL || out == NULL ? 0 : heam_ring_take(&self->latencies, out, capacity);
}

uint64_t heam_system_log_size(const heam_system *self) {
    return self == NULL ? 0 : self->log.size;
}

uint64_t heam_system_latencies_size(const heam_system *self) {
    return self == NULL ? 0 : self->latencies.size;
}
