/* SPDX-License-Identifier: MIT */
/* A plain channel behind the replay front end: cycles derived by hand, then invariants of longer streams. */
#include <stdlib.h>

#include "check.h"
#include "support.h"

#define REQUESTS_MAX 512

typedef struct {
    uint32_t size;
    uint16_t channel[REQUESTS_MAX];
    uint16_t bank[REQUESTS_MAX];
    uint32_t row[REQUESTS_MAX];
    uint16_t column[REQUESTS_MAX];
    uint8_t is_write[REQUESTS_MAX];
    uint64_t rest[REQUESTS_MAX];
} stream;

static void request(stream *self, uint32_t bank, uint32_t row, uint32_t column, bool is_write) {
    uint32_t i = self->size++;
    self->channel[i] = 0;
    self->bank[i] = (uint16_t)bank;
    self->row[i] = row;
    self->column[i] = (uint16_t)column;
    self->is_write[i] = is_write;
    self->rest[i] = 0;
}

static heam_replay *create(uint32_t channels, bool refresh, uint32_t offers) {
    heam_replay *replay = NULL;
    heam_spec *spec = toy_spec();
    heam_channel_desc desc = plain_channel();
    desc.refresh = refresh;
    CHECK_IS(heam_replay_create(channels, &desc, spec, offers, 1, &replay), "HEAM_OK");
    heam_spec_destroy(spec);
    return replay;
}

static int32_t run(heam_replay *replay, const stream *requests, uint64_t *detail) {
    return heam_replay_run(replay, requests->size, requests->channel, requests->bank, requests->row, requests->column, requests->is_write,
                           requests->rest, detail);
}

static void expect_command(heam_replay *replay, uint64_t clock, uint8_t command, uint32_t bank, int line) {
    heam_log_record record = {.clock = 0};
    CHECK_EQ(heam_replay_take_log(replay, &record, 1), 1);
    if (record.clock != clock || record.command != command || record.bank != bank) {
        fprintf(stderr, "line %d: command %d at bank %d in cycle %d\n", line, record.command, record.bank, (int)record.clock);
    }
    CHECK_EQ(record.clock, clock);
    CHECK_EQ(record.command, command);
    CHECK_EQ(record.bank, bank);
    CHECK_EQ(record.unit, HEAM_NO_UNIT);
}
#define COMMAND(clock, command, bank) expect_command(replay, clock, command, bank, __LINE__)

/* A miss, a hit and a conflict at one bank. */
static void test_reads(void) {
    stream requests = {.size = 0};
    heam_replay *replay = create(1, false, 1);
    request(&requests, 0, 1, 0, false);
    request(&requests, 0, 1, 1, false);
    request(&requests, 0, 2, 0, false);
    CHECK_IS(run(replay, &requests, NULL), "HEAM_OK");
    CHECK_IS(heam_replay_drain(replay), "HEAM_OK");
    CHECK_EQ(heam_replay_log_size(replay), 6);
    COMMAND(1, ACT, 0);
    COMMAND(6, RD, 0);   /* 1 + nRCD; data until 15 */
    COMMAND(13, RD, 0);  /* 6 + nCCD_L; data until 22 */
    COMMAND(16, PRE, 0); /* 13 + nRTP; nRAS would allow 13, but the hit came first */
    COMMAND(22, ACT, 0); /* 16 + nRP; nRC would allow 19 */
    COMMAND(27, RD, 0);  /* 22 + nRCD; data until 36 */
    uint64_t values[COUNTERS_MAX] = {0};
    CHECK(heam_replay_counters(replay, 0, values, COUNTERS_MAX) <= COUNTERS_MAX);
    CHECK_EQ(heam_replay_cycle(replay), 36);
    CHECK_EQ(counter(values, "cycles"), 36);
    CHECK_EQ(counter(values, "row_misses"), 1);
    CHECK_EQ(counter(values, "row_hits"), 1);
    CHECK_EQ(counter(values, "row_conflicts"), 1);
    CHECK_EQ(counter(values, "reads_completed"), 3);
    CHECK_EQ(counter(values, "read_latency"), 15 - 0 + 22 - 1 + 36 - 2); /* offered at clocks 0, 1 and 2 */
    uint64_t latencies[HEAM_LATENCY_BINS] = {0};
    CHECK_EQ(heam_replay_latencies(replay, 0, latencies, HEAM_LATENCY_BINS), HEAM_LATENCY_BINS);
    for (uint32_t bin = 0; bin < HEAM_LATENCY_BINS; bin++) {
        CHECK_EQ(latencies[bin], bin == 15 || bin == 21 || bin == 34);
    }
    CHECK_EQ(heam_replay_latencies(replay, 1, latencies, HEAM_LATENCY_BINS), 0);
    CHECK_EQ(heam_replay_latencies(replay, 0, NULL, 1), 0);
    CHECK_EQ(heam_replay_latencies(replay, 0, NULL, 0), HEAM_LATENCY_BINS);
    CHECK_EQ(heam_replay_latencies(NULL, 0, latencies, 1), 0);
    heam_replay_destroy(replay);
}

