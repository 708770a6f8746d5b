/* SPDX-License-Identifier: MIT */
/* Host and channels together: cycles derived by hand, refused input, and independence of how the work is handed over. */
#include <stdlib.h>

#include "check.h"
#include "support.h"
#include "work.h"

/* Far more steps than any of these runs needs: a run that cannot end fails instead of filling the memory with refreshes. */
#define STEPS_MAX 200000

static uint64_t offsets_buffer[ITEMS_MAX + 1];

static heam_system *create(const heam_host_desc *host, uint32_t channels, const heam_channel_desc *desc) {
    heam_system *system = NULL;
    heam_spec *spec = toy_spec();
    const heam_spec *specs[4] = {spec, spec, spec, spec};
    CHECK_IS(heam_system_create(host, channels, desc, specs, 1, &system, NULL), "HEAM_OK");
    heam_spec_destroy(spec);
    return system;
}

static heam_system *run_all(const heam_host_desc *host, uint32_t channels, const heam_channel_desc *desc, const work *bags) {
    uint32_t state = 99;
    heam_system *system = create(host, channels, desc);
    heam_items items = work_view(bags, 0, bags->gnrs, offsets_buffer);
    CHECK_IS(heam_system_feed(system, &items, 1, NULL), "HEAM_OK");
    CHECK_IS(heam_system_run(system, STEPS_MAX, &state), "HEAM_OK");
    CHECK_EQ(state, HEAM_STATE_DONE);
    CHECK_EQ(heam_system_finished(system), bags->gnrs);
    CHECK_EQ(ticks_spent(system, channels), heam_system_time(system));
    CHECK_EQ(heam_system_spent(system, channels + 1, NULL, 0), 0);
    return system;
}

static void expect_command(heam_system *system, uint64_t clock, uint8_t command, int line) {
    heam_log_record record = {.clock = 0};
    CHECK_EQ(heam_system_take_log(system, &record, 1), 1);
    if (record.clock != clock || record.command != command) {
        fprintf(stderr, "line %d: command %d in cycle %d\n", line, record.command, (int)record.clock);
    }
    CHECK_EQ(record.clock, clock);
    CHECK_EQ(record.command, command);
}
#define COMMAND(clock, command) expect_command(system, clock, command, __LINE__)

/* The host pushes in cycle 0; the channel sees it in cycle 1. The second bag hits in the LLC once the first has left. */
static void test_host_reads(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    work_add(&bags, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, 0, 1, 1);
    work_end_gnr(&bags);
    work_add(&bags, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, 0, 1, 1);
    work_end_gnr(&bags);
    heam_host_desc host = small_host();
    host.window = 1;
    host.llc_sets = 2;
    host.llc_ways = 2;
    heam_channel_desc desc = plain_channel();
    heam_system *system = run_all(&host, 1, &desc, &bags);
    COMMAND(1, ACT);
    COMMAND(6, RD); /* data until 15; added in host cycle 15, done in 16 */
    COMMAND(16, HEAM_LOG_LLC_HIT);
    CHECK_EQ(heam_system_time(system), 17);
    heam_latency_record latency[3];
    CHECK_EQ(heam_system_latencies_size(system), 2);
    CHECK_EQ(heam_system_take_latencies(system, latency, 3), 2);
    CHECK(latency[0].gnr == 0 && latency[0].arrival == 0 && latency[0].finish == 16);
    CHECK(latency[1].gnr == 1 && latency[1].arrival == 16 && latency[1].finish == 17);
    uint64_t values[COUNTERS_MAX] = {0};
    heam_system_host_counters(system, values, COUNTERS_MAX);
    CHECK_EQ(host_counter(values, "llc_hits"), 1);
    CHECK_EQ(host_counter(values, "lines"), 2);
    CHECK_EQ(host_counter(values, "added_bytes"), 128);
    CHECK_EQ(host_counter(values, "outstanding_peak"), 1);
    heam_system_destroy(system);
}

/* Delivered in 1, path taken for 2 cycles, decoded in 1: available in 4. */
static void test_pim_read(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 0, 0, 3, 1);
    work_end_gnr(&bags);
    heam_host_desc host = small_host();
    heam_channel_desc desc = pim_channel();
    heam_system *system = run_all(&host, 1, &desc, &bags);
    COMMAND(4, ACT);
    COMMAND(9, PIM_RD);     /* data at the PE at 18, added until 19, ready in 21 */
    COMMAND(21, PIM_MOV);   /* there at 21 + 3 + nBL = 28, added until 29 */
    COMMAND(29, PIM_RDRES); /* at the host at 29 + 5 + nBL = 38, added until 39 */
    CHECK_EQ(heam_system_time(system), 39);
    heam_system_destroy(system);
}

