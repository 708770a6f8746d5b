/* SPDX-License-Identifier: MIT */
/* A channel whose operands are reduced inside the memory (docs/engine.md, "A PIM channel"). */
#include "channel.h"

#define NOBODY UINT32_MAX

/* An operand in a unit's queue. */
typedef struct {
    heam_order what;
    uint64_t available;
    uint64_t reg;      /* MAC: when its register is loaded */
    uint32_t partner;  /* LOAD: the entry that waits for it; NOBODY while not delivered */
    uint32_t tag;      /* index into the channel's tags */
    uint16_t issued;   /* bursts */
    uint8_t started;
    uint8_t loaded;
    uint8_t counted;
} entry;

typedef struct {
    uint64_t alu_free;
    uint64_t lut_free;
    uint64_t reg;       /* of a LOAD that has left before its partner was delivered */
    uint32_t queued;
    uint32_t load;      /* the LOAD entry whose partner is to come; NOBODY: it has left */
} unit;

/* The sum of one GnR at one unit. */
typedef struct {
    uint64_t ready;
    uint32_t pending; /* operands delivered and not yet read completely */
    uint32_t moved;   /* bursts that have left */
    uint8_t used;
    uint8_t closed;   /* its last operand has been delivered */
} partial;

/* A GnR in this channel. */
typedef struct {
    uint64_t age;
    uint64_t gnr; /* tag number + 1; 0: free */
    uint32_t number;
    uint32_t gnr_slot;
    uint32_t units;    /* that it uses, as far as delivered */
    uint32_t merged;   /* units whose partial has reached the merge node, or left as a result */
    uint32_t left;     /* result bursts that have left the merge node */
    uint64_t ready;    /* of the merged result; HEAM_NEVER while incomplete */
    uint8_t closed;
} batch_tag;

/* Something complete that waits to be moved or read out. */
typedef struct {
    uint64_t ready;
    uint64_t age;
    uint32_t tag;
    uint32_t unit;
} waiting;

typedef struct {
    waiting *items;
    uint32_t size;
} waiting_list;

struct heam_pim {
    heam_channel base;
    uint32_t units;
    uint32_t unit_stride; /* banks per unit */
    uint32_t pool_size;
    entry *pool;
    uint64_t *ready;   /* per pool entry: lower bound of when it can do something; 0 = look again */
    uint16_t *order;   /* delivered entries, oldest first */
    uint32_t order_size;
    uint16_t *vacant;
    uint32_t vacant_size;
    unit *unit;
    partial *partials; /* [unit * batch_tags + tag] */
    batch_tag *tags;
    uint32_t tags_used;
    uint32_t current;  /* tag of the GnR that is being delivered */
    waiting_list moves;
    waiting_list results;
    uint32_t *started_in_bank;
    uint32_t *started_in_rank;
    uint32_t *owed;    /* REFab per rank */
    uint32_t owed_total;
    uint64_t *column_used; /* per unit: cycle of its last column command */
    uint64_t *row_used;
    uint64_t age;
    uint64_t path_free;
    uint64_t merge_free;
    uint64_t lut_left;  /* PIM_WRLUT commands to come, all ranks */
    uint64_t next_refresh;
    uint64_t next;      /* collected while a cycle runs: the earliest later event */
    bool active;        /* something happened in this cycle */
};

