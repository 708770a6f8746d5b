/* SPDX-License-Identifier: MIT */
/*
 * The front end couples the channels only through the cycle in which it makes its offers: each channel is simulated by itself, up to that
 * cycle when a request is offered to it, or until it has a place when a request waits for one.
 */
#include "fast_replay.h"
#include "latencies.h"

#define READS_MAX 65536u

struct fast_replay {
    fast_tables tables;
    fast_serve *serve;
    uint32_t engine;
    uint32_t channels;
    uint32_t offers_per_cycle;
    uint64_t cycle;
    uint32_t offers;
    bool offering; /* the offers of `cycle` are made, the rest of it is to come */
    bool failed;
    unsigned char *memory;
    fast_channel *channel; /* in `memory`, aligned; behind them all the lanes */
};

static bool processor_can(uint32_t engine) {
#if defined(FAST_X86)
    if (engine == HEAM_ENGINE_AVX2) {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
               __builtin_cpu_supports("popcnt");
    }
#endif
    return engine == HEAM_ENGINE_PORTABLE;
}

static fast_serve *serve_of(uint32_t engine, uint32_t width) {
#if defined(FAST_X86)
    if (engine == HEAM_ENGINE_AVX2) {
        return width == 16 ? heam_fast_serve_avx2_16 : width == 32 ? heam_fast_serve_avx2_32 : heam_fast_serve_avx2_64;
    }
#endif
    (void)engine;
    return width == 16 ? heam_fast_serve_portable_16 : width == 32 ? heam_fast_serve_portable_32 : heam_fast_serve_portable_64;
}

static bool choose_engine(fast_replay *self, uint32_t engine) {
    if (engine == HEAM_ENGINE_AUTO) {
        engine = processor_can(HEAM_ENGINE_AVX2) ? HEAM_ENGINE_AVX2 : HEAM_ENGINE_PORTABLE;
    }
    self->engine = engine;
    if (!processor_can(engine)) {
        return false;
    }
    self->serve = serve_of(engine, self->tables.width);
    return true;
}

/* Room for twice the reads whose data can be still to come, as heam_fast_book needs it; 0 if that were too many. */
static uint32_t reads_room(const fast_tables *tables, uint32_t offers_per_cycle) {
    uint64_t most = ((uint64_t)offers_per_cycle + 1) * ((uint64_t)tables->read_latency + 2);
    return most > READS_MAX ? 0 : 2 * (uint32_t)most + FAST_READS_MIN;
}

/* Nothing queued, no row open. */
static void set_lanes(fast_channel *self) {
    const fast_tables *tables = self->tables;
    const uint32_t none[] = {FAST_HIT, FAST_ROW, FAST_AGE, FAST_STAMP};
    for (uint32_t rank = 0; rank < tables->ranks; rank++) {
        for (uint32_t k = 0; k < sizeof(none) / sizeof(none[0]); k++) {
            memset(fast_row(self, rank, none[k], tables->width), 0xFF, tables->width * sizeof(*self->lanes));
        }
    }
    for (uint32_t bank = 0; bank < tables->banks; bank++) {
        self->open_row[bank] = HEAM_CLOSED;
    }
}

