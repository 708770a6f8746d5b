/* SPDX-License-Identifier: MIT */
/* A channel whose operands are reduced inside the memory (docs/engine.md, "A PIM channel"). */
#include "pim.h"

static bool valid_cache(const heam_channel_desc *desc, uint64_t units) {
    uint64_t lines = (uint64_t)desc->cache_sets * desc->cache_ways;
    bool one = (desc->cache_sets == 0) == (desc->cache_ways == 0) && lines <= 1u << 24 && lines * units <= 1u << 26;
    return one && (lines == 0 || desc->port_bytes_per_cycle > 0) && desc->merge_identical <= 1;
}

static bool valid_desc(const heam_channel_desc *desc, const heam_spec *spec) {
    const uint8_t *of = spec->of_kind;
    return valid_cache(desc, spec->nodes[desc->unit_level < spec->levels ? desc->unit_level : 0]) && desc->period > 0 && desc->unit_level < spec->levels && desc->merge <= 1 && desc->queue_depth > 0 && desc->queue_depth <= 4096 &&
           (uint64_t)desc->queue_depth * spec->nodes[desc->unit_level] <= 32768 && desc->batch_tags > 0 && desc->batch_tags <= 4096 &&
           (uint64_t)desc->batch_tags * spec->nodes[desc->unit_level] <= 1048576 && desc->instruction_buffer > 0 &&
           desc->result_bursts > 0 && desc->result_bursts <= 64 && desc->host_driven <= 1 && (desc->instruction_cycles == 0) == desc->host_driven && desc->path_uses_dq <= 1 - desc->host_driven && desc->refresh <= 1 && spec->nodes[desc->unit_level] < HEAM_NO_UNIT &&
           of[HEAM_KIND_PIM_RD] != HEAM_NO_COMMAND && of[HEAM_KIND_PIM_RDRES] != HEAM_NO_COMMAND && of[HEAM_KIND_PIM_WRLUT] != HEAM_NO_COMMAND &&
           of[HEAM_KIND_PIM_LUT] != HEAM_NO_COMMAND && (!desc->merge || of[HEAM_KIND_PIM_MOV] != HEAM_NO_COMMAND);
}

static bool allocate(heam_pim *self, const heam_channel_desc *desc, const heam_spec *spec) {
    size_t sums = (size_t)self->units * desc->batch_tags;
    self->pool = calloc(self->pool_size, sizeof(*self->pool));
    self->ready = calloc(self->pool_size, sizeof(*self->ready));
    self->order = calloc(self->pool_size, sizeof(*self->order));
    self->vacant = calloc(self->pool_size, sizeof(*self->vacant));
    self->unit = calloc(self->units, sizeof(*self->unit));
    self->lines = calloc((size_t)self->units * desc->cache_sets * desc->cache_ways + 1, sizeof(*self->lines));
    self->partials = calloc(sums, sizeof(*self->partials));
    self->tags = calloc(desc->batch_tags, sizeof(*self->tags));
    self->moves.items = calloc(sums, sizeof(*self->moves.items));
    self->results.items = calloc(sums, sizeof(*self->results.items));
    self->started_in_bank = calloc(spec->banks, sizeof(*self->started_in_bank));
    self->started_in_rank = calloc(spec->nodes[1], sizeof(*self->started_in_rank));
    self->owed = calloc(spec->nodes[1], sizeof(*self->owed));
    self->second_free = calloc(spec->nodes[1], sizeof(*self->second_free));
    self->waiting_immediates = calloc(self->pool_size, sizeof(*self->waiting_immediates));
    self->column_used = calloc(self->units, sizeof(*self->column_used));
    self->row_used = calloc(self->units, sizeof(*self->row_used));
    return self->pool != NULL && self->ready != NULL && self->order != NULL && self->vacant != NULL && self->unit != NULL &&
           self->lines != NULL && self->partials != NULL && self->tags != NULL && self->moves.items != NULL && self->results.items != NULL &&
           self->started_in_bank != NULL && self->started_in_rank != NULL && self->owed != NULL && self->second_free != NULL &&
           self->waiting_immediates != NULL && self->column_used != NULL && self->row_used != NULL;
}

