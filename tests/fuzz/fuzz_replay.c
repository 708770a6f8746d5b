/* SPDX-License-Identifier: MIT */
/* Bytes as plain requests in chunks, through every engine: the same answers, commands and counters from all of them. */
#include "fuzz.h"

#define REQUESTS_MAX 600u
#define ENGINES 5u
#define MAP_BITS 20u

typedef struct {
    uint32_t channels;
    uint32_t offers;
    heam_channel_desc desc;
    uint64_t size;
    uint16_t channel[REQUESTS_MAX];
    uint16_t bank[REQUESTS_MAX];
    uint32_t row[REQUESTS_MAX];
    uint16_t column[REQUESTS_MAX];
    uint8_t is_write[REQUESTS_MAX];
    uint64_t rest[REQUESTS_MAX];
    uint8_t chunk[REQUESTS_MAX];
    bool with_rest;
    bool by_address;
    heam_map_desc map; /* of the arrays below */
    uint16_t map_channel[MAP_BITS], map_bank[MAP_BITS], map_column[MAP_BITS];
    uint32_t map_row[MAP_BITS];
    uint64_t address[REQUESTS_MAX];
} stream;

typedef struct {
    int32_t status;
    uint64_t cycle;
    uint64_t log_size;
    heam_log_record *log;
    uint64_t counters[4][COUNTERS_MAX];
    uint64_t latencies[4][HEAM_LATENCY_BINS];
} outcome;

/* Images of address bits, most of them inside the memory. */
static void read_map(stream *self, bytes *in) {
    self->by_address = next_byte(in) < 64;
    self->map = (heam_map_desc){.burst_bits = next_below(in, 8), .bits = self->by_address ? next_below(in, MAP_BITS + 1) : 0, .channel = self->map_channel,
                                .bank = self->map_bank, .row = self->map_row, .column = self->map_column};
    for (uint32_t bit = 0; bit < self->map.bits; bit++) {
        uint8_t what = next_byte(in);
        self->map_channel[bit] = (uint16_t)((what & 7u) == 7u ? what >> 6 : 0);
        self->map_bank[bit] = (uint16_t)((what & 3u) == 1u ? 1u << (what >> 3 & 3u) : 0);
        self->map_row[bit] = (what & 3u) == 2u ? 1u << (what >> 3 & 3u) : 0;
        self->map_column[bit] = (uint16_t)((what & 3u) == 0u ? 1u << (what >> 3 & 3u) : 0);
    }
}

/* Some of them out of range. */
static void read_policies(heam_channel_desc *desc, const toy *memory, bytes *in) {
    desc->scheduler = next_below(in, 17) == 16 ? next_byte(in) : next_below(in, 3);
    desc->row_hit_cap = next_below(in, 6);
    desc->row_policy = next_below(in, 17) == 16 ? next_byte(in) : next_below(in, 4);
    desc->row_timeout = next_byte(in);
    desc->row_cap = next_below(in, 17) == 16 ? 0 : 1 + next_below(in, 5);
    desc->refresh = next_below(in, 17) == 16 ? next_byte(in) : next_below(in, 4);
    desc->refresh_stagger = next_below(in, 17) == 16 ? next_byte(in) : next_below(in, 2);
    desc->refresh_postpone = next_below(in, 12);
    /* Room for the refreshes of all banks of a rank, one after the other. */
    desc->refresh_interval = next_below(in, 17) == 16 ? next_byte(in) % 4 : 64 * memory->desc.refresh_interval;
    if (desc->refresh_interval > 0 && desc->refresh_interval < 4) { /* out of range in most memories, endless in the others */
        desc->refresh = HEAM_REFRESH_SAME_BANK + 1;
    } else if (desc->refresh_interval == 0) {
        desc->refresh = HEAM_REFRESH_NONE;
    }
}

