/* SPDX-License-Identifier: MIT */
/* Demand: sums and lists by hand, arguments that are refused, memory that runs out. */
#include "check.h"
#include "work.h"

enum { CHANNELS = 2, UNITS = 4, BANKS = 8, ROWS = 16 };

static work bags;
static uint64_t of_units[4][CHANNELS * UNITS], of_channels[7][CHANNELS];
static uint64_t rows[ITEMS_MAX], lines[ITEMS_MAX], pe_rows[ITEMS_MAX];
static uint32_t counts[ITEMS_MAX];

static heam_demand demand(void) {
    static const uint32_t burst_bytes[CHANNELS] = {64, 32};
    memset(of_units, 0, sizeof(of_units));
    memset(of_channels, 0, sizeof(of_channels));
    return (heam_demand){.channels = CHANNELS, .units = UNITS, .banks = BANKS, .dram_rows = ROWS, .line_bytes = 64, .port_bytes_per_cycle = 48,
                         .burst_bytes = burst_bytes, .reads = of_units[0], .port_cycles = of_units[1], .alu_bursts = of_units[2],
                         .alu_cycles = of_units[3], .instructions = of_channels[0], .operands = of_channels[1], .host_bursts = of_channels[2],
                         .partials = of_channels[3], .results = of_channels[4], .stack_sums = of_channels[5], .immediates = of_channels[6], .rows = rows, .lines = lines, .line_counts = counts, .pe_rows = pe_rows};
}

/* A host read of two lines; a chain of a LUT row and a bank's row, and a sum in another unit that overlaps its first burst. */
static void test_sums(void) {
    memset(&bags, 0, sizeof(bags));
    work_add(&bags, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, 7, 15, 2);
    work_end_gnr(&bags);
    work_lut(&bags, HEAM_ROLE_LOAD, 1, 1, 3, 2);
    bags.segment[work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, 1, 2, 5, 2)] = 1;
    bags.alu[work_add(&bags, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 1, 6, 5, 2)] = 7;
    bags.flags[4 - 1] = HEAM_FLAG_CARRIED;
    work_end_gnr(&bags);
    uint64_t offsets[3], detail = 99;
    heam_items items = work_view(&bags, 0, 2, offsets);
    heam_demand found = demand();
    CHECK_IS(heam_demand_add(&found, &items, &detail), "HEAM_OK");
    CHECK_EQ(found.host_lines, 2);
    CHECK_EQ(found.host_items, 1);
    CHECK_EQ(lines[0], 7 * 1000 + 15 * 16);
    CHECK_EQ(counts[0], 2);
    CHECK_EQ(found.banked, 3);
    CHECK_EQ(rows[0], 7 * ROWS + 15);
    CHECK_EQ(rows[1], (BANKS + 2) * ROWS + 5);
    CHECK_EQ(found.pe_items, 2);
    CHECK_EQ(pe_rows[0], (uint64_t)(UNITS + 1) << 44 | 2080);
    CHECK_EQ(found.shortest, 2);
    CHECK_EQ(of_units[0][UNITS + 1], 2);
    CHECK_EQ(of_units[0][UNITS + 3], 2);
    CHECK_EQ(of_units[1][UNITS + 1], 2); /* 64 bytes through 48 */
    CHECK_EQ(of_units[2][UNITS + 1], 2); /* the LOAD does not count */
    CHECK_EQ(of_units[3][UNITS + 3], 14);
    CHECK_EQ(of_channels[0][1], 2); /* one was carried */
    CHECK_EQ(of_channels[1][1], 2);
    CHECK_EQ(of_channels[2][0], 2);
    CHECK_EQ(of_channels[3][1], 4);
    CHECK_EQ(of_channels[4][1], 3); /* bursts 0, 1, 2 */
    CHECK_IS(heam_demand_add(&found, &items, &detail), "HEAM_OK");
    CHECK_EQ(found.host_lines, 4); /* sums go on, lists begin again */
    CHECK_EQ(found.banked, 3);
    CHECK_EQ(of_channels[4][1], 6);
    found.lines = pe_rows;
    found.line_counts = NULL;
    CHECK_IS(heam_demand_add(&found, &items, &detail), "HEAM_BAD_ARGUMENT");
    bags.unit[3] = UNITS;
    found = demand();
    CHECK_IS(heam_demand_add(&found, &items, &detail), "HEAM_BAD_ITEM");
    CHECK_EQ(detail, 3);
}

static void test_arguments(void) {
    uint64_t offsets[3], detail;
    heam_items items = work_view(&bags, 0, 2, offsets);
    heam_demand good = demand(), bad = good;
    CHECK_IS(heam_demand_add(NULL, &items, &detail), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_demand_add(&good, NULL, &detail), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_demand_add(&good, &items, NULL), "HEAM_BAD_ARGUMENT");
    bad.rows = NULL;
    CHECK_IS(heam_demand_add(&bad, &items, &detail), "HEAM_BAD_ARGUMENT");
    bad = good;
    bad.line_bytes = 0;
    CHECK_IS(heam_demand_add(&bad, &items, &detail), "HEAM_BAD_ARGUMENT");
    heam_items missing = items;
    missing.covers = NULL;
    CHECK_IS(heam_demand_add(&good, &missing, &detail), "HEAM_BAD_ARGUMENT");
    offsets[1] = 5;
    CHECK_IS(heam_demand_add(&good, &items, &detail), "HEAM_BAD_ARGUMENT");
}

/* All that random work may be: in range, whatever it is, and out of memory at every allocation. */
static void test_random_work(void) {
    work_random(&bags, 200, 11);
    uint64_t offsets[201], detail, n = 1;
    heam_items items = work_view(&bags, 0, 200, offsets);
    for (;; n++) {
        heam_demand found = demand();
        fail_allocation(n);
        int32_t status = heam_demand_add(&found, &items, &detail);
        bool hit = allocation_failed();
        fail_allocation(0);
        CHECK_IS(status, hit ? "HEAM_OUT_OF_MEMORY" : "HEAM_OK");
        if (!hit) {
            CHECK(found.banked > 100);
            break;
        }
    }
    CHECK_EQ(n, 4); /* three allocations */
}

int main(void) {
    test_sums();
    test_arguments();
    test_random_work();
    return check_report();
}