int32_t heam_pim_create(const heam_channel_desc *desc, const heam_spec *spec, uint16_t index, heam_ring *log, heam_pim **out) {
    if (!valid_desc(desc, spec)) {
        return HEAM_BAD_CHANNEL;
    }
    heam_pim *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    int32_t status = heam_channel_init(&self->base, desc, spec, index, log);
    if (status != HEAM_OK) {
        goto out;
    }
    heam_timing_drop(&self->base.timing, 1u << HEAM_KIND_RD | 1u << HEAM_KIND_WR | 1u << HEAM_KIND_REFPB | 1u << HEAM_KIND_REFSB |
                                             (desc->lut_load > 0 ? 0 : 1u << HEAM_KIND_PIM_WRLUT));
    self->units = spec->nodes[desc->unit_level];
    self->unit_stride = spec->stride[desc->unit_level];
    self->pool_size = self->units * desc->queue_depth;
    self->pins.record = sizeof(uint64_t);
    self->result_pins.record = sizeof(uint64_t);
    if (!allocate(self, desc, spec)) {
        status = HEAM_OUT_OF_MEMORY;
        goto out;
    }
    for (uint32_t i = 0; i < self->pool_size; i++) {
        self->vacant[self->vacant_size++] = (uint16_t)(self->pool_size - 1 - i);
    }
    for (uint32_t u = 0; u < self->units; u++) {
        self->unit[u].load = NOBODY;
    }
    self->lut_left = (uint64_t)desc->lut_load * spec->nodes[1];
    self->next_refresh = desc->refresh ? spec->refresh_interval : HEAM_NEVER;
    self->current = NOBODY;
    self->full_unit = NOBODY;
    for (uint32_t step = 0; step < STEPS; step++) {
        self->due[step] = HEAM_NEVER;
    }
    self->due[STEP_LUT] = self->lut_left > 0 ? 0 : HEAM_NEVER;
    self->due[STEP_DELIVER] = 0;
    *out = self;
    self = NULL;
out:
    heam_pim_destroy(self);
    return status;
}

void heam_pim_destroy(heam_pim *self) {
    if (self == NULL) {
        return;
    }
    heam_channel_clear(&self->base);
    free(self->pool);
    free(self->ready);
    free(self->order);
    free(self->vacant);
    free(self->unit);
    free(self->lines);
    free(self->partials);
    free(self->tags);
    free(self->moves.items);
    free(self->results.items);
    free(self->started_in_bank);
    free(self->started_in_rank);
    free(self->owed);
    free(self->second_free);
    free(self->waiting_immediates);
    heam_ring_clear(&self->pins);
    heam_ring_clear(&self->result_pins);
    free(self->column_used);
    free(self->row_used);
    free(self);
}

heam_channel *heam_pim_base(heam_pim *self) {
    return &self->base;
}

uint32_t heam_pim_delivered_by(const heam_pim *self) {
    return self->delivered_by;
}

uint32_t heam_pim_units(const heam_pim *self) {
    return self->units;
}

void heam_pim_set_immediates(heam_pim *self, heam_immediates *immediates) {
    self->immediates = immediates;
}

void heam_pim_immediate_there(heam_pim *self, uint64_t cycle) {
    heam_pim_wake(self, STEP_IMMEDIATE, cycle);
}

void heam_pim_wake_all(heam_pim *self) {
    for (uint32_t i = 0; i < self->order_size; i++) {
        self->ready[self->order[i]] = 0;
    }
    self->due[STEP_WALK] = 0;
}

/* ---- partials and results ---- */

