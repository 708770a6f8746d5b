/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include "pim.h"

/* A channel's result that waits for the crossbar. */
typedef struct {
    waiting what;
    uint32_t number;  /* of the GnR */
    uint32_t channel; /* ordinal in the stack */
} stack_part;

struct heam_stack {
    heam_pim **channels;
    uint32_t size;
    stack_sum *sums;
    uint32_t sums_used;
    uint64_t admitted;   /* the GnR that took an accumulator last: number + 1 */
    stack_part *parts;   /* sorted by what is sent first */
    uint32_t parts_size;
    uint32_t parts_capacity;
    uint64_t crossbar_free;
    uint64_t stack_free;
    uint64_t next_cycle; /* HEAM_NEVER: nothing waits */
    bool freed;
    uint32_t freed_by;   /* the ledger's numbers: of what freed an accumulator last, */
    uint32_t sent_by;    /* of the last PIM_XMOV, */
    uint32_t added_by;   /* of what the adder did last */
    heam_stack_wake *wake;
    void *owner;
};

int32_t heam_stack_create(uint32_t capacity, heam_stack_wake *wake, void *owner, heam_stack **out) {
    heam_stack *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    self->wake = wake;
    self->owner = owner;
    self->next_cycle = HEAM_NEVER;
    self->channels = calloc(capacity, sizeof(heam_pim *));
    if (self->channels == NULL) {
        heam_stack_destroy(self);
        return HEAM_OUT_OF_MEMORY;
    }
    *out = self;
    return HEAM_OK;
}

void heam_stack_destroy(heam_stack *self) {
    if (self == NULL) {
        return;
    }
    free(self->channels);
    free(self->sums);
    free(self->parts);
    free(self);
}

static bool alike(const heam_pim *a, const heam_pim *b) {
    const heam_channel_desc *x = &a->base.desc, *y = &b->base.desc;
    const heam_spec *p = a->base.timing.spec, *q = b->base.timing.spec;
    return x->period == y->period && x->result_bursts == y->result_bursts && x->stack_tags == y->stack_tags &&
           x->stack_cycles == y->stack_cycles && x->xmov_cycles == y->xmov_cycles && x->xmov_latency == y->xmov_latency &&
           p->burst_bytes == q->burst_bytes;
}

/* Only what is in the base die already can go over the crossbar. */
static bool valid_member(const heam_pim *pim) {
    const heam_channel_desc *desc = &pim->base.desc;
    return desc->stack_tags > 0 && desc->stack_tags <= 1u << 16 && desc->xmov_cycles > 0 && (desc->merge || pim->units == 1);
}

