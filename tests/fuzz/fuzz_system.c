/* SPDX-License-Identifier: MIT */
/* Bytes as bags of work items for a host, a plain and a PIM channel. However the work is cut into chunks and the run into
   steps, the outcome is the same; a chunk that is refused leaves no trace. */
#include "fuzz.h"

#define GNRS_MAX 120u
#define ITEMS_MAX 500u
#define STEPS_MAX 30000u

typedef struct {
    heam_host_desc host;
    heam_channel_desc channels[2];
    bool cut_elsewhere; /* with spoiled offsets another cut is another job */
    uint64_t gnrs;
    uint64_t size;
    uint64_t offsets[GNRS_MAX + 1];
    uint8_t kind[ITEMS_MAX];
    uint8_t role[ITEMS_MAX];
    uint16_t channel[ITEMS_MAX];
    uint16_t bank[ITEMS_MAX];
    uint32_t row[ITEMS_MAX];
    uint16_t column[ITEMS_MAX];
    uint16_t bursts[ITEMS_MAX];
    uint16_t unit[ITEMS_MAX];
    uint32_t slot[ITEMS_MAX];
    uint64_t line[ITEMS_MAX];
    uint8_t segment[ITEMS_MAX];
    uint8_t covers[ITEMS_MAX];
    uint16_t alu[ITEMS_MAX];
    uint8_t flags[ITEMS_MAX];
    bool timed; /* the bags have arrivals */
    uint64_t arrival[ITEMS_MAX];
} job;

typedef struct {
    int32_t status;
    uint32_t state;
    uint64_t time;
    uint64_t log_size;
    heam_log_record *log;
    uint64_t counters[2][COUNTERS_MAX];
    uint64_t host[COUNTERS_MAX];
    uint64_t spent;
} outcome;

/* Energies of all kinds, and windows of a few cycles or none. */
static void read_energy(heam_channel_desc *self, bytes *in) {
    self->energy_window = next_below(in, 64);
    uint32_t most = next_byte(in);
    for (uint32_t kind = 0; kind < HEAM_KINDS; kind++) {
        self->energy[kind] = most * kind;
    }
    if (most == 255) { /* now and then something that is refused */
        self->energy[HEAM_KIND_ACT] = next_number(in, 8);
    }
}

static void read_plain(heam_channel_desc *self, bytes *in) {
    *self = plain_channel();
    self->refresh = next_byte(in) & 1u;
    self->read_queue = 1 + next_below(in, 12);
    self->period = 1 + next_below(in, 4);
    read_energy(self, in);
}

static void read_pim(heam_channel_desc *self, bytes *in) {
    *self = pim_channel();
    self->refresh = next_byte(in) & 1u;
    self->period = 1 + next_below(in, 4);
    self->unit_level = next_below(in, TOY_LEVELS);
    self->merge = next_byte(in) & 1u;
    self->queue_depth = 1 + next_below(in, 5);
    self->batch_tags = 1 + next_below(in, 4);
    self->instruction_buffer = 1 + next_below(in, 6);
    self->instruction_cycles = 1 + next_below(in, 4);
    self->path_uses_dq = next_byte(in) & 1u;
    self->alu_cycles = next_below(in, 5);
    self->second_stage_cycles = next_below(in, 4) * next_below(in, 4);
    self->merge_identical = next_byte(in) & 1u;
    self->cache_sets = next_below(in, 3);
    self->cache_ways = self->cache_sets > 0 ? 1 + next_below(in, 3) : 0;
    if ((next_byte(in) & 3u) == 0) {
        self->host_driven = 1;
        self->instruction_cycles = self->path_uses_dq = 0;
    }
    self->stack = next_below(in, 4); /* only one and two are channels */
    self->stack_tags = next_below(in, 4);
    self->stack_cycles = next_below(in, 3);
    self->xmov_cycles = 1 + next_below(in, 3);
    self->xmov_latency = next_below(in, 5);
    if (self->stack > 0 && (next_byte(in) & 7u) != 0) { /* mostly what a stack can have */
        self->stack = 1 + (self->stack & 1u);
        self->stack_tags += 1;
        self->merge = 1;
    }
    self->port_bytes_per_cycle = 8u << next_below(in, 5);
    self->lut_load = next_below(in, 5);
    self->result_bursts = 1u << next_below(in, 7);
    read_energy(self, in);
    if (next_byte(in) < 8) { /* now and then something that may be refused */
        self->unit_level = next_below(in, 10);
        self->queue_depth = (uint32_t)next_number(in, 2);
        self->batch_tags = (uint32_t)next_number(in, 2);
        self->result_bursts = (uint32_t)next_number(in, 1);
    }
}