/* Inserts by (ready, age, unit) or, for moves, by (age, unit): the list stays sorted by what is served first. */
static void wait_sorted(waiting_list *list, waiting item, bool by_ready) {
    uint32_t at = list->size++;
    while (at > 0) {
        const waiting *before = &list->items[at - 1];
        bool after = by_ready && before->ready != item.ready ? before->ready < item.ready
                     : before->age != item.age               ? before->age < item.age
                                                             : before->unit < item.unit;
        if (after) {
            break;
        }
        list->items[at] = *before;
        at--;
    }
    list->items[at] = item;
}

static void stop_waiting(waiting_list *list, uint32_t at) {
    list->size--;
    for (; at < list->size; at++) { /* few or none: no call */
        list->items[at] = list->items[at + 1];
    }
}

void heam_pim_result_waits(heam_pim *self, const waiting *item) {
    wait_sorted(&self->results, *item, true);
    heam_pim_wake(self, STEP_RESULT, item->ready);
}

/* A result of this channel is complete: it waits to be read out, or for the crossbar of its stack. */
static void result_complete(heam_pim *self, const waiting *item) {
    if (self->stack != NULL) {
        heam_stack_offer(self->stack, self, item);
    } else {
        heam_pim_result_waits(self, item);
    }
}

/* An operand of (unit, tag) has left the queue: is the sum complete? */
void heam_pim_finish_operand(heam_pim *self, uint32_t u, uint32_t tag) {
    partial *sum = partial_of(self, u, tag);
    sum->pending--;
    if (sum->pending > 0 || !sum->closed) {
        return;
    }
    waiting item = {.ready = sum->ready, .age = self->tags[tag].age, .tag = tag, .unit = u, .by = sum->by};
    if (self->base.desc.merge) {
        wait_sorted(&self->moves, item, false);
        heam_pim_wake(self, STEP_MOVE, item.ready);
    } else {
        result_complete(self, &item);
    }
}

static void free_tag_if_done(heam_pim *self, uint32_t tag, uint64_t cycle) {
    batch_tag *t = &self->tags[tag];
    if (t->closed && t->merged == t->units) {
        self->tag_freed = cycle;
        self->tag_by = self->base.last;
        *t = (batch_tag){.gnr = 0};
        self->tags_used--;
        if (self->current == tag) {
            self->current = NOBODY;
        }
        self->due[STEP_DELIVER] = 0;
    }
}

/* ---- P2 .. P5: the path, read-out, delivery, moves ---- */

static void load_lut(heam_pim *self, uint64_t cycle) {
    const heam_spec *spec = self->base.timing.spec;
    uint32_t ranks = spec->nodes[1];
    uint64_t position = (uint64_t)self->base.desc.lut_load * ranks - self->lut_left;
    uint32_t bank = (uint32_t)(position % ranks) * spec->stride[1];
    int32_t row;
    uint64_t due = earliest(self, HEAM_KIND_PIM_WRLUT, bank, cycle, &row);
    if (cycle < due) {
        later(self, due);
        return;
    }
    if (!path_is_free(self, cycle)) {
        return;
    }
    heam_log_record record = {.bank = (uint16_t)bank, .column = (uint16_t)(position / ranks), .row = (uint32_t)(position / ranks),
                              .unit = HEAM_NO_UNIT, .bound = bound_of(due, row, cycle, HEAM_BOUND_PATH)};
    heam_channel_because(&self->base, self->path_by, HEAM_REASON(PATH));
    issue(self, HEAM_KIND_PIM_WRLUT, cycle, &record);
    take_path(self, cycle);
    self->lut_left--;
    if (self->lut_left > 0) {
        later(self, cycle + 1);
    } else {
        self->due[STEP_DELIVER] = 0;
    }
}

/* Where the bursts of a result stand that are still to leave, and whose it is. */
typedef struct {
    uint64_t *bursts;
    uint32_t number;
    uint32_t gnr_slot;
    uint32_t bank;
    uint16_t unit;
} held_result;