static bool valid_desc(const heam_channel_desc *desc, const heam_spec *spec) {
    const uint8_t *of = spec->of_kind;
    return desc->period > 0 && desc->unit_level < spec->levels && desc->merge <= 1 && desc->queue_depth > 0 && desc->queue_depth <= 4096 &&
           (uint64_t)desc->queue_depth * spec->nodes[desc->unit_level] <= 32768 && desc->batch_tags > 0 && desc->batch_tags <= 4096 &&
           (uint64_t)desc->batch_tags * spec->nodes[desc->unit_level] <= 1048576 && desc->instruction_buffer > 0 &&
           desc->result_bursts > 0 && desc->result_bursts <= 65535 && desc->instruction_cycles > 0 && desc->path_uses_dq <= 1 && desc->refresh <= 1 && spec->nodes[desc->unit_level] < HEAM_NO_UNIT &&
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
    self->partials = calloc(sums, sizeof(*self->partials));
    self->tags = calloc(desc->batch_tags, sizeof(*self->tags));
    self->moves.items = calloc(sums, sizeof(*self->moves.items));
    self->results.items = calloc(sums, sizeof(*self->results.items));
    self->started_in_bank = calloc(spec->banks, sizeof(*self->started_in_bank));
    self->started_in_rank = calloc(spec->nodes[1], sizeof(*self->started_in_rank));
    self->owed = calloc(spec->nodes[1], sizeof(*self->owed));
    self->column_used = calloc(self->units, sizeof(*self->column_used));
    self->row_used = calloc(self->units, sizeof(*self->row_used));
    return self->pool != NULL && self->ready != NULL && self->order != NULL && self->vacant != NULL && self->unit != NULL &&
           self->partials != NULL && self->tags != NULL && self->moves.items != NULL && self->results.items != NULL &&
           self->started_in_bank != NULL && self->started_in_rank != NULL && self->owed != NULL && self->column_used != NULL &&
           self->row_used != NULL;
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
    self->units = spec->nodes[desc->unit_level];
    self->unit_stride = spec->stride[desc->unit_level];
    self->pool_size = self->units * desc->queue_depth;
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
    free(self->partials);
    free(self->tags);
    free(self->moves.items);
    free(self->results.items);
    free(self->started_in_bank);
    free(self->started_in_rank);
    free(self->owed);
    free(self->column_used);
    free(self->row_used);
    free(self);
}

heam_channel *heam_pim_base(heam_pim *self) {
    return &self->base;
}

uint32_t heam_pim_units(const heam_pim *self) {
    return self->units;
}

static inline uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Notes a later event. */
static inline void later(heam_pim *self, uint64_t cycle) {
    self->next = cycle < self->next ? cycle : self->next;
}

static inline uint64_t earliest(const heam_pim *self, uint32_t kind, uint32_t bank, uint64_t cycle, int32_t *row) {
    return heam_timing_from(&self->base.timing, self->base.timing.spec.of_kind[kind], bank, cycle, row);
}

static inline int16_t bound_of(uint64_t earliest_cycle, int32_t row, uint64_t cycle, int16_t otherwise) {
    return earliest_cycle == cycle ? (int16_t)row : otherwise;
}

static void issue(heam_pim *self, uint32_t kind, uint64_t cycle, const heam_log_record *record) {
    heam_channel_issue(&self->base, kind, cycle, record);
    self->active = true;
}

static void wake_bank(heam_pim *self, uint32_t bank) {
    for (uint32_t i = 0; i < self->order_size; i++) {
        if (self->pool[self->order[i]].what.bank == bank) {
            self->ready[self->order[i]] = 0;
        }
    }
}

static void wake_all(heam_pim *self) {
    for (uint32_t i = 0; i < self->order_size; i++) {
        self->ready[self->order[i]] = 0;
    }
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
    memmove(list->items + at, list->items + at + 1, (list->size - at) * sizeof(*list->items));
}

static partial *partial_of(heam_pim *self, uint32_t u, uint32_t tag) {
    return &self->partials[(size_t)u * self->base.desc.batch_tags + tag];
}

/* An operand of (unit, tag) has left the queue: is the sum complete? */
static void finish_operand(heam_pim *self, uint32_t u, uint32_t tag) {
    partial *sum = partial_of(self, u, tag);
    sum->pending--;
    if (sum->pending > 0 || !sum->closed) {
        return;
    }
    waiting item = {.ready = sum->ready, .age = self->tags[tag].age, .tag = tag, .unit = u};
    if (self->base.desc.merge) {
        wait_sorted(&self->moves, item, false);
    } else {
        wait_sorted(&self->results, item, true);
    }
}

static void add_to_sum(heam_pim *self, uint32_t u, uint32_t tag, uint64_t arrival, uint64_t cycles) {
    unit *pe = &self->unit[u];
    pe->alu_free = larger(pe->alu_free, arrival) + cycles;
    self->base.counters[HEAM_COUNT_alu_busy] += cycles;
    partial *sum = partial_of(self, u, tag);
    sum->ready = larger(sum->ready, pe->alu_free + self->base.desc.alu_latency);
}