/* The second write waits for nRRD_L in its queue, where a read and a write to its address find it. */
static void test_forwarding(void) {
    stream requests = {.size = 0};
    heam_replay *replay = create(1, false, 1);
    request(&requests, 0, 1, 0, true);
    request(&requests, 1, 1, 0, true);
    request(&requests, 1, 1, 0, false);
    request(&requests, 1, 1, 0, true);
    CHECK_IS(run(replay, &requests, NULL), "HEAM_OK");
    CHECK_IS(heam_replay_drain(replay), "HEAM_OK");
    COMMAND(1, ACT, 0);
    COMMAND(6, WR, 0);
    COMMAND(9, ACT, 1);
    COMMAND(14, WR, 1);
    CHECK_EQ(heam_replay_log_size(replay), 0);
    uint64_t values[COUNTERS_MAX] = {0};
    heam_replay_counters(replay, 0, values, COUNTERS_MAX);
    CHECK_EQ(counter(values, "reads"), 1);
    CHECK_EQ(counter(values, "forwarded"), 1);
    CHECK_EQ(counter(values, "read_latency"), 1);
    CHECK_EQ(counter(values, "writes"), 3);
    CHECK_EQ(counter(values, "coalesced"), 1);
    CHECK_EQ(counter(values, "writes_retired"), 2);
    CHECK_EQ(counter(values, "reads_retired"), 0);
    heam_replay_destroy(replay);
}

/* The same place is not the same address: what wraps around neither forwards nor coalesces. */
static void test_rest(void) {
    stream requests = {.size = 0};
    heam_replay *replay = create(1, false, 1);
    request(&requests, 0, 1, 0, true);
    request(&requests, 1, 1, 0, true);
    request(&requests, 1, 1, 0, false);
    request(&requests, 1, 1, 0, true);
    request(&requests, 1, 1, 0, false);
    requests.rest[2] = 1;
    requests.rest[3] = requests.rest[4] = UINT64_MAX;
    CHECK_IS(run(replay, &requests, NULL), "HEAM_OK");
    CHECK_IS(heam_replay_drain(replay), "HEAM_OK");
    uint64_t values[COUNTERS_MAX] = {0};
    heam_replay_counters(replay, 0, values, COUNTERS_MAX);
    CHECK_EQ(counter(values, "forwarded"), 1);
    CHECK_EQ(counter(values, "coalesced"), 0);
    CHECK_EQ(counter(values, "writes_retired"), 3);
    CHECK_EQ(counter(values, "reads_retired"), 1);
    heam_replay_destroy(replay);
}

static void test_latency_bins(void) {
    for (uint32_t bin = 0; bin < HEAM_LATENCY_EXACT; bin++) {
        CHECK_EQ(heam_latency_least(bin), bin);
    }
    for (uint32_t bin = HEAM_LATENCY_EXACT; bin < HEAM_LATENCY_BINS; bin++) {
        uint64_t least = heam_latency_least(bin);
        uint64_t width = heam_latency_least(bin + 1) - least + (bin + 1 == HEAM_LATENCY_BINS);
        CHECK(least / width >= HEAM_LATENCY_OCTAVE && least / width < 2 * HEAM_LATENCY_OCTAVE);
        CHECK_EQ(least % width, 0);
    }
    CHECK(heam_latency_least(HEAM_LATENCY_BINS) == UINT64_MAX);
    CHECK(heam_latency_least(UINT32_MAX) == UINT64_MAX);
}