static held_result own_result(heam_pim *self, const waiting *item) {
    batch_tag *tag = &self->tags[item->tag];
    bool merged = self->base.desc.merge != 0;
    return (held_result){.bursts = merged ? &tag->bursts : &partial_of(self, item->unit, item->tag)->bursts, .number = tag->number,
                         .gnr_slot = tag->gnr_slot, .bank = merged ? 0 : item->unit * self->unit_stride,
                         .unit = (uint16_t)(merged ? HEAM_NO_UNIT : item->unit)};
}

static held_result result_of(heam_pim *self, const waiting *item) {
    if (self->stack == NULL) {
        return own_result(self, item);
    }
    stack_sum *sum = heam_stack_sum(self->stack, item->tag);
    return (held_result){.bursts = &sum->bursts, .number = sum->number, .gnr_slot = sum->gnr_slot, .unit = HEAM_NO_UNIT};
}

/* All bursts of a result of this channel have left. */
static void own_result_left(heam_pim *self, const waiting *item, uint64_t cycle) {
    if (!self->base.desc.merge) {
        *partial_of(self, item->unit, item->tag) = (partial){.ready = 0};
        self->tags[item->tag].merged++;
    }
    free_tag_if_done(self, item->tag, cycle);
}

static void result_burst_left(heam_pim *self, uint32_t at, const held_result *result, uint64_t cycle) {
    waiting item = self->results.items[at];
    heam_burst burst = {.cycle = cycle + self->base.desc.res_latency + self->base.timing.spec->burst_cycles, .arrival = cycle,
                        .gnr_slot = result->gnr_slot};
    heam_channel_push_burst(&self->base, &burst);
    if (self->base.desc.path_uses_dq) {
        heam_pim_take_pins(self, &self->result_pins, burst.cycle);
    }
    *result->bursts &= *result->bursts - 1;
    if (*result->bursts != 0) {
        return;
    }
    stop_waiting(&self->results, at);
    if (self->stack != NULL) {
        heam_stack_release(self->stack, item.tag, self->base.last);
    } else {
        own_result_left(self, &item, cycle);
    }
}

bool heam_pim_send_burst(heam_pim *self, const waiting *item, uint64_t cycle, uint32_t before) {
    held_result result = own_result(self, item);
    bool fresh = item->ready == cycle;
    heam_log_record record = {.bank = (uint16_t)result.bank, .column = (uint16_t)first_burst(*result.bursts), .tag = result.number,
                              .unit = result.unit, .bound = fresh ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_SLOT};
    self->base.last = heam_channel_event(&self->base, cycle, fresh ? item->by : before, fresh ? HEAM_REASON(LATENCY) : HEAM_REASON(CROSSBAR));
    heam_channel_note(&self->base, HEAM_LOG_PIM_XMOV, cycle, &record);
    self->base.counters[HEAM_COUNT_pim_xmov]++;
    self->base.counters[HEAM_COUNT_stack_busy] += self->base.desc.stack_cycles;
    *result.bursts &= *result.bursts - 1;
    if (*result.bursts != 0) {
        return false;
    }
    own_result_left(self, item, cycle);
    return true;
}

/* From when a result may be read out, as far as is known. */
static uint64_t results_due(heam_pim *self) {
    uint64_t due = HEAM_NEVER;
    for (uint32_t i = 0; i < self->results.size && self->results.items[i].ready < due; i++) {
        int32_t row;
        uint32_t bank = result_of(self, &self->results.items[i]).bank;
        uint64_t may = larger(self->results.items[i].ready, earliest(self, HEAM_KIND_PIM_RDRES, bank, 0, &row));
        due = may < due ? may : due;
    }
    return self->base.desc.host_driven ? due : larger(due, self->path_free);
}

