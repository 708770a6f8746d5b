/* SPDX-License-Identifier: MIT */
/* Assertions for the C tests: a failure is reported with file and line and counted, and the test goes on. */
#ifndef HEAM_CHECK_H
#define HEAM_CHECK_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

static unsigned check_passed;
static unsigned check_failed;

static inline void check_true(int ok, const char *text, const char *file, int line) {
    if (ok) {
        check_passed++;
        return;
    }
    check_failed++;
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, text);
}

static inline void check_equal(int64_t got, int64_t wanted, const char *text, const char *file, int line) {
    if (got == wanted) {
        check_passed++;
        return;
    }
    check_failed++;
    fprintf(stderr, "%s:%d: %s is %" PRId64 ", not %" PRId64 "\n", file, line, text, got, wanted);
}

/* The last statement of main. A test that checked nothing has failed. */
static inline int check_report(void) {
    printf("%u passed, %u failed\n", check_passed, check_failed);
    return check_failed > 0 || check_passed == 0;
}

#define CHECK(condition) check_true((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define CHECK_EQ(got, wanted) check_equal((int64_t)(got), (int64_t)(wanted), #got, __FILE__, __LINE__)
#define CHECK_STATUS(call, wanted) CHECK_EQ(call, wanted)

#endif
