/* SPDX-License-Identifier: MIT */
#include "timing.h"

#include <stdlib.h>
#include <string.h>

static void rules_destroy(heam_rules *self) {
    if (self != NULL) {
        heam_spec_clear(&self->spec);
        free(self->node_of);
        free(self);
    }
}

static heam_rules *rules_create(const heam_spec *source) {
    heam_rules *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->node_of = calloc((size_t)source->banks * HEAM_MAX_LEVELS, sizeof(*self->node_of));
    if (heam_spec_copy(source, &self->spec) != HEAM_OK || self->node_of == NULL) {
        rules_destroy(self);
        return NULL;
    }
    const heam_spec *spec = &self->spec;
    for (uint32_t i = 0; i < spec->updates_count; i++) {
        heam_update *update = &spec->updates[i];
        update->cells = update->following * spec->total_nodes;
        update->special = update->window > 1 || update->sibling;
    }
    for (uint32_t bank = 0; bank < spec->banks; bank++) {
        for (uint32_t level = 0; level < spec->levels; level++) {
            self->node_of[(size_t)bank * HEAM_MAX_LEVELS + level] = spec->base[level] + bank / spec->stride[level];
        }
    }
    return self;
}

int32_t heam_timing_init(heam_timing *self, const heam_spec *source) {
    memset(self, 0, sizeof(*self));
    self->own = rules_create(source);
    if (self->own == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    self->spec = &self->own->spec;
    self->node_of = self->own->node_of;
    const heam_spec *spec = self->spec;
    size_t cells = (size_t)spec->total_nodes * spec->commands;
    self->cells = calloc(cells, sizeof(*self->cells));
    self->history = calloc((size_t)spec->history_size + 1, sizeof(*self->history));
    self->rings = calloc((size_t)spec->history_size + 1, sizeof(*self->rings));
    self->open_row = calloc(spec->banks, sizeof(*self->open_row));
    self->rank_open = calloc(spec->nodes[1], sizeof(*self->rank_open));
    self->rank_since = calloc(spec->nodes[1], sizeof(*self->rank_since));
    if (self->cells == NULL || self->history == NULL || self->rings == NULL ||
        self->open_row == NULL || self->rank_open == NULL || self->rank_since == NULL) {
        heam_timing_clear(self);
        return HEAM_OUT_OF_MEMORY;
    }
    for (size_t i = 0; i < cells; i++) {
        self->cells[i].why = heam_why(0, HEAM_BOUND_NONE);
    }
    for (uint32_t bank = 0; bank < spec->banks; bank++) {
        self->open_row[bank] = HEAM_CLOSED;
    }
    return HEAM_OK;
}

void heam_timing_clear(heam_timing *self) {
    rules_destroy(self->own);
    free(self->cells);
    free(self->history);
    free(self->rings);
    free(self->open_row);
    free(self->rank_open);
    free(self->rank_since);
    memset(self, 0, sizeof(*self));
}

void heam_timing_drop(heam_timing *self, uint32_t kinds) {
    heam_spec *spec = &self->own->spec;
    spec->dropped |= kinds;
    uint32_t kept = 0;
    uint32_t from = 0;
    for (uint32_t command = 0; command < spec->commands; command++) {
        uint32_t end = spec->update_begin[command + 1];
        spec->update_begin[command] = kept;
        for (; from < end; from++) {
            if ((kinds >> spec->kind[spec->updates[from].following] & 1) == 0) {
                spec->updates[kept++] = spec->updates[from];
            }
        }
    }
    spec->update_begin[spec->commands] = spec->updates_count = kept;
}

void heam_timing_share(heam_timing *self, const heam_timing *with) {
    if (self->spec->dropped == with->spec->dropped) {
        rules_destroy(self->own);
        self->own = NULL;
        self->spec = with->spec;
        self->node_of = with->node_of;
    }
}

static inline void raise_bound(heam_timing *self, uint32_t node, const heam_update *update, uint64_t time, uint32_t by) {
    heam_cell *cell = &self->cells[update->cells + node];
    if (time > cell->ready) {
        *cell = (heam_cell){.ready = time, .why = heam_why(by, update->row_id)};
    }
}

static void raise_siblings(heam_timing *self, uint32_t node, const heam_update *update, uint64_t time, uint32_t by) {
    uint32_t base = self->spec->base[update->level];
    uint32_t count = self->spec->counts[update->level];
    uint32_t first = base + (node - base) / count * count;
    for (uint32_t other = first; other < first + count; other++) {
        if (other != node) {
            raise_bound(self, other, update, time, by);
        }
    }
}

/* The ring of a node: `window` times, and its state at the same index. */
static inline uint32_t ring_of(const heam_timing *self, const heam_group *group, uint32_t node) {
    return group->offset + (node - self->spec->base[group->level]) * group->window;
}

static inline void push_ring(heam_timing *self, const heam_group *group, uint32_t node, heam_past now) {
    uint32_t ring = ring_of(self, group, node);
    heam_ring_state *state = &self->rings[ring];
    self->history[ring + state->at] = now;
    state->at = state->at + 1 == group->window ? 0 : state->at + 1;
    state->filled += state->filled < group->window;
}

static void push_history(heam_timing *self, uint32_t command, const uint32_t *node, heam_past now) {
    const heam_spec *spec = self->spec;
    for (uint32_t g = spec->group_begin[command]; g < spec->group_begin[command + 1]; g++) {
        push_ring(self, &spec->groups[g], node[spec->groups[g].level], now);
    }
}

static void raise_windowed(heam_timing *self, uint32_t node, const heam_update *update) {
    const heam_group *group = &self->spec->groups[update->group];
    uint32_t ring = ring_of(self, group, node);
    const heam_ring_state *state = &self->rings[ring];
    if (state->filled >= update->window) {
        uint32_t at = state->at >= update->window ? state->at - update->window : state->at + group->window - update->window;
        const heam_past *past = &self->history[ring + at];
        raise_bound(self, node, update, past->cycle + update->cycles, past->by);
    }
}

static void open_bank(heam_timing *self, uint32_t bank, uint32_t dram_row, uint64_t cycle) {
    uint32_t rank = heam_rank_of(self, bank);
    if (self->open_row[bank] == HEAM_CLOSED && self->rank_open[rank]++ == 0) {
        self->rank_since[rank] = cycle;
    }
    self->open_row[bank] = dram_row;
}

static void close_bank(heam_timing *self, uint32_t bank, uint64_t cycle) {
    uint32_t rank = heam_rank_of(self, bank);
    if (self->open_row[bank] != HEAM_CLOSED && --self->rank_open[rank] == 0) {
        self->rank_active += cycle - self->rank_since[rank];
    }
    self->open_row[bank] = HEAM_CLOSED;
}

static void change_state(heam_timing *self, uint32_t command, uint32_t bank, uint32_t dram_row, uint64_t cycle) {
    const heam_spec *spec = self->spec;
    switch (spec->kind[command]) {
        case HEAM_KIND_ACT:
            open_bank(self, bank, dram_row, cycle);
            break;
        case HEAM_KIND_PRE:
            close_bank(self, bank, cycle);
            break;
        case HEAM_KIND_PREA: {
            uint32_t first = bank / spec->stride[1] * spec->stride[1];
            for (uint32_t b = first; b < first + spec->stride[1]; b++) {
                close_bank(self, b, cycle);
            }
            break;
        }
        default:
            break;
    }
}

static void apply_special(heam_timing *self, uint32_t node, const heam_update *update, heam_past now) {
    if (update->window > 1) {
        raise_windowed(self, node, update);
    } else {
        raise_siblings(self, node, update, now.cycle + update->cycles, now.by);
    }
}

static inline void apply(heam_timing *self, uint32_t node, const heam_update *update, heam_past now) {
    if (update->special) {
        apply_special(self, node, update, now);
    } else {
        raise_bound(self, node, update, now.cycle + update->cycles, now.by);
    }
}

/* The node of `level` above the i-th bank of a span, or NO_NODE if it is that of the bank before. */
#define NO_NODE UINT32_MAX
static uint32_t new_node(const heam_timing *self, const heam_span *span, uint32_t i, uint32_t level) {
    const uint32_t *node = self->node_of + (size_t)(span->first + i * span->step) * HEAM_MAX_LEVELS + level;
    bool same = i > 0 && node[-(ptrdiff_t)((size_t)span->step * HEAM_MAX_LEVELS)] == node[0];
    return same ? NO_NODE : node[0];
}

/* A command on the paths of several banks; it closes none, as they must be closed. */
static void issue_span(heam_timing *self, uint32_t command, const heam_span *span, heam_past now) {
    const heam_spec *spec = self->spec;
    for (uint32_t g = spec->group_begin[command]; g < spec->group_begin[command + 1]; g++) {
        for (uint32_t i = 0; i < span->count; i++) {
            uint32_t node = new_node(self, span, i, spec->groups[g].level);
            if (node != NO_NODE) {
                push_ring(self, &spec->groups[g], node, now);
            }
        }
    }
    const heam_update *end = spec->updates + spec->update_begin[command + 1];
    for (const heam_update *update = spec->updates + spec->update_begin[command]; update < end; update++) {
        for (uint32_t i = 0; i < span->count; i++) {
            uint32_t node = new_node(self, span, i, update->level);
            if (node != NO_NODE) {
                apply(self, node, update, now);
            }
        }
    }
}

void heam_timing_issue(heam_timing *self, uint32_t command, uint32_t bank, uint32_t dram_row, uint64_t cycle, uint32_t by) {
    const heam_spec *spec = self->spec;
    heam_past now = {.cycle = cycle, .by = by};
    if (spec->kind[command] == HEAM_KIND_REFSB) {
        heam_span span = heam_timing_span(self, command, bank);
        issue_span(self, command, &span, now);
        return;
    }
    const uint32_t *node = self->node_of + (size_t)bank * HEAM_MAX_LEVELS;
    push_history(self, command, node, now);
    const heam_update *end = spec->updates + spec->update_begin[command + 1];
    for (const heam_update *update = spec->updates + spec->update_begin[command]; update < end; update++) {
        apply(self, node[update->level], update, now);
    }
    if ((HEAM_ROW_KINDS >> spec->kind[command] & 1) != 0) {
        change_state(self, command, bank, dram_row, cycle);
    }
}

heam_span heam_timing_span(const heam_timing *self, uint32_t command, uint32_t bank) {
    const heam_spec *spec = self->spec;
    if (spec->kind[command] != HEAM_KIND_REFSB) {
        return (heam_span){.first = bank, .step = 1, .count = 1};
    }
    uint32_t step = spec->counts[spec->levels - 1];
    return (heam_span){.first = bank / spec->stride[1] * spec->stride[1] + bank % step, .step = step, .count = spec->stride[1] / step};
}

/* As heam_timing_binding, for commands of any kind. Aligned only then: of two times that align to the same cycle the later one binds. */
static heam_cell binding_any(const heam_timing *self, uint32_t command, uint32_t bank) {
    heam_span span = heam_timing_span(self, command, bank);
    heam_cell best = heam_timing_binding(self, command, span.first);
    for (uint32_t i = 1; i < span.count; i++) {
        heam_cell other = heam_timing_binding(self, command, span.first + i * span.step);
        best = other.ready > best.ready ? other : best;
    }
    return best;
}

uint64_t heam_timing_earliest_any(const heam_timing *self, uint32_t command, uint32_t bank, int32_t *row) {
    heam_cell binding = binding_any(self, command, bank);
    *row = heam_cell_row(binding);
    return heam_timing_align(self->spec, command, binding.ready);
}

uint32_t heam_timing_cause(const heam_timing *self, uint32_t command, uint32_t bank) {
    return heam_cell_by(binding_any(self, command, bank));
}

uint64_t heam_timing_active(const heam_timing *self, uint64_t cycle) {
    uint64_t sum = self->rank_active;
    for (uint32_t rank = 0; rank < self->spec->nodes[1]; rank++) {
        if (self->rank_open[rank] > 0 && cycle > self->rank_since[rank]) {
            sum += cycle - self->rank_since[rank];
        }
    }
    return sum;
}
