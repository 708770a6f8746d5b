/* SPDX-License-Identifier: MIT */
/* Delivery of instructions to the units of a PIM channel (docs/engine.md, P4). */
#include "pim.h"

/* The tag of an instruction's GnR, a fresh one if it is its first here; NOBODY: all are taken. */
static uint32_t take_tag(heam_pim *self, const heam_order *order) {
    uint64_t gnr = (uint64_t)order->tag + 1;
    if (self->current != NOBODY && self->tags[self->current].gnr == gnr && !self->tags[self->current].closed) {
        return self->current;
    }
    if (self->tags_used == self->base.desc.batch_tags) {
        return NOBODY;
    }
    uint32_t tag = 0;
    while (self->tags[tag].gnr != 0) {
        tag++;
    }
    self->tags[tag] = (batch_tag){.age = self->age, .gnr = gnr, .number = order->tag, .gnr_slot = order->gnr_slot};
    self->tags_used++;
    self->current = tag;
    return tag;
}

/* Ties a MUL or MAC to the link of its chain that came just before it to the same unit. */
static void pair_up(heam_pim *self, uint32_t index) {
    entry *e = &self->pool[index];
    unit *pe = &self->unit[e->what.unit];
    if (combines(e)) {
        if (pe->load == NOBODY) {
            e->loaded = 1;
            e->reg = pe->reg;
            e->reg_by = pe->reg_by;
        } else {
            self->pool[pe->load].partner = index;
            e->before = pe->load;
        }
    }
    pe->load = feeds_register(e) ? index : NOBODY;
}

/* Sends an item along the path to its rank, or on with what carries it; returns the cycle from which it is available. */
static uint64_t send(heam_pim *self, const heam_order *order, uint64_t cycle) {
    const heam_channel_desc *desc = &self->base.desc;
    uint32_t rank = heam_rank_of(&self->base.timing, order->unit * self->unit_stride);
    bool carried = (order->flags & HEAM_FLAG_CARRIED) != 0;
    if (!carried) {
        self->sent = self->path_free = cycle + desc->instruction_cycles;
        self->base.counters[HEAM_COUNT_path_busy] += desc->instruction_cycles;
        self->base.counters[HEAM_COUNT_instructions]++;
        self->base.instructions--;
    }
    if (!carried || rank != self->crossed_rank) {
        self->crossed_rank = rank;
        self->crossed = larger(larger(cycle, self->sent), self->second_free[rank]) + desc->second_stage_cycles;
        self->second_free[rank] = self->crossed;
        self->base.counters[HEAM_COUNT_second_busy] += desc->second_stage_cycles;
    }
    return larger(cycle, self->crossed + desc->decode_cycles);
}

/* A new item of the GnR with this tag is at its unit. */
static void join_sum(heam_pim *self, const heam_order *order, uint32_t tag) {
    partial *sum = partial_of(self, order->unit, tag);
    if (!sum->used) {
        *sum = (partial){.used = 1};
    }
    sum->pending++;
    sum->bursts |= order->adds;
    self->tags[tag].bursts |= order->adds;
    sum->closed = order->last_of_unit;
    self->tags[tag].units += order->last_of_unit;
    self->tags[tag].closed = order->last_of_channel;
    self->age++;
}

/* Notes a delivery, and what it waited for: what came about in this very cycle, or else the delivery before it. */
static uint32_t note_delivery(heam_pim *self, const heam_order *order, bool new_tag, uint64_t path_free, uint64_t cycle) {
    const unit *pe = &self->unit[order->unit];
    heam_channel *base = &self->base;
    bool carried = (order->flags & HEAM_FLAG_CARRIED) != 0;
    /* The burst that freed the tag took the path in its own cycle. */
    if (new_tag && self->tags_used == base->desc.batch_tags && self->tag_freed + 1 >= cycle && self->tag_by != HEAM_NOTHING) {
        return heam_channel_event(base, cycle, self->tag_by, HEAM_REASON(TAG));
    }
    if (!carried && !base->desc.host_driven && path_free == cycle) {
        return heam_channel_event(base, cycle, self->path_by, HEAM_REASON(PATH));
    }
    if (order->pushed == cycle && !carried) {
        return heam_channel_event(base, cycle, order->by, HEAM_REASON(ISSUE));
    }
    if (pe->left + 1 == cycle) {
        return heam_channel_event(base, cycle, pe->left_by, HEAM_REASON(ORDER));
    }
    return heam_channel_event(base, cycle, self->delivered_by, HEAM_REASON(PATH));
}

/* Field by field: for a whole structure compilers use string instructions, which take long to start. */
static void fill_entry(entry *e, const heam_order *order, uint32_t tag, uint64_t available, uint32_t by) {
    e->what = *order;
    e->available = available;
    e->arrival = e->reg = e->result = 0;
    e->by = by;
    e->row_by = e->reg_by = e->result_by = HEAM_NOTHING;
    e->partner = e->before = e->leader = e->follower = NOBODY;
    e->last_follower = 0;
    e->tag = tag;
    e->issued = 0;
    e->source = FROM_BANK;
    e->fills = e->awaited = e->started = e->loaded = e->counted = 0;
}