static void read_host(heam_host_desc *self, bytes *in) {
    *self = small_host();
    self->period = 1 + next_below(in, 4);
    self->issue_per_cycle = 1 + next_below(in, 4);
    self->outstanding = 2 + next_below(in, 16);
    self->add_bytes_per_cycle = 1u << next_below(in, 10);
    self->line_bytes = next_byte(in) & 1u ? 128 : 64;
    self->llc_sets = next_below(in, 4);
    self->llc_ways = self->llc_sets > 0 ? 1 + next_below(in, 3) : 0;
    self->window = 1 + next_below(in, 6);
    self->batch = next_below(in, 4);
    self->ledger_ticks = next_below(in, 200);
}

static uint32_t banks_per_unit(const toy *memory, uint32_t level) {
    uint32_t banks = 1;
    for (uint32_t inner = level + 1; inner < TOY_LEVELS; inner++) {
        banks *= memory->counts[inner];
    }
    return banks;
}

static void add_item(job *self, uint8_t kind, uint8_t role, uint32_t bank, uint32_t unit, bytes *in) {
    uint64_t i = self->size++;
    uint8_t what = next_byte(in);
    self->kind[i] = kind;
    self->role[i] = role;
    self->channel[i] = kind == HEAM_ITEM_HOST_READ ? 0 : 1;
    self->bank[i] = (uint16_t)(kind == HEAM_ITEM_PIM_LUT ? 0 : bank);
    self->row[i] = what % 5;
    self->column[i] = 0;
    self->bursts[i] = (uint16_t)(kind == HEAM_ITEM_HOST_READ ? self->host.line_bytes / 64 * (1u + (what >> 7)) : 1u + (what >> 6));
    self->unit[i] = (uint16_t)unit;
    self->slot[i] = (uint32_t)i;
    self->line[i] = (uint64_t)bank * 64 + what;
    if (what % 3 == 0 && kind != HEAM_ITEM_HOST_READ) {
        uint32_t result = self->channels[1].result_bursts % 65;
        self->covers[i] = (uint8_t)(1 + next_below(in, result > 0 ? result : 1));
        self->segment[i] = (uint8_t)next_below(in, result >= self->covers[i] ? result - self->covers[i] + 1 : 1);
        self->alu[i] = (uint16_t)next_below(in, 7);
        self->line[i] = bank * 8 + self->row[i];
        self->flags[i] = self->size > self->offsets[self->gnrs] + 1 && self->channel[i - 1] == 1 ? HEAM_FLAG_CARRIED : 0;
        self->flags[i] |= next_byte(in) & HEAM_FLAG_CACHE;
    }
}

