/* SPDX-License-Identifier: MIT */
/* The host's last-level cache: sets x ways, least recently used. */
#ifndef HEAM_LLC_H
#define HEAM_LLC_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t sets;
    uint32_t ways;
    uint64_t *lines; /* per set, most recently used first; UINT64_MAX: empty */
} heam_llc;

int32_t heam_llc_init(heam_llc *self, uint32_t sets, uint32_t ways);
void heam_llc_clear(heam_llc *self);
/* True if the line is there; it becomes the most recently used. */
bool heam_llc_touch(heam_llc *self, uint64_t line);
/* Puts a missing line in, in place of the least recently used. */
void heam_llc_insert(heam_llc *self, uint64_t line);

#endif
