/* SPDX-License-Identifier: MIT */
/* Rows by how long ago they were used: by hand, arguments that are refused, memory that runs out. */
#include "check.h"
#include "support.h"

static void test_rows_by_hand(void) {
    heam_row_stack *stack = NULL;
    CHECK_IS(heam_row_stack_create(3, &stack), "HEAM_OK");
    uint64_t far = UINT64_MAX, row[8];
    const uint64_t distance[8] = {0, 0, far, 1, 2, far, far, 2};
    CHECK_IS(heam_row_stack_take(stack, 5, distance, row), "HEAM_OK");
    CHECK_IS(heam_row_stack_take(stack, 0, NULL, NULL), "HEAM_OK");
    CHECK_IS(heam_row_stack_take(stack, 3, distance + 5, row + 5), "HEAM_OK");
    /* The stack, oldest row first, before each from the third on: 0, 01, 10, 102, 021, 210. */
    const uint64_t expected[8] = {0, 0, 1, 0, 2, 1, 0, 2};
    for (int i = 0; i < 8; i++) {
        CHECK_EQ(row[i], expected[i]);
    }
    heam_row_stack_destroy(stack);
}

static void test_arguments(void) {
    heam_row_stack *stack = NULL;
    uint64_t one = 0;
    CHECK_IS(heam_row_stack_create(0, &stack), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_stack_create(1, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_stack_create(1, &stack), "HEAM_OK");
    CHECK_IS(heam_row_stack_take(NULL, 1, &one, &one), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_stack_take(stack, 1, NULL, &one), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_stack_take(stack, 1, &one, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_row_stack_take(stack, UINT64_MAX, &one, &one), "HEAM_BAD_ARGUMENT");
    heam_row_stack_destroy(stack);
    heam_row_stack_destroy(NULL);
}

static void test_memory_runs_out(void) {
    heam_row_stack *stack = NULL;
    uint64_t distance[64], row[64];
    fail_allocation(1);
    CHECK_IS(heam_row_stack_create(9, &stack), "HEAM_OUT_OF_MEMORY");
    fail_allocation(0);
    CHECK_IS(heam_row_stack_create(40, &stack), "HEAM_OK");
    for (uint64_t i = 0; i < 64; i++) {
        distance[i] = UINT64_MAX;
    }
    fail_allocation(1);
    CHECK_IS(heam_row_stack_take(stack, 64, distance, row), "HEAM_OUT_OF_MEMORY");
    fail_allocation(0);
    for (int turn = 0; turn < 100; turn++) { /* the start moves through the buffer many times */
        CHECK_IS(heam_row_stack_take(stack, 64, distance, row), "HEAM_OK");
    }
    CHECK_EQ(row[63], (64 * 100 - 1) % 40);
    heam_row_stack_destroy(stack);
}

int main(void) {
    test_rows_by_hand();
    test_arguments();
    test_memory_runs_out();
    return check_report();
}