static void free_tag_if_done(heam_pim *self, uint32_t tag) {
    batch_tag *t = &self->tags[tag];
    if (t->closed && t->merged == t->units) {
        *t = (batch_tag){.gnr = 0};
        self->tags_used--;
        if (self->current == tag) {
            self->current = NOBODY;
        }
    }
}

/* ---- P2 .. P5: the path, read-out, delivery, moves ---- */

static void load_lut(heam_pim *self, uint64_t cycle) {
    if (self->lut_left == 0) {
        return;
    }
    const heam_spec *spec = &self->base.timing.spec;
    uint32_t ranks = spec->nodes[1];
    uint64_t position = (uint64_t)self->base.desc.lut_load * ranks - self->lut_left;
    uint32_t bank = (uint32_t)(position % ranks) * spec->stride[1];
    int32_t row;
    uint64_t due = earliest(self, HEAM_KIND_PIM_WRLUT, bank, cycle, &row);
    if (cycle < self->path_free || cycle < due) {
        later(self, larger(self->path_free, due));
        return;
    }
    heam_log_record record = {.bank = (uint16_t)bank, .column = (uint16_t)(position / ranks), .row = (uint32_t)(position / ranks),
                              .unit = HEAM_NO_UNIT, .bound = bound_of(due, row, cycle, HEAM_BOUND_PATH)};
    issue(self, HEAM_KIND_PIM_WRLUT, cycle, &record);
    self->path_free = cycle + 1;
    self->base.counters[HEAM_COUNT_path_busy]++;
    self->lut_left--;
}

static void result_burst_left(heam_pim *self, uint32_t at, uint64_t cycle) {
    waiting *item = &self->results.items[at];
    const heam_spec *spec = &self->base.timing.spec;
    batch_tag *tag = &self->tags[item->tag];
    bool merged = self->base.desc.merge != 0;
    uint32_t *left = merged ? &tag->left : &partial_of(self, item->unit, item->tag)->moved;
    heam_channel_push_burst(&self->base, cycle + self->base.desc.res_latency + spec->burst_cycles, cycle, tag->gnr_slot, false);
    if (++*left < self->base.desc.result_bursts) {
        return;
    }
    uint32_t number = item->tag;
    if (!merged) {
        *partial_of(self, item->unit, number) = (partial){.ready = 0};
        tag->merged++;
    }
    stop_waiting(&self->results, at);
    free_tag_if_done(self, number);
}

static void read_out(heam_pim *self, uint64_t cycle) {
    if (self->results.size == 0) {
        return;
    }
    for (uint32_t i = 0; i < self->results.size; i++) {
        const waiting *item = &self->results.items[i];
        if (item->ready > cycle) {
            later(self, item->ready);
            return;
        }
        if (cycle < self->path_free) {
            later(self, self->path_free);
            return;
        }
        bool merged = self->base.desc.merge != 0;
        uint32_t bank = merged ? 0 : item->unit * self->unit_stride;
        int32_t row;
        uint64_t due = earliest(self, HEAM_KIND_PIM_RDRES, bank, cycle, &row);
        if (due > cycle) {
            later(self, due);
            continue;
        }
        const batch_tag *tag = &self->tags[item->tag];
        uint32_t burst = merged ? tag->left : partial_of(self, item->unit, item->tag)->moved;
        heam_log_record record = {.bank = (uint16_t)bank, .column = (uint16_t)burst, .tag = tag->number,
                                  .unit = (uint16_t)(merged ? HEAM_NO_UNIT : item->unit),
                                  .bound = bound_of(due, row, cycle, item->ready == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_PATH)};
        issue(self, HEAM_KIND_PIM_RDRES, cycle, &record);
        self->path_free = cycle + 1;
        self->base.counters[HEAM_COUNT_path_busy]++;
        result_burst_left(self, i, cycle);
        return;
    }
}

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
    self->tags[tag] = (batch_tag){.age = self->age, .gnr = gnr, .number = order->tag, .gnr_slot = order->gnr_slot, .ready = HEAM_NEVER};
    self->tags_used++;
    self->current = tag;
    return tag;
}