/* The register is loaded from the LUT, so no bank is touched for it. */
static void test_pim_lut(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    work_lut(&bags, HEAM_ROLE_LOAD, 0, 1, 7, 1);
    work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, 0, 2, 3, 1);
    work_end_gnr(&bags);
    heam_host_desc host = small_host();
    heam_channel_desc desc = pim_channel();
    heam_system *system = run_all(&host, 1, &desc, &bags);
    COMMAND(4, PIM_LUT);    /* register loaded at 6 */
    COMMAND(6, ACT);        /* delivered in 3, when the path is free again */
    COMMAND(11, PIM_RD);    /* data at 20, product added until 21, ready in 23 */
    COMMAND(23, PIM_MOV);   /* there at 30, added until 31 */
    COMMAND(31, PIM_RDRES); /* at the host at 40, added until 41 */
    CHECK_EQ(heam_system_time(system), 41);
    heam_system_destroy(system);
}

/* Register 6; the MUL's row is there in 20 and takes 3 cycles of the ALU: register 25. The MAC's row is there in 27. */
static void test_chain(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    work_lut(&bags, HEAM_ROLE_LOAD, 0, 1, 7, 1);
    bags.alu[work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_MUL, 0, 2, 3, 1)] = 3;
    uint64_t mac = work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, 0, 3, 3, 1);
    bags.segment[mac] = 1;
    bags.covers[mac] = 2;
    work_end_gnr(&bags);
    heam_host_desc host = small_host();
    heam_channel_desc desc = pim_channel();
    heam_system *system = run_all(&host, 1, &desc, &bags);
    COMMAND(4, PIM_LUT);
    COMMAND(6, ACT);
    COMMAND(11, PIM_RD);
    COMMAND(14, ACT);       /* delivered in 5, available in 8; nRRD_L after the other */
    COMMAND(19, PIM_RD);    /* data at 28, added until 29, ready in 31 */
    COMMAND(31, PIM_MOV);   /* burst 1, there at 38, added until 39 */
    COMMAND(35, PIM_MOV);   /* burst 2, there at 42, added until 43 */
    COMMAND(43, PIM_RDRES);
    COMMAND(47, PIM_RDRES); /* at the host at 56, added until 57 */
    CHECK_EQ(heam_system_time(system), 57);
    heam_system_destroy(system);
}

/* One instruction for a PE of each rank, sent by 3 and across the ranks' own paths by 6; the next is sent by 5. */
static void test_broadcast(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 0, 0, 3, 1);
    bags.flags[work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 0, 4, 3, 1)] = HEAM_FLAG_CARRIED;
    work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 0, 6, 3, 1);
    work_end_gnr(&bags);
    heam_host_desc host = small_host();
    heam_channel_desc desc = pim_channel();
    desc.second_stage_cycles = 3;
    desc.instruction_buffer = 1;
    heam_system *system = run_all(&host, 1, &desc, &bags);
    COMMAND(7, ACT);
    COMMAND(7, ACT);
    COMMAND(10, ACT); /* finds the path of rank 1 free in 6 */
    uint64_t values[COUNTERS_MAX] = {0};
    heam_system_counters(system, 0, values, COUNTERS_MAX);
    CHECK_EQ(counter(values, "instructions"), 2);
    CHECK_EQ(counter(values, "second_busy"), 9);
    CHECK_EQ(counter(values, "pim_rd"), 3);
    heam_system_destroy(system);
}

/* A row of a plain channel becomes an operand of a PE. */
static void test_immediate(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    uint64_t read = work_add(&bags, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, 0, 3, 1);
    bags.flags[read] = HEAM_FLAG_UNADDED;
    uint64_t sent = work_add(&bags, HEAM_ITEM_PIM_IMMEDIATE, HEAM_ROLE_ACC, 1, 0, 1, 1);
    bags.segment[sent] = 1;
    work_end_gnr(&bags);
    heam_host_desc host = small_host();
    heam_channel_desc desc[2] = {plain_channel(), pim_channel()};
    desc[1].imm_latency = 3;
    heam_system *system = run_all(&host, 2, desc, &bags);
    COMMAND(1, ACT);
    COMMAND(6, RD);         /* data at the host at 15, host cycle 15 */
    COMMAND(15, PIM_WRIMM); /* at the PE at 15 + 3 + nBL = 22, added until 23, ready in 25 */
    COMMAND(25, PIM_MOV);   /* there at 32, added until 33 */
    COMMAND(33, PIM_RDRES); /* at the host at 42, added until 43 */
    CHECK_EQ(heam_system_time(system), 43);
    uint64_t host_values[COUNTERS_MAX] = {0};
    heam_system_host_counters(system, host_values, COUNTERS_MAX);
    CHECK_EQ(host_counter(host_values, "added_bytes"), 64); /* the result alone */
    heam_system_destroy(system);
}

