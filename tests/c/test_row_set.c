/* SPDX-License-Identifier: MIT */
/* Numbers of rows: by hand, many of them, arguments that are refused, memory that runs out. */
#include "check.h"
#include "support.h"

static void test_by_hand(void) {
    heam_row_set *set = NULL;
    const uint64_t row[3] = {7, 0, UINT64_MAX}, slot[3] = {4, 4, 0};
    CHECK_IS(heam_row_set_create(3, row, slot, &set), "HEAM_OK");
    const uint64_t asked[5] = {UINT64_MAX, 8, 7, 0, 7};
    const uint64_t expected[5] = {0, UINT64_MAX, 4, 4, 4};
    uint64_t found[5];
    CHECK_IS(heam_row_set_find(set, 5, asked, found), "HEAM_OK");
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(found[i], expected[i]);
    }
    CHECK_IS(heam_row_set_find(set, 0, NULL, NULL), "HEAM_OK");
    heam_row_set_destroy(set);
}

/* Every third row, in the set or not: most of them share entries with others. */
static void test_many(void) {
    enum { ROWS = 3000 };
    static uint64_t row[ROWS], slot[ROWS], asked[3 * ROWS], found[3 * ROWS];
    for (uint64_t i = 0; i < ROWS; i++) {
        row[i] = 3 * i;
        slot[i] = i ^ 1;
    }
    for (uint64_t i = 0; i < 3 * ROWS; i++) {
        asked[i] = i;
    }
    heam_row_set *set = NULL;
    CHECK_IS(heam_row_set_create(ROWS, row, slot, &set), "HEAM_OK");
    CHECK_IS(heam_row_set_find(set, 3 * ROWS, asked, found), "HEAM_OK");
    for (uint64_t i = 0; i < 3 * ROWS; i++) {
        CHECK_EQ(found[i], i % 3 == 0 ? (i / 3) ^ 1 : UINT64_MAX);
    }
    heam_row_set_destroy(set);
    CHECK_IS(heam_row_set_create(0, NULL, NULL, &set), "HEAM_OK"); /* none at all */
    CHECK_IS(heam_row_set_find(set, 1, asked, found), "HEAM_OK");
    CHECK_EQ(found[0], UINT64_MAX);
    heam_row_set_destroy(set);
}

static void test_arguments(void) {
    heam_row_set *set = NULL;
    const uint64_t row[2] = {5, 5}, slot[2] = {1, 2}, vacant = UINT64_MAX;
    uint64_t found;
    CHECK_IS(heam_row_set_create(2, row, slot, &set), "HEAM_BAD_ARGUMENT"); /* a row twice */
    CHECK_IS(heam_row_set_create(1, row, &vacant, &set), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_set_create(1, NULL, slot, &set), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_set_create(1, row, NULL, &set), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_set_create(1, row, slot, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_set_create(UINT64_MAX, row, slot, &set), "HEAM_BAD_ARGUMENT");
    CHECK(set == NULL);
    CHECK_IS(heam_row_set_create(1, row, slot, &set), "HEAM_OK");
    CHECK_IS(heam_row_set_find(NULL, 1, row, &found), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_set_find(set, 1, NULL, &found), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_set_find(set, 1, row, NULL), "HEAM_BAD_ARGUMENT");
    heam_row_set_destroy(set);
    heam_row_set_destroy(NULL);
}

static void test_memory_runs_out(void) {
    heam_row_set *set = NULL;
    const uint64_t row = 1, slot = 1;
    for (uint32_t nth = 1; nth <= 2; nth++) {
        fail_allocation(nth);
        CHECK_IS(heam_row_set_create(1, &row, &slot, &set), "HEAM_OUT_OF_MEMORY");
        CHECK(set == NULL);
    }
    fail_allocation(0);
}

int main(void) {
    test_by_hand();
    test_many();
    test_arguments();
    test_memory_runs_out();
    return check_report();
}