static int32_t channel_init(fast_channel *self, const fast_tables *tables, const heam_channel_desc *desc, const heam_spec *spec,
                            uint32_t reads, bool with_log) {
    self->tables = tables;
    self->now_column = self->now_row = 1;
    self->next_refresh = desc->refresh ? tables->refresh_interval : HEAM_NEVER;
    self->queue[FAST_READS].capacity = desc->read_queue;
    self->queue[FAST_WRITES].capacity = desc->write_queue;
    self->high = desc->write_high_percent * desc->write_queue / 100 + 1;
    self->low = (desc->write_low_percent * desc->write_queue + 99) / 100;
    self->low = self->low > 0 ? self->low : 1; /* an empty queue always ends write mode */
    self->last_arrival = HEAM_NEVER;
    self->reads_limit = FAST_READS_MIN;
    self->with_log = with_log;
    self->log.record = sizeof(heam_log_record);
    size_t window = (size_t)FAST_BANKS * tables->window;
    self->history = calloc(window + 1, sizeof(*self->history));
    self->maintenance = calloc(HEAM_FAST_MAINTENANCE, sizeof(*self->maintenance));
    self->reads = calloc(reads, sizeof(*self->reads));
    self->latencies = calloc(HEAM_LATENCY_BINS, sizeof(*self->latencies));
    if (self->history == NULL || self->maintenance == NULL || self->reads == NULL || self->latencies == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    set_lanes(self);
    for (size_t i = 0; i < window; i++) {
        self->history[i] = INT64_MIN / 2; /* long ago */
    }
    return with_log ? heam_timing_init(&self->shadow, spec) : HEAM_OK;
}

static void channel_clear(fast_channel *self) {
    free(self->history);
    free(self->maintenance);
    free(self->reads);
    free(self->latencies);
    heam_ring_clear(&self->log);
    if (self->with_log) {
        heam_timing_clear(&self->shadow);
    }
}

int32_t heam_fast_create(uint32_t channels, const heam_channel_desc *desc, const heam_spec *spec, uint32_t offers_per_cycle,
                         uint32_t with_log, uint32_t engine, fast_replay **out) {
    if (channels > FAST_CHANNELS || desc->read_queue > FAST_QUEUE || desc->write_queue > FAST_QUEUE || desc->read_queue == 0 ||
        desc->write_queue == 0 || desc->write_high_percent > 100 || desc->write_low_percent > desc->write_high_percent || desc->period == 0 ||
        desc->refresh > HEAM_REFRESH_ALL_BANK || desc->refresh_stagger != 0 || desc->refresh_postpone != 0 || desc->refresh_interval != 0 ||
        desc->scheduler != HEAM_SCHEDULER_FRFCFS || desc->row_policy != HEAM_ROWS_OPEN || spec->aligned ||
        desc->energy_window != 0) {
        return HEAM_BAD_ENGINE;
    }
    fast_replay *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    self->channels = channels;
    self->offers_per_cycle = offers_per_cycle;
    int32_t status = heam_fast_tables_init(&self->tables, spec);
    uint32_t reads = status == HEAM_OK ? reads_room(&self->tables, offers_per_cycle) : 0;
    if (status == HEAM_OK && (reads == 0 || !choose_engine(self, engine))) {
        status = HEAM_BAD_ENGINE;
    }
    if (status != HEAM_OK) {
        goto out;
    }
    status = HEAM_OUT_OF_MEMORY;
    size_t lanes = (size_t)self->tables.ranks * FAST_KINDS * self->tables.width;
    self->memory = calloc((size_t)channels + 1, sizeof(*self->channel) + lanes * sizeof(*self->channel->lanes));
    if (self->memory == NULL) {
        goto out;
    }
    self->channel = (fast_channel *)(void *)(self->memory + (64 - (uintptr_t)self->memory % 64));
    for (uint32_t c = 0; c < channels; c++) {
        self->channel[c].index = (uint16_t)c;
        self->channel[c].lanes = (uint16_t *)(void *)(self->channel + channels) + c * lanes;
        status = channel_init(&self->channel[c], &self->tables, desc, spec, reads, with_log != 0);
        if (status != HEAM_OK) {
            goto out;
        }
    }
    *out = self;
    self = NULL;
out:
    heam_fast_destroy(self);
    return status;
}

void heam_fast_destroy(fast_replay *self) {
    if (self == NULL) {
        return;
    }
    for (uint32_t c = 0; self->memory != NULL && c < self->channels; c++) {
        channel_clear(&self->channel[c]);
    }
    heam_fast_tables_clear(&self->tables);
    free(self->memory);
    free(self);
}

uint32_t heam_fast_engine(const fast_replay *self) {
    return self->engine;
}

/* The channels' logs in order of clock and channel, as if they had run side by side. */
static void merge_logs(fast_replay *self, heam_ring *log) {
    for (;;) {
        fast_channel *first = NULL;
        uint64_t clock = HEAM_NEVER;
        for (uint32_t c = 0; c < self->channels; c++) {
            const heam_ring *ring = &self->channel[c].log;
            if (ring->size > 0) {
                const heam_log_record *record = heam_ring_at(ring, 0);
                if (record->clock < clock) {
                    clock = record->clock;
                    first = &self->channel[c];
                }
            }
        }
        if (first == NULL) {
            return;
        }
        if (!heam_ring_reserve(log)) {
            self->failed = true;
            return;
        }
        heam_ring_push(log, heam_ring_at(&first->log, 0), log->record);
        heam_ring_pop(&first->log);
    }
}

static int32_t finish(fast_replay *self, heam_ring *log, bool moves) {
    merge_logs(self, log);
    for (uint32_t c = 0; c < self->channels; c++) {
        self->failed = self->failed || self->channel[c].failed;
    }
    return self->failed ? HEAM_OUT_OF_MEMORY : moves ? HEAM_OK : HEAM_STUCK;
}

int32_t heam_fast_run(fast_replay *self, fast_front *requests, heam_ring *log) {
    bool moves = true;
    if (requests->n == 0) {
        return HEAM_OK;
    }
    requests->cycle = self->cycle;
    requests->offers = self->offering ? self->offers : 0;
    requests->offers_per_cycle = self->offers_per_cycle;
    self->offering = true;
    for (uint32_t c = 0; c < self->channels && requests->rest != NULL; c++) {
        self->channel[c].with_rest = true; /* from now on; the requests before had 0 */
    }
    if (requests->cycle == 0) {
        requests->cycle = requests->offers = 1; /* the first cycle sees one offer */
    }
    while (requests->i < requests->n && moves) {
        moves = self->serve(&self->channel[requests->channel[requests->i]], requests, 0, FAST_WANT_NOTHING);
    }
    self->cycle = requests->cycle;
    self->offers = requests->offers;
    for (uint32_t c = 0; c < self->channels && moves; c++) {
        moves = self->serve(&self->channel[c], NULL, self->cycle, FAST_WANT_NOTHING);
    }
    return finish(self, log, moves);
}

/* The first cycle from now on at whose end all channels are idle. A refresh can make an idle one busy again. */
static bool run_to_idle(fast_replay *self) {
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t c = 0; c < self->channels; c++) {
            fast_channel *channel = &self->channel[c];
            if (!self->serve(channel, NULL, self->cycle + 1, FAST_WANT_NOTHING)) {
                return false;
            }
            if (!heam_fast_idle(channel)) {
                if (!self->serve(channel, NULL, HEAM_NEVER, FAST_WANT_IDLE)) {
                    return false;
                }
                self->cycle = channel->last_issue;
                again = true;
            }
        }
    }
    return true;
}