/* As test_pim_read in two channels, whose results meet in the stack and leave over the first one's bus. */
static void test_stack(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    for (uint16_t c = 0; c < 2; c++) {
        uint64_t at = work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 0, 0, 3, 1);
        bags.channel[at] = c;
    }
    work_end_gnr(&bags);
    heam_host_desc host = small_host();
    host.issue_per_cycle = 2;
    heam_channel_desc desc[2] = {pim_channel(), pim_channel()};
    for (int c = 0; c < 2; c++) {
        desc[c].stack = 2;
        desc[c].stack_tags = 1;
        desc[c].stack_cycles = 5;
        desc[c].xmov_cycles = 3;
        desc[c].xmov_latency = 4;
    }
    heam_system *system = run_all(&host, 2, desc, &bags);
    COMMAND(4, ACT);
    COMMAND(4, ACT);
    COMMAND(9, PIM_RD);
    COMMAND(9, PIM_RD);
    COMMAND(21, PIM_MOV);           /* added until 29 */
    COMMAND(21, PIM_MOV);
    COMMAND(29, HEAM_LOG_PIM_XMOV); /* there at 29 + 3 + 4 = 36, added until 41 */
    COMMAND(32, HEAM_LOG_PIM_XMOV); /* there at 39, added until 46 */
    COMMAND(46, PIM_RDRES);         /* at the host at 46 + 5 + nBL = 55, added until 56 */
    CHECK_EQ(heam_system_time(system), 56);
    heam_system_destroy(system);
}

/* The same row four times: read, followed, and twice from the cache; a row of the same set then takes its place. */
static void test_cache(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    for (int i = 0; i < 5; i++) {
        uint64_t at = work_add(&bags, HEAM_ITEM_PIM_READ, i == 4 ? HEAM_ROLE_FILL : HEAM_ROLE_ACC, 0, 0,
                               i == 4 ? 7 : 3, 1);
        bags.flags[at] = i == 0 ? HEAM_FLAG_CACHE : 0;
        bags.line[at] = i == 4 ? 12 : 10;
    }
    work_end_gnr(&bags);
    heam_host_desc host = small_host();
    heam_channel_desc desc = pim_channel();
    desc.instruction_cycles = 4;
    desc.cache_sets = 2;
    desc.cache_ways = 1;
    heam_system *system = run_all(&host, 1, &desc, &bags);
    COMMAND(6, ACT);
    COMMAND(11, PIM_RD);            /* data at 20 */
    COMMAND(11, HEAM_LOG_MERGED);   /* delivered in 5 and 9: before the row has been read */
    COMMAND(11, HEAM_LOG_MERGED);
    COMMAND(18, HEAM_LOG_PE_HIT);   /* delivered in 13; the port is free until 20 */
    COMMAND(22, PRE);               /* the FILL, delivered in 17 */
    uint64_t values[COUNTERS_MAX] = {0};
    heam_system_counters(system, 0, values, COUNTERS_MAX);
    CHECK_EQ(counter(values, "pe_hits"), 3);
    CHECK_EQ(counter(values, "pe_misses"), 1);
    CHECK_EQ(counter(values, "merged"), 2);
    heam_system_destroy(system);
}

/* Two bursts of LUT contents for each of two ranks go first, nCCD_S apart; delivery moves from cycle 1 to 14. */
static void test_lut_loading(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 0, 0, 3, 1);
    work_end_gnr(&bags);
    heam_host_desc host = small_host();
    heam_channel_desc desc = pim_channel();
    desc.lut_load = 2;
    heam_system *system = run_all(&host, 1, &desc, &bags);
    COMMAND(1, PIM_WRLUT);
    COMMAND(5, PIM_WRLUT);
    COMMAND(9, PIM_WRLUT);
    COMMAND(13, PIM_WRLUT);
    COMMAND(17, ACT);
    COMMAND(22, PIM_RD);
    CHECK_EQ(heam_system_time(system), 39 + 13);
    heam_system_destroy(system);
}

