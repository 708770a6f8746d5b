/* SPDX-License-Identifier: MIT */
/* Inner loops of lowering: by hand, more entries than are put together, arguments that are refused, memory that runs out. */
#include "check.h"
#include "support.h"

enum { MANY = 3000 };

/* Bits of a burst's address: column, channel, bank and channel together, row. */
static const uint16_t channel[4] = {0, 1, 2, 0}, bank[4] = {0, 0, 3, 0}, of_bit[4] = {1, 0, 0, 0};
static const uint32_t row[4] = {0, 0, 0, 4};

static heam_map_desc map(void) {
    return (heam_map_desc){.burst_bits = 6, .bits = 4, .channel = channel, .bank = bank, .row = row, .column = of_bit};
}

static void test_places(void) {
    static uint64_t address[MANY];
    static uint16_t of_channel[MANY], of_bank[MANY], of_column[MANY];
    static uint32_t of_row[MANY];
    for (uint64_t i = 0; i < MANY; i++) {
        address[i] = i * 64 + i % 64; /* what lies in the burst or beyond the capacity is left out */
    }
    heam_map_desc desc = map();
    CHECK_IS(heam_lower_places(&desc, MANY, address, of_channel, of_bank, of_row, of_column), "HEAM_OK");
    for (uint64_t i = 0; i < MANY; i++) {
        CHECK_EQ(of_column[i], i & 1);
        CHECK_EQ(of_channel[i], (i >> 1 & 1) ^ (i >> 2 & 1) << 1);
        CHECK_EQ(of_bank[i], (i >> 2 & 1) * 3);
        CHECK_EQ(of_row[i], (i >> 3 & 1) * 4);
    }
    CHECK_IS(heam_lower_places(&desc, 0, NULL, NULL, NULL, NULL, NULL), "HEAM_OK");
}

static void test_places_refused(void) {
    uint64_t address = 0;
    uint16_t of_channel, of_bank, of_column;
    uint32_t of_row;
    heam_map_desc desc = map();
    CHECK_IS(heam_lower_places(NULL, 1, &address, &of_channel, &of_bank, &of_row, &of_column), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_lower_places(&desc, 1, NULL, &of_channel, &of_bank, &of_row, &of_column), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_lower_places(&desc, 1, &address, NULL, &of_bank, &of_row, &of_column), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_lower_places(&desc, 1, &address, &of_channel, NULL, &of_row, &of_column), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_lower_places(&desc, 1, &address, &of_channel, &of_bank, NULL, &of_column), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_lower_places(&desc, 1, &address, &of_channel, &of_bank, &of_row, NULL), "HEAM_BAD_ARGUMENT");
    desc.row = NULL;
    CHECK_IS(heam_lower_places(&desc, 1, &address, &of_channel, &of_bank, &of_row, &of_column), "HEAM_BAD_ARGUMENT");
    desc = map();
    desc.bits = 64;
    CHECK_IS(heam_lower_places(&desc, 1, &address, &of_channel, &of_bank, &of_row, &of_column), "HEAM_BAD_ARGUMENT");
    const uint16_t wide[4] = {UINT16_MAX, 0, 0, 0};
    const uint32_t long_row[4] = {UINT32_MAX, 0, 0, 0};
    desc = map();
    desc.channel = desc.bank = wide; /* 64 bits with the row's */
    desc.row = long_row;
    CHECK_IS(heam_lower_places(&desc, 1, &address, &of_channel, &of_bank, &of_row, &of_column), "HEAM_BAD_ARGUMENT");
    desc = map();
    fail_allocation(1);
    CHECK_IS(heam_lower_places(&desc, 1, &address, &of_channel, &of_bank, &of_row, &of_column), "HEAM_OUT_OF_MEMORY");
    fail_allocation(0);
}

