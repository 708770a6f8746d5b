/* SPDX-License-Identifier: MIT */
/* Host and channels in one run on a common tick (docs/engine.md, "Time" and "The host"). */
#include "channel.h"
#include "llc.h"

#define NOBODY UINT32_MAX
#define MAX_CHANNELS 4096u

typedef struct {
    heam_plain *plain;
    heam_pim *pim;
    heam_channel *base;
    uint64_t next_cycle; /* HEAM_NEVER: nothing to do */
    uint64_t next_tick;
} member;

/* A GnR in flight. */
typedef struct {
    uint64_t gnr;
    uint64_t arrival;
    uint64_t waiting; /* bursts that the host has not yet received */
    bool issued;      /* all its items */
} flight;

/* A GnR whose sum is complete at a host cycle. */
typedef struct {
    uint64_t cycle;
    uint32_t slot;
} finish;

/* The caller's items, copied. */
typedef struct {
    uint64_t gnrs;
    uint64_t count;
    uint64_t *offsets;
    heam_order *orders;
    uint64_t *lines;
    uint16_t *channels;
} work;

struct heam_system {
    heam_host_desc desc;
    uint32_t channels;
    member *members;
    uint32_t *unit_base;   /* first stamp of a channel's units */
    uint64_t *unit_stamp;  /* GnR + 1 that was last seen */
    uint64_t *channel_stamp;
    heam_llc llc;
    heam_ring log;
    heam_ring latencies;
    bool with_log;
    flight *flights;
    uint32_t *vacant;
    uint32_t vacant_size;
    heam_ring finishes;    /* in order of cycle */
    work work;
    bool last_input;
    uint64_t position;     /* next GnR of the work */
    uint64_t item;         /* next item of the GnR that is being issued */
    uint32_t line;         /* next line of that item */
    uint32_t issuing;      /* flight slot; NOBODY */
    uint64_t admitted;
    uint64_t finished;
    uint64_t adder;        /* bytes: host cycle x add_bytes_per_cycle at which the adder is free */
    uint64_t outstanding;
    uint64_t host_cycle;   /* HEAM_NEVER: nothing to do */
    uint32_t tokens;       /* left in the host cycle that was interrupted for input */
    bool resume;           /* the host cycle is to be continued at its issue step */
    uint32_t blocked_on;   /* channel whose instruction buffer was full; NOBODY */
    uint64_t time;
    uint64_t counters[HEAM_HOST_COUNTERS];
    bool failed;
};

/* ---- creation ---- */

static bool valid_host(const heam_host_desc *host) {
    return host->period > 0 && host->issue_per_cycle > 0 && host->outstanding > 0 && host->outstanding <= 1u << 24 &&
           host->add_bytes_per_cycle > 0 && host->line_bytes > 0 && host->line_bytes <= 65536 && host->window > 0 &&
           host->window <= 1u << 20 && (host->llc_sets == 0) == (host->llc_ways == 0) && (uint64_t)host->llc_sets * host->llc_ways <= 1u << 28;
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
    }
    return status;
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
        member *m = &self->members[i];
        m->next_cycle = 1;
        m->next_tick = desc[i].period;
        self->unit_base[i] = units;
        units += m->pim != NULL ? heam_pim_units(m->pim) : 0;
    }
    self->unit_stamp = calloc((size_t)units + 1, sizeof(*self->unit_stamp));
    return self->unit_stamp == NULL ? HEAM_OUT_OF_MEMORY : HEAM_OK;
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
    self->log.record = sizeof(heam_log_record);
    self->latencies.record = sizeof(heam_latency_record);
    self->finishes.record = sizeof(finish);
    self->issuing = NOBODY;
    self->blocked_on = NOBODY;
    self->members = calloc(channels, sizeof(*self->members));
    self->unit_base = calloc(channels, sizeof(*self->unit_base));
    self->channel_stamp = calloc(channels, sizeof(*self->channel_stamp));
    self->flights = calloc(host->window, sizeof(*self->flights));
    self->vacant = calloc(host->window, sizeof(*self->vacant));
    if (self->members == NULL || self->unit_base == NULL || self->channel_stamp == NULL || self->flights == NULL || self->vacant == NULL ||
        heam_llc_init(&self->llc, host->llc_sets, host->llc_ways) != HEAM_OK) {
        goto out;
    }
    for (uint32_t i = 0; i < host->window; i++) {
        self->vacant[self->vacant_size++] = host->window - 1 - i;
    }
    status = add_members(self, desc, specs, detail);
    if (status == HEAM_OK) {
        *out = self;
        self = NULL;
    }