/* Ties a MAC to its LOAD, which came just before it to the same unit. */
static void pair_up(heam_pim *self, uint32_t index) {
    entry *e = &self->pool[index];
    unit *pe = &self->unit[e->what.unit];
    if (e->what.role == HEAM_ROLE_LOAD) {
        pe->load = index;
    } else if (e->what.role == HEAM_ROLE_MAC) {
        if (pe->load == NOBODY) {
            e->loaded = 1;
            e->reg = pe->reg;
        } else {
            self->pool[pe->load].partner = index;
        }
        pe->load = NOBODY;
    }
}

static void deliver(heam_pim *self, const heam_order *order, uint32_t tag, uint64_t cycle) {
    const heam_channel_desc *desc = &self->base.desc;
    self->path_free = cycle + desc->instruction_cycles;
    self->base.counters[HEAM_COUNT_path_busy] += desc->instruction_cycles;
    self->base.counters[HEAM_COUNT_instructions]++;
    uint32_t index = self->vacant[--self->vacant_size];
    self->pool[index] = (entry){.what = *order, .available = cycle + desc->instruction_cycles + desc->decode_cycles, .partner = NOBODY, .tag = tag};
    self->ready[index] = 0;
    self->order[self->order_size++] = (uint16_t)index;
    if (self->order_size > self->base.counters[HEAM_COUNT_queue_peak]) {
        self->base.counters[HEAM_COUNT_queue_peak] = self->order_size;
    }
    self->unit[order->unit].queued++;
    partial *sum = partial_of(self, order->unit, tag);
    if (!sum->used) {
        *sum = (partial){.used = 1};
    }
    sum->pending++;
    sum->closed = order->last_of_unit;
    self->tags[tag].units += order->last_of_unit;
    self->tags[tag].closed = order->last_of_channel;
    self->age++;
    pair_up(self, index);
}

/* When an instruction that would start at `cycle` may do so: over the data pins it keeps clear of result bursts. */
static uint64_t path_clear(const heam_pim *self, uint64_t cycle) {
    const heam_ring *bursts = &self->base.bursts;
    uint64_t burst_cycles = self->base.timing.spec.burst_cycles;
    if (!self->base.desc.path_uses_dq) {
        return cycle;
    }
    for (size_t i = 0; i < bursts->size; i++) {
        const heam_burst *burst = heam_ring_at(bursts, i);
        if (burst->cycle <= cycle) {
            continue;
        }
        if (burst->cycle - burst_cycles >= cycle + self->base.desc.instruction_cycles) {
            break;
        }
        cycle = burst->cycle;
    }
    return cycle;
}

static bool deliver_next(heam_pim *self, uint64_t cycle) {
    heam_ring *orders = &self->base.orders;
    if (orders->size == 0 || self->lut_left > 0) {
        return false;
    }
    const heam_order *order = heam_ring_at(orders, 0);
    uint64_t may = larger(self->path_free, order->pushed);
    if (cycle < may) {
        later(self, may);
        return false;
    }
    uint64_t clear = path_clear(self, cycle);
    if (cycle < clear) {
        later(self, clear);
        return false;
    }
    if (self->unit[order->unit].queued == self->base.desc.queue_depth) {
        return false;
    }
    uint32_t tag = take_tag(self, order);
    if (tag == NOBODY) {
        return false;
    }
    deliver(self, order, tag, cycle);
    heam_ring_pop(orders);
    self->active = true;
    return true;
}

static void move_arrived(heam_pim *self, uint32_t at, uint64_t cycle) {
    const heam_channel_desc *desc = &self->base.desc;
    waiting item = self->moves.items[at];
    partial *sum = partial_of(self, item.unit, item.tag);
    batch_tag *tag = &self->tags[item.tag];
    self->merge_free = larger(self->merge_free, cycle + desc->mov_latency + self->base.timing.spec.burst_cycles) + desc->merge_cycles;
    self->base.counters[HEAM_COUNT_merge_busy] += desc->merge_cycles;
    if (++sum->moved < desc->result_bursts) {
        return;
    }
    *sum = (partial){.ready = 0};
    stop_waiting(&self->moves, at);
    tag->merged++;
    if (tag->closed && tag->merged == tag->units) {
        wait_sorted(&self->results, (waiting){.ready = self->merge_free, .age = tag->age, .tag = item.tag}, true);
    }
}

