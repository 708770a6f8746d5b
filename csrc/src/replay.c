/* SPDX-License-Identifier: MIT */
/* Plain request streams through the compatibility front end (docs/engine.md, "Replay front end"). */
#include "channel.h"
#include "fast_replay.h"
#include "latencies.h"
#include "places.h"

#define MAX_CHANNELS 4096u

typedef struct {
    heam_plain *plain;
    heam_channel *base;
    uint64_t next_cycle;
    uint64_t begun; /* the cycle for which heam_plain_begin has run */
    uint64_t *latencies; /* HEAM_LATENCY_BINS */
} member;

struct heam_replay {
    fast_replay *fast; /* if not NULL, it does everything but the checks */
    uint32_t banks;
    uint64_t dram_rows;
    uint32_t dram_columns;
    uint32_t channels;
    uint32_t offers_per_cycle;
    member *members;
    heam_places *places; /* NULL until addresses come */
    heam_ring log;
    bool with_log;
    uint64_t cycle;   /* the last complete one, or the one whose offers are being made */
    uint32_t offers;  /* left in this cycle */
    bool offering;    /* this cycle's offers are not over */
    bool failed;
};

static int32_t create_members(heam_replay *self, const heam_channel_desc *desc, const heam_spec *spec) {
    self->members = calloc(self->channels, sizeof(*self->members));
    if (self->members == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    for (uint32_t c = 0; c < self->channels; c++) {
        member *m = &self->members[c];
        int32_t status = heam_plain_create(desc, spec, (uint16_t)c, self->with_log ? &self->log : NULL, &m->plain);
        if (status != HEAM_OK) {
            return status;
        }
        m->latencies = calloc(HEAM_LATENCY_BINS, sizeof(*m->latencies));
        if (m->latencies == NULL) {
            return HEAM_OUT_OF_MEMORY;
        }
        m->base = heam_plain_base(m->plain);
        m->next_cycle = 1;
    }
    return HEAM_OK;
}

int32_t heam_replay_create_engine(uint32_t channels, const heam_channel_desc *desc, const heam_spec *spec, uint32_t offers_per_cycle,
                                  uint32_t with_log, uint32_t engine, heam_replay **out) {
    if (channels == 0 || channels > MAX_CHANNELS || desc == NULL || spec == NULL || out == NULL || offers_per_cycle == 0 ||
        engine > HEAM_ENGINE_AVX2) {
        return HEAM_BAD_ARGUMENT;
    }
    if (!heam_spec_can_refresh(spec, desc)) {
        return HEAM_BAD_REFRESH;
    }
    heam_replay *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    self->channels = channels;
    self->banks = spec->banks;
    self->dram_rows = spec->dram_rows;
    self->dram_columns = spec->dram_columns;
    self->offers_per_cycle = offers_per_cycle;
    self->with_log = with_log != 0;
    self->log.record = sizeof(heam_log_record);
    int32_t status = HEAM_BAD_ENGINE;
    if (engine != HEAM_ENGINE_GENERIC) {
        status = heam_fast_create(channels, desc, spec, offers_per_cycle, with_log, engine, &self->fast);
    }
    if (engine == HEAM_ENGINE_GENERIC || (engine == HEAM_ENGINE_AUTO && status == HEAM_BAD_ENGINE)) {
        status = create_members(self, desc, spec);
    }
    if (status == HEAM_OK) {
        *out = self;
        self = NULL;
    }
    heam_replay_destroy(self);
    return status;
}

int32_t heam_replay_create(uint32_t channels, const heam_channel_desc *desc, const heam_spec *spec, uint32_t offers_per_cycle,
                           uint32_t with_log, heam_replay **out) {
    return heam_replay_create_engine(channels, desc, spec, offers_per_cycle, with_log, HEAM_ENGINE_AUTO, out);
}

uint32_t heam_replay_engine(const heam_replay *self) {
    return self == NULL || self->fast == NULL ? HEAM_ENGINE_GENERIC : heam_fast_engine(self->fast);
}

void heam_replay_destroy(heam_replay *self) {
    if (self == NULL) {
        return;
    }
    for (uint32_t c = 0; self->members != NULL && c < self->channels; c++) {
        heam_plain_destroy(self->members[c].plain);
        free(self->members[c].latencies);
    }
    free(self->members);
    free(self->places);
    heam_fast_destroy(self->fast);
    heam_ring_clear(&self->log);
    free(self);
}

static void begin(heam_replay *self, member *m) {
    if (m->begun != self->cycle) {
        heam_plain_begin(m->plain, self->cycle);
        m->begun = self->cycle;
    }
}

/* Data that have arrived, in the order in which they were asked for. */
static void complete(member *m, uint64_t cycle) {
    heam_channel *base = m->base;
    while (base->bursts.size > 0) {
        const heam_burst *burst = heam_ring_at(&base->bursts, 0);
        if (burst->cycle > cycle) {
            return;
        }
        m->latencies[heam_latency_bin(burst->cycle - burst->arrival)]++;
        base->counters[HEAM_COUNT_read_latency] += burst->cycle - burst->arrival;
        base->counters[HEAM_COUNT_reads_completed]++;
        heam_ring_pop(&base->bursts);
    }
}

/* The rest of a cycle after its offers. */
static void schedule(heam_replay *self) {
    for (uint32_t c = 0; c < self->channels; c++) {
        member *m = &self->members[c];
        if (m->next_cycle == self->cycle || m->begun == self->cycle) {
            begin(self, m);
            complete(m, self->cycle);
            m->next_cycle = heam_plain_schedule(m->plain, self->cycle);
            self->failed = self->failed || m->base->failed;
        }
    }
    self->offering = false;
}

static uint64_t next_event(const heam_replay *self) {
    uint64_t next = HEAM_NEVER;
    for (uint32_t c = 0; c < self->channels; c++) {
        next = self->members[c].next_cycle < next ? self->members[c].next_cycle : next;
    }
    return next;
}

static void enter(heam_replay *self, uint64_t cycle) {
    self->cycle = cycle;
    self->offers = cycle == 1 ? 1 : self->offers_per_cycle;
    self->offering = true;
}

/* Events of cycles that are over: after a drain, refreshes can have fallen due while the last data arrived. */
static void catch_up(heam_replay *self) {
    uint64_t cycle = self->cycle;
    for (uint64_t next = next_event(self); next <= cycle && !self->failed; next = next_event(self)) {
        self->cycle = next;
        schedule(self);
    }
    self->cycle = cycle;
}

static int32_t run_generic(heam_replay *self, uint64_t n, const uint16_t *channel, const uint16_t *bank, const uint32_t *row,
                           const uint16_t *column, const uint8_t *is_write, const uint64_t *rest) {
    uint64_t i = 0;
    bool blocked = false;
    if (n > 0 && !self->offering) {
        catch_up(self);
    }
    while (i < n && !self->failed) {
        if (!self->offering) {
            uint64_t next = blocked ? next_event(self) : self->cycle + 1;
            if (next == HEAM_NEVER) {
                return HEAM_STUCK;
            }
            enter(self, next);
        }
        blocked = false;
        while (i < n && self->offers > 0) {
            member *m = &self->members[channel[i]];
            heam_order order = {.bank = bank[i], .row = row[i], .column = column[i], .bursts = 1, .rest = rest == NULL ? 0 : rest[i]};
            begin(self, m);
            if (!heam_plain_offer(m->plain, &order, is_write[i] != 0, self->cycle - 1)) {
                blocked = true;
                break;
            }
            self->offers--;
            i++;
        }
        if (i < n) {
            schedule(self);
        }
    }
    return self->failed ? HEAM_OUT_OF_MEMORY : HEAM_OK;
}

/* No value of a stream is larger than the union of all their bits, which is quickly found. */
static uint32_t bits16(uint64_t n, const uint16_t *values) {
    uint16_t bits = 0;
    for (uint64_t i = 0; i < n; i++) {
        bits |= values[i];
    }
    return bits;
}

static uint32_t bits32(uint64_t n, const uint32_t *values) {
    uint32_t bits = 0;
    for (uint64_t i = 0; i < n; i++) {
        bits |= values[i];
    }
    return bits;
}

/* Index of the first request that addresses something that does not exist; n if there is none. */
static uint64_t first_bad(const heam_replay *self, uint64_t n, const uint16_t *channel, const uint16_t *bank, const uint32_t *row,
                          const uint16_t *column) {
    if (bits16(n, channel) < self->channels && bits16(n, bank) < self->banks && bits32(n, row) < self->dram_rows &&
        bits16(n, column) < self->dram_columns) {
        return n;
    }
    uint64_t i = 0;
    while (i < n && channel[i] < self->channels && bank[i] < self->banks && row[i] < self->dram_rows && column[i] < self->dram_columns) {
        i++;
    }
    return i;
}

/* Requests that are known to address what exists. */
static int32_t run(heam_replay *self, uint64_t n, const uint16_t *channel, const uint16_t *bank, const uint32_t *row,
                   const uint16_t *column, const uint8_t *is_write, const uint64_t *rest) {
    if (self->fast != NULL) {
        fast_front requests = {.n = n, .channel = channel, .bank = bank, .row = row, .column = column, .is_write = is_write, .rest = rest};
        return heam_fast_run(self->fast, &requests, &self->log);
    }
    return run_generic(self, n, channel, bank, row, column, is_write, rest);
}

int32_t heam_replay_run(heam_replay *self, uint64_t n, const uint16_t *channel, const uint16_t *bank, const uint32_t *row,
                        const uint16_t *column, const uint8_t *is_write, const uint64_t *rest, uint64_t *detail) {
    if (self == NULL || (n > 0 && (channel == NULL || bank == NULL || row == NULL || column == NULL || is_write == NULL))) {
        return HEAM_BAD_ARGUMENT;
    }
    uint64_t bad = first_bad(self, n, channel, bank, row, column);
    if (bad < n) {
        if (detail != NULL) {
            *detail = bad;
        }
        return HEAM_BAD_ITEM;
    }
    return run(self, n, channel, bank, row, column, is_write, rest);
}

int32_t heam_replay_run_addresses(heam_replay *self, const heam_map_desc *map, uint64_t n, const uint64_t *address,
                                  const uint8_t *is_write) {
    if (self == NULL || map == NULL || (n > 0 && (address == NULL || is_write == NULL)) ||
        (map->bits > 0 && (map->channel == NULL || map->bank == NULL || map->row == NULL || map->column == NULL))) {
        return HEAM_BAD_ARGUMENT;
    }
    if (self->places == NULL) {
        self->places = malloc(sizeof(*self->places));
        if (self->places == NULL) {
            return HEAM_OUT_OF_MEMORY;
        }
    }
    heam_places *places = self->places;
    const heam_shape shape = {.channels = self->channels, .banks = self->banks, .rows = self->dram_rows, .columns = self->dram_columns};
    if (!heam_places_init(places, map, &shape)) {
        return HEAM_BAD_ARGUMENT;
    }
    int32_t status = HEAM_OK;
    for (uint64_t at = 0; at < n && status == HEAM_OK; at += HEAM_PLACES) {
        uint64_t some = n - at < HEAM_PLACES ? n - at : HEAM_PLACES;
        heam_places_find(places, some, address + at);
        status = run(self, some, places->channel, places->bank, places->row, places->column, is_write + at,
                     places->rest_bits == 0 ? NULL : places->rest);
    }
    return status;
}

int32_t heam_replay_stop(heam_replay *self) {
    if (self == NULL) {
        return HEAM_BAD_ARGUMENT;
    }
    if (self->fast != NULL) {
        return HEAM_OK; /* its counters are always those of its clock */
    }
    uint64_t clock = self->offering ? self->cycle - 1 : self->cycle;
    for (uint32_t c = 0; c < self->channels; c++) {
        complete(&self->members[c], clock);
        self->members[c].base->counters[HEAM_COUNT_cycles] = clock;
    }
    return self->failed ? HEAM_OUT_OF_MEMORY : HEAM_OK;
}

static bool drained(const heam_replay *self) {
    for (uint32_t c = 0; c < self->channels; c++) {
        if (!heam_plain_idle(self->members[c].plain)) {
            return false;
        }
    }
    return true;
}

int32_t heam_replay_drain(heam_replay *self) {
    if (self == NULL) {
        return HEAM_BAD_ARGUMENT;
    }
    if (self->fast != NULL) {
        return heam_fast_drain(self->fast, &self->log);
    }
    if (self->offering) {
        schedule(self);
    }
    while (!drained(self) && !self->failed) {
        uint64_t next = next_event(self);
        if (next == HEAM_NEVER) {
            return HEAM_STUCK;
        }
        self->cycle = next;
        schedule(self);
    }
    for (uint32_t c = 0; c < self->channels; c++) {
        const heam_channel *base = self->members[c].base;
        for (size_t i = 0; i < base->bursts.size; i++) {
            const heam_burst *burst = heam_ring_at(&base->bursts, i);
            self->cycle = burst->cycle > self->cycle ? burst->cycle : self->cycle;
        }
    }
    return heam_replay_stop(self);
}

uint32_t heam_replay_counters(const heam_replay *self, uint32_t channel, uint64_t *out, uint32_t capacity) {
    if (self == NULL || channel >= self->channels || (out == NULL && capacity > 0)) {
        return 0;
    }
    if (self->fast != NULL) {
        return heam_fast_counters(self->fast, channel, out, capacity);
    }
    return heam_channel_counters(self->members[channel].base, heam_replay_cycle(self), out, capacity);
}

uint32_t heam_replay_latencies(const heam_replay *self, uint32_t channel, uint64_t *out, uint32_t capacity) {
    if (self == NULL || channel >= self->channels || (out == NULL && capacity > 0)) {
        return 0;
    }
    if (self->fast != NULL) {
        heam_fast_latencies(self->fast, channel, out, capacity);
    } else if (capacity > 0) { /* out may be NULL */
        memcpy(out, self->members[channel].latencies, sizeof(*out) * (capacity < HEAM_LATENCY_BINS ? capacity : HEAM_LATENCY_BINS));
    }
    return HEAM_LATENCY_BINS;
}

uint64_t heam_latency_least(uint32_t bin) {
    if (bin < HEAM_LATENCY_EXACT) {
        return bin;
    }
    uint32_t octave = (bin - HEAM_LATENCY_EXACT) / HEAM_LATENCY_OCTAVE;
    uint64_t part = (bin - HEAM_LATENCY_EXACT) % HEAM_LATENCY_OCTAVE;
    return bin < HEAM_LATENCY_BINS ? (HEAM_LATENCY_EXACT + part * (HEAM_LATENCY_EXACT / HEAM_LATENCY_OCTAVE)) << octave : UINT64_MAX;
}

uint64_t heam_replay_cycle(const heam_replay *self) {
    if (self == NULL) {
        return 0;
    }
    return self->fast != NULL ? heam_fast_cycle(self->fast) : self->offering ? self->cycle - 1 : self->cycle;
}

uint64_t heam_replay_take_log(heam_replay *self, heam_log_record *out, uint64_t capacity) {
    return self == NULL || out == NULL ? 0 : heam_ring_take(&self->log, out, capacity);
}

uint64_t heam_replay_log_size(const heam_replay *self) {
    return self == NULL ? 0 : self->log.size;
}