static void random_stream(stream *requests, uint32_t channels, uint32_t rows) {
    uint32_t state = 12345;
    requests->size = 0;
    for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
        state = state * 1664525u + 1013904223u;
        request(requests, (state >> 10) % 8, (state >> 14) % rows, (state >> 20) % 16, (state >> 25) % 3 == 0);
        requests->channel[i] = (uint16_t)((state >> 28) % channels);
    }
}

/* Data that take 20,000 cycles: latencies beyond the exact bins. */
static void test_long_latencies(void) {
    toy memory;
    toy_init(&memory);
    memory.desc.read_latency = 20000;
    heam_spec *spec = NULL;
    CHECK_IS(heam_spec_create(&memory.desc, &spec, NULL), "HEAM_OK");
    heam_channel_desc desc = plain_channel();
    desc.refresh = false;
    uint64_t seen[HEAM_LATENCY_BINS];
    for (uint32_t engine = HEAM_ENGINE_GENERIC; engine <= HEAM_ENGINE_PORTABLE; engine++) {
        static stream requests;
        heam_replay *replay = NULL;
        random_stream(&requests, 1, 3);
        CHECK_IS(heam_replay_create_engine(1, &desc, spec, 1, 0, engine, &replay), "HEAM_OK");
        CHECK_IS(run(replay, &requests, NULL), "HEAM_OK");
        CHECK_IS(heam_replay_drain(replay), "HEAM_OK");
        CHECK_EQ(heam_replay_latencies(replay, 0, seen, HEAM_LATENCY_BINS), HEAM_LATENCY_BINS);
        uint64_t values[COUNTERS_MAX] = {0};
        uint64_t least = 0;
        uint64_t most = 0;
        uint64_t count = 0;
        heam_replay_counters(replay, 0, values, COUNTERS_MAX);
        for (uint32_t bin = 0; bin < HEAM_LATENCY_BINS; bin++) {
            least += seen[bin] * heam_latency_least(bin);
            most += seen[bin] * (heam_latency_least(bin + 1) - 1);
            count += seen[bin];
        }
        CHECK_EQ(count, counter(values, "reads_completed"));
        CHECK(least <= counter(values, "read_latency") && counter(values, "read_latency") <= most);
        CHECK(most - least < counter(values, "read_latency") / HEAM_LATENCY_OCTAVE);
        CHECK(least > 4096 * count / 2);
        heam_replay_destroy(replay);
    }
    heam_spec_destroy(spec);
}

static void check_counts(heam_replay *replay, uint32_t channels, bool refresh) {
    uint64_t reads = 0;
    uint64_t writes = 0;
    for (uint32_t c = 0; c < channels; c++) {
        uint64_t v[COUNTERS_MAX] = {0};
        heam_replay_counters(replay, c, v, COUNTERS_MAX);
        reads += counter(v, "reads");
        writes += counter(v, "writes");
        CHECK_EQ(counter(v, "reads"), counter(v, "reads_retired") + counter(v, "forwarded"));
        CHECK_EQ(counter(v, "reads"), counter(v, "reads_completed"));
        CHECK_EQ(counter(v, "writes"), counter(v, "writes_retired") + counter(v, "coalesced"));
        CHECK_EQ(counter(v, "rd"), counter(v, "reads_retired"));
        CHECK_EQ(counter(v, "wr"), counter(v, "writes_retired"));
        CHECK_EQ(counter(v, "row_hits") + counter(v, "row_misses") + counter(v, "row_conflicts"), counter(v, "rd") + counter(v, "wr"));
        if (refresh) {
            CHECK(counter(v, "ref") >= 2 && counter(v, "ref") % 2 == 0 && counter(v, "prea") > 0);
            CHECK(counter(v, "ref") <= 2 * (counter(v, "cycles") / nREFI));
        } else {
            CHECK_EQ(counter(v, "ref") + counter(v, "prea"), 0);
        }
    }
    CHECK_EQ(reads + writes, REQUESTS_MAX);
}