out:
    heam_system_destroy(self);
    return status;
}

static void work_clear(work *self) {
    free(self->offsets);
    free(self->orders);
    free(self->lines);
    free(self->channels);
    memset(self, 0, sizeof(*self));
}

void heam_system_destroy(heam_system *self) {
    if (self == NULL) {
        return;
    }
    for (uint32_t i = 0; self->members != NULL && i < self->channels; i++) {
        heam_plain_destroy(self->members[i].plain);
        heam_pim_destroy(self->members[i].pim);
    }
    free(self->members);
    free(self->unit_base);
    free(self->unit_stamp);
    free(self->channel_stamp);
    free(self->flights);
    free(self->vacant);
    heam_llc_clear(&self->llc);
    heam_ring_clear(&self->log);
    heam_ring_clear(&self->latencies);
    heam_ring_clear(&self->finishes);
    work_clear(&self->work);
    free(self);
}

/* ---- input ---- */

static bool valid_bank(const heam_items *items, uint64_t i, const heam_spec *spec) {
    return items->bank[i] < spec->banks && items->row[i] < spec->dram_rows && items->bursts[i] > 0 &&
           (uint32_t)items->column[i] + items->bursts[i] <= spec->dram_columns;
}

static bool valid_host_read(const heam_system *self, const heam_items *items, uint64_t i) {
    const member *m = &self->members[items->channel[i]];
    if (m->plain == NULL) {
        return false;
    }
    uint32_t per_line = self->desc.line_bytes / m->base->timing.spec.burst_bytes;
    return valid_bank(items, i, &m->base->timing.spec) && items->bursts[i] % per_line == 0;
}

static bool valid_pim(const heam_system *self, const heam_items *items, uint64_t i) {
    const member *m = &self->members[items->channel[i]];
    if (m->pim == NULL || items->unit[i] >= heam_pim_units(m->pim)) {
        return false;
    }
    if (items->kind[i] == HEAM_ITEM_PIM_LUT) {
        return items->bursts[i] > 0 && items->bank[i] == 0;
    }
    const heam_spec *spec = &m->base->timing.spec;
    return valid_bank(items, i, spec) && items->bank[i] / spec->stride[m->base->desc.unit_level] == items->unit[i];
}

/* A LOAD stands right before its MAC, both at the same unit of the same channel and in the same GnR. */
static bool valid_roles(const heam_items *items, uint64_t i, uint64_t first, uint64_t end) {
    if (items->kind[i] == HEAM_ITEM_HOST_READ) {
        return items->role[i] <= HEAM_ROLE_MAC;
    }
    bool after_load = i > first && items->role[i - 1] == HEAM_ROLE_LOAD && items->kind[i - 1] != HEAM_ITEM_HOST_READ;
    switch (items->role[i]) {
        case HEAM_ROLE_ACC:
            return !after_load;
        case HEAM_ROLE_LOAD:
            return !after_load && i + 1 < end && items->role[i + 1] == HEAM_ROLE_MAC &&
                   items->kind[i + 1] != HEAM_ITEM_HOST_READ;
        case HEAM_ROLE_MAC:
            return after_load && items->channel[i] == items->channel[i - 1] && items->unit[i] == items->unit[i - 1];
        default:
            return false;
    }
}