static void test_empty(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    heam_host_desc host = small_host();
    heam_channel_desc desc = plain_channel();
    heam_system *system = run_all(&host, 1, &desc, &bags);
    CHECK_EQ(heam_system_time(system), 0);
    CHECK_EQ(heam_system_log_size(system), 0);
    heam_system_destroy(system);
    /* No work at all is done at once, and stays done: asking again neither gets stuck nor refreshes for ever. */
    for (desc.refresh = 0; desc.refresh <= 1; desc.refresh++) {
        uint32_t state = 99;
        system = run_all(&host, 1, &desc, &bags);
        CHECK_IS(heam_system_run(system, STEPS_MAX, &state), "HEAM_OK");
        CHECK_EQ(state, HEAM_STATE_DONE);
        CHECK_EQ(heam_system_log_size(system), 0);
        heam_system_destroy(system);
    }
    desc.refresh = 0;
    for (int i = 0; i < 10; i++) {
        work_end_gnr(&bags); /* empty bags reduce to zero, and count */
    }
    system = run_all(&host, 1, &desc, &bags);
    CHECK_EQ(heam_system_latencies_size(system), 10);
    heam_system_destroy(system);
}

static heam_channel_desc mixed[2];

static heam_host_desc mixed_host(uint32_t batch) {
    heam_host_desc host = small_host();
    mixed[0] = plain_channel();
    mixed[1] = pim_channel();
    mixed[0].period = 3;
    mixed[1].period = 7;
    mixed[0].refresh = mixed[1].refresh = 1;
    mixed[1].result_bursts = 4;
    mixed[1].lut_load = 1;
    host.period = 5;
    host.issue_per_cycle = 2;
    host.llc_sets = 4;
    host.llc_ways = 2;
    host.batch = batch;
    return host;
}

static void test_invariants(const work *bags, uint32_t batch) {
    heam_host_desc host = mixed_host(batch);
    heam_system *system = run_all(&host, 2, mixed, bags);
    uint64_t reads = 0;
    uint64_t luts = 0;
    uint64_t instructions = 0;
    for (uint64_t i = 0; i < bags->size; i++) {
        reads += bags->kind[i] == HEAM_ITEM_PIM_READ ? bags->bursts[i] : 0;
        luts += bags->kind[i] == HEAM_ITEM_PIM_LUT;
        instructions += bags->kind[i] != HEAM_ITEM_HOST_READ;
    }
    uint64_t plain[COUNTERS_MAX] = {0};
    uint64_t pim[COUNTERS_MAX] = {0};
    uint64_t of_host[COUNTERS_MAX] = {0};
    heam_system_counters(system, 0, plain, COUNTERS_MAX);
    heam_system_counters(system, 1, pim, COUNTERS_MAX);
    heam_system_host_counters(system, of_host, COUNTERS_MAX);
    CHECK_EQ(counter(pim, "pim_rd"), reads);
    CHECK_EQ(counter(pim, "pim_lut"), luts);
    CHECK_EQ(counter(pim, "instructions"), instructions);
    CHECK_EQ(counter(pim, "pim_wrlut"), 2);
    CHECK_EQ(counter(pim, "pim_rdres"), host_counter(of_host, "result_bursts"));
    CHECK(counter(pim, "pim_mov") >= counter(pim, "pim_rdres"));
    CHECK_EQ(counter(plain, "rd"), host_counter(of_host, "bursts_read"));
    CHECK_EQ(host_counter(of_host, "bursts_read"), host_counter(of_host, "lines") - host_counter(of_host, "llc_hits"));
    CHECK_EQ(host_counter(of_host, "items"), bags->size);
    CHECK_EQ(host_counter(of_host, "gnrs"), bags->gnrs);
    CHECK(counter(plain, "ref") > 0 && counter(pim, "ref") > 0);
    for (uint32_t c = 0; c < 2; c++) { /* every command was bound by something */
        uint64_t bounds[COUNTERS_MAX] = {0};
        uint64_t *v = c == 0 ? plain : pim;
        uint32_t length = heam_system_bounds(system, c, bounds, COUNTERS_MAX);
        uint64_t sum = 0;
        CHECK(length > 6 && length <= COUNTERS_MAX);
        for (uint32_t i = 0; i < length && i < COUNTERS_MAX; i++) {
            sum += bounds[i];
        }
        CHECK_EQ(sum, counter(v, "act") + counter(v, "pre") + counter(v, "prea") + counter(v, "rd") + counter(v, "wr") + counter(v, "ref") +
                          counter(v, "pim_rd") + counter(v, "pim_mov") + counter(v, "pim_rdres") + counter(v, "pim_wrlut") +
                          counter(v, "pim_lut") + counter(v, "pim_wrimm"));
    }
    heam_system_destroy(system);
}