/* Every logged command is played on a bare device, which must allow it at its cycle. */
static void check_log(heam_replay *replay, uint32_t channels) {
    heam_device *devices[4] = {NULL};
    heam_spec *spec = toy_spec();
    for (uint32_t c = 0; c < channels; c++) {
        CHECK_IS(heam_device_create(spec, &devices[c]), "HEAM_OK");
    }
    uint64_t clock = 0;
    uint64_t illegal = 0;
    heam_log_record record;
    while (heam_replay_take_log(replay, &record, 1) == 1) {
        illegal += record.clock < clock || record.channel >= channels ||
                   !status_is(heam_device_issue(devices[record.channel], record.command, record.bank, record.row, record.clock), "HEAM_OK");
        clock = record.clock;
    }
    CHECK_EQ(illegal, 0);
    CHECK(clock > 0);
    for (uint32_t c = 0; c < channels; c++) {
        heam_device_destroy(devices[c]);
    }
    heam_spec_destroy(spec);
}

static void test_random(uint32_t channels, bool refresh, uint32_t offers, uint32_t rows) {
    static stream requests;
    random_stream(&requests, channels, rows);
    heam_replay *replay = create(channels, refresh, offers);
    CHECK_IS(run(replay, &requests, NULL), "HEAM_OK");
    CHECK_IS(heam_replay_drain(replay), "HEAM_OK");
    check_counts(replay, channels, refresh);
    check_log(replay, channels);
    heam_replay_destroy(replay);
}

/* Cutting the stream into calls must change nothing. */
static void test_pieces(void) {
    static stream requests;
    static heam_log_record whole[4 * REQUESTS_MAX];
    static heam_log_record pieces[4 * REQUESTS_MAX];
    random_stream(&requests, 2, 3);
    heam_replay *one = create(2, true, 2);
    CHECK_IS(run(one, &requests, NULL), "HEAM_OK");
    CHECK_IS(heam_replay_drain(one), "HEAM_OK");
    heam_replay *many = create(2, true, 2);
    for (uint32_t i = 0, n; i < requests.size; i += n) {
        n = i % 7 + 1 < requests.size - i ? i % 7 + 1 : requests.size - i;
        CHECK_IS(heam_replay_run(many, n, requests.channel + i, requests.bank + i, requests.row + i, requests.column + i,
                                 requests.is_write + i, i % 2 == 0 ? NULL : requests.rest + i, NULL),
                 "HEAM_OK");
    }
    CHECK_IS(heam_replay_drain(many), "HEAM_OK");
    uint64_t length = heam_replay_take_log(one, whole, 4 * REQUESTS_MAX);
    CHECK(length > REQUESTS_MAX / 2);
    CHECK_EQ(heam_replay_take_log(many, pieces, 4 * REQUESTS_MAX), length);
    CHECK(memcmp(whole, pieces, length * sizeof(whole[0])) == 0);
    CHECK_EQ(heam_replay_cycle(one), heam_replay_cycle(many));
    heam_replay_destroy(one);
    heam_replay_destroy(many);
}