static bool valid_item(const heam_system *self, const heam_items *items, uint64_t i, uint64_t first, uint64_t end) {
    if (items->channel[i] >= self->channels || items->kind[i] > HEAM_ITEM_PIM_LUT || !valid_roles(items, i, first, end)) {
        return false;
    }
    return items->kind[i] == HEAM_ITEM_HOST_READ ? valid_host_read(self, items, i) : valid_pim(self, items, i);
}

static int32_t validate(const heam_system *self, const heam_items *items, uint64_t *detail) {
    if (items->offsets == NULL || items->offsets[0] != 0) {
        return HEAM_BAD_ARGUMENT;
    }
    for (uint64_t g = 0; g < items->gnrs; g++) {
        if (items->offsets[g + 1] < items->offsets[g]) {
            return HEAM_BAD_ARGUMENT;
        }
    }
    uint64_t count = items->offsets[items->gnrs];
    if (count > 0 && (items->kind == NULL || items->role == NULL || items->channel == NULL || items->bank == NULL || items->row == NULL ||
                      items->column == NULL || items->bursts == NULL || items->unit == NULL || items->slot == NULL || items->line == NULL)) {
        return HEAM_BAD_ARGUMENT;
    }
    for (uint64_t g = 0; g < items->gnrs; g++) {
        for (uint64_t i = items->offsets[g]; i < items->offsets[g + 1]; i++) {
            if (!valid_item(self, items, i, items->offsets[g], items->offsets[g + 1])) {
                if (detail != NULL) {
                    *detail = i;
                }
                return HEAM_BAD_ITEM;
            }
        }
    }
    return HEAM_OK;
}

static int32_t copy_items(work *to, const heam_items *items) {
    uint64_t count = items->offsets[items->gnrs];
    if (items->gnrs >= SIZE_MAX / 64 || count >= SIZE_MAX / 64) {
        return HEAM_OUT_OF_MEMORY;
    }
    to->gnrs = items->gnrs;
    to->count = count;
    to->offsets = malloc((items->gnrs + 1) * sizeof(*to->offsets));
    to->orders = malloc((count + 1) * sizeof(*to->orders));
    to->lines = malloc((count + 1) * sizeof(*to->lines));
    to->channels = malloc((count + 1) * sizeof(*to->channels));
    if (to->offsets == NULL || to->orders == NULL || to->lines == NULL || to->channels == NULL) {
        work_clear(to);
        return HEAM_OUT_OF_MEMORY;
    }
    memcpy(to->offsets, items->offsets, (items->gnrs + 1) * sizeof(*to->offsets));
    for (uint64_t i = 0; i < count; i++) {
        to->orders[i] = (heam_order){.row = items->row[i], .slot = items->slot[i], .bank = items->bank[i], .column = items->column[i],
                                     .bursts = items->bursts[i], .unit = items->unit[i], .kind = items->kind[i], .role = items->role[i]};
        to->lines[i] = items->line[i];
        to->channels[i] = items->channel[i];
    }
    return HEAM_OK;
}

int32_t heam_system_feed(heam_system *self, const heam_items *items, uint32_t last, uint64_t *detail) {
    if (self == NULL || items == NULL) {
        return HEAM_BAD_ARGUMENT;
    }
    if (self->last_input || self->position < self->work.gnrs || self->issuing != NOBODY) {
        return HEAM_WRONG_CALL;
    }
    int32_t status = validate(self, items, detail);
    work taken = {.gnrs = 0};
    if (status == HEAM_OK) {
        status = copy_items(&taken, items);
    }
    if (status == HEAM_OK) {
        work_clear(&self->work);
        self->work = taken;
        self->position = 0;
        self->last_input = last != 0;
    }
    return status;
}

/* ---- the host ---- */

