/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target without libFuzzer.
 *
 *   TARGET ITERATIONS SEED     deterministic inputs: fresh ones, and mutations of a pool of earlier ones
 *   TARGET FILE...             each file once, e.g. an input that libFuzzer has kept
 *
 * The first failure ends the process (a sanitizer or a broken promise); the input is then in the file named by the environment
 * variable HEAM_FUZZ_KEEP, if it is set. There is no feedback from coverage: that is libFuzzer's part.
 */
#include <inttypes.h>

#include "fuzz.h"

#define SIZE_LIMIT 2048u
#define POOL 64u

typedef struct {
    size_t size;
    uint8_t data[SIZE_LIMIT];
} input;

static input pool[POOL];
static input current;

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014): every seed gives a full-period sequence. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t limit) {
    return (size_t)(next_random(state) % limit);
}

static void make_fresh(input *self, uint64_t *state) {
    /* Half of the inputs are short, half fill whole runs. */
    self->size = below(state, below(state, 2) == 0 ? 64 : SIZE_LIMIT) + 1;
    for (size_t i = 0; i < self->size; i++) {
        self->data[i] = (uint8_t)next_random(state);
    }
}

static void insert(input *self, uint64_t *state) {
    size_t at = below(state, self->size + 1);
    size_t n = below(state, 16) + 1;
    if (self->size + n <= SIZE_LIMIT) {
        memmove(self->data + at + n, self->data + at, self->size - at);
        for (size_t i = 0; i < n; i++) {
            self->data[at + i] = (uint8_t)next_random(state);
        }
        self->size += n;
    }
}

static void erase(input *self, uint64_t *state) {
    size_t at = below(state, self->size);
    size_t n = below(state, 16) + 1;
    if (at + n < self->size) {
        memmove(self->data + at, self->data + at + n, self->size - at - n);
        self->size -= n;
    }
}

static void splice(input *self, const input *other, uint64_t *state) {
    size_t at = below(state, self->size);
    size_t from = below(state, other->size);
    size_t n = below(state, other->size - from) + 1;
    n = n < SIZE_LIMIT - at ? n : SIZE_LIMIT - at;
    memmove(self->data + at, other->data + from, n);
    self->size = at + n > self->size ? at + n : self->size;
}

static void mutate(input *self, uint64_t *state) {
    static const uint8_t edges[] = {0, 1, 2, 7, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255};
    for (size_t rounds = below(state, 6) + 1; rounds > 0; rounds--) {
        size_t at = below(state, self->size);
        switch (below(state, 6)) {
            case 0: self->data[at] ^= (uint8_t)(1u << below(state, 8)); break;
            case 1: self->data[at] = edges[below(state, sizeof(edges))]; break;
            case 2: self->data[at] = (uint8_t)next_random(state); break;
            case 3: insert(self, state); break;
            case 4: erase(self, state); break;
            default: splice(self, &pool[below(state, POOL)], state); break;
        }
    }
}

/* Written before the run, for nothing can be relied on after a failure. */
static int keep(const char *path, const input *self) {
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot be written; set HEAM_FUZZ_KEEP to a file in an existing folder.\n", path);
        return 1;
    }
    size_t written = fwrite(self->data, 1, self->size, file);
    return fclose(file) != 0 || written != self->size;
}

static int run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot be read; give ITERATIONS SEED, or files that exist.\n", path);
        return 2;
    }
    current.size = fread(current.data, 1, SIZE_LIMIT, file);
    fclose(file);
    uint8_t *exact = exact_copy(current.data, current.size);
    LLVMFuzzerTestOneInput(exact, current.size);
    free(exact);
    return 0;
}

static int run_seeded(uint64_t iterations, uint64_t seed) {
    const char *kept = getenv("HEAM_FUZZ_KEEP");
    uint64_t state = seed;
    for (size_t i = 0; i < POOL; i++) {
        make_fresh(&pool[i], &state);
    }
    for (uint64_t n = 0; n < iterations; n++) {
        size_t place = below(&state, POOL);
        current = pool[place];
        if (below(&state, 4) == 0) {
            make_fresh(&current, &state);
        } else {
            mutate(&current, &state);
        }
        if (kept != NULL && keep(kept, &current) != 0) {
            return 2;
        }
        uint8_t *exact = exact_copy(current.data, current.size);
        LLVMFuzzerTestOneInput(exact, current.size);
        free(exact);
        if (below(&state, 2) == 0) {
            pool[place] = current;
        }
    }
    printf("%" PRIu64 " inputs from seed %" PRIu64 "\n", iterations, seed);
    return iterations == 0;
}

int main(int argc, char **argv) {
    char *end = NULL;
    uint64_t iterations = argc == 3 ? strtoull(argv[1], &end, 10) : 0;
    if (argc == 3 && *end == '\0') {
        return run_seeded(iterations, strtoull(argv[2], NULL, 10));
    }
    int status = argc < 2 ? 2 : 0;
    for (int i = 1; i < argc && status == 0; i++) {
        status = run_file(argv[i]);
    }
    return status;
}