int32_t heam_stack_join(heam_stack *self, heam_pim *pim) {
    if (!valid_member(pim) || (self->size > 0 && !alike(pim, self->channels[0]))) {
        return HEAM_BAD_STACK;
    }
    if (self->size == 0) {
        self->sums = calloc(pim->base.desc.stack_tags, sizeof(*self->sums));
    }
    uint32_t parts = self->parts_capacity + pim->base.desc.batch_tags;
    stack_part *more = realloc(self->parts, parts * sizeof(*more));
    if (more != NULL) {
        self->parts = more;
        self->parts_capacity = parts;
    }
    waiting *results = realloc(pim->results.items, pim->base.desc.stack_tags * sizeof(*results));
    if (results != NULL) {
        pim->results.items = results;
    }
    if (self->sums == NULL || more == NULL || results == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    pim->stack = self;
    pim->stack_index = self->size;
    self->channels[self->size++] = pim;
    return HEAM_OK;
}

/* ---- accumulators ---- */

bool heam_stack_admit(heam_stack *self, uint64_t gnr, uint32_t gnr_slot, uint32_t parts, uint64_t bursts) {
    if (parts == 0 || self->admitted == gnr + 1) {
        return true;
    }
    if (self->sums_used == self->channels[0]->base.desc.stack_tags) {
        return false;
    }
    uint32_t at = 0;
    while (self->sums[at].gnr != 0) {
        at++;
    }
    self->sums[at] = (stack_sum){.gnr = gnr + 1, .number = (uint32_t)gnr, .gnr_slot = gnr_slot, .parts = parts, .bursts = bursts};
    self->sums_used++;
    self->admitted = gnr + 1;
    return true;
}

stack_sum *heam_stack_sum(heam_stack *self, uint32_t accumulator) {
    return &self->sums[accumulator];
}

void heam_stack_release(heam_stack *self, uint32_t accumulator, uint32_t by) {
    self->freed_by = by;
    self->sums[accumulator] = (stack_sum){.gnr = 0};
    self->sums_used--;
    self->freed = true;
}

bool heam_stack_freed(heam_stack *self) {
    bool freed = self->freed;
    self->freed = false;
    return freed;
}

uint32_t heam_stack_freed_by(const heam_stack *self) {
    return self->freed_by;
}

static uint32_t sum_of(const heam_stack *self, uint32_t number) {
    uint32_t at = 0;
    while (self->sums[at].gnr == 0 || self->sums[at].number != number) {
        at++;
    }
    return at;
}

/* ---- the crossbar ---- */

static bool goes_before(const stack_part *a, const stack_part *b) {
    return a->what.ready != b->what.ready ? a->what.ready < b->what.ready
           : a->number != b->number       ? a->number < b->number
                                          : a->channel < b->channel;
}

static void plan_next(heam_stack *self) {
    self->next_cycle = self->parts_size == 0 ? HEAM_NEVER : larger(self->parts[0].what.ready, self->crossbar_free);
}

void heam_stack_offer(heam_stack *self, const heam_pim *pim, const waiting *result) {
    stack_part part = {.what = *result, .number = pim->tags[result->tag].number, .channel = pim->stack_index};
    uint32_t at = self->parts_size++;
    while (at > 0 && goes_before(&part, &self->parts[at - 1])) {
        self->parts[at] = self->parts[at - 1];
        at--;
    }
    self->parts[at] = part;
    plan_next(self);
}

/* All bursts of a result have been sent; the last one is added by `ready`. */
static void part_left(heam_stack *self, uint32_t number, uint64_t ready) {
    uint32_t at = sum_of(self, number);
    if (--self->sums[at].parts > 0) {
        return;
    }
    heam_pim *reader = self->channels[number % self->size];
    heam_pim_result_waits(reader, &(waiting){.ready = ready, .age = number, .tag = at, .by = self->added_by});
    self->wake(self->owner, reader->base.index, ready);
}

uint64_t heam_stack_next_tick(const heam_stack *self) {
    return self->next_cycle == HEAM_NEVER ? HEAM_NEVER : self->next_cycle * self->channels[0]->base.desc.period;
}

bool heam_stack_send(heam_stack *self) {
    uint64_t cycle = self->next_cycle;
    const stack_part part = self->parts[0];
    heam_pim *from = self->channels[part.channel];
    const heam_channel_desc *desc = &from->base.desc;
    self->crossbar_free = cycle + desc->xmov_cycles;
    uint64_t arrival = self->crossbar_free + desc->xmov_latency;
    bool busy = self->stack_free > arrival;
    self->stack_free = larger(self->stack_free, arrival) + desc->stack_cycles;
    bool last = heam_pim_send_burst(from, &part.what, cycle, self->sent_by);
    self->sent_by = from->base.last;
    self->added_by = heam_channel_event(&from->base, self->stack_free, busy ? self->added_by : self->sent_by,
                                        busy ? HEAM_REASON(STACK) : HEAM_REASON(LATENCY));
    if (last) {
        self->parts_size--;
        memmove(self->parts, self->parts + 1, self->parts_size * sizeof(*self->parts));
        self->wake(self->owner, from->base.index, cycle + 1);
        part_left(self, part.number, self->stack_free);
    }
    plan_next(self);
    return !from->base.failed;
}
