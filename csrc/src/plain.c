/* SPDX-License-Identifier: MIT */
/* A channel with plain read and write traffic (docs/engine.md, "A plain channel"). */
#include "plain.h"

static int32_t queue_init(queue *self, uint32_t capacity) {
    self->capacity = capacity;
    self->order = calloc(capacity, sizeof(*self->order));
    return self->order == NULL ? HEAM_OUT_OF_MEMORY : HEAM_OK;
}

static bool create_bank_arrays(heam_plain *self) {
    uint32_t banks = self->base.timing.spec->banks;
    self->requests_in_bank = calloc(banks, sizeof(*self->requests_in_bank));
    self->held = calloc(banks, sizeof(*self->held));
    self->served = calloc(banks, sizeof(*self->served));
    self->last_use = calloc(banks, sizeof(*self->last_use));
    self->mark = calloc(banks, sizeof(*self->mark));
    return self->requests_in_bank != NULL && self->held != NULL && self->served != NULL && self->last_use != NULL && self->mark != NULL;
}

int32_t heam_plain_create(const heam_channel_desc *desc, const heam_spec *spec, uint16_t index, heam_ring *log, heam_plain **out) {
    if (desc->read_queue == 0 || desc->read_queue > 16384 || desc->write_queue == 0 || desc->write_queue > 16384 || desc->period == 0 ||
        desc->write_high_percent > 100 || desc->write_low_percent > desc->write_high_percent ||
        desc->scheduler > HEAM_SCHEDULER_FRFCFS_CAP || desc->row_policy > HEAM_ROWS_CAPPED ||
        (desc->row_policy == HEAM_ROWS_CAPPED && desc->row_cap == 0)) {
        return HEAM_BAD_CHANNEL;
    }
    heam_plain *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    int32_t status = heam_channel_init(&self->base, desc, spec, index, log);
    if (status != HEAM_OK) {
        goto out;
    }
    const heam_spec *own = self->base.timing.spec;
    /* An active request holds its bank, so there are at most as many as banks, all of which were queued before. */
    uint32_t pool = desc->read_queue + desc->write_queue + own->banks;
    self->pool = calloc(pool, sizeof(*self->pool));
    self->ready = calloc(pool, sizeof(*self->ready));
    self->vacant = calloc(pool, sizeof(*self->vacant));
    self->active_in_bank = calloc(own->banks, sizeof(*self->active_in_bank));
    self->active_in_rank = calloc(own->nodes[1], sizeof(*self->active_in_rank));
    self->maintenance = calloc(MAINTENANCE_MAX, sizeof(*self->maintenance));
    status = HEAM_OUT_OF_MEMORY;
    if (self->pool == NULL || self->ready == NULL || self->vacant == NULL || self->active_in_bank == NULL ||
        self->active_in_rank == NULL || self->maintenance == NULL || !create_bank_arrays(self) ||
        queue_init(&self->queues[QUEUE_READ], desc->read_queue) != HEAM_OK ||
        queue_init(&self->queues[QUEUE_WRITE], desc->write_queue) != HEAM_OK ||
        queue_init(&self->queues[QUEUE_ACTIVE], own->banks) != HEAM_OK) {
        goto out;
    }
    for (uint32_t i = 0; i < pool; i++) {
        self->vacant[self->vacant_size++] = (uint16_t)(pool - 1 - i);
    }
    self->choosy = desc->scheduler != HEAM_SCHEDULER_FRFCFS || desc->row_policy == HEAM_ROWS_CAPPED;
    status = heam_refresh_init(self);
    if (status == HEAM_OK) {
        *out = self;
        self = NULL;
    }
out:
    heam_plain_destroy(self);
    return status;
}

void heam_plain_destroy(heam_plain *self) {
    if (self == NULL) {
        return;
    }
    heam_channel_clear(&self->base);
    for (int q = 0; q < QUEUES; q++) {
        free(self->queues[q].order);
    }
    free(self->pool);
    free(self->ready);
    free(self->vacant);
    free(self->active_in_bank);
    free(self->active_in_rank);
    free(self->maintenance);
    free(self->requests_in_bank);
    free(self->held);
    free(self->served);
    free(self->last_use);
    free(self->mark);
    heam_refresh_clear(self);
    free(self);
}

heam_channel *heam_plain_base(heam_plain *self) {
    return &self->base;
}