/* Bags one by one, two simulation steps at a time: the same commands in the same order. */
static void test_pieces(const work *bags, uint32_t batch) {
    static heam_log_record whole[16 * ITEMS_MAX];
    static heam_log_record pieces[16 * ITEMS_MAX];
    heam_host_desc host = mixed_host(batch);
    heam_system *one = run_all(&host, 2, mixed, bags);
    heam_system *many = create(&host, 2, mixed);
    uint64_t fed = 0;
    uint64_t paused = 0;
    uint32_t state = 99;
    while (state != HEAM_STATE_DONE && paused < STEPS_MAX) {
        CHECK_IS(heam_system_run(many, 2, &state), "HEAM_OK");
        if (state == HEAM_STATE_NEED_INPUT) {
            heam_items items = work_view(bags, fed, 1, offsets_buffer);
            fed++;
            CHECK_IS(heam_system_feed(many, &items, fed == bags->gnrs, NULL), "HEAM_OK");
        }
        paused += state == HEAM_STATE_PAUSED;
    }
    CHECK_EQ(fed, bags->gnrs);
    CHECK(paused > 10);
    uint64_t length = heam_system_take_log(one, whole, 16 * ITEMS_MAX);
    CHECK(length > bags->size);
    CHECK_EQ(heam_system_take_log(many, pieces, 16 * ITEMS_MAX), length);
    CHECK(memcmp(whole, pieces, length * sizeof(whole[0])) == 0);
    CHECK_EQ(heam_system_time(one), heam_system_time(many));
    heam_system_destroy(one);
    heam_system_destroy(many);
}

/* An arrival is waited for, also from an idle system, and the time before it is that of arrivals. */
static void test_arrivals(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    work_add(&bags, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, 0, 1, 1);
    work_end_gnr(&bags);
    work_add(&bags, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, 0, 1, 1);
    work_end_gnr(&bags);
    work_end_gnr(&bags); /* an empty one */
    bags.arrival[0] = 10 * 1000;
    bags.arrival[1] = 10 * 1000;
    bags.arrival[2] = 10 * 2000 + 1; /* between two host cycles of 10 ticks or fewer */
    heam_host_desc host = small_host();
    heam_channel_desc desc = plain_channel();
    heam_system *system = create(&host, 1, &desc);
    heam_items items = work_view(&bags, 0, bags.gnrs, offsets_buffer);
    items.arrival = bags.arrival;
    uint32_t state = 99;
    CHECK_IS(heam_system_feed(system, &items, 1, NULL), "HEAM_OK");
    CHECK_IS(heam_system_run(system, STEPS_MAX, &state), "HEAM_OK");
    CHECK_EQ(state, HEAM_STATE_DONE);
    heam_latency_record records[3];
    CHECK_EQ(heam_system_take_latencies(system, records, 3), 3);
    for (uint64_t g = 0; g < 3; g++) {
        CHECK_EQ(records[g].gnr, g);
        CHECK_EQ(records[g].arrival, bags.arrival[g]);
        CHECK(records[g].finish >= bags.arrival[g]);
    }
    CHECK(records[0].finish > bags.arrival[0] && records[1].finish < bags.arrival[2]);
    CHECK(records[2].finish < bags.arrival[2] + host.period); /* at once, in the next host cycle */
    CHECK_EQ(heam_system_time(system), records[2].finish);
    CHECK_EQ(ticks_spent(system, 1), heam_system_time(system));
    uint64_t reads[16] = {0};
    CHECK_EQ(heam_system_bank_reads(system, 0, reads, 16), 8);
    CHECK_EQ(reads[0], 2);
    CHECK_EQ(reads[1], 0);
    CHECK_EQ(heam_system_bank_reads(system, 1, reads, 16), 0);
    heam_system_destroy(system);
    /* What cannot be counted in ticks is refused, and nothing is taken. */
    system = create(&host, 1, &desc);
    uint64_t detail = 999;
    bags.arrival[2] = (uint64_t)1 << 62;
    CHECK_IS(heam_system_feed(system, &items, 1, &detail), "HEAM_BAD_ARRIVAL");
    CHECK_EQ(detail, 2);
    bags.arrival[2] -= 1;
    CHECK_IS(heam_system_feed(system, &items, 1, &detail), "HEAM_OK");
    heam_system_destroy(system);
}