static void add_operand(job *self, const toy *memory, bytes *in) {
    uint32_t level = self->channels[1].unit_level < TOY_LEVELS ? self->channels[1].unit_level : 0;
    uint32_t bank = next_below(in, toy_banks(memory));
    uint32_t unit = bank / banks_per_unit(memory, level);
    switch (next_below(in, 8)) {
        case 7:
            for (uint32_t reads = 1 + next_below(in, 2); reads > 0; reads--) {
                add_item(self, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, bank, HEAM_NO_UNIT, in);
                self->flags[self->size - 1] = next_byte(in) & HEAM_FLAG_UNADDED;
            }
            add_item(self, HEAM_ITEM_PIM_IMMEDIATE, HEAM_ROLE_ACC, 0, unit, in);
            self->row[self->size - 1] = 1;
            self->covers[self->size - 1] = self->flags[self->size - 1] = 0;
            break;
        case 6:
            if (self->channels[1].cache_sets > 0) {
                add_item(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_FILL, bank, unit, in);
            }
            break;
        case 0: add_item(self, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, bank, HEAM_NO_UNIT, in); break;
        case 1: add_item(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, bank, unit, in); break;
        case 2: add_item(self, HEAM_ITEM_PIM_LUT, HEAM_ROLE_ACC, bank, unit, in); break;
        case 3:
            add_item(self, HEAM_ITEM_PIM_LUT, HEAM_ROLE_LOAD, bank, unit, in);
            add_item(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, bank, unit, in);
            break;
        case 4:
            add_item(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_LOAD, bank, unit, in);
            for (uint32_t links = next_below(in, 3); links > 0; links--) {
                add_item(self, next_byte(in) & 1u ? HEAM_ITEM_PIM_LUT : HEAM_ITEM_PIM_READ, HEAM_ROLE_MUL, bank, unit, in);
            }
            add_item(self, next_byte(in) & 1u ? HEAM_ITEM_PIM_LUT : HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, bank, unit, in);
            break;
        default:
            add_item(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_LOAD, bank, unit, in);
            add_item(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, bank, unit, in);
            break;
    }
}

/* One entry of one array gets another value: the core has to refuse it or to live with it. */
static void spoil(job *self, bytes *in) {
    uint64_t i = next_below(in, (uint32_t)self->size);
    uint32_t value = (uint32_t)next_number(in, 4);
    switch (next_below(in, 14)) {
        case 0: self->kind[i] = (uint8_t)value; break;
        case 1: self->role[i] = (uint8_t)value; break;
        case 2: self->channel[i] = (uint16_t)value; break;
        case 3: self->bank[i] = (uint16_t)value; break;
        case 4: self->row[i] = value; break;
        case 5: self->column[i] = (uint16_t)value; break;
        case 6: self->bursts[i] = (uint16_t)(value & 0xffu); break;
        case 7: self->unit[i] = (uint16_t)value; break;
        case 8: self->segment[i] = (uint8_t)value; break;
        case 9: self->covers[i] = (uint8_t)value; break;
        case 10: self->alu[i] = (uint16_t)(value & 0xffu); break;
        case 11: self->flags[i] = (uint8_t)value; break;
        case 12: self->arrival[i % self->gnrs] = (uint64_t)1 << 62 | value; break; /* is refused */
        default:
            self->offsets[i % (self->gnrs + 1)] = value % (self->size + 1);
            self->cut_elsewhere = true;
            break;
    }
}

static void read_job(job *self, const toy *memory, bytes *in) {
    memset(self, 0, sizeof(*self));
    read_host(&self->host, in);
    read_plain(&self->channels[0], in);
    read_pim(&self->channels[1], in);
    uint32_t spoils = next_byte(in) < 64 ? 1 + next_below(in, 3) : 0;
    bytes spoiler = {.data = in->data + in->at, .size = in->size - in->at < 24 ? in->size - in->at : 24, .at = 0};
    self->timed = next_byte(in) < 64;
    while (!at_end(in) && self->gnrs < GNRS_MAX && self->size + 4 * 6 < ITEMS_MAX) {
        for (uint32_t operands = next_below(in, 6); operands > 0; operands--) {
            add_operand(self, memory, in);
        }
        if (self->timed) { /* some behind their successors */
            self->arrival[self->gnrs] = self->gnrs * next_below(in, 40);
        }
        self->offsets[++self->gnrs] = self->size;
    }
    for (; self->size > 0 && spoils > 0; spoils--) {
        spoil(self, &spoiler);
    }
}

#define COPY(field) exact_copy(in->field + first, count * sizeof(*in->field))