static uint64_t ceil_div(uint64_t a, uint64_t b) {
    return a / b + (a % b != 0);
}

/* The GnR's sum is complete at host cycle `cycle`. */
static void finish_at(heam_system *self, uint32_t slot, uint64_t cycle) {
    finish item = {.cycle = cycle, .slot = slot};
    if (!heam_ring_reserve(&self->finishes)) {
        self->failed = true;
        return;
    }
    heam_ring_push(&self->finishes, &item);
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

static void add_bytes(heam_system *self, uint64_t host_cycle, uint64_t bytes) {
    uint64_t now = host_cycle * self->desc.add_bytes_per_cycle;
    self->adder = (self->adder > now ? self->adder : now) + bytes;
    self->counters[HEAM_HOST_added_bytes] += bytes;
}

static void finish_if_complete(heam_system *self, uint32_t slot) {
    if (self->flights[slot].waiting == 0 && self->flights[slot].issued) {
        finish_at(self, slot, ceil_div(self->adder, self->desc.add_bytes_per_cycle));
    }
}

static void collect(heam_system *self, uint64_t host_cycle) {
    uint64_t tick = host_cycle * self->desc.period;
    for (uint32_t c = 0; c < self->channels; c++) {
        heam_channel *base = self->members[c].base;
        while (base->bursts.size > 0) {
            const heam_burst *burst = heam_ring_at(&base->bursts, 0);
            if (burst->cycle * base->desc.period > tick) {
                break;
            }
            if (self->members[c].plain != NULL) {
                self->outstanding--;
                base->counters[HEAM_COUNT_read_latency] += burst->cycle - burst->arrival;
                base->counters[HEAM_COUNT_reads_completed]++;
            } else {
                self->counters[HEAM_HOST_result_bursts]++;
            }
            add_bytes(self, host_cycle, base->timing.spec.burst_bytes);
            uint32_t slot = burst->gnr_slot;
            self->flights[slot].waiting--;
            heam_ring_pop(&base->bursts);
            finish_if_complete(self, slot);
        }
    }
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
        heam_ring_push(&self->latencies, &record);
        self->counters[HEAM_HOST_gnrs]++;
        self->counters[HEAM_HOST_latency_ticks] += record.finish - record.arrival;
        self->time = record.finish > self->time ? record.finish : self->time;
        self->finished++;
        self->vacant[self->vacant_size++] = item->slot;
        heam_ring_pop(&self->finishes);
    }
}

static bool may_admit(const heam_system *self) {
    if (self->vacant_size == 0) {
        return false;
    }
    uint64_t batch = self->desc.batch;
    return batch == 0 || self->admitted / batch * batch <= self->finished;
}

/* Marks the last items per unit and channel, and counts the result bursts to come. */
static uint64_t mark_last(heam_system *self, uint64_t first, uint64_t end) {
    uint64_t stamp = self->admitted + 1;
    uint64_t results = 0;
    for (uint64_t i = end; i-- > first;) {
        heam_order *order = &self->work.orders[i];
        if (order->kind == HEAM_ITEM_HOST_READ) {
            continue;
        }
        uint32_t c = self->work.channels[i];
        const heam_channel_desc *desc = &self->members[c].base->desc;
        uint64_t *of_unit = &self->unit_stamp[self->unit_base[c] + order->unit];
        order->last_of_unit = *of_unit != stamp;
        order->last_of_channel = self->channel_stamp[c] != stamp;
        *of_unit = stamp;
        self->channel_stamp[c] = stamp;
        results += (desc->merge ? order->last_of_channel : order->last_of_unit) ? desc->result_bursts : 0;
    }
    return results;
}