static void remove_at(queue *self, uint32_t position) {
    self->size--;
    memmove(self->order + position, self->order + position + 1, (self->size - position) * sizeof(*self->order));
}

void heam_plain_wake_bank(heam_plain *self, uint32_t bank) {
    for (int q = 0; q < QUEUES; q++) {
        for (uint32_t i = 0; i < self->queues[q].size; i++) {
            uint32_t entry = self->queues[q].order[i];
            if (self->pool[entry].what.bank == bank) {
                self->ready[entry] = 0;
            }
        }
    }
}

void heam_plain_wake_all(heam_plain *self) {
    for (int q = 0; q < QUEUES; q++) {
        for (uint32_t i = 0; i < self->queues[q].size; i++) {
            self->ready[self->queues[q].order[i]] = 0;
        }
    }
}

void heam_plain_stir(heam_plain *self) {
    self->close_at = 0;
    self->refresh.unwanted_at = 0;
}

/* Never: an active request keeps its bank open, or a refresh keeps new work away. */
void heam_plain_look(heam_plain *self, uint32_t q, uint32_t entry, uint64_t cycle) {
    request *r = &self->pool[entry];
    heam_timing *timing = &self->base.timing;
    uint32_t open = timing->open_row[r->what.bank];
    int32_t row;
    r->next = open == HEAM_CLOSED ? HEAM_KIND_ACT : open != r->what.row ? HEAM_KIND_PRE : r->is_write ? HEAM_KIND_WR : HEAM_KIND_RD;
    if ((r->next == HEAM_KIND_PRE && self->active_in_bank[r->what.bank] > 0) || (self->held[r->what.bank] && q != QUEUE_ACTIVE)) {
        self->ready[entry] = HEAM_NEVER;
        return;
    }
    uint64_t earliest = heam_timing_from(timing, timing->spec->of_kind[r->next], r->what.bank, cycle, &row);
    self->ready[entry] = earliest == 0 ? 1 : earliest;
    r->bound = (int16_t)row;
}

/* The earliest arrived request that is ready and fits the slot; on equal arrival the one that entered the list first. */
static bool pick(heam_plain *self, uint32_t q, uint64_t cycle, int slots, choice *out) {
    const queue *list = &self->queues[q];
    uint64_t best = HEAM_NEVER;
    for (uint32_t i = 0; i < list->size; i++) {
        uint32_t entry = list->order[i];
        if (self->ready[entry] > cycle) {
            continue;
        }
        heam_plain_look(self, q, entry, cycle);
        const request *r = &self->pool[entry];
        if (self->ready[entry] > cycle || (slot_of(r->next) & slots) == 0 || r->arrival >= best) {
            continue;
        }
        best = r->arrival;
        *out = (choice){.queue = q, .position = i, .kind = r->next, .bound = r->bound, .found = true};
        if (q != QUEUE_ACTIVE) {
            break; /* these lists are in order of arrival */
        }
    }
    if (out->found && self->ready[list->order[out->position]] < cycle) {
        out->bound = late_bound(&self->pool[list->order[out->position]], cycle);
    }
    return out->found;
}

static void decide_mode(heam_plain *self) {
    const heam_channel_desc *desc = &self->base.desc;
    uint64_t writes = (uint64_t)self->queues[QUEUE_WRITE].size * 100;
    uint32_t reads = self->queues[QUEUE_READ].size;
    if (!self->write_mode) {
        self->write_mode = writes > (uint64_t)desc->write_high_percent * desc->write_queue || reads == 0;
    } else {
        /* An empty queue ends write mode whatever the mark is, or reads would wait for ever. */
        bool drained = writes == 0 || writes < (uint64_t)desc->write_low_percent * desc->write_queue;
        self->write_mode = !(drained && reads != 0);
    }
}

static void push_burst(heam_plain *self, const heam_order *order, uint64_t cycle, uint64_t arrival) {
    heam_burst burst = {.cycle = cycle, .arrival = arrival, .gnr_slot = order->gnr_slot, .immediate = order->immediate,
                        .unadded = (order->flags & HEAM_FLAG_UNADDED) != 0};
    heam_channel_push_burst(&self->base, &burst);
}