static void refuse(const work *bags, const char *status, uint64_t where, int line) {
    heam_host_desc host = mixed_host(0);
    heam_system *system = create(&host, 2, mixed);
    heam_items items = work_view(bags, 0, bags->gnrs, offsets_buffer);
    uint64_t detail = 999;
    uint32_t state = 99;
    int32_t got = heam_system_feed(system, &items, 1, &detail);
    if (!status_is(got, status) || detail != where) {
        fprintf(stderr, "line %d: %s at %d\n", line, heam_status_name(got), (int)detail);
    }
    CHECK(status_is(got, status));
    CHECK_EQ(detail, where);
    /* Nothing was taken: the system still waits for its first bags. */
    CHECK_IS(heam_system_run(system, STEPS_MAX, &state), "HEAM_OK");
    CHECK_EQ(state, HEAM_STATE_NEED_INPUT);
    heam_system_destroy(system);
}

static work *good(void) {
    static work bags;
    memset(&bags, 0, sizeof(bags));
    work_add(&bags, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, 1, 2, 2);
    work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 1, 1, 2, 2);
    work_lut(&bags, HEAM_ROLE_LOAD, 1, 3, 2, 2);
    work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, 1, 6, 2, 2);
    work_end_gnr(&bags);
    work_add(&bags, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, 1, 2, 2);
    work_end_gnr(&bags);
    return &bags;
}

/* The second item becomes a vector that is made of the first one's row. */
static work *immediate(work *bags) {
    bags->kind[1] = HEAM_ITEM_PIM_IMMEDIATE;
    bags->bank[1] = 0;
    bags->row[1] = 1;
    return bags;
}

#define REFUSED(change, where)                                                                                                           \
    do {                                                                                                                                 \
        work *w = good();                                                                                                                \
        change;                                                                                                                          \
        refuse(w, "HEAM_BAD_ITEM", where, __LINE__);                                                                                     \
    } while (0)

