/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: a reader of bytes, exact-size arrays, and a memory that the bytes describe. */
#ifndef HEAM_FUZZ_H
#define HEAM_FUZZ_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

/* The entry point that libFuzzer and tests/fuzz/driver.c call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A violated promise ends the process, as a sanitizer's report does. */
#define PROMISE(condition)                                                                       \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);      \
            abort();                                                                             \
        }                                                                                        \
    } while (0)

/* Reads past the end give zeros, so that every input is complete. */
typedef struct {
    const uint8_t *data;
    size_t size;
    size_t at;
} bytes;

static inline uint8_t next_byte(bytes *self) {
    return self->at < self->size ? self->data[self->at++] : 0;
}

static inline uint64_t next_number(bytes *self, unsigned width) {
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint64_t)next_byte(self) << (8 * i);
    }
    return value;
}

static inline uint32_t next_below(bytes *self, uint32_t limit) {
    return limit == 0 ? 0 : (uint32_t)(next_number(self, limit > 256 ? 4 : 1) % limit);
}

static inline bool at_end(const bytes *self) {
    return self->at >= self->size;
}

/* The heap's own bounds are the array's: a sanitizer sees the first element that is read beyond them. */
static inline void *exact_copy(const void *from, size_t size) {
    void *copy = malloc(size);
    PROMISE(copy != NULL || size == 0);
    if (size > 0) {
        memcpy(copy, from, size);
    }
    return copy;
}

/* The toy with a few of its entries changed; returns how many. Times stay small enough for a simulation to end. */
static inline uint32_t bend_toy(toy *memory, bytes *in) {
    toy_init(memory);
    uint32_t all = next_below(in, 12);
    for (uint32_t changes = all; changes > 0; changes--) {
        uint32_t row = next_below(in, memory->desc.rows);
        switch (next_below(in, 8)) {
            case 0: memory->cycles[row] = next_byte(in); break;
            case 1: memory->window[row] = (uint16_t)(1 + next_below(in, 6)); memory->sibling[row] = 0; break;
            case 2: memory->level[row] = (uint8_t)next_below(in, TOY_LEVELS); memory->sibling[row] = 0; break;
            case 3: memory->counts[1 + next_below(in, TOY_LEVELS - 1)] = 1 + next_below(in, 4); break;
            case 4: memory->desc.split_buses = next_byte(in) & 1u; break;
            case 5: memory->desc.dram_columns = 1 + next_below(in, 40); break;
            case 6: memory->desc.read_latency = 1 + next_below(in, 60); break;
            default: memory->desc.burst_cycles = 1 + next_below(in, 12); break;
        }
    }
    return all;
}

static inline heam_spec *toy_compile(const toy *memory) {
    heam_spec *spec = NULL;
    PROMISE(status_is(heam_spec_create(&memory->desc, &spec, NULL), "HEAM_OK"));
    return spec;
}

static inline uint32_t toy_banks(const toy *memory) {
    return memory->counts[RANK] * memory->counts[BANK_GROUP] * memory->counts[BANK];
}

#endif
