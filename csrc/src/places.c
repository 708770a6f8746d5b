/* SPDX-License-Identifier: MIT */
/* The place of an address is the XOR of what its bits stand for: one look-up for eight bits. */
#include "places.h"

#include <string.h>

#define BITS_MAX 63u

static uint32_t width(uint64_t value) {
    uint32_t bits = 0;
    while (bits < 64 && value >> bits != 0) {
        bits++;
    }
    return bits;
}

bool heam_places_init(heam_places *self, const heam_map_desc *map, const heam_shape *shape) {
    uint64_t channel = 0;
    uint64_t bank = 0;
    uint64_t row = 0;
    uint64_t column = 0;
    if (map->bits > BITS_MAX || map->burst_bits > BITS_MAX - map->bits) {
        return false;
    }
    for (uint32_t bit = 0; bit < map->bits; bit++) {
        channel |= map->channel[bit];
        bank |= map->bank[bit];
        row |= map->row[bit];
        column |= map->column[bit];
    }
    /* No XOR of images has a bit that none of them has. */
    if (channel >= shape->channels || bank >= shape->banks || row >= shape->rows || column >= shape->columns ||
        width(channel) + width(bank) + width(row) + width(column) > BITS_MAX) {
        return false;
    }
    self->burst_bits = map->burst_bits;
    self->bits = map->bits;
    self->tables = (map->bits + 7) / 8;
    self->bank_at = width(channel);
    self->row_at = self->bank_at + width(bank);
    self->column_at = self->row_at + width(row);
    memset(self->table, 0, sizeof(self->table));
    for (uint32_t bit = 0; bit < map->bits; bit++) {
        uint64_t *table = self->table[bit / 8];
        uint32_t known = 1u << bit % 8;
        uint64_t image = map->channel[bit] | (uint64_t)map->bank[bit] << self->bank_at | (uint64_t)map->row[bit] << self->row_at |
                         (uint64_t)map->column[bit] << self->column_at;
        for (uint32_t i = 0; i < known; i++) {
            table[known + i] = table[i] ^ image;
        }
    }
    return true;
}

/* Only addresses inside the capacity have bits; the last table's upper entries are never used. */
static inline uint64_t image(const heam_places *self, uint64_t burst, uint32_t tables) {
    uint64_t found = 0;
    for (uint32_t t = 0; t < tables; t++) {
        found ^= self->table[t][burst >> 8 * t & 255];
    }
    return found;
}

static inline void find(heam_places *self, uint64_t n, const uint64_t *address, uint32_t tables) {
    uint64_t inside = ((uint64_t)1 << self->bits) - 1;
    uint64_t offset = ((uint64_t)1 << self->burst_bits) - 1;
    uint64_t banks = ((uint64_t)1 << (self->row_at - self->bank_at)) - 1;
    uint64_t channels = ((uint64_t)1 << self->bank_at) - 1;
    uint64_t rows = ((uint64_t)1 << (self->column_at - self->row_at)) - 1;
    uint64_t rest_bits = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t burst = address[i] >> self->burst_bits;
        uint64_t place = image(self, burst & inside, tables);
        uint64_t rest = (burst >> self->bits << self->burst_bits) | (address[i] & offset);
        self->channel[i] = (uint16_t)(place & channels);
        self->bank[i] = (uint16_t)(place >> self->bank_at & banks);
        self->row[i] = (uint32_t)(place >> self->row_at & rows);
        self->column[i] = (uint16_t)(place >> self->column_at);
        self->rest[i] = rest;
        rest_bits |= rest;
    }
    self->rest_bits = rest_bits;
}

void heam_places_find(heam_places *self, uint64_t n, const uint64_t *address) {
    /* Most memories have 17 to 32 bits of bursts: for them the compiler knows how many tables there are. */
    if (self->tables == 3) {
        find(self, n, address, 3);
    } else if (self->tables == 4) {
        find(self, n, address, 4);
    } else {
        find(self, n, address, self->tables);
    }
}