static void admit(heam_system *self, uint64_t host_cycle) {
    uint32_t slot = self->vacant[--self->vacant_size];
    uint64_t first = self->work.offsets[self->position];
    uint64_t end = self->work.offsets[self->position + 1];
    flight *f = &self->flights[slot];
    *f = (flight){.gnr = self->admitted, .arrival = host_cycle * self->desc.period};
    f->waiting = mark_last(self, first, end);
    self->admitted++;
    self->item = first;
    self->line = 0;
    if (first == end) {
        f->issued = true;
        self->position++;
        finish_at(self, slot, host_cycle);
    } else {
        self->issuing = slot;
    }
}

/* The channel may look at what was pushed from its first cycle that is not before this tick. */
static uint64_t push(heam_system *self, uint32_t c, const heam_order *order, uint64_t tick) {
    member *m = &self->members[c];
    uint32_t period = m->base->desc.period;
    uint64_t cycle = ceil_div(tick, period);
    cycle = cycle == 0 ? 1 : cycle;
    if (!heam_ring_reserve(&m->base->orders)) {
        self->failed = true;
        return cycle;
    }
    heam_order *at = heam_ring_push(&m->base->orders, order);
    at->pushed = cycle;
    if (cycle < m->next_cycle) {
        m->next_cycle = cycle;
        m->next_tick = cycle * period;
    }
    return cycle;
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
        heam_ring_push(&self->log, &record);
    }
}

/* One line of a host read; false: it has to wait. */
static bool issue_line(heam_system *self, const heam_order *order, uint32_t c, uint64_t host_cycle) {
    uint32_t per_line = self->desc.line_bytes / self->members[c].base->timing.spec.burst_bytes;
    uint64_t line = self->work.lines[self->item] + self->line;
    flight *f = &self->flights[self->issuing];
    uint32_t first = self->line * per_line;
    if (heam_llc_touch(&self->llc, line)) {
        self->counters[HEAM_HOST_llc_hits]++;
        add_bytes(self, host_cycle, self->desc.line_bytes);
        log_hit(self, order, c, first, per_line, host_cycle);
    } else {
        if (self->outstanding + per_line > self->desc.outstanding) {
            self->counters[HEAM_HOST_stalled_outstanding]++;
            return false;
        }
        heam_llc_insert(&self->llc, line);
        self->outstanding += per_line;
        if (self->outstanding > self->counters[HEAM_HOST_outstanding_peak]) {
            self->counters[HEAM_HOST_outstanding_peak] = self->outstanding;
        }
        f->waiting += per_line;
        self->counters[HEAM_HOST_bursts_read] += per_line;
        for (uint32_t b = 0; b < per_line; b++) {
            heam_order burst = *order;
            burst.tag = (uint32_t)f->gnr;
            burst.gnr_slot = self->issuing;
            burst.column = (uint16_t)(order->column + first + b);
            burst.bursts = 1;
            push(self, c, &burst, host_cycle * self->desc.period);
        }
    }
    self->counters[HEAM_HOST_lines]++;
    self->line++;
    return true;
}

static bool issue_instruction(heam_system *self, const heam_order *order, uint32_t c, uint64_t host_cycle) {
    const heam_channel *base = self->members[c].base;
    if (base->orders.size >= base->desc.instruction_buffer) {
        self->counters[HEAM_HOST_stalled_instructions]++;
        self->blocked_on = c;
        return false;
    }
    heam_order sent = *order;
    sent.tag = (uint32_t)self->flights[self->issuing].gnr;
    sent.gnr_slot = self->issuing;
    push(self, c, &sent, host_cycle * self->desc.period);
    return true;
}

