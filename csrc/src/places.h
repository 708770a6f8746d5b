/* SPDX-License-Identifier: MIT */
/* Byte addresses to places, by tables of eight address bits each. */
#ifndef HEAM_PLACES_H
#define HEAM_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "heam_sim.h"

#define HEAM_PLACES 1024u /* addresses that are looked up together: few enough to stay in the nearest cache */

typedef struct {
    uint64_t table[8][256]; /* by part of the burst address: the four fields of its image, packed */
    uint32_t tables;
    uint32_t burst_bits;
    uint32_t bits;
    uint32_t bank_at, row_at, column_at; /* the channel's field is the lowest */
    uint64_t rest_bits; /* union of all rests of the last look-up */
    uint16_t channel[HEAM_PLACES];
    uint16_t bank[HEAM_PLACES];
    uint32_t row[HEAM_PLACES];
    uint16_t column[HEAM_PLACES];
    uint64_t rest[HEAM_PLACES];
} heam_places;

/* The shape that every place has to fit. */
typedef struct {
    uint64_t channels, banks, rows, columns;
} heam_shape;

/* Makes the tables of a map; false if it leaves the shape. */
bool heam_places_init(heam_places *self, const heam_map_desc *map, const heam_shape *shape);
/* Looks up to HEAM_PLACES addresses up. */
void heam_places_find(heam_places *self, uint64_t n, const uint64_t *address);

#endif