/* Bags [from, from + gnrs) in arrays of exactly their size. */
static int32_t feed(heam_system *system, const job *in, uint64_t from, uint64_t gnrs, uint64_t *detail) {
    uint64_t first = in->offsets[from];
    uint64_t last = in->offsets[from + gnrs];
    uint64_t count = last >= first ? last - first : 0;
    uint64_t *offsets = exact_copy(in->offsets + from, (gnrs + 1) * sizeof(*offsets));
    for (uint64_t g = 0; g <= gnrs; g++) {
        offsets[g] = offsets[g] > first ? offsets[g] - first : 0; /* spoiled ones must not claim more than the arrays hold */
    }
    bool lawful = true; /* what the header asks of the caller: arrays as long as the last offset says */
    for (uint64_t g = 0; g < gnrs; g++) {
        lawful = lawful && offsets[g] <= offsets[g + 1];
    }
    heam_items items = {.gnrs = gnrs, .offsets = offsets, .kind = COPY(kind), .role = COPY(role), .channel = COPY(channel), .bank = COPY(bank),
                        .row = COPY(row), .column = COPY(column), .bursts = COPY(bursts), .unit = COPY(unit), .slot = COPY(slot),
                        .line = COPY(line), .segment = COPY(segment), .covers = COPY(covers), .alu = COPY(alu), .flags = COPY(flags),
                        .arrival = in->timed ? exact_copy(in->arrival + from, gnrs * sizeof(*in->arrival)) : NULL};
    int32_t status = heam_system_feed(system, &items, from + gnrs == in->gnrs, detail);
    PROMISE(lawful || status_is(status, "HEAM_BAD_ARGUMENT"));
    PROMISE(!status_is(status, "HEAM_BAD_ITEM") || *detail < count);
    free(offsets);
    free((void *)(uintptr_t)items.kind);
    free((void *)(uintptr_t)items.role);
    free((void *)(uintptr_t)items.channel);
    free((void *)(uintptr_t)items.bank);
    free((void *)(uintptr_t)items.row);
    free((void *)(uintptr_t)items.column);
    free((void *)(uintptr_t)items.bursts);
    free((void *)(uintptr_t)items.unit);
    free((void *)(uintptr_t)items.slot);
    free((void *)(uintptr_t)items.line);
    free((void *)(uintptr_t)items.segment);
    free((void *)(uintptr_t)items.covers);
    free((void *)(uintptr_t)items.alu);
    free((void *)(uintptr_t)items.flags);
    free((void *)(uintptr_t)items.arrival);
    return status;
}

static void drive(heam_system *system, const job *in, uint64_t chunk, uint64_t steps, outcome *out) {
    uint64_t fed = 0;
    uint64_t left = STEPS_MAX;
    out->state = HEAM_STATE_NEED_INPUT;
    out->status = 0;
    while (status_is(out->status, "HEAM_OK") && out->state != HEAM_STATE_DONE && left > 0) {
        if (out->state == HEAM_STATE_NEED_INPUT) {
            uint64_t detail = UINT64_MAX;
            uint64_t gnrs = chunk < in->gnrs - fed ? chunk : in->gnrs - fed;
            out->status = feed(system, in, fed, gnrs, &detail);
            PROMISE(!status_is(out->status, "HEAM_WRONG_CALL"));
            fed += gnrs;
        }
        if (status_is(out->status, "HEAM_OK")) {
            out->status = heam_system_run(system, steps < left ? steps : left, &out->state);
            left -= steps < left ? steps : left;
        }
    }
    if (status_is(out->status, "HEAM_OK") && out->state == HEAM_STATE_DONE) {
        PROMISE(heam_system_finished(system) == in->gnrs);
        PROMISE(heam_system_latencies_size(system) == in->gnrs);
        out->status = heam_system_run(system, steps, &out->state);
        PROMISE(status_is(out->status, "HEAM_OK") && out->state == HEAM_STATE_DONE); /* what is done stays done */
    }
}

