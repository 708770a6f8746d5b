/* SPDX-License-Identifier: MIT */
/* Stands between the program and the allocator (the linker's --wrap), so that the n-th allocation can be made to fail. */
#include <stddef.h>

#include "support.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

static uint64_t left; /* allocations until the one that fails, itself included; 0: none will */
static bool failed;

void fail_allocation(uint64_t n) {
    left = n;
    failed = false;
}

bool allocation_failed(void) {
    return failed;
}

static bool refuse(void) {
    if (left == 0 || --left > 0) {
        return false;
    }
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size) {
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size) {
    return refuse() ? NULL : __real_realloc(block, size);
}