static void read_out(heam_pim *self, uint64_t cycle) {
    for (uint32_t i = 0; i < self->results.size; i++) {
        const waiting *item = &self->results.items[i];
        if (item->ready > cycle) {
            later(self, item->ready);
            return;
        }
        if (!path_is_free(self, cycle)) {
            return;
        }
        held_result result = result_of(self, item);
        int32_t row;
        uint64_t due = earliest(self, HEAM_KIND_PIM_RDRES, result.bank, cycle, &row);
        if (due > cycle) {
            later(self, due);
            continue;
        }
        heam_log_record record = {.bank = (uint16_t)result.bank, .column = (uint16_t)first_burst(*result.bursts), .tag = result.number,
                                  .unit = result.unit,
                                  .bound = bound_of(due, row, cycle, item->ready == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_PATH)};
        bool fresh = item->ready == cycle;
        heam_channel_because(&self->base, fresh ? item->by : self->path_by, fresh ? HEAM_REASON(LATENCY) : HEAM_REASON(PATH));
        issue(self, HEAM_KIND_PIM_RDRES, cycle, &record);
        take_path(self, cycle);
        result_burst_left(self, i, &result, cycle);
        later(self, results_due(self));
        return;
    }
}

static void move_arrived(heam_pim *self, uint32_t at, uint64_t cycle) {
    const heam_channel_desc *desc = &self->base.desc;
    waiting item = self->moves.items[at];
    partial *sum = partial_of(self, item.unit, item.tag);
    batch_tag *tag = &self->tags[item.tag];
    uint64_t arrival = cycle + desc->mov_latency + self->base.timing.spec->burst_cycles;
    bool busy = self->merge_free > arrival;
    self->merge_free = larger(self->merge_free, arrival) + desc->merge_cycles;
    self->move_by = self->base.last;
    self->merge_by = heam_channel_event(&self->base, self->merge_free, busy ? self->merge_by : self->move_by,
                                        busy ? HEAM_REASON(MERGE) : HEAM_REASON(LATENCY));
    self->base.counters[HEAM_COUNT_merge_busy] += desc->merge_cycles;
    sum->bursts &= sum->bursts - 1;
    if (sum->bursts != 0) {
        return;
    }
    *sum = (partial){.ready = 0};
    stop_waiting(&self->moves, at);
    tag->merged++;
    if (tag->closed && tag->merged == tag->units) {
        result_complete(self, &(waiting){.ready = self->merge_free, .age = tag->age, .tag = item.tag, .by = self->merge_by});
    }
}

/* From when a burst of a partial may move, as far as is known. */
static uint64_t moves_due(heam_pim *self) {
    uint64_t due = HEAM_NEVER;
    for (uint32_t i = 0; i < self->moves.size; i++) {
        const waiting *item = &self->moves.items[i];
        int32_t row;
        if (item->ready < due) {
            uint64_t may = larger(item->ready, earliest(self, HEAM_KIND_PIM_MOV, item->unit * self->unit_stride, 0, &row));
            due = may < due ? may : due;
        }
    }
    return due;
}

static void move_one(heam_pim *self, uint64_t cycle) {
    bool host_driven = self->base.desc.host_driven != 0;
    if (self->moves.size > 0 && host_driven && !path_is_free(self, cycle)) {
        return;
    }
    for (uint32_t i = 0; i < self->moves.size; i++) {
        const waiting *item = &self->moves.items[i];
        if (item->ready > cycle) {
            later(self, item->ready);
            continue;
        }
        uint32_t bank = item->unit * self->unit_stride;
        int32_t row;
        uint64_t due = earliest(self, HEAM_KIND_PIM_MOV, bank, cycle, &row);
        if (due > cycle) {
            later(self, due);
            continue;
        }
        heam_log_record record = {.bank = (uint16_t)bank, .column = (uint16_t)first_burst(partial_of(self, item->unit, item->tag)->bursts),
                                  .tag = self->tags[item->tag].number, .unit = (uint16_t)item->unit,
                                  .bound = bound_of(due, row, cycle, item->ready == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_SLOT)};
        bool fresh = item->ready == cycle;
        heam_channel_because(&self->base, fresh ? item->by : self->move_by, fresh ? HEAM_REASON(LATENCY) : HEAM_REASON(SLOT));
        issue(self, HEAM_KIND_PIM_MOV, cycle, &record);
        if (host_driven) {
            take_path(self, cycle);
        }
        move_arrived(self, i, cycle);
        later(self, moves_due(self));
        return;
    }
}