static void read_stream(stream *self, const toy *memory, bytes *in) {
    memset(self, 0, sizeof(*self));
    self->channels = 1 + next_below(in, 3);
    self->offers = 1 + next_below(in, 4);
    self->desc = plain_channel();
    self->desc.refresh = next_byte(in) & 1u;
    self->desc.read_queue = 1 + next_below(in, 40);
    self->desc.write_queue = 1 + next_below(in, 40);
    if (next_byte(in) < 128) {
        read_policies(&self->desc, memory, in);
    }
    if (next_byte(in) < 32) {
        self->desc.write_high_percent = next_byte(in);
        self->desc.write_low_percent = next_byte(in);
        self->desc.kind = next_below(in, 3);
        self->desc.period = next_below(in, 3);
    }
    read_map(self, in);
    bool lawless = next_byte(in) < 32;
    self->with_rest = (next_byte(in) & 1u) != 0;
    while (!at_end(in) && self->size < REQUESTS_MAX) {
        uint64_t i = self->size++;
        uint8_t what = next_byte(in);
        uint8_t where = next_byte(in);
        self->channel[i] = (uint16_t)(lawless ? what % 5 : what % self->channels);
        self->bank[i] = (uint16_t)(where % (toy_banks(memory) + (lawless ? 1 : 0)));
        self->row[i] = (uint32_t)(what >> 3) % (lawless ? 33u : 4u);
        self->column[i] = (uint16_t)(what & 64 ? 0 : where % (memory->desc.dram_columns + (lawless ? 1 : 0)));
        self->is_write[i] = what & 128 ? (uint8_t)(1 + where) : 0;
        uint8_t how = next_byte(in);
        self->chunk[i] = how & 63u;
        self->rest[i] = self->with_rest ? how >> 6 : 0u;
        self->address[i] = (uint64_t)what << 3 | (uint64_t)where << 9 | (uint64_t)how << (self->with_rest ? 50 : 0);
    }
}

/* The first request of a chunk that addresses something that does not exist; its length if there is none. */
static uint64_t first_lawless(const toy *memory, const stream *in, uint64_t at, uint64_t n) {
    uint64_t i = 0;
    while (i < n && in->channel[at + i] < in->channels && in->bank[at + i] < toy_banks(memory) &&
           in->row[at + i] < memory->desc.dram_rows && in->column[at + i] < memory->desc.dram_columns) {
        i++;
    }
    return i;
}