int32_t heam_fast_drain(fast_replay *self, heam_ring *log) {
    bool busy = self->offering;
    for (uint32_t c = 0; c < self->channels; c++) {
        busy = busy || !heam_fast_idle(&self->channel[c]);
    }
    bool moves = !busy || run_to_idle(self);
    self->offering = false;
    for (uint32_t c = 0; c < self->channels; c++) {
        uint64_t data = self->channel[c].last_data;
        self->cycle = data > self->cycle ? data : self->cycle;
    }
    return finish(self, log, moves);
}


uint32_t heam_fast_counters(const fast_replay *self, uint32_t channel, uint64_t *out, uint32_t capacity) {
    const fast_channel *from = &self->channel[channel];
    uint64_t all[HEAM_COUNTERS];
    uint64_t clock = heam_fast_cycle(self);
    memcpy(all, from->counters, sizeof(all));
    for (uint32_t i = 0; i < from->reads_size && from->reads[i].cycle <= clock; i++) {
        all[HEAM_COUNT_read_latency] += from->reads[i].latency;
        all[HEAM_COUNT_reads_completed]++;
    }
    all[HEAM_COUNT_cycles] = clock;
    for (uint32_t rank = 0; rank < self->tables.ranks; rank++) {
        if (from->rank_open[rank] > 0 && clock > from->rank_since[rank]) {
            all[HEAM_COUNT_rank_active] += clock - from->rank_since[rank];
        }
        all[HEAM_COUNT_bank_active] += from->rank_open[rank] * clock;
    }
    if (capacity > 0) { /* out may be NULL */
        memcpy(out, all, sizeof(all[0]) * (capacity < HEAM_COUNTERS ? capacity : HEAM_COUNTERS));
    }
    return HEAM_COUNTERS;
}

void heam_fast_latencies(const fast_replay *self, uint32_t channel, uint64_t *out, uint32_t capacity) {
    const fast_channel *from = &self->channel[channel];
    uint64_t clock = heam_fast_cycle(self);
    if (capacity > 0) { /* out may be NULL */
        memcpy(out, from->latencies, sizeof(*out) * (capacity < HEAM_LATENCY_BINS ? capacity : HEAM_LATENCY_BINS));
    }
    for (uint32_t i = 0; i < from->reads_size && from->reads[i].cycle <= clock; i++) {
        uint32_t bin = heam_latency_bin(from->reads[i].latency);
        if (bin < capacity) {
            out[bin]++;
        }
    }
}

uint64_t heam_fast_cycle(const fast_replay *self) {
    return self->offering ? self->cycle - 1 : self->cycle;
}