static bool run_job(const heam_spec *spec, const job *in, uint32_t with_log, uint64_t chunk, uint64_t steps, outcome *out) {
    const heam_spec *specs[2] = {spec, spec};
    heam_system *system = NULL;
    uint64_t detail = UINT64_MAX;
    memset(out, 0, sizeof(*out));
    out->status = heam_system_create(&in->host, 2, in->channels, specs, with_log, &system, &detail);
    PROMISE(status_is(out->status, "HEAM_OK") == (system != NULL));
    if (system == NULL) {
        return false;
    }
    drive(system, in, chunk, steps, out);
    out->time = heam_system_time(system);
    out->spent = ticks_spent(system, 2);
    PROMISE(!status_is(out->status, "HEAM_OK") || out->state != HEAM_STATE_DONE || out->spent == (in->host.ledger_ticks > 0 ? out->time : 0));
    out->log_size = heam_system_log_size(system);
    out->log = calloc(out->log_size + 1, sizeof(*out->log));
    PROMISE(out->log != NULL);
    PROMISE(heam_system_take_log(system, out->log, out->log_size + 1) == out->log_size);
    for (uint32_t c = 0; c < 2; c++) {
        PROMISE(heam_system_counters(system, c, out->counters[c], COUNTERS_MAX) <= COUNTERS_MAX);
    }
    PROMISE(heam_system_host_counters(system, out->host, COUNTERS_MAX) <= COUNTERS_MAX);
    heam_system_destroy(system);
    return true;
}

/* `stalled_*` count visits, and a visit may be cut in two; all else is the same however the work was cut. */
static void compare(const outcome *a, const outcome *b) {
    PROMISE(a->spent == b->spent && a->time == b->time);
    for (uint64_t i = 0; i < a->log_size && b->log_size > 0; i++) {
        const heam_log_record *x = &a->log[i];
        const heam_log_record *y = &b->log[i];
        PROMISE(x->clock == y->clock && x->channel == y->channel && x->command == y->command && x->bank == y->bank);
        PROMISE(x->row == y->row && x->column == y->column && x->tag == y->tag && x->unit == y->unit && x->bound == y->bound);
    }
    PROMISE(memcmp(a->counters, b->counters, sizeof(a->counters)) == 0);
    for (uint32_t i = 0; heam_host_counter_name(i) != NULL; i++) {
        PROMISE(a->host[i] == b->host[i] || strncmp(heam_host_counter_name(i), "stalled_", 8) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static toy memory;
    static job work;
    static outcome whole;
    static outcome cut;
    static outcome silent;
    bytes in = {.data = data, .size = size};
    uint32_t bent = bend_toy(&memory, &in);
    memory.desc.refresh_interval = (bent == 0 ? 200 : 1000) + next_below(&in, 256) * 8;
    uint64_t chunk = 1 + next_below(&in, 16);
    uint64_t steps = 1 + next_below(&in, 64);
    read_job(&work, &memory, &in);
    heam_spec *spec = toy_compile(&memory);
    if (run_job(spec, &work, 1, GNRS_MAX, STEPS_MAX, &whole)) {
        PROMISE(!status_is(whole.status, "HEAM_STUCK"));
        if (run_job(spec, &work, 1, chunk, steps, &cut) && whole.state == HEAM_STATE_DONE && cut.state == HEAM_STATE_DONE &&
            !work.cut_elsewhere) {
            PROMISE(whole.log_size == cut.log_size);
            compare(&whole, &cut);
        }
        /* Without a log the host may be ahead of the channels: all else is the same. */
        if (run_job(spec, &work, 0, GNRS_MAX, STEPS_MAX, &silent) && whole.state == HEAM_STATE_DONE && silent.state == HEAM_STATE_DONE) {
            PROMISE(silent.log_size == 0);
            compare(&whole, &silent);
        }
        free(whole.log);
        free(cut.log);
        free(silent.log);
    }
    heam_spec_destroy(spec);
    return 0;
}
