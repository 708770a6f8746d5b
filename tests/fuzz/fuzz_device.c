/* SPDX-License-Identifier: MIT */
/* Bytes as a stream of commands at the bare device, held against a history in which every row is looked up anew. */
#include "fuzz.h"

#define HISTORY_MAX 512u

typedef struct {
    uint32_t command;
    uint32_t bank;
    uint64_t cycle;
} event;

typedef struct {
    toy memory;
    uint32_t size;
    event events[HISTORY_MAX];
    uint32_t open[256]; /* row + 1; 0: closed */
} history;

static uint32_t node_of(const toy *memory, uint32_t bank, uint32_t level) {
    for (uint32_t inner = TOY_LEVELS - 1; inner > level; inner--) {
        bank /= memory->counts[inner];
    }
    return bank;
}

/* The i-th bank that a command at `bank` concerns; banks beyond the last are the first again. */
static uint32_t concerned(const toy *memory, uint32_t command, uint32_t bank, uint32_t i) {
    uint32_t step = memory->counts[BANK];
    uint32_t width = memory->counts[BANK_GROUP] * step;
    return command == REFSB ? bank / width * width + bank % step + i % memory->counts[BANK_GROUP] * step : bank;
}

/* Does command `e` at its place count for row `i` seen from `bank`? */
static bool counts(const toy *memory, uint32_t i, const event *e, uint32_t bank) {
    uint32_t level = memory->level[i];
    if (e->command != memory->preceding[i] || level > memory->scope[e->command]) {
        return false;
    }
    uint32_t here = node_of(memory, bank, level);
    uint32_t there = node_of(memory, e->bank, level);
    if (!memory->sibling[i]) {
        bool same = false;
        for (uint32_t at = 0; at < memory->counts[BANK_GROUP]; at++) {
            same = same || here == node_of(memory, concerned(memory, e->command, e->bank, at), level);
        }
        return same;
    }
    return here != there && here / memory->counts[level] == there / memory->counts[level];
}

static uint64_t earliest_on_path(const history *self, uint32_t command, uint32_t bank) {
    const toy *memory = &self->memory;
    uint64_t earliest = 0;
    for (uint32_t i = 0; i < memory->desc.rows; i++) {
        if (memory->following[i] != command || memory->level[i] > memory->scope[command]) {
            continue;
        }
        uint32_t left = memory->window[i];
        for (uint32_t at = self->size; at-- > 0 && left > 0;) {
            const event *e = &self->events[at];
            if (counts(memory, i, e, bank) && --left == 0 && e->cycle + memory->cycles[i] > earliest) {
                earliest = e->cycle + memory->cycles[i];
            }
        }
    }
    return earliest;
}

static uint64_t earliest_of(const history *self, uint32_t command, uint32_t bank) {
    uint64_t earliest = 0;
    for (uint32_t i = 0; i < self->memory.counts[BANK_GROUP]; i++) {
        uint64_t one = earliest_on_path(self, command, concerned(&self->memory, command, bank, i));
        earliest = one > earliest ? one : earliest;
    }
    return earliest;
}

static bool legal(const history *self, uint32_t command, uint32_t bank, uint32_t row) {
    uint32_t open = self->open[bank];
    uint32_t width = self->memory.counts[BANK_GROUP] * self->memory.counts[BANK];
    switch (command) {
        case ACT: return open == 0;
        case PRE: return open != 0;
        case RD:
        case WR:
        case PIM_RD: return open == row + 1;
        case REF:
            for (uint32_t b = bank / width * width; b < (bank / width + 1) * width; b++) {
                if (self->open[b] != 0) {
                    return false;
                }
            }
            return true;
        case REFPB:
        case REFSB:
            for (uint32_t i = 0; i < self->memory.counts[BANK_GROUP]; i++) {
                if (self->open[concerned(&self->memory, command, bank, i)] != 0) {
                    return false;
                }
            }
            return true;
        default: return true;
    }
}

static void remember(history *self, uint32_t command, uint32_t bank, uint32_t row, uint64_t cycle) {
    uint32_t width = self->memory.counts[BANK_GROUP] * self->memory.counts[BANK];
    self->events[self->size++] = (event){.command = command, .bank = bank, .cycle = cycle};
    if (command == ACT) {
        self->open[bank] = row + 1;
    } else if (command == PRE) {
        self->open[bank] = 0;
    } else if (command == PREA) {
        memset(self->open + bank / width * width, 0, width * sizeof(self->open[0]));
    }
}

static void step(history *self, heam_device *device, bytes *in, uint64_t *clock) {
    uint32_t banks = toy_banks(&self->memory);
    uint32_t command = next_below(in, TOY_COMMANDS + 1);
    uint32_t bank = next_below(in, banks + 1);
    uint32_t row = next_below(in, 3) == 2 ? next_byte(in) : 1;
    uint64_t earliest = 0;
    int32_t by = -99;
    int32_t status = heam_device_earliest(device, command, bank, &earliest, &by);
    if (command >= TOY_COMMANDS || bank >= banks) {
        PROMISE(status_is(status, "HEAM_BAD_ARGUMENT"));
        return;
    }
    PROMISE(status_is(status, "HEAM_OK"));
    PROMISE(earliest == earliest_of(self, command, bank));
    uint64_t cycle = next_byte(in) & 1u ? *clock + next_byte(in) : (earliest > *clock ? earliest : *clock);
    status = heam_device_probe(device, command, bank, row, cycle);
    if (row >= self->memory.desc.dram_rows) {
        PROMISE(status_is(status, "HEAM_BAD_ARGUMENT"));
    } else if (!legal(self, command, bank, row)) {
        PROMISE(status_is(status, "HEAM_BAD_STATE"));
    } else {
        PROMISE(status_is(status, cycle < earliest ? "HEAM_TOO_EARLY" : "HEAM_OK"));
    }
    PROMISE(heam_device_issue(device, command, bank, row, cycle) == status);
    if (status_is(status, "HEAM_OK")) {
        remember(self, command, bank, row, cycle);
        *clock = cycle;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static history self; /* large; all that is read of it is set below */
    bytes in = {.data = data, .size = size};
    heam_device *device = NULL;
    uint64_t clock = 0;
    bend_toy(&self.memory, &in);
    self.size = 0;
    memset(self.open, 0, sizeof(self.open));
    heam_spec *spec = toy_compile(&self.memory);
    PROMISE(status_is(heam_device_create(spec, &device), "HEAM_OK"));
    heam_spec_destroy(spec);
    while (!at_end(&in) && self.size < HISTORY_MAX) {
        step(&self, device, &in, &clock);
    }
    heam_device_destroy(device);
    return 0;
}
