/* SPDX-License-Identifier: MIT */
/* Arrays that touch inaccessible pages, once with their last byte and once with their first: one element too far faults. */
#if defined(__unix__) || defined(__APPLE__)
#define _DEFAULT_SOURCE /* mmap's MAP_ANONYMOUS under -std=c11 */
#endif
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "support.h"
#include "work.h"

#define FENCES_MAX 64

/* A mapping with an inaccessible page on either side. */
typedef struct {
    unsigned char *base;
    size_t size;
} fence;

static fence fences[FENCES_MAX];
static size_t fences_size;

/* Which end of the array touches the guard. */
typedef enum { AT_END, AT_START } side;

static void *guarded(const void *from, size_t size, side where) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inner = (size + page - 1) / page * page;
    inner = inner == 0 ? page : inner;
    unsigned char *base = mmap(NULL, inner + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || fences_size == FENCES_MAX || mprotect(base, page, PROT_NONE) != 0 ||
        mprotect(base + page + inner, page, PROT_NONE) != 0) {
        fprintf(stderr, "no guard pages to be had\n");
        exit(1);
    }
    fences[fences_size++] = (fence){.base = base, .size = inner + 2 * page};
    unsigned char *array = where == AT_START ? base + page : base + page + inner - size;
    if (from != NULL && size > 0) {
        memcpy(array, from, size);
    }
    return array;
}

static void tear_down(void) {
    while (fences_size > 0) {
        fence *last = &fences[--fences_size];
        CHECK_EQ(munmap(last->base, last->size), 0);
    }
}

/* Without this the other tests could pass though their guards hold nothing. */
static bool faults(const volatile unsigned char *address) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO); /* a sanitizer's report of the intended fault */
        _exit(*address); /* fresh pages hold zeros */
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_guards_hold(void) {
    unsigned char *end = guarded(NULL, 10, AT_END);
    unsigned char *start = guarded(NULL, 10, AT_START);
    CHECK(!faults(end + 9));
    CHECK(faults(end + 10));
    CHECK(!faults(start));
    CHECK(faults(start - 1));
    tear_down();
}

static void test_spec(side where) {
    toy memory;
    toy_init(&memory);
    heam_spec_desc desc = memory.desc;
    heam_spec *spec = NULL;
#define GUARD(field, count) desc.field = guarded(desc.field, (count) * sizeof(*desc.field), where)
    GUARD(counts, desc.levels);
    GUARD(kind, desc.commands);
    GUARD(scope, desc.commands);
    GUARD(row_level, desc.rows);
    GUARD(row_preceding, desc.rows);
    GUARD(row_following, desc.rows);
    GUARD(row_cycles, desc.rows);
    GUARD(row_window, desc.rows);
    GUARD(row_sibling, desc.rows);
    GUARD(row_id, desc.rows);
#undef GUARD
    uint64_t *detail = guarded(NULL, sizeof(*detail), where);
    CHECK_IS(heam_spec_create(&desc, &spec, detail), "HEAM_OK");
    tear_down(); /* the spec has copied what it needs */
    heam_device *device = NULL;
    CHECK_IS(heam_device_create(spec, &device), "HEAM_OK");
    CHECK_IS(heam_device_issue(device, ACT, 7, 3, 10), "HEAM_OK");
    CHECK_IS(heam_device_probe(device, RD, 7, 3, 10 + nRCD - 1), "HEAM_TOO_EARLY");
    heam_device_destroy(device);
    heam_spec_destroy(spec);
}

static heam_items guarded_items(const work *bags, uint64_t first, uint64_t gnrs, side where) {
    uint64_t at = bags->offsets[first];
    uint64_t count = bags->offsets[first + gnrs] - at;
    uint64_t *offsets = guarded(bags->offsets + first, (gnrs + 1) * sizeof(*offsets), where);
    for (uint64_t g = 0; g <= gnrs; g++) {
        offsets[g] -= at;
    }
#define GUARD(field) .field = guarded(bags->field + at, count * sizeof(*bags->field), where)
    return (heam_items){.gnrs = gnrs, .offsets = offsets, GUARD(kind), GUARD(role), GUARD(channel), GUARD(bank), GUARD(row), GUARD(column),
                        GUARD(bursts), GUARD(unit), GUARD(slot), GUARD(line), GUARD(segment), GUARD(covers), GUARD(alu), GUARD(flags),
                        .arrival = first % 2 == 0 ? guarded(bags->arrival + first, gnrs * sizeof(*bags->arrival), where) : NULL};
#undef GUARD
}