static void enqueue(heam_pim *self, const heam_order *order, uint32_t tag, uint64_t available) {
    uint32_t index = self->vacant[self->vacant_size - 1];
    fill_entry(&self->pool[index], order, tag, available, self->delivered_by);
    if (!heam_pim_look_up(self, index)) {
        return;
    }
    self->vacant_size--;
    self->ready[index] = self->pool[index].source == FROM_LEADER ? HEAM_NEVER : available;
    if (self->pool[index].source == FROM_HOST) {
        self->ready[index] = HEAM_NEVER;
        self->waiting_immediates[self->immediates_size++] = (uint16_t)index;
        self->due[STEP_IMMEDIATE] = 0;
    }
    heam_pim_wake(self, STEP_WALK, self->ready[index]);
    self->order[self->order_size++] = (uint16_t)index;
    if (self->order_size > self->base.counters[HEAM_COUNT_queue_peak]) {
        self->base.counters[HEAM_COUNT_queue_peak] = self->order_size;
    }
    self->unit[order->unit].queued++;
    pair_up(self, index);
    if (tag != NOBODY) {
        join_sum(self, order, tag);
    }
}

void heam_pim_take_pins(heam_pim *self, heam_ring *pins, uint64_t end) {
    if (!heam_ring_reserve(pins)) {
        self->base.failed = true;
        return;
    }
    heam_ring_push(pins, &end, sizeof(end));
}

static void forget_past(heam_ring *pins, uint64_t cycle) {
    while (pins->size > 0 && *(const uint64_t *)heam_ring_at(pins, 0) <= cycle) {
        heam_ring_pop(pins);
    }
}

/* When an instruction that would start at `cycle` is clear of bursts whose ends begin the ring's records, in order. */
static uint64_t clear_of(const heam_pim *self, const heam_ring *bursts, uint64_t cycle) {
    uint64_t burst_cycles = self->base.timing.spec->burst_cycles;
    for (size_t i = 0; i < bursts->size; i++) {
        uint64_t end = *(const uint64_t *)heam_ring_at(bursts, i);
        if (end <= cycle) {
            continue;
        }
        if (end - burst_cycles >= cycle + self->base.desc.instruction_cycles) {
            break;
        }
        cycle = end;
    }
    return cycle;
}

/* When an instruction that would start at `cycle` may do so: over the data pins it keeps clear of results and immediates. */
static uint64_t path_clear(heam_pim *self, uint64_t cycle) {
    if (!self->base.desc.path_uses_dq) {
        return cycle;
    }
    forget_past(&self->pins, cycle);
    forget_past(&self->result_pins, cycle);
    uint64_t clear = cycle, before;
    do {
        before = clear;
        clear = clear_of(self, &self->pins, clear_of(self, &self->result_pins, before));
    } while (clear != before);
    return clear;
}

/* From when an instruction may start on its path; HEAM_NEVER while LUTs are loaded. */
static uint64_t path_allows(heam_pim *self, const heam_order *order, uint64_t cycle) {
    if (self->lut_left > 0) {
        return HEAM_NEVER;
    }
    uint64_t may = larger(self->base.desc.host_driven ? 0 : self->path_free, order->pushed);
    return cycle < may ? may : path_clear(self, cycle);
}

/* False: the head of the buffer has to wait, until the cycle that is noted or until something wakes the step. */
static bool deliver_head(heam_pim *self, uint64_t cycle) {
    const heam_order *order = heam_ring_at(&self->base.orders, 0);
    uint64_t may = (order->flags & HEAM_FLAG_CARRIED) != 0 ? cycle : path_allows(self, order, cycle);
    if (cycle < may) {
        self->due[STEP_DELIVER] = may;
        return false;
    }
    if (self->unit[order->unit].queued == self->base.desc.queue_depth) {
        self->full_unit = order->unit;
        return false;
    }
    bool sums = order->role != HEAM_ROLE_FILL;
    uint32_t tags_before = self->tags_used;
    uint32_t tag = sums ? take_tag(self, order) : NOBODY;
    if (sums && tag == NOBODY) {
        return false;
    }
    uint64_t path_free = self->path_free;
    uint64_t available = send(self, order, cycle);
    self->delivered_by = note_delivery(self, order, self->tags_used > tags_before, path_free, cycle);
    self->path_by = (order->flags & HEAM_FLAG_CARRIED) != 0 ? self->path_by : self->delivered_by;
    enqueue(self, order, tag, available);
    heam_ring_pop(&self->base.orders);
    return true;
}

void heam_pim_deliver(heam_pim *self, uint64_t cycle) {
    self->due[STEP_DELIVER] = HEAM_NEVER;
    self->full_unit = NOBODY;
    while (self->base.orders.size > 0 && deliver_head(self, cycle)) {
    }
    if (self->base.orders.size == 0) {
        self->due[STEP_DELIVER] = 0; /* as soon as there is an order */
    }
}