static void move_one(heam_pim *self, uint64_t cycle) {
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
        heam_log_record record = {.bank = (uint16_t)bank, .column = (uint16_t)partial_of(self, item->unit, item->tag)->moved,
                                  .tag = self->tags[item->tag].number, .unit = (uint16_t)item->unit,
                                  .bound = bound_of(due, row, cycle, item->ready == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_SLOT)};
        issue(self, HEAM_KIND_PIM_MOV, cycle, &record);
        move_arrived(self, i, cycle);
        return;
    }
}

/* ---- P6: refresh ---- */

static void refresh(heam_pim *self, uint64_t cycle) {
    heam_timing *timing = &self->base.timing;
    for (uint32_t rank = 0; self->owed_total > 0 && rank < timing->spec.nodes[1]; rank++) {
        if (self->owed[rank] == 0 || self->started_in_rank[rank] > 0) {
            continue;
        }
        uint32_t bank = rank * timing->spec.stride[1];
        uint32_t kind = timing->rank_open[rank] > 0 ? HEAM_KIND_PREA : HEAM_KIND_REF;
        int32_t row;
        uint64_t due = earliest(self, kind, bank, cycle, &row);
        if (due > cycle) {
            later(self, due);
            continue;
        }
        heam_log_record record = {.bank = (uint16_t)bank, .unit = HEAM_NO_UNIT, .bound = bound_of(due, row, cycle, HEAM_BOUND_SLOT)};
        issue(self, kind, cycle, &record);
        if (kind == HEAM_KIND_REF) {
            self->owed[rank]--;
            self->owed_total--;
        }
        wake_all(self);
    }
}

/* ---- P7: the local controllers ---- */

static void leave(heam_pim *self, uint32_t position) {
    uint32_t index = self->order[position];
    self->order_size--;
    memmove(self->order + position, self->order + position + 1, (self->order_size - position) * sizeof(*self->order));
    self->vacant[self->vacant_size++] = (uint16_t)index;
    self->unit[self->pool[index].what.unit].queued--;
}

/* A LOAD's vector is in the register at `time`. */
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

static heam_log_record record_of(const entry *e, uint32_t column, int16_t bound) {
    return (heam_log_record){.row = e->what.row, .tag = e->what.tag, .slot = e->what.slot, .bank = e->what.bank, .column = (uint16_t)column,
                             .unit = e->what.unit, .bound = bound, .role = e->what.role};
}

/* True if the entry left the queue. */
static bool serve_lut(heam_pim *self, uint32_t position, uint64_t cycle) {
    uint32_t index = self->order[position];
    entry *e = &self->pool[index];
    unit *pe = &self->unit[e->what.unit];
    const heam_channel_desc *desc = &self->base.desc;
    if (pe->lut_free > cycle) {
        self->ready[index] = pe->lut_free;
        return false;
    }
    int16_t bound = e->available == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_LUT;
    heam_log_record record = record_of(e, 0, bound);
    issue(self, HEAM_KIND_PIM_LUT, cycle, &record);
    pe->lut_free = cycle + desc->lut_cycles;
    self->base.counters[HEAM_COUNT_lut_busy] += desc->lut_cycles;
    uint32_t u = e->what.unit;
    uint32_t tag = e->tag;
    if (e->what.role == HEAM_ROLE_LOAD) {
        fill_register(self, index, pe->lut_free);
    } else {
        add_to_sum(self, u, tag, pe->lut_free, (uint64_t)e->what.bursts * desc->alu_cycles);
    }
    leave(self, position);
    finish_operand(self, u, tag);
    return true;
}

static void start(heam_pim *self, entry *e) {
    if (!e->started) {
        e->started = 1;
        if (self->owed_total > 0) {
            wake_all(self);
        }
        self->started_in_bank[e->what.bank]++;
        self->started_in_rank[heam_rank_of(&self->base.timing, e->what.bank)]++;
    }
}

