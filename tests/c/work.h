/* SPDX-License-Identifier: MIT */
/* Bags of items for the system tests. */
#ifndef HEAM_TEST_WORK_H
#define HEAM_TEST_WORK_H

#include "support.h"

#define ITEMS_MAX 2048

typedef struct {
    uint64_t gnrs;
    uint64_t size;
    uint64_t offsets[ITEMS_MAX + 1];
    uint8_t kind[ITEMS_MAX];
    uint8_t role[ITEMS_MAX];
    uint16_t channel[ITEMS_MAX];
    uint16_t bank[ITEMS_MAX];
    uint32_t row[ITEMS_MAX];
    uint16_t column[ITEMS_MAX];
    uint16_t bursts[ITEMS_MAX];
    uint16_t unit[ITEMS_MAX];
    uint32_t slot[ITEMS_MAX];
    uint64_t line[ITEMS_MAX];
    uint8_t segment[ITEMS_MAX];
    uint8_t covers[ITEMS_MAX];
    uint16_t alu[ITEMS_MAX];
    uint8_t flags[ITEMS_MAX];
    uint64_t arrival[ITEMS_MAX]; /* per bag; work_view leaves it out */
} work;

static inline uint64_t work_add(work *self, uint8_t kind, uint8_t role, uint32_t channel, uint32_t bank, uint32_t row, uint32_t bursts) {
    uint64_t i = self->size++;
    self->kind[i] = kind;
    self->role[i] = role;
    self->channel[i] = (uint16_t)channel;
    self->bank[i] = (uint16_t)bank;
    self->row[i] = row;
    self->column[i] = 0;
    self->bursts[i] = (uint16_t)bursts;
    self->unit[i] = (uint16_t)(kind == HEAM_ITEM_HOST_READ ? HEAM_NO_UNIT : bank / 2); /* the toy has two banks per group */
    self->slot[i] = (uint32_t)(i - self->offsets[self->gnrs]);
    self->line[i] = (uint64_t)bank * 1000 + row * 16;
    return i;
}

static inline void work_lut(work *self, uint8_t role, uint32_t channel, uint32_t unit, uint32_t row, uint32_t bursts) {
    self->unit[work_add(self, HEAM_ITEM_PIM_LUT, role, channel, 0, row, bursts)] = (uint16_t)unit;
}

static inline void work_end_gnr(work *self) {
    self->offsets[++self->gnrs] = self->size;
}

/* A view of bags [first, first + gnrs) whose offsets, rewritten into `offsets`, start at 0. */
static inline heam_items work_view(const work *self, uint64_t first, uint64_t gnrs, uint64_t *offsets) {
    uint64_t at = self->offsets[first];
    for (uint64_t g = 0; g <= gnrs; g++) {
        offsets[g] = self->offsets[first + g] - at;
    }
    return (heam_items){
        .gnrs = gnrs,
        .offsets = offsets,
        .kind = self->kind + at,
        .role = self->role + at,
        .channel = self->channel + at,
        .bank = self->bank + at,
        .row = self->row + at,
        .column = self->column + at,
        .bursts = self->bursts + at,
        .unit = self->unit + at,
        .slot = self->slot + at,
        .line = self->line + at,
        .segment = self->segment + at,
        .covers = self->covers + at,
        .alu = self->alu + at,
        .flags = self->flags + at,
    };
}

/* Bags of every kind of operand over channel 0 (plain) and 1 (PIM); some are empty. */
static inline void work_random(work *self, uint64_t gnrs, uint32_t seed) {
    uint32_t state = seed;
    memset(self, 0, sizeof(*self));
    for (uint64_t g = 0; g < gnrs; g++) {
        state = state * 1664525u + 1013904223u;
        uint32_t operands = (state >> 16) % 6;
        for (uint32_t i = 0; i < operands; i++) {
            state = state * 1664525u + 1013904223u;
            uint32_t bank = (state >> 8) % 8;
            uint32_t row = (state >> 12) % 4;
            uint32_t bursts = (state >> 16) % 3 + 1;
            switch ((state >> 20) % 7) {
                case 0:
                    work_add(self, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, bank, row, bursts);
                    break;
                case 1:
                    work_add(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_ACC, 1, bank, row, bursts);
                    break;
                case 2:
                    work_lut(self, HEAM_ROLE_ACC, 1, bank / 2, row, bursts);
                    break;
                case 3:
                    work_lut(self, HEAM_ROLE_LOAD, 1, bank / 2, row, bursts);
                    work_add(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, 1, bank, row, bursts);
                    break;
                case 4:
                    work_add(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_LOAD, 1, bank ^ 1u, row, 5);
                    self->alu[work_add(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_MUL, 1, bank, row + 4, bursts)] = 3;
                    self->segment[work_add(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, 1, bank, row, bursts)] = (uint8_t)(row % 2);
                    break;
                case 5:
                    self->flags[work_add(self, HEAM_ITEM_HOST_READ, HEAM_ROLE_ACC, 0, bank, row, bursts)] = row % 2 ? HEAM_FLAG_UNADDED : 0;
                    self->unit[work_add(self, HEAM_ITEM_PIM_IMMEDIATE, HEAM_ROLE_ACC, 1, 0, 1, bursts)] = (uint16_t)(bank / 2);
                    break;
                default:
                    work_add(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_LOAD, 1, bank ^ 1u, row, bursts);
                    work_add(self, HEAM_ITEM_PIM_READ, HEAM_ROLE_MAC, 1, bank, row, bursts);
                    break;
            }
        }
        work_end_gnr(self);
    }
}

#endif