/* What the core writes: exactly what fits, for every capacity from nothing to more than there is. */
static void test_outputs(heam_system *system, side where) {
    uint32_t counters = heam_system_counters(system, 0, NULL, 0);
    uint32_t hosts = heam_system_host_counters(system, NULL, 0);
    uint32_t bounds = heam_system_bounds(system, 1, NULL, 0);
    uint32_t banks = heam_system_bank_reads(system, 1, NULL, 0);
    for (uint32_t capacity = 0; capacity <= bounds + 1; capacity++) {
        uint64_t *out = guarded(NULL, capacity * sizeof(*out), where);
        CHECK_EQ(heam_system_counters(system, 0, out, capacity), counters);
        CHECK_EQ(heam_system_counters(system, 1, out, capacity), counters);
        CHECK_EQ(heam_system_host_counters(system, out, capacity), hosts);
        CHECK_EQ(heam_system_bounds(system, 1, out, capacity), bounds);
        CHECK_EQ(heam_system_bank_reads(system, 1, out, capacity), banks);
        tear_down();
    }
    uint64_t left = heam_system_log_size(system);
    for (uint64_t capacity = 1; left > 0; capacity++) {
        heam_log_record *out = guarded(NULL, capacity * sizeof(*out), where);
        uint64_t taken = heam_system_take_log(system, out, capacity);
        CHECK_EQ(taken, capacity < left ? capacity : left);
        left -= taken;
        tear_down();
    }
    left = heam_system_latencies_size(system);
    CHECK(left > 0);
    heam_latency_record *out = guarded(NULL, left * sizeof(*out), where);
    CHECK_EQ(heam_system_take_latencies(system, out, left), left);
    tear_down();
}

static void test_system(side where, uint64_t chunk, uint32_t seed) {
    static work bags;
    heam_spec *spec = toy_spec();
    const heam_spec *specs[2] = {spec, spec};
    heam_channel_desc desc[2] = {plain_channel(), pim_channel()};
    heam_host_desc host = small_host();
    heam_system *system = NULL;
    uint32_t state = HEAM_STATE_NEED_INPUT;
    uint64_t fed = 0;
    work_random(&bags, 60, seed);
    for (uint64_t g = 0; g < bags.gnrs; g++) {
        bags.arrival[g] = g * 7;
    }
    const heam_spec *const *specs_guarded = guarded(specs, sizeof(specs), where);
    const heam_channel_desc *desc_guarded = guarded(desc, sizeof(desc), where);
    CHECK_IS(heam_system_create(&host, 2, desc_guarded, specs_guarded, 1, &system, NULL), "HEAM_OK");
    tear_down();
    while (state != HEAM_STATE_DONE && check_failed == 0) {
        uint64_t n = bags.gnrs - fed < chunk ? bags.gnrs - fed : chunk;
        heam_items items = guarded_items(&bags, fed, n, where);
        fed += n;
        CHECK_IS(heam_system_feed(system, &items, fed == bags.gnrs, NULL), "HEAM_OK");
        tear_down(); /* no pointer is kept: what is gone is not read in the run */
        CHECK_IS(heam_system_run(system, UINT64_MAX, &state), "HEAM_OK");
    }
    CHECK_EQ(heam_system_finished(system), bags.gnrs);
    test_outputs(system, where);
    heam_system_destroy(system);
    heam_spec_destroy(spec);
}

/* The last LOAD of a chunk has no MAC behind it, and must not be looked for beyond the array. */
static void test_dangling_load(side where) {
    static work bags;
    heam_spec *spec = toy_spec();
    heam_channel_desc desc = pim_channel();
    heam_host_desc host = small_host();
    const heam_spec *specs[1] = {spec};
    heam_system *system = NULL;
    uint64_t detail = 0;
    memset(&bags, 0, sizeof(bags));
    CHECK_IS(heam_system_create(&host, 1, &desc, specs, 0, &system, NULL), "HEAM_OK");
    work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 0, 0, 0, 1);
    work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_LOAD, 0, 0, 0, 1);
    work_end_gnr(&bags);
    heam_items items = guarded_items(&bags, 0, 1, where);
    CHECK_IS(heam_system_feed(system, &items, 1, &detail), "HEAM_BAD_ITEM");
    CHECK_EQ(detail, 1);
    tear_down();
    /* And a MAC at the start must not look in front of it. */
    items = guarded_items(&bags, 0, 1, where);
    ((uint8_t *)(uintptr_t)items.role)[0] = HEAM_ROLE_MAC;
    CHECK_IS(heam_system_feed(system, &items, 1, &detail), "HEAM_BAD_ITEM");
    CHECK_EQ(detail, 0);
    tear_down();
    heam_system_destroy(system);
    heam_spec_destroy(spec);
}

enum { REQUESTS = 300 };

static void run_requests(heam_replay *replay, uint64_t from, uint64_t n, side where) {
    uint16_t channel[REQUESTS];
    uint16_t bank[REQUESTS];
    uint32_t row[REQUESTS];
    uint16_t column[REQUESTS];
    uint8_t is_write[REQUESTS];
    uint64_t rest[REQUESTS];
    for (uint64_t i = 0; i < n; i++) {
        uint64_t x = (from + i) * 2654435761u >> 7;
        channel[i] = (uint16_t)(x % 2);
        bank[i] = (uint16_t)(x / 2 % 8);
        row[i] = (uint32_t)(x / 16 % 3);
        column[i] = (uint16_t)(x / 64 % 16);
        is_write[i] = x / 1024 % 3 == 0;
        rest[i] = x / 4096 % 2;
    }
    uint64_t *detail = guarded(NULL, sizeof(*detail), where);
    CHECK_IS(heam_replay_run(replay, n, guarded(channel, n * sizeof(*channel), where), guarded(bank, n * sizeof(*bank), where),
                             guarded(row, n * sizeof(*row), where), guarded(column, n * sizeof(*column), where),
                             guarded(is_write, n * sizeof(*is_write), where),
                             n % 2 == 0 ? NULL : guarded(rest, n * sizeof(*rest), where), detail),
             "HEAM_OK");
    tear_down();
}