/* Entries of every second lookup, from the last on, each behind three items of the lookups before. */
static void test_put(void) {
    static uint64_t which[MANY], start[2 * MANY], wide[8 * MANY];
    static uint8_t narrow[8 * MANY], of_entry[MANY];
    static uint16_t of_lookup[2 * MANY], medium[8 * MANY];
    static uint32_t even[8 * MANY];
    const uint32_t same = 9;
    for (uint64_t i = 0; i < MANY; i++) {
        which[i] = 2 * (MANY - 1 - i);
        of_entry[i] = (uint8_t)(i % 200 + 1);
    }
    for (uint64_t i = 0; i < 2 * MANY; i++) {
        start[i] = 3 * i;
        of_lookup[i] = (uint16_t)(i + 1);
    }
    const heam_column columns[4] = {{of_entry, narrow, 1, HEAM_OF_ENTRY},
                                    {of_lookup, medium, 2, HEAM_OF_LOOKUP},
                                    {&same, even, 4, HEAM_OF_BLOCK},
                                    {which, wide, 8, HEAM_OF_ENTRY}};
    heam_block block = {.entries = MANY, .lookups = 2 * MANY, .room = 8 * MANY, .which = which, .start = start, .offset = 1};
    CHECK_IS(heam_lower_put(&block, 4, columns), "HEAM_OK");
    block.start = NULL; /* the same by a step */
    block.step = 3;
    CHECK_IS(heam_lower_put(&block, 4, columns), "HEAM_OK");
    for (uint64_t i = 0; i < MANY; i++) {
        uint64_t at = 3 * which[i] + 1;
        CHECK_EQ(narrow[at], of_entry[i]);
        CHECK_EQ(medium[at], which[i] + 1);
        CHECK_EQ(even[at], 9);
        CHECK_EQ(wide[at], which[i]);
        CHECK_EQ(narrow[at - 1] | narrow[at + 1] | even[at - 1] | even[at + 1], 0);
    }
}

/* Without `which`, entry by entry; ranks come on top. */
static void test_put_by_rank(void) {
    const uint64_t rank[3] = {2, 0, 1};
    const uint8_t values[3] = {7, 8, 9};
    uint8_t to[8] = {0};
    const heam_column column = {values, to, 1, HEAM_OF_LOOKUP};
    heam_block block = {.entries = 3, .lookups = 3, .room = 8, .step = 2, .rank = rank};
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_OK");
    const uint8_t expected[8] = {0, 0, 8, 0, 0, 0, 0, 0};
    CHECK_EQ(to[2], expected[2]); /* both of lookups 0 and 1: the later one stays */
    CHECK_EQ(to[5], 9);
    CHECK_EQ(to[0] | to[1] | to[3] | to[4] | to[6] | to[7], 0);
}

static void test_put_refused(void) {
    const uint64_t which[1] = {2}, start[2] = {0, UINT64_MAX};
    uint8_t value = 1, to[4] = {0};
    heam_column column = {&value, to, 1, HEAM_OF_ENTRY};
    heam_block block = {.entries = 1, .lookups = 2, .room = 4};
    CHECK_IS(heam_lower_put(NULL, 1, &column), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_lower_put(&block, 1, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_lower_put(&block, 0, NULL), "HEAM_OK");
    block.which = which; /* no such lookup */
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_BAD_ARGUMENT");
    block.which = NULL;
    block.entries = 3; /* more than lookups */
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_BAD_ARGUMENT");
    block.entries = 1;
    block.offset = 4; /* behind the end */
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_BAD_ARGUMENT");
    block.offset = UINT64_MAX;
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_BAD_ARGUMENT");
    block.offset = 0;
    block.start = start + 1;
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_BAD_ARGUMENT");
    block.start = NULL;
    for (uint32_t bytes = 0; bytes < 10; bytes++) {
        column.bytes = bytes;
        if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) {
            CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_BAD_ARGUMENT");
        }
    }
    column = (heam_column){&value, to, 1, HEAM_OF_LOOKUP + 1};
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_BAD_ARGUMENT");
    column = (heam_column){NULL, to, 1, HEAM_OF_ENTRY};
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_BAD_ARGUMENT");
    column = (heam_column){&value, NULL, 1, HEAM_OF_ENTRY};
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_BAD_ARGUMENT");
    CHECK_EQ(to[0] | to[1] | to[2] | to[3], 0);
    block.entries = 0; /* nothing to put, and nothing looked at */
    CHECK_IS(heam_lower_put(&block, 1, &column), "HEAM_OK");
}

int main(void) {
    test_places();
    test_places_refused();
    test_put();
    test_put_by_rank();
    test_put_refused();
    return check_report();
}