/* Chunks in arrays of exactly their size; between them now and then a stop or a drain. */
static int32_t run_chunks(heam_replay *replay, const toy *memory, const stream *in) {
    int32_t status = heam_replay_run(replay, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    uint64_t n = 0;
    for (uint64_t at = 0; at < in->size && status_is(status, "HEAM_OK"); at += n) {
        n = 1u + in->chunk[at];
        n = n < in->size - at ? n : in->size - at;
        uint16_t *channel = exact_copy(in->channel + at, n * sizeof(*channel));
        uint16_t *bank = exact_copy(in->bank + at, n * sizeof(*bank));
        uint32_t *row = exact_copy(in->row + at, n * sizeof(*row));
        uint16_t *column = exact_copy(in->column + at, n * sizeof(*column));
        uint8_t *is_write = exact_copy(in->is_write + at, n * sizeof(*is_write));
        uint64_t *rest = in->with_rest ? exact_copy(in->rest + at, n * sizeof(*rest)) : NULL;
        uint64_t detail = UINT64_MAX;
        if (in->by_address) {
            uint64_t *address = exact_copy(in->address + at, n * sizeof(*address));
            status = heam_replay_run_addresses(replay, &in->map, n, address, is_write);
            free(address);
        } else {
            status = heam_replay_run(replay, n, channel, bank, row, column, is_write, rest, &detail);
            uint64_t lawless = first_lawless(memory, in, at, n);
            PROMISE(status_is(status, "HEAM_BAD_ITEM") == (lawless < n));
            PROMISE(lawless == n || detail == lawless);
        }
        if (status_is(status, "HEAM_OK") && in->chunk[at] % 8 == 7) {
            status = in->chunk[at] & 8 ? heam_replay_stop(replay) : heam_replay_drain(replay);
        }
        free(channel);
        free(bank);
        free(row);
        free(column);
        free(is_write);
        free(rest);
    }
    return status;
}

static bool run_engine(const heam_spec *spec, const toy *memory, const stream *in, uint32_t engine, outcome *out) {
    heam_replay *replay = NULL;
    out->status = heam_replay_create_engine(in->channels, &in->desc, spec, in->offers, 1, engine, &replay);
    PROMISE(status_is(out->status, "HEAM_OK") == (replay != NULL));
    if (replay == NULL) {
        return false;
    }
    PROMISE(heam_replay_engine(replay) != HEAM_ENGINE_AUTO);
    out->status = run_chunks(replay, memory, in);
    if (status_is(out->status, "HEAM_OK")) {
        out->status = heam_replay_drain(replay);
    }
    out->cycle = heam_replay_cycle(replay);
    out->log_size = heam_replay_log_size(replay);
    out->log = calloc(out->log_size + 1, sizeof(*out->log));
    PROMISE(out->log != NULL);
    PROMISE(heam_replay_take_log(replay, out->log, out->log_size + 1) == out->log_size);
    memset(out->counters, 0, sizeof(out->counters));
    memset(out->latencies, 0, sizeof(out->latencies));
    for (uint32_t c = 0; c < in->channels; c++) {
        PROMISE(heam_replay_counters(replay, c, out->counters[c], COUNTERS_MAX) <= COUNTERS_MAX);
        PROMISE(heam_replay_latencies(replay, c, out->latencies[c], HEAM_LATENCY_BINS) == HEAM_LATENCY_BINS);
    }
    PROMISE(heam_replay_counters(replay, in->channels, out->counters[3], COUNTERS_MAX) == 0);
    heam_replay_destroy(replay);
    return true;
}

/* What went in has come out. */
static void check_totals(const stream *in, const outcome *out) {
    uint64_t reads = 0;
    uint64_t writes = 0;
    for (uint64_t i = 0; i < in->size; i++) {
        reads += in->is_write[i] == 0;
        writes += in->is_write[i] != 0;
    }
    for (uint32_t c = 0; c < in->channels; c++) {
        const uint64_t *values = out->counters[c];
        uint64_t completed = 0;
        for (uint32_t bin = 0; bin < HEAM_LATENCY_BINS; bin++) {
            completed += out->latencies[c][bin];
        }
        PROMISE(completed == counter(values, "reads_completed"));
        reads -= counter(values, "reads");
        writes -= counter(values, "writes");
        PROMISE(counter(values, "reads_completed") == counter(values, "reads"));
        PROMISE(counter(values, "reads_retired") + counter(values, "forwarded") == counter(values, "reads"));
        PROMISE(counter(values, "writes_retired") + counter(values, "coalesced") == counter(values, "writes"));
    }
    PROMISE(reads == 0 && writes == 0);
}

static void compare(const outcome *a, const outcome *b) {
    PROMISE(a->status == b->status);
    if (status_is(a->status, "HEAM_OK")) {
        PROMISE(a->cycle == b->cycle);
        PROMISE(a->log_size == b->log_size);
        PROMISE(memcmp(a->counters, b->counters, sizeof(a->counters)) == 0);
        PROMISE(memcmp(a->latencies, b->latencies, sizeof(a->latencies)) == 0);
        for (uint64_t i = 0; i < a->log_size; i++) {
            const heam_log_record *x = &a->log[i];
            const heam_log_record *y = &b->log[i];
            PROMISE(x->clock == y->clock && x->channel == y->channel && x->command == y->command && x->bank == y->bank);
            PROMISE(x->row == y->row && x->column == y->column);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static toy memory;
    static stream requests;
    static outcome first;
    static outcome other;
    bytes in = {.data = data, .size = size};
    /* Long enough that refreshing four ranks with bent times leaves room for requests: a run of a stream has no step limit. */
    memory.desc.refresh_interval = bend_toy(&memory, &in) == 0 ? 200 : 5000;
    memory.desc.refresh_interval += next_below(&in, 256) * 8;
    read_stream(&requests, &memory, &in);
    heam_spec *spec = toy_compile(&memory);
    if (run_engine(spec, &memory, &requests, HEAM_ENGINE_GENERIC, &first)) {
        if (status_is(first.status, "HEAM_OK")) {
            check_totals(&requests, &first);
        }
        for (uint32_t engine = HEAM_ENGINE_AUTO; engine < ENGINES; engine++) {
            if (engine != HEAM_ENGINE_GENERIC && run_engine(spec, &memory, &requests, engine, &other)) {
                compare(&first, &other);
                free(other.log);
            }
        }
        free(first.log);
    }
    heam_spec_destroy(spec);
    return 0;
}