/* A bit each for channel, bank, row and column, then bits beyond them; arrays of exactly their size. */
static void run_addresses(heam_replay *replay, uint64_t n, side where) {
    const uint16_t channel[4] = {1, 0, 0, 0};
    const uint16_t bank[4] = {0, 1, 0, 0};
    const uint32_t row[4] = {0, 0, 1, 0};
    const uint16_t column[4] = {0, 0, 0, 1};
    uint64_t address[REQUESTS];
    uint8_t is_write[REQUESTS];
    for (uint64_t i = 0; i < n; i++) {
        address[i] = (i * 2654435761u >> 3) % (1u << 12);
        is_write[i] = i % 3 == 0;
    }
    heam_map_desc map = {.burst_bits = 6, .bits = 4};
    map.channel = guarded(channel, sizeof(channel), where);
    map.bank = guarded(bank, sizeof(bank), where);
    map.row = guarded(row, sizeof(row), where);
    map.column = guarded(column, sizeof(column), where);
    CHECK_IS(heam_replay_run_addresses(replay, &map, n, guarded(address, n * sizeof(*address), where),
                                       guarded(is_write, n * sizeof(*is_write), where)),
             "HEAM_OK");
    tear_down();
}

/* Chunks of every length around the widths that a vector engine may read at once. */
static bool test_replay(side where, uint32_t engine) {
    heam_spec *spec = toy_spec();
    heam_channel_desc desc = plain_channel();
    heam_replay *replay = NULL;
    int32_t status = heam_replay_create_engine(2, &desc, spec, 2, 1, engine, &replay);
    heam_spec_destroy(spec);
    if (replay == NULL) {
        CHECK_IS(status, "HEAM_BAD_ENGINE");
        return false;
    }
    uint64_t total = 0;
    for (uint64_t n = 1; n <= 70; n++) {
        run_requests(replay, total, n, where);
        total += n;
    }
    run_requests(replay, total, REQUESTS, where);
    total += REQUESTS;
    for (uint64_t n = 0; n <= 20; n++) {
        run_addresses(replay, n, where);
        total += n;
    }
    CHECK_IS(heam_replay_drain(replay), "HEAM_OK");
    uint64_t seen = 0;
    uint64_t one = 0;
    uint32_t counters = heam_replay_counters(replay, 0, &one, 1);
    for (uint32_t capacity = 0; capacity <= counters + 1; capacity++) {
        uint64_t *out = guarded(NULL, capacity * sizeof(*out), where);
        CHECK_EQ(heam_replay_counters(replay, 1, out, capacity), counters);
        tear_down();
    }
    for (uint32_t capacity = 0; capacity <= HEAM_LATENCY_BINS + 1; capacity += capacity < 70 ? 1 : 613) {
        uint64_t *out = guarded(NULL, capacity * sizeof(*out), where);
        CHECK_EQ(heam_replay_latencies(replay, 1, out, capacity), HEAM_LATENCY_BINS);
        tear_down();
    }
    for (uint32_t c = 0; c < 2; c++) {
        uint64_t values[COUNTERS_MAX] = {0};
        heam_replay_counters(replay, c, values, COUNTERS_MAX);
        seen += counter(values, "reads") + counter(values, "writes");
    }
    CHECK_EQ(seen, total);
    uint64_t size = heam_replay_log_size(replay);
    heam_log_record *out = guarded(NULL, size * sizeof(*out), where);
    CHECK(size > 0);
    CHECK_EQ(heam_replay_take_log(replay, out, size + 1), size);
    tear_down();
    heam_replay_destroy(replay);
    return true;
}

int main(void) {
    unsigned engines = 0;
    test_guards_hold();
    for (int s = AT_END; s <= AT_START; s++) {
        side where = s == AT_END ? AT_END : AT_START;
        test_spec(where);
        test_dangling_load(where);
        for (uint64_t chunk = 1; chunk < 60; chunk += 7) {
            test_system(where, chunk, 99 + (uint32_t)chunk);
        }
        for (uint32_t engine = HEAM_ENGINE_AUTO; engine <= HEAM_ENGINE_AVX2; engine++) {
            engines += test_replay(where, engine) ? 1 : 0;
        }
    }
    printf("%u engines of this processor ran between guards\n", engines / 2);
    CHECK(engines >= 4); /* AUTO and GENERIC are everywhere */
    return check_report();
}