static void stop(heam_pim *self, const entry *e) {
    self->started_in_rank[heam_rank_of(&self->base.timing, e->what.bank)]--;
    if (--self->started_in_bank[e->what.bank] == 0) {
        wake_bank(self, e->what.bank);
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
    const heam_channel_desc *desc = &self->base.desc;
    count_row(self, e);
    heam_log_record record = record_of(e, (uint32_t)e->what.column + e->issued, bound);
    issue(self, HEAM_KIND_PIM_RD, cycle, &record);
    self->column_used[e->what.unit] = cycle;
    start(self, e);
    e->issued++;
    uint64_t arrival = cycle + self->base.timing.spec.read_latency;
    if (e->what.role == HEAM_ROLE_ACC) {
        add_to_sum(self, e->what.unit, e->tag, arrival, desc->alu_cycles);
    } else if (e->what.role == HEAM_ROLE_MAC) {
        add_to_sum(self, e->what.unit, e->tag, larger(arrival, e->reg), desc->alu_cycles);
    }
    if (e->issued < e->what.bursts) {
        self->ready[index] = cycle + 1;
        return false;
    }
    if (e->what.role == HEAM_ROLE_LOAD) {
        fill_register(self, index, arrival);
    }
    uint32_t u = e->what.unit;
    uint32_t tag = e->tag;
    stop(self, e);
    leave(self, position);
    finish_operand(self, u, tag);
    return true;
}

static void row_command(heam_pim *self, entry *e, uint32_t kind, uint64_t cycle, int16_t bound) {
    count_row(self, e);
    heam_log_record record = record_of(e, e->what.column, bound);
    issue(self, kind, cycle, &record);
    self->row_used[e->what.unit] = cycle;
    if (kind == HEAM_KIND_ACT) {
        start(self, e);
    }
    wake_bank(self, e->what.bank);
}

/* While a rank owes a refresh only what has started goes on, and the LOADs that something started waits for. */
static bool held_by_refresh(const heam_pim *self, const entry *e) {
    bool awaited = e->partner != NOBODY && self->pool[e->partner].started;
    return self->owed[heam_rank_of(&self->base.timing, e->what.bank)] > 0 && !e->started && !awaited;
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
static uint32_t next_command(const heam_pim *self, uint32_t position, uint64_t cycle, uint64_t *due, int32_t *row) {
    const entry *e = &self->pool[self->order[position]];
    uint32_t bank = e->what.bank;
    uint32_t open = self->base.timing.open_row[bank];
    uint32_t kind = open == HEAM_CLOSED ? HEAM_KIND_ACT : open == e->what.row ? HEAM_KIND_PIM_RD : HEAM_KIND_PRE;
    bool blocked = held_by_refresh(self, e);
    if (kind == HEAM_KIND_PIM_RD) {
        blocked = blocked || (e->what.role == HEAM_ROLE_MAC && !e->loaded);
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

static bool slot_taken(const heam_pim *self, uint32_t u, uint32_t kind, uint64_t cycle) {
    bool column = self->column_used[u] == cycle;
    bool row = self->row_used[u] == cycle;
    if (!self->base.timing.spec.split_buses) {
        return column || row;
    }
    return kind == HEAM_KIND_PIM_RD ? column : row;
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
    if (slot_taken(self, e->what.unit, kind, cycle)) {
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

static void walk(heam_pim *self, uint64_t cycle) {
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

static void owe_refresh(heam_pim *self, uint64_t cycle) {
    if (cycle == self->next_refresh) {
        self->next_refresh += self->base.timing.spec.refresh_interval;
        for (uint32_t rank = 0; rank < self->base.timing.spec.nodes[1]; rank++) {
            self->owed[rank]++;
            self->owed_total++;
        }
        wake_all(self);
    }
}

uint64_t heam_pim_cycle(heam_pim *self, uint64_t cycle, bool *delivered) {
    self->active = false;
    self->next = HEAM_NEVER;
    owe_refresh(self, cycle);
    load_lut(self, cycle);
    read_out(self, cycle);
    *delivered = deliver_next(self, cycle);
    if (self->base.desc.merge) {
        move_one(self, cycle);
    }
    refresh(self, cycle);
    walk(self, cycle);
    if (self->active) {
        return cycle + 1;
    }
    later(self, self->next_refresh);
    for (uint32_t i = 0; i < self->order_size; i++) {
        later(self, self->ready[self->order[i]]);
    }
    return self->next > cycle ? self->next : cycle + 1;
}
