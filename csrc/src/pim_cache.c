/* SPDX-License-Identifier: MIT */
/* Rows that need not be read from a bank: the caches of PEs, and merging of identical operands (docs/engine.md, "Rows that
   are not read again"). */
#include "pim.h"

static cache_line *set_of(const heam_pim *self, uint32_t u, uint64_t key) {
    const heam_channel_desc *desc = &self->base.desc;
    return self->lines + ((size_t)u * desc->cache_sets + key % desc->cache_sets) * desc->cache_ways;
}

static void to_front(cache_line *set, uint32_t from, cache_line line) {
    memmove(set + 1, set, from * sizeof(*set));
    set[0] = line;
}

/* The line of a row, now the most recently used of its set; NULL if it is not there. */
static cache_line *find_line(const heam_pim *self, uint32_t u, uint64_t key) {
    cache_line *set = set_of(self, u, key);
    for (uint32_t way = 0; way < self->base.desc.cache_ways && set[way].valid; way++) {
        if (set[way].key == key) {
            to_front(set, way, set[way]);
            return set;
        }
    }
    return NULL;
}

static void follow(heam_pim *self, uint32_t index, uint32_t leader) {
    entry *of = &self->pool[leader];
    if (of->follower == NOBODY) {
        of->follower = index;
    } else {
        self->pool[of->last_follower].follower = index;
    }
    of->last_follower = index;
    self->pool[index].leader = leader;
    self->pool[index].source = FROM_LEADER;
    self->base.counters[HEAM_COUNT_merged]++;
}

/* The queued entry that reads the same row for the same unit; NOBODY. */
static uint32_t find_leader(const heam_pim *self, const heam_order *order) {
    for (uint32_t i = 0; self->base.desc.merge_identical && i < self->order_size; i++) {
        const entry *e = &self->pool[self->order[i]];
        if (e->source == FROM_BANK && e->what.unit == order->unit && e->what.line == order->line && e->what.bursts == order->bursts) {
            return self->order[i];
        }
    }
    return NOBODY;
}

/* The row is in the cache, or on its way there. */
static bool use_line(heam_pim *self, uint32_t index, const cache_line *line) {
    entry *e = &self->pool[index];
    if (e->what.role == HEAM_ROLE_FILL) {
        return false;
    }
    if (line->filler == NOBODY) {
        e->source = FROM_PORT;
    } else if (self->pool[line->filler].what.bursts == e->what.bursts) {
        follow(self, index, line->filler);
    }
    return true;
}

bool heam_pim_look_up(heam_pim *self, uint32_t index) {
    entry *e = &self->pool[index];
    const heam_channel_desc *desc = &self->base.desc;
    bool fill = e->what.role == HEAM_ROLE_FILL;
    cache_line *line = NULL;
    if (e->what.kind == HEAM_ITEM_PIM_LUT || e->what.kind == HEAM_ITEM_PIM_IMMEDIATE) {
        e->source = e->what.kind == HEAM_ITEM_PIM_LUT ? FROM_PORT : FROM_HOST;
        return true;
    }
    if (desc->cache_sets > 0) {
        line = find_line(self, e->what.unit, e->what.line);
        self->base.counters[line != NULL ? HEAM_COUNT_pe_hits : HEAM_COUNT_pe_misses] += !fill;
        self->base.counters[HEAM_COUNT_pe_prefetches] += fill;
        if (line != NULL) {
            return use_line(self, index, line);
        }
        if (fill || (e->what.flags & HEAM_FLAG_CACHE) != 0) {
            line = set_of(self, e->what.unit, e->what.line);
            to_front(line, desc->cache_ways - 1, (cache_line){.key = e->what.line, .filler = index, .valid = 1});
        }
    }
    uint32_t leader = find_leader(self, &e->what);
    uint32_t reader = leader != NOBODY ? leader : index;
    if (line != NULL) {
        line->filler = reader;
        self->pool[reader].fills = 1;
    }
    if (leader != NOBODY && !fill) {
        follow(self, index, leader);
    }
    return leader == NOBODY || !fill;
}

void heam_pim_fill_lines(heam_pim *self, uint32_t index) {
    const entry *e = &self->pool[index];
    cache_line *set = set_of(self, e->what.unit, e->what.line);
    for (uint32_t way = 0; way < self->base.desc.cache_ways; way++) {
        if (set[way].valid && set[way].filler == index) {
            set[way].filler = NOBODY;
            self->base.counters[HEAM_COUNT_pe_filled] += e->what.bursts;
        }
    }
}