/* ---- P6: refresh ---- */

static void refresh(heam_pim *self, uint64_t cycle) {
    heam_timing *timing = &self->base.timing;
    for (uint32_t rank = 0; self->owed_total > 0 && rank < timing->spec->nodes[1]; rank++) {
        if (self->owed[rank] == 0 || self->started_in_rank[rank] > 0) {
            continue;
        }
        if (self->base.desc.host_driven && slot_taken(self, 0, false, cycle)) {
            later(self, cycle + 1);
            return;
        }
        uint32_t bank = rank * timing->spec->stride[1];
        uint32_t kind = timing->rank_open[rank] > 0 ? HEAM_KIND_PREA : HEAM_KIND_REF;
        int32_t row;
        uint64_t due = earliest(self, kind, bank, cycle, &row);
        if (due > cycle) {
            later(self, due);
            continue;
        }
        heam_log_record record = {.bank = (uint16_t)bank, .unit = HEAM_NO_UNIT, .bound = bound_of(due, row, cycle, HEAM_BOUND_SLOT)};
        heam_channel_because(&self->base, self->base.last, HEAM_REASON(REFRESH));
        issue(self, kind, cycle, &record);
        if (self->base.desc.host_driven) {
            self->row_used[0] = cycle;
        }
        if (kind == HEAM_KIND_REF) {
            self->owed[rank]--;
            self->owed_total--;
        }
        later(self, cycle + 1);
        heam_pim_wake_all(self);
    }
}

static void owe_refresh(heam_pim *self, uint64_t cycle) {
    if (cycle == self->next_refresh) {
        self->next_refresh += self->base.timing.spec->refresh_interval;
        for (uint32_t rank = 0; rank < self->base.timing.spec->nodes[1]; rank++) {
            self->owed[rank]++;
            self->owed_total++;
        }
        self->due[STEP_REFRESH] = 0;
        heam_pim_wake_all(self);
    }
}

/* Lets a step run if it may have something to do, and notes when it may again. */
static inline void run(heam_pim *self, pim_step step, void (*what)(heam_pim *, uint64_t), uint64_t cycle) {
    if (self->due[step] <= cycle) {
        self->next = HEAM_NEVER;
        what(self, cycle);
        self->due[step] = self->next;
    }
}

static inline uint64_t run_cycle(heam_pim *self, uint64_t cycle) {
    owe_refresh(self, cycle);
    run(self, STEP_LUT, load_lut, cycle);
    run(self, STEP_RESULT, read_out, cycle);
    run(self, STEP_IMMEDIATE, heam_pim_send_immediates, cycle);
    if (self->base.orders.size > 0 && self->due[STEP_DELIVER] <= cycle) {
        heam_pim_deliver(self, cycle);
    }
    run(self, STEP_MOVE, move_one, cycle);
    run(self, STEP_REFRESH, refresh, cycle);
    run(self, STEP_WALK, heam_pim_walk, cycle);
    uint64_t next = self->next_refresh;
    for (uint32_t step = 0; step < STEPS; step++) {
        bool idle = step == STEP_DELIVER && self->base.orders.size == 0; /* the host wakes the channel with an order */
        next = !idle && self->due[step] < next ? self->due[step] : next;
    }
    return next > cycle ? next : cycle + 1;
}

uint64_t heam_pim_run(heam_pim *self, uint64_t cycle, uint64_t limit) {
    do {
        cycle = run_cycle(self, cycle);
    } while (cycle < limit);
    return cycle;
}