/* Addresses give what their places give. */
static void test_addresses(void) {
    static stream requests;
    static uint64_t address[REQUESTS_MAX];
    static heam_log_record placed[4 * REQUESTS_MAX];
    static heam_log_record found[4 * REQUESTS_MAX];
    const uint16_t channel[9] = {1, 0, 0, 0, 0, 0, 0, 0, 0};
    const uint16_t bank[9] = {0, 1, 0, 2, 0, 4, 0, 0, 5}; /* the last bit: of the row, and crossed with the bank */
    const uint32_t row[9] = {0, 0, 0, 0, 0, 0, 1, 2, 4};
    const uint16_t column[9] = {0, 0, 1, 0, 8, 0, 0, 0, 0};
    heam_map_desc map = {.burst_bits = 6, .bits = 9, .channel = channel, .bank = bank, .row = row, .column = column};
    random_stream(&requests, 2, 8);
    for (uint32_t i = 0; i < requests.size; i++) {
        uint32_t b = requests.bank[i] ^ (requests.row[i] & 4u ? 5u : 0u);
        requests.column[i] &= 9u;
        requests.rest[i] = i % 3 == 0 ? 7u + 64u * (i % 2) : 0;
        address[i] = (uint64_t)(requests.channel[i] | (b & 1u) << 1 | (requests.column[i] & 1u) << 2 | (b & 2u) << 2 |
                                (requests.column[i] & 8u) << 1 | (b & 4u) << 3 | requests.row[i] << 6) << 6 |
                     (requests.rest[i] & 63u) | requests.rest[i] >> 6 << 15;
    }
    heam_replay *places = create(2, true, 2);
    heam_replay *addresses = create(2, true, 2);
    CHECK_IS(run(places, &requests, NULL), "HEAM_OK");
    CHECK_IS(heam_replay_run_addresses(addresses, &map, requests.size, address, requests.is_write), "HEAM_OK");
    CHECK_IS(heam_replay_drain(places), "HEAM_OK");
    CHECK_IS(heam_replay_drain(addresses), "HEAM_OK");
    uint64_t length = heam_replay_take_log(places, placed, 4 * REQUESTS_MAX);
    CHECK(length > REQUESTS_MAX / 2);
    CHECK_EQ(heam_replay_take_log(addresses, found, 4 * REQUESTS_MAX), length);
    CHECK(memcmp(placed, found, length * sizeof(placed[0])) == 0);
    CHECK_IS(heam_replay_run_addresses(NULL, &map, 0, NULL, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_replay_run_addresses(addresses, NULL, 0, NULL, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_replay_run_addresses(addresses, &map, 1, NULL, requests.is_write), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_replay_run_addresses(addresses, &map, 1, address, NULL), "HEAM_BAD_ARGUMENT");
    map.row = NULL;
    CHECK_IS(heam_replay_run_addresses(addresses, &map, 0, NULL, NULL), "HEAM_BAD_ARGUMENT");
    map.row = row;
    map.bits = 64;
    CHECK_IS(heam_replay_run_addresses(addresses, &map, 0, NULL, NULL), "HEAM_BAD_ARGUMENT");
    heam_replay_destroy(places);
    heam_replay_destroy(addresses);
}

static void refuse(stream requests, uint64_t where) {
    uint64_t detail = 999;
    heam_replay *replay = create(1, false, 1);
    CHECK_IS(run(replay, &requests, &detail), "HEAM_BAD_ITEM");
    CHECK_EQ(detail, where);
    CHECK_EQ(heam_replay_cycle(replay), 0);
    heam_replay_destroy(replay);
}

static void test_bad_input(void) {
    stream good = {.size = 0};
    request(&good, 0, 0, 0, false);
    request(&good, 7, 31, 15, true);
    stream bad = good;
    bad.bank[1] = 8;
    refuse(bad, 1);
    bad = good;
    bad.row[0] = 32;
    refuse(bad, 0);
    bad = good;
    bad.column[1] = 16;
    refuse(bad, 1);
    bad = good;
    bad.channel[0] = 1;
    refuse(bad, 0);
}

/* Each a value too much, and a refresh that the memory does not have. */
static void refuse_policies(const heam_spec *spec) {
    heam_replay *replay = NULL;
    heam_channel_desc desc;
#define REFUSED(change, status)                                                                     \
    do {                                                                                            \
        desc = plain_channel();                                                                     \
        desc.refresh = HEAM_REFRESH_ALL_BANK;                                                       \
        change;                                                                                     \
        CHECK_IS(heam_replay_create(1, &desc, spec, 1, 0, &replay), status);            \
    } while (0)
    REFUSED(desc.scheduler = HEAM_SCHEDULER_FRFCFS_CAP + 1, "HEAM_BAD_CHANNEL");
    REFUSED(desc.row_policy = HEAM_ROWS_CAPPED + 1, "HEAM_BAD_CHANNEL");
    REFUSED(desc.row_policy = HEAM_ROWS_CAPPED, "HEAM_BAD_CHANNEL");
    REFUSED(desc.refresh = HEAM_REFRESH_SAME_BANK + 1, "HEAM_BAD_CHANNEL");
    REFUSED(desc.refresh_stagger = 2, "HEAM_BAD_CHANNEL");
    REFUSED(desc.refresh_postpone = 9, "HEAM_BAD_CHANNEL");
    REFUSED((desc.refresh = HEAM_REFRESH_PER_BANK, desc.refresh_interval = 3), "HEAM_BAD_REFRESH"); /* four banks */
    REFUSED((desc.refresh_stagger = 1, desc.refresh_interval = 1), "HEAM_BAD_REFRESH"); /* two ranks */
    toy memory;
    heam_spec *plain = NULL;
    toy_init(&memory);
    memory.kind[REFPB] = memory.kind[REFSB] = HEAM_KIND_OTHER;
    CHECK_IS(heam_spec_create(&memory.desc, &plain, NULL), "HEAM_OK");
    spec = plain;
    REFUSED(desc.refresh = HEAM_REFRESH_PER_BANK, "HEAM_BAD_CHANNEL");
    REFUSED(desc.refresh = HEAM_REFRESH_SAME_BANK, "HEAM_BAD_CHANNEL");
    heam_spec_destroy(plain);
    /* The fast engines know the default policies only. */
    desc = plain_channel();
    desc.row_policy = HEAM_ROWS_CLOSED;
    CHECK_IS(heam_replay_create_engine(1, &desc, spec = toy_spec(), 1, 0, HEAM_ENGINE_PORTABLE, &replay), "HEAM_BAD_ENGINE");
    CHECK_IS(heam_replay_create(1, &desc, spec, 1, 0, &replay), "HEAM_OK");
    CHECK_EQ(heam_replay_engine(replay), HEAM_ENGINE_GENERIC);
    heam_spec_destroy((heam_spec *)(uintptr_t)spec);
    heam_replay_destroy(replay);
}

/* Streams of all kinds of policies go through, and a bare device allows each of their commands. */
static void test_policies(void) {
    static const heam_channel_desc some[] = {
        {.scheduler = HEAM_SCHEDULER_FCFS},
        {.scheduler = HEAM_SCHEDULER_FRFCFS_CAP, .row_hit_cap = 2},
        {.row_policy = HEAM_ROWS_CLOSED, .refresh = HEAM_REFRESH_ALL_BANK, .refresh_stagger = 1},
        {.row_policy = HEAM_ROWS_TIMEOUT, .row_timeout = 30, .refresh = HEAM_REFRESH_PER_BANK},
        {.row_policy = HEAM_ROWS_CAPPED, .row_cap = 1, .refresh = HEAM_REFRESH_SAME_BANK, .refresh_postpone = 1},
        {.refresh = HEAM_REFRESH_PER_BANK, .refresh_postpone = 4, .refresh_stagger = 1},
        {.refresh = HEAM_REFRESH_ALL_BANK, .refresh_postpone = 2, .refresh_interval = 300},
    };
    static stream requests;
    random_stream(&requests, 2, 3);
    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        heam_channel_desc desc = plain_channel();
        heam_spec *spec = toy_spec();
        heam_replay *replay = NULL;
        desc.scheduler = some[i].scheduler;
        desc.row_hit_cap = some[i].row_hit_cap;
        desc.row_policy = some[i].row_policy;
        desc.row_timeout = some[i].row_timeout;
        desc.row_cap = some[i].row_cap;
        desc.refresh = some[i].refresh;
        desc.refresh_stagger = some[i].refresh_stagger;
        desc.refresh_postpone = some[i].refresh_postpone;
        desc.refresh_interval = some[i].refresh_interval;
        CHECK_IS(heam_replay_create(2, &desc, spec, 1, 1, &replay), "HEAM_OK");
        CHECK_IS(run(replay, &requests, NULL), "HEAM_OK");
        CHECK_IS(heam_replay_drain(replay), "HEAM_OK");
        uint64_t v[COUNTERS_MAX] = {0};
        heam_replay_counters(replay, 1, v, COUNTERS_MAX);
        CHECK_EQ(counter(v, "reads"), counter(v, "reads_completed"));
        CHECK_EQ(counter(v, "writes"), counter(v, "writes_retired") + counter(v, "coalesced"));
        CHECK((counter(v, "ref_bank") > 0) == (desc.refresh >= HEAM_REFRESH_PER_BANK));
        CHECK((counter(v, "ref") > 0) == (desc.refresh == HEAM_REFRESH_ALL_BANK));
        CHECK((counter(v, "pre_unasked") > 0) == (desc.row_policy != HEAM_ROWS_OPEN || desc.refresh >= HEAM_REFRESH_PER_BANK));
        check_log(replay, 2);
        heam_replay_destroy(replay);
        heam_spec_destroy(spec);
    }
}

static void test_creation(void) {
    heam_replay *replay = NULL;
    heam_spec *spec = toy_spec();
    heam_channel_desc desc = plain_channel();
    CHECK_IS(heam_replay_create(0, &desc, spec, 1, 0, &replay), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_replay_create(1, NULL, spec, 1, 0, &replay), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_replay_create(1, &desc, NULL, 1, 0, &replay), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_replay_create(1, &desc, spec, 0, 0, &replay), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_replay_create(1, &desc, spec, 1, 0, NULL), "HEAM_BAD_ARGUMENT");
    desc.read_queue = 0;
    CHECK_IS(heam_replay_create(1, &desc, spec, 1, 0, &replay), "HEAM_BAD_CHANNEL");
    desc = plain_channel();
    desc.write_low_percent = 90;
    CHECK_IS(heam_replay_create(1, &desc, spec, 1, 0, &replay), "HEAM_BAD_CHANNEL");
    refuse_policies(spec);
    CHECK(replay == NULL);
    CHECK_IS(heam_replay_run(NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_replay_drain(NULL), "HEAM_BAD_ARGUMENT");
    heam_replay_destroy(NULL);
    heam_spec_destroy(spec);
    /* Nothing to do is done at once. */
    replay = create(1, true, 1);
    CHECK_IS(heam_replay_run(replay, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "HEAM_OK");
    CHECK_IS(heam_replay_run(replay, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_replay_drain(replay), "HEAM_OK");
    CHECK_EQ(heam_replay_log_size(replay), 0);
    CHECK_EQ(heam_replay_counters(replay, 1, NULL, 0), 0);
    heam_replay_destroy(replay);
}

/*
 * Two ranks' refreshes take a cycle from the first to the last, and then nRFC. Where they fall due again by then, no request would ever
 * be begun, so that is refused; with a cycle more every run ends.
 */
static void test_short_refresh(uint32_t engine) {
    heam_channel_desc desc = plain_channel();
    stream requests = {.size = 0};
    for (uint32_t i = 0; i < 100; i++) {
        request(&requests, i * 5 % 8, i * 7 % 3, 0, i % 3 == 0);
    }
    for (uint32_t interval = nRFC - 1; interval <= nRFC + 2; interval++) {
        toy memory;
        heam_spec *spec = NULL;
        heam_replay *replay = NULL;
        uint64_t counters[COUNTERS_MAX] = {0};
        toy_init(&memory);
        memory.desc.refresh_interval = interval;
        CHECK_IS(heam_spec_create(&memory.desc, &spec, NULL), "HEAM_OK");
        desc.refresh = 0;
        CHECK_IS(heam_replay_create_engine(1, &desc, spec, 1, 0, engine, &replay), "HEAM_OK");
        heam_replay_destroy(replay);
        replay = NULL;
        desc.refresh = 1;
        CHECK_IS(heam_replay_create_engine(1, &desc, spec, 1, 0, engine, &replay), interval <= nRFC + 1 ? "HEAM_BAD_REFRESH" : "HEAM_OK");
        CHECK((replay != NULL) == (interval > nRFC + 1));
        if (replay != NULL) {
            CHECK_IS(run(replay, &requests, NULL), "HEAM_OK");
            CHECK_IS(heam_replay_drain(replay), "HEAM_OK");
            CHECK(heam_replay_counters(replay, 0, counters, COUNTERS_MAX) <= COUNTERS_MAX);
            CHECK_EQ(counter(counters, "reads") + counter(counters, "writes"), 100);
            CHECK(counter(counters, "ref") > 100);
        }
        heam_replay_destroy(replay);
        heam_spec_destroy(spec);
    }
}

int main(void) {
    test_creation();
    test_short_refresh(HEAM_ENGINE_GENERIC);
    test_short_refresh(HEAM_ENGINE_PORTABLE);
    test_reads();
    test_forwarding();
    test_rest();
    test_latency_bins();
    test_long_latencies();
    test_random(1, false, 1, 2);
    test_random(1, true, 4, 32);
    test_random(3, true, 2, 4);
    test_policies();
    test_pieces();
    test_addresses();
    test_bad_input();
    return check_report();
}