static void test_bad_items(void) {
    REFUSED(w->channel[1] = 2, 1);
    REFUSED(w->channel[0] = 1, 0);                 /* a host read on a PIM channel */
    REFUSED(w->channel[1] = 0, 1);                 /* PIM work on a plain channel */
    REFUSED(w->kind[1] = 4, 1);
    REFUSED(immediate(w)->row[1] = 0, 1);          /* made of nothing */
    REFUSED(immediate(w)->row[1] = 2, 1);          /* of reads before the bag */
    REFUSED(immediate(w)->row[1] = UINT32_MAX, 1);
    REFUSED(immediate(w)->role[1] = HEAM_ROLE_LOAD, 1);
    REFUSED(immediate(w)->bank[1] = 1, 1);
    REFUSED(immediate(w)->column[1] = 1, 1);
    REFUSED(immediate(w)->bursts[1] = 0, 1);
    REFUSED(immediate(w)->bursts[1] = 5, 1);       /* of four */
    REFUSED(immediate(w)->covers[1] = 1, 1);       /* two are sent */
    REFUSED(immediate(w)->flags[1] = HEAM_FLAG_CACHE, 1);
    REFUSED((immediate(w), w->kind[2] = HEAM_ITEM_PIM_IMMEDIATE, w->role[2] = HEAM_ROLE_ACC, w->row[2] = 1), 2); /* of a PIM item */
    REFUSED(w->flags[1] = HEAM_FLAG_UNADDED, 1);
    REFUSED(w->role[1] = 5, 1);
    REFUSED(w->role[1] = HEAM_ROLE_FILL, 1);       /* no cache to fill */
    REFUSED(w->bank[0] = 8, 0);
    REFUSED(w->row[3] = 32, 2 + 1);
    REFUSED(w->bursts[0] = 0, 0);
    REFUSED((w->column[1] = 15), 1);               /* the second burst lies in no row */
    REFUSED(w->column[4] = 65535, 4);
    REFUSED(w->unit[1] = 1, 1);                    /* not the unit of its bank */
    REFUSED((w->unit[2] = w->unit[3] = 4), 2);
    REFUSED(w->role[1] = HEAM_ROLE_MAC, 1);        /* no LOAD before it */
    REFUSED(w->role[2] = HEAM_ROLE_ACC, 3);        /* the item before it is no LOAD */
    REFUSED(w->role[3] = HEAM_ROLE_ACC, 2);        /* no MAC after the LOAD */
    REFUSED((w->offsets[1] = 3), 2);               /* the MAC lies in the next bag */
    REFUSED((w->unit[2] = 0), 3);                  /* LOAD and MAC at different units */
    REFUSED(w->role[1] = HEAM_ROLE_MUL, 1);        /* no LOAD before it */
    REFUSED(w->role[3] = HEAM_ROLE_MUL, 3);        /* no MAC behind it */
    REFUSED(w->segment[1] = 3, 1);                 /* two bursts from the last of four on */
    REFUSED(w->covers[3] = 5, 3);
    REFUSED(w->flags[1] = 128, 1);
    REFUSED(w->flags[0] = HEAM_FLAG_CARRIED, 0);   /* a host read, and the first */
    REFUSED(w->flags[1] = HEAM_FLAG_CARRIED, 1);   /* behind a host read */
    heam_host_desc host = mixed_host(0);
    heam_system *system = create(&host, 2, mixed);
    uint32_t state = 99;
    heam_items items = work_view(good(), 0, 2, offsets_buffer);
    offsets_buffer[0] = 1;
    CHECK_IS(heam_system_feed(system, &items, 1, NULL), "HEAM_BAD_ARGUMENT");
    offsets_buffer[0] = 0;
    offsets_buffer[1] = 6;
    CHECK_IS(heam_system_feed(system, &items, 1, NULL), "HEAM_BAD_ARGUMENT");
    offsets_buffer[1] = 4;
    items.line = NULL;
    CHECK_IS(heam_system_feed(system, &items, 1, NULL), "HEAM_BAD_ARGUMENT");
    items = work_view(good(), 0, 2, offsets_buffer);
    CHECK_IS(heam_system_feed(system, NULL, 1, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_system_feed(NULL, &items, 1, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_system_feed(system, &items, 1, NULL), "HEAM_OK");
    CHECK_IS(heam_system_feed(system, &items, 1, NULL), "HEAM_WRONG_CALL");
    CHECK_IS(heam_system_run(system, UINT64_MAX, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_system_run(system, STEPS_MAX, &state), "HEAM_OK");
    CHECK_EQ(state, HEAM_STATE_DONE);
    CHECK_IS(heam_system_feed(system, &items, 1, NULL), "HEAM_WRONG_CALL");
    heam_system_destroy(system);
}

static void refuse_creation(const heam_host_desc *host, const heam_spec *second, const char *status, uint64_t where, int line) {
    heam_spec *spec = toy_spec();
    const heam_spec *specs[2] = {spec, second != NULL ? second : spec};
    heam_system *system = NULL;
    uint64_t detail = 999;
    int32_t got = heam_system_create(host, 2, mixed, specs, 0, &system, &detail);
    if (!status_is(got, status)) {
        fprintf(stderr, "line %d: %s\n", line, heam_status_name(got));
    }
    CHECK(status_is(got, status));
    CHECK(system == NULL);
    CHECK_EQ(detail, where);
    heam_spec_destroy(spec);
}

#define NO_SYSTEM(change, status, where)                                                                                                 \
    do {                                                                                                                                 \
        heam_host_desc host = mixed_host(0);                                                                                             \
        change;                                                                                                                          \
        refuse_creation(&host, NULL, status, where, __LINE__);                                                                                 \
    } while (0)

/* Refreshes of two ranks that fall due before they can be over: no operand would ever be begun. */
static void test_short_refresh(void) {
    toy memory;
    heam_spec *spec = NULL;
    heam_host_desc host = mixed_host(0);
    toy_init(&memory);
    memory.desc.refresh_interval = nRFC + 1;
    CHECK_IS(heam_spec_create(&memory.desc, &spec, NULL), "HEAM_OK");
    mixed[1].refresh = 1;
    refuse_creation(&host, spec, "HEAM_BAD_REFRESH", 1, __LINE__);
    heam_spec_destroy(spec);
}

static void test_creation(void) {
    NO_SYSTEM(host.period = 0, "HEAM_BAD_HOST", 999);
    NO_SYSTEM(host.issue_per_cycle = 0, "HEAM_BAD_HOST", 999);
    NO_SYSTEM(host.add_bytes_per_cycle = 0, "HEAM_BAD_HOST", 999);
    NO_SYSTEM(host.window = 0, "HEAM_BAD_HOST", 999);
    NO_SYSTEM(host.llc_ways = 0, "HEAM_BAD_HOST", 999);
    NO_SYSTEM(host.line_bytes = 96, "HEAM_BAD_HOST", 0);
    NO_SYSTEM((host.line_bytes = 1024, host.outstanding = 8), "HEAM_BAD_HOST", 0); /* a line that can never be fetched */
    NO_SYSTEM(mixed[0].period = 0, "HEAM_BAD_CHANNEL", 0);
    NO_SYSTEM(mixed[0].kind = 2, "HEAM_BAD_CHANNEL", 0);
    NO_SYSTEM(mixed[1].unit_level = TOY_LEVELS, "HEAM_BAD_CHANNEL", 1);
    NO_SYSTEM(mixed[1].queue_depth = 0, "HEAM_BAD_CHANNEL", 1);
    NO_SYSTEM(mixed[1].batch_tags = 0, "HEAM_BAD_CHANNEL", 1);
    NO_SYSTEM(mixed[1].instruction_cycles = 0, "HEAM_BAD_CHANNEL", 1);
    NO_SYSTEM(mixed[1].host_driven = 1, "HEAM_BAD_CHANNEL", 1);
    NO_SYSTEM((mixed[1].host_driven = 1, mixed[1].instruction_cycles = 0, mixed[1].path_uses_dq = 1), "HEAM_BAD_CHANNEL", 1);
    NO_SYSTEM(mixed[1].cache_sets = 1, "HEAM_BAD_CHANNEL", 1); /* no ways */
    NO_SYSTEM((mixed[1].cache_sets = mixed[1].cache_ways = 1u << 31), "HEAM_BAD_CHANNEL", 1);
    NO_SYSTEM((mixed[1].cache_sets = mixed[1].cache_ways = 1, mixed[1].port_bytes_per_cycle = 0), "HEAM_BAD_CHANNEL", 1);
    NO_SYSTEM(mixed[1].merge_identical = 2, "HEAM_BAD_CHANNEL", 1);
    NO_SYSTEM(mixed[1].stack = 1, "HEAM_BAD_STACK", 1); /* no accumulator */
    NO_SYSTEM((mixed[1].stack = 1, mixed[1].stack_tags = 1), "HEAM_BAD_STACK", 1); /* no crossbar */
    NO_SYSTEM((mixed[1].stack = 3, mixed[1].stack_tags = mixed[1].xmov_cycles = 1), "HEAM_BAD_STACK", 1);
    NO_SYSTEM((mixed[1].stack = 1, mixed[1].stack_tags = 65537, mixed[1].xmov_cycles = 1), "HEAM_BAD_STACK", 1);
    NO_SYSTEM((mixed[1].stack = mixed[1].stack_tags = mixed[1].xmov_cycles = 1, mixed[1].merge = 0), "HEAM_BAD_STACK", 1);
    NO_SYSTEM(mixed[1].result_bursts = 0, "HEAM_BAD_CHANNEL", 1);
    heam_host_desc host = mixed_host(0);
    heam_system *system = NULL;
    const heam_spec *none[2] = {NULL, NULL};
    CHECK_IS(heam_system_create(&host, 2, mixed, none, 0, &system, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_system_create(NULL, 2, mixed, none, 0, &system, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_system_create(&host, 0, mixed, none, 0, &system, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_system_create(&host, 2, NULL, none, 0, &system, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_system_create(&host, 2, mixed, NULL, 0, &system, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_system_create(&host, 2, mixed, none, 0, NULL, NULL), "HEAM_BAD_ARGUMENT");
    CHECK(system == NULL);
    heam_system_destroy(NULL);
    CHECK_EQ(heam_system_time(NULL) + heam_system_finished(NULL) + heam_system_log_size(NULL) + heam_system_latencies_size(NULL), 0);
    CHECK_EQ(heam_system_counters(NULL, 0, NULL, 0) + heam_system_host_counters(NULL, NULL, 0) + heam_system_bounds(NULL, 0, NULL, 0), 0);
}

int main(void) {
    static work bags;
    test_creation();
    test_short_refresh();
    test_arrivals();
    test_host_reads();
    test_pim_read();
    test_pim_lut();
    test_chain();
    test_immediate();
    test_stack();
    test_broadcast();
    test_cache();
    test_lut_loading();
    test_empty();
    test_bad_items();
    for (uint32_t seed = 1; seed <= 20; seed++) { /* pairs of rows that wait for each other while refreshes fall due */
        work_random(&bags, 200, seed);
        CHECK(bags.size > 300 && bags.size <= ITEMS_MAX);
        test_invariants(&bags, 0);
        test_invariants(&bags, 4);
    }
    test_pieces(&bags, 0);
    test_pieces(&bags, 4);
    return check_report();
}