static void retire(heam_plain *self, uint32_t entry, uint64_t cycle) {
    request *r = &self->pool[entry];
    if (r->is_write) {
        self->base.counters[HEAM_COUNT_writes_retired]++;
    } else {
        self->base.counters[HEAM_COUNT_reads_retired]++;
        push_burst(self, &r->what, cycle + self->base.timing.spec->read_latency, r->arrival);
    }
    self->requests_in_bank[r->what.bank]--;
    self->vacant[self->vacant_size++] = (uint16_t)entry;
}

static void issue(heam_plain *self, const choice *chosen, uint64_t cycle) {
    queue *list = &self->queues[chosen->queue];
    uint32_t entry = list->order[chosen->position];
    request *r = &self->pool[entry];
    uint32_t bank = r->what.bank;
    uint32_t rank = heam_rank_of(&self->base.timing, bank);
    if (!r->counted) {
        r->counted = 1;
        heam_channel_count_row(&self->base, bank, r->what.row);
    }
    heam_log_record record = {.row = r->what.row, .tag = r->what.tag, .slot = r->what.slot, .bank = r->what.bank, .column = r->what.column,
                              .unit = HEAM_NO_UNIT, .bound = chosen->bound, .role = r->what.role};
    bool arrived = chosen->bound == HEAM_BOUND_ARRIVAL || chosen->bound == HEAM_BOUND_NONE;
    heam_channel_because(&self->base, arrived ? r->what.by : self->base.last, arrived ? HEAM_REASON(ISSUE) : HEAM_REASON(SLOT));
    heam_channel_find_cause(&self->base, chosen->kind, bank);
    heam_channel_issue(&self->base, chosen->kind, cycle, &record);
    heam_plain_stir(self);
    if (chosen->kind == HEAM_KIND_ACT) {
        self->last_use[bank] = cycle;
        self->served[bank] = 0;
        remove_at(list, chosen->position);
        queue *active = &self->queues[QUEUE_ACTIVE];
        active->order[active->size++] = (uint16_t)entry;
        self->active_in_bank[bank]++;
        self->active_in_rank[rank]++;
        heam_plain_wake_bank(self, bank);
    } else if (chosen->kind == HEAM_KIND_PRE) {
        heam_plain_wake_bank(self, bank);
    } else {
        self->last_use[bank] = cycle;
        self->served[bank]++;
        remove_at(list, chosen->position);
        if (chosen->queue == QUEUE_ACTIVE) {
            self->active_in_rank[rank]--;
            if (--self->active_in_bank[bank] == 0) {
                heam_plain_wake_bank(self, bank);
            }
        }
        retire(self, entry, cycle);
    }
}

/* One command slot. */
static bool try_slot(heam_plain *self, uint64_t cycle, int slots) {
    choice chosen = {.found = false};
    if ((slots & SLOT_COLUMN) != 0 && pick(self, QUEUE_ACTIVE, cycle, slots, &chosen)) {
        issue(self, &chosen, cycle);
        return true;
    }
    if ((slots & SLOT_ROW) != 0 && heam_refresh_maintain(self, cycle)) {
        return true;
    }
    if (self->maintenance_size > 0) {
        return false;
    }
    decide_mode(self);
    uint32_t q = self->write_mode ? QUEUE_WRITE : QUEUE_READ;
    if (self->choosy ? heam_policy_pick(self, q, cycle, slots, &chosen) : pick(self, q, cycle, slots, &chosen)) {
        issue(self, &chosen, cycle);
        return true;
    }
    return (slots & SLOT_ROW) != 0 && (heam_refresh_unwanted(self, cycle) || heam_policy_close(self, cycle));
}

static uint64_t earliest_in(const heam_plain *self, uint32_t q) {
    uint64_t least = HEAM_NEVER;
    for (uint32_t i = 0; i < self->queues[q].size; i++) {
        uint64_t ready = self->ready[self->queues[q].order[i]];
        least = ready < least ? ready : least;
    }
    return least;
}

/* After a cycle in which nothing was issued: when can something happen? Bounds may be early, never late. */
static uint64_t next_event(heam_plain *self, uint64_t cycle) {
    uint64_t next = heam_refresh_next(self);
    uint64_t active = earliest_in(self, QUEUE_ACTIVE);
    next = active < next ? active : next;
    if (self->maintenance_size == 0) {
        uint32_t q = self->write_mode ? QUEUE_WRITE : QUEUE_READ;
        uint64_t queued = self->choosy ? heam_policy_earliest(self, q) : earliest_in(self, q);
        next = queued < next ? queued : next;
        next = self->base.desc.row_policy != HEAM_ROWS_OPEN && self->close_at < next ? self->close_at : next;
    }
    return next > cycle ? next : cycle + 1;
}