static void item_done(heam_system *self) {
    self->counters[HEAM_HOST_items]++;
    self->item++;
    self->line = 0;
    if (self->item == self->work.offsets[self->position + 1]) {
        uint32_t slot = self->issuing;
        self->position++;
        self->issuing = NOBODY;
        self->flights[slot].issued = true;
        finish_if_complete(self, slot);
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
        item_done(self);
        return true;
    }
    if (!issue_line(self, order, c, host_cycle)) {
        return false;
    }
    uint32_t per_line = self->desc.line_bytes / self->members[c].base->timing.spec.burst_bytes;
    if (self->line * per_line == order->bursts) {
        item_done(self);
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
            if (!may_admit(self)) {
                self->counters[HEAM_HOST_stalled_window]++;
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

/* The host cycle at which the next burst has come or the next GnR finishes. */
static uint64_t next_arrival(const heam_system *self, uint64_t host_cycle) {
    uint64_t next = HEAM_NEVER;
    for (uint32_t c = 0; c < self->channels; c++) {
        const heam_channel *base = self->members[c].base;
        if (base->bursts.size > 0) {
            const heam_burst *burst = heam_ring_at(&base->bursts, 0);
            uint64_t cycle = ceil_div(burst->cycle * base->desc.period, self->desc.period);
            next = cycle < next ? cycle : next;
        }
    }
    if (self->finishes.size > 0) {
        const finish *item = heam_ring_at(&self->finishes, 0);
        next = item->cycle < next ? item->cycle : next;
    }
    return next == HEAM_NEVER || next > host_cycle ? next : host_cycle + 1;
}

/* False: input is needed before the cycle can be finished. */
static bool run_host(heam_system *self) {
    uint64_t cycle = self->host_cycle;
    if (!self->resume) {
        self->blocked_on = NOBODY;
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
            self->host_cycle = next_arrival(self, cycle);
            break;
    }
    return true;
}

/* ---- the run ---- */

static void wake_host(heam_system *self, uint64_t host_cycle) {
    if (host_cycle < self->host_cycle) {
        self->host_cycle = host_cycle;
    }
}

static void run_channel(heam_system *self, uint32_t c, uint64_t tick) {
    member *m = &self->members[c];
    size_t before = m->base->bursts.size;
    bool delivered = false;
    m->next_cycle = m->plain != NULL ? heam_plain_cycle(m->plain, m->next_cycle) : heam_pim_cycle(m->pim, m->next_cycle, &delivered);
    m->next_tick = m->next_cycle == HEAM_NEVER ? HEAM_NEVER : m->next_cycle * m->base->desc.period;
    self->failed = self->failed || m->base->failed;
    if (delivered && self->blocked_on == c) {
        wake_host(self, tick / self->desc.period + 1);
    }
    if (before == 0 && m->base->bursts.size > 0) {
        const heam_burst *burst = heam_ring_at(&m->base->bursts, 0);
        wake_host(self, ceil_div(burst->cycle * m->base->desc.period, self->desc.period));
    }
}

static bool all_done(const heam_system *self) {
    return self->last_input && self->position == self->work.gnrs && self->issuing == NOBODY && self->finished == self->admitted;
}

static uint64_t next_channel_tick(const heam_system *self) {
    uint64_t tick = HEAM_NEVER;
    for (uint32_t c = 0; c < self->channels; c++) {
        tick = self->members[c].next_tick < tick ? self->members[c].next_tick : tick;
    }
    return tick;
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
            *state = HEAM_STATE_DONE;
            return HEAM_OK;
        }
        uint64_t tick = next_channel_tick(self);
        uint64_t host_tick = self->host_cycle == HEAM_NEVER ? HEAM_NEVER : self->host_cycle * self->desc.period;
        if (tick == HEAM_NEVER && host_tick == HEAM_NEVER) {
            return HEAM_STUCK;
        }
        if (host_tick <= tick) {
            if (!run_host(self)) {
                *state = HEAM_STATE_NEED_INPUT;
                return HEAM_OK;
            }
            if (all_done(self)) {
                *state = HEAM_STATE_DONE;
                return self->failed ? HEAM_OUT_OF_MEMORY : HEAM_OK;
            }
            continue;
        }
        for (uint32_t c = 0; c < self->channels; c++) {
            if (self->members[c].next_tick == tick) {
                run_channel(self, c, tick);
            }
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
