/* SPDX-License-Identifier: MIT */
/* The inner loops of lowering: places of many addresses, and blocks of like items put where program order wants them. */
#include <stdlib.h>
#include <string.h>

#include "places.h"
#include "tables.h"

#define TOGETHER 1024u /* entries whose positions are kept: few enough to stay in the nearest cache */

int32_t heam_lower_places(const heam_map_desc *map, uint64_t n, const uint64_t *address, uint16_t *channel, uint16_t *bank, uint32_t *row,
                          uint16_t *column) {
    if (map == NULL || (n > 0 && (address == NULL || channel == NULL || bank == NULL || row == NULL || column == NULL)) ||
        (map->bits > 0 && (map->channel == NULL || map->bank == NULL || map->row == NULL || map->column == NULL))) {
        return HEAM_BAD_ARGUMENT;
    }
    heam_places *places = malloc(sizeof(*places));
    if (places == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    const heam_shape any = {.channels = 1ull << 16, .banks = 1ull << 16, .rows = 1ull << 32, .columns = 1ull << 16};
    if (!heam_places_init(places, map, &any)) {
        free(places);
        return HEAM_BAD_ARGUMENT;
    }
    for (uint64_t at = 0; at < n; at += HEAM_PLACES) {
        size_t some = n - at < HEAM_PLACES ? (size_t)(n - at) : HEAM_PLACES;
        heam_places_find(places, some, address + at);
        memcpy(channel + at, places->channel, some * sizeof(*channel));
        memcpy(bank + at, places->bank, some * sizeof(*bank));
        memcpy(row + at, places->row, some * sizeof(*row));
        memcpy(column + at, places->column, some * sizeof(*column));
    }
    free(places);
    return HEAM_OK;
}

/* Where some entries go. False: there is no such place, or no such lookup. */
static bool find_positions(const heam_block *block, uint64_t begin, uint64_t n, uint64_t *at) {
    for (uint64_t i = 0; i < n; i++) {
        uint64_t lookup = block->which != NULL ? block->which[begin + i] : begin + i;
        if (lookup >= block->lookups) {
            return false;
        }
        at[i] = (block->start != NULL ? block->start[lookup] : lookup * block->step) + block->offset;
    }
    for (uint64_t i = 0; block->rank != NULL && i < n; i++) {
        at[i] += block->rank[begin + i];
    }
    bool inside = true;
    for (uint64_t i = 0; i < n; i++) {
        inside &= at[i] < block->room;
    }
    return inside;
}

#define PUT(TYPE)                                                                                                              \
    static void put_##TYPE(const uint64_t *which, const heam_column *column, const uint64_t *at, uint64_t begin, uint64_t n) { \
        TYPE *to = column->to;                                                                                                 \
        const TYPE *from = column->from, *entry = from + begin, value = *from;                                                 \
        if (column->of == HEAM_OF_BLOCK) {                                                                                     \
            for (uint64_t i = 0; i < n; i++) {                                                                                 \
                to[at[i]] = value;                                                                                             \
            }                                                                                                                  \
        } else if (column->of == HEAM_OF_ENTRY || which == NULL) {                                                             \
            for (uint64_t i = 0; i < n; i++) {                                                                                 \
                to[at[i]] = entry[i];                                                                                          \
            }                                                                                                                  \
        } else {                                                                                                               \
            for (uint64_t i = 0; i < n; i++) {                                                                                 \
                to[at[i]] = from[which[begin + i]];                                                                            \
            }                                                                                                                  \
        }                                                                                                                      \
    }

PUT(uint8_t)
PUT(uint16_t)
PUT(uint32_t)
PUT(uint64_t)

static void put(const uint64_t *which, const heam_column *column, const uint64_t *at, uint64_t begin, uint64_t n) {
    if (column->bytes == 1) {
        put_uint8_t(which, column, at, begin, n);
    } else if (column->bytes == 2) {
        put_uint16_t(which, column, at, begin, n);
    } else if (column->bytes == 4) {
        put_uint32_t(which, column, at, begin, n);
    } else {
        put_uint64_t(which, column, at, begin, n);
    }
}

static bool valid_column(const heam_column *column) {
    return column->from != NULL && column->to != NULL && column->of <= HEAM_OF_LOOKUP &&
           (column->bytes == 1 || column->bytes == 2 || column->bytes == 4 || column->bytes == 8);
}

int32_t heam_lower_put(const heam_block *block, uint32_t columns, const heam_column *column) {
    if (block == NULL || (columns > 0 && column == NULL)) {
        return HEAM_BAD_ARGUMENT;
    }
    for (uint32_t c = 0; block->entries > 0 && c < columns; c++) {
        if (!valid_column(&column[c])) {
            return HEAM_BAD_ARGUMENT;
        }
    }
    uint64_t at[TOGETHER];
    for (uint64_t begin = 0; begin < block->entries; begin += TOGETHER) {
        uint64_t n = block->entries - begin < TOGETHER ? block->entries - begin : TOGETHER;
        if (!find_positions(block, begin, n, at)) {
            return HEAM_BAD_ARGUMENT;
        }
        for (uint32_t c = 0; c < columns; c++) {
            put(block->which, &column[c], at, begin, n);
        }
    }
    return HEAM_OK;
}