void heam_plain_begin(heam_plain *self, uint64_t cycle) {
    /* Idle cycles were skipped: each of them would have decided the mode, all alike. */
    if (cycle > self->last_cycle + 1 && self->maintenance_size == 0) {
        decide_mode(self);
    }
    self->last_cycle = cycle;
}

static uint64_t key_of(const heam_order *order) {
    return ((uint64_t)order->bank << 48) | ((uint64_t)order->row << 16) | order->column;
}

static bool write_queued(const heam_plain *self, const heam_order *order) {
    const queue *writes = &self->queues[QUEUE_WRITE];
    for (uint32_t i = 0; i < writes->size; i++) {
        const heam_order *what = &self->pool[writes->order[i]].what;
        if (key_of(what) == key_of(order) && what->rest == order->rest) {
            return true;
        }
    }
    return false;
}

bool heam_plain_forwards(const heam_plain *self, const heam_order *order) {
    return write_queued(self, order);
}

bool heam_plain_offer(heam_plain *self, const heam_order *order, bool is_write, uint64_t stamp) {
    queue *list = &self->queues[is_write ? QUEUE_WRITE : QUEUE_READ];
    uint64_t *counters = self->base.counters;
    if (write_queued(self, order)) {
        counters[is_write ? HEAM_COUNT_writes : HEAM_COUNT_reads]++;
        counters[is_write ? HEAM_COUNT_coalesced : HEAM_COUNT_forwarded]++;
        if (!is_write) {
            push_burst(self, order, stamp + 1, stamp);
        }
        return true;
    }
    if (list->size == list->capacity) {
        return false;
    }
    uint32_t entry = self->vacant[--self->vacant_size];
    self->pool[entry] = (request){.what = *order, .arrival = stamp, .is_write = is_write};
    self->ready[entry] = 0;
    self->requests_in_bank[order->bank]++;
    heam_plain_stir(self);
    list->order[list->size++] = (uint16_t)entry;
    counters[is_write ? HEAM_COUNT_writes : HEAM_COUNT_reads]++;
    uint64_t queued = (uint64_t)self->queues[QUEUE_READ].size + self->queues[QUEUE_WRITE].size;
    if (queued > counters[HEAM_COUNT_queue_peak]) {
        counters[HEAM_COUNT_queue_peak] = queued;
    }
    return true;
}

uint64_t heam_plain_schedule(heam_plain *self, uint64_t cycle) {
    heam_refresh_tick(self, cycle);
    bool issued;
    if (self->base.timing.spec->split_buses) {
        issued = try_slot(self, cycle, SLOT_COLUMN);
        issued = try_slot(self, cycle, SLOT_ROW) || issued;
    } else {
        issued = try_slot(self, cycle, SLOT_COLUMN | SLOT_ROW);
    }
    return issued ? cycle + 1 : next_event(self, cycle);
}

static inline uint64_t run_cycle(heam_plain *self, uint64_t cycle) {
    heam_channel *base = &self->base;
    heam_plain_begin(self, cycle);
    if (base->orders.size > 0) {
        const heam_order *order = heam_ring_at(&base->orders, 0);
        if (order->pushed <= cycle && heam_plain_offer(self, order, false, cycle - 1)) {
            heam_ring_pop(&base->orders);
        }
    }
    uint64_t next = heam_plain_schedule(self, cycle);
    if (base->orders.size > 0 && self->queues[QUEUE_READ].size < self->queues[QUEUE_READ].capacity) {
        uint64_t pushed = ((const heam_order *)heam_ring_at(&base->orders, 0))->pushed;
        pushed = pushed > cycle ? pushed : cycle + 1;
        next = pushed < next ? pushed : next;
    }
    return next;
}

uint64_t heam_plain_run(heam_plain *self, uint64_t cycle, uint64_t limit) {
    do {
        cycle = run_cycle(self, cycle);
    } while (cycle < limit);
    return cycle;
}

bool heam_plain_idle(const heam_plain *self) {
    return self->queues[QUEUE_READ].size == 0 && self->queues[QUEUE_WRITE].size == 0 && self->queues[QUEUE_ACTIVE].size == 0 &&
           self->refresh.owed == 0;
}
