/* SPDX-License-Identifier: MIT */
/* A compiled standard and the timing state of one channel (docs/engine.md, "Timing state of a channel"). */
#ifndef HEAM_TIMING_H
#define HEAM_TIMING_H

#include <stdbool.h>
#include <stddef.h>

#include "heam_sim.h"
#include "tables.h"

#define HEAM_MAX_LEVELS 8
#define HEAM_MAX_COMMANDS 64
#define HEAM_MAX_BANKS 4096
#define HEAM_NO_COMMAND 255u
#define HEAM_CLOSED UINT32_MAX
#define HEAM_NEVER UINT64_MAX
/* Commands that open and close rows. */
#define HEAM_ROW_KINDS (1u << HEAM_KIND_ACT | 1u << HEAM_KIND_PRE | 1u << HEAM_KIND_PREA)

/* What issuing one command does to the earliest time of another. */
typedef struct {
    uint32_t cycles;
    uint32_t group; /* history to read when window > 1 */
    uint32_t cells; /* number of the first cell of `following`; set for timing states */
    int16_t row_id;
    uint16_t window;
    uint8_t level;
    uint8_t following;
    uint8_t sibling;
    uint8_t special; /* windowed or of siblings; set for timing states */
} heam_update;

/* The last `window` times of one command at every node of one level. */
typedef struct {
    uint32_t window;
    uint32_t offset; /* of node 0's ring in the history array */
    uint8_t level;
    uint8_t command;
} heam_group;

struct heam_spec {
    uint32_t levels;
    uint32_t counts[HEAM_MAX_LEVELS];
    uint32_t nodes[HEAM_MAX_LEVELS];  /* in the channel */
    uint32_t stride[HEAM_MAX_LEVELS]; /* banks below a node */
    uint32_t base[HEAM_MAX_LEVELS];   /* index of the level's first node among all */
    uint32_t total_nodes;
    uint32_t banks;
    uint32_t commands;
    uint8_t kind[HEAM_MAX_COMMANDS];
    uint8_t scope[HEAM_MAX_COMMANDS];
    uint8_t of_kind[HEAM_KINDS];
    uint8_t alignment[HEAM_MAX_COMMANDS];
    bool aligned; /* some command may not start in every cycle */
    uint32_t update_begin[HEAM_MAX_COMMANDS + 1];
    uint32_t group_begin[HEAM_MAX_COMMANDS + 1];
    uint32_t updates_count;
    uint32_t groups_count;
    heam_update *updates;
    heam_group *groups;
    uint32_t history_size;
    uint32_t rows_count; /* 1 + largest row id */
    uint64_t dram_rows;
    uint32_t dram_columns;
    uint32_t split_buses;
    uint32_t read_latency;
    uint32_t burst_cycles;
    uint32_t burst_bytes;
    uint32_t refresh_interval;
    uint32_t dropped; /* kinds (a bit each) of whose earliest times nothing is known here: heam_timing_drop */
};

/* When a command may come at a node, and why. */
typedef struct {
    uint64_t ready;
    uint64_t why; /* heam_why */
} heam_cell;

/* The ledger's number of the command that is followed, and the row that says so. */
static inline uint64_t heam_why(uint32_t by, int16_t row) {
    return (uint64_t)by << 16 | (uint16_t)row;
}

static inline uint32_t heam_cell_by(heam_cell cell) {
    return (uint32_t)(cell.why >> 16);
}

static inline int16_t heam_cell_row(heam_cell cell) {
    return (int16_t)(uint16_t)cell.why;
}

/* A command of the past. */
typedef struct {
    uint64_t cycle;
    uint32_t by;
} heam_past;

/* Where a ring of the history goes on, and how many times it holds. */
typedef struct {
    uint32_t at;
    uint32_t filled;
} heam_ring_state;

/* What does not change in a run. */
typedef struct {
    heam_spec spec;
    uint32_t *node_of;
} heam_rules;

typedef struct {
    heam_rules *own;        /* NULL: another's are used */
    const heam_spec *spec;
    const uint32_t *node_of; /* [bank * HEAM_MAX_LEVELS + level] -> node among all */
    heam_cell *cells;   /* [command * total_nodes + node]: the nodes of a path lie side by side, or nearly so */
    heam_past *history;
    heam_ring_state *rings; /* at the offset of a ring in the history */
    uint32_t *open_row; /* per bank; HEAM_CLOSED */
    uint32_t *rank_open; /* per level-1 node: open banks */
    uint64_t *rank_since;
    uint64_t rank_active; /* cycles, summed over ranks */
} heam_timing;

int32_t heam_spec_copy(const heam_spec *self, heam_spec *out);
void heam_spec_clear(heam_spec *self);
/*
 * Is a refresh interval longer than what its refreshes take? While refreshes wait, no request is begun in what they concern: with a
 * shorter interval none ever would be, and a run would not end.
 */
bool heam_spec_can_refresh(const heam_spec *self, const heam_channel_desc *desc);

int32_t heam_timing_init(heam_timing *self, const heam_spec *spec);
/*
 * Uses the rules of another timing state that was made from the same description and lives as long, unless other kinds have been
 * dropped there: what every channel reads is then in the processor's caches once, and not once per channel.
 */
void heam_timing_share(heam_timing *self, const heam_timing *with);
void heam_timing_clear(heam_timing *self);
/* Forgets what rows say of commands of these kinds (a bit each), which are never issued here. */
void heam_timing_drop(heam_timing *self, uint32_t kinds);
/* Issues without checking; the caller has. `by`: the ledger's number of this command. */
void heam_timing_issue(heam_timing *self, uint32_t command, uint32_t bank, uint32_t dram_row, uint64_t cycle, uint32_t by);
/* The ledger's number of the command that heam_timing_earliest_any follows. */
uint32_t heam_timing_cause(const heam_timing *self, uint32_t command, uint32_t bank);
/* Banks `first`, `first + step`, ...: `count` of them. */
typedef struct {
    uint32_t first;
    uint32_t step;
    uint32_t count;
} heam_span;

/* Banks on whose paths a command at `bank` stands: one, or those of a REFSB. */
heam_span heam_timing_span(const heam_timing *self, uint32_t command, uint32_t bank);
/* As heam_timing_earliest, for commands of any kind. */
uint64_t heam_timing_earliest_any(const heam_timing *self, uint32_t command, uint32_t bank, int32_t *row);
/* Sum over ranks of cycles with a bank open, up to `cycle`. */
uint64_t heam_timing_active(const heam_timing *self, uint64_t cycle);

static inline uint32_t heam_rank_of(const heam_timing *self, uint32_t bank) {
    return self->node_of[(size_t)bank * HEAM_MAX_LEVELS + 1] - self->spec->base[1]; /* no division */
}

/* The first cycle from `cycle` on in which a command may start. */
static inline uint64_t heam_timing_align(const heam_spec *spec, uint32_t command, uint64_t cycle) {
    uint32_t alignment = spec->alignment[command];
    return alignment == 1 ? cycle : cycle + (alignment - (cycle + alignment - 1) % alignment) % alignment;
}

/*
 * What the earliest time of a command follows from; for commands that stand on one path: all but REFSB. Rows below a command's scope
 * do not count, so cells there are 0, and the loop has the same length for all commands. Which cell is the latest nothing foretells:
 * here and where cells are written there are selections, not branches.
 */
static inline heam_cell heam_timing_binding(const heam_timing *self, uint32_t command, uint32_t bank) {
    const heam_spec *spec = self->spec;
    const uint32_t *node = self->node_of + (size_t)bank * HEAM_MAX_LEVELS;
    const heam_cell *cells = self->cells + (size_t)command * spec->total_nodes;
    const heam_cell *best = &cells[node[0]];
    uint64_t ready = best->ready;
    for (uint32_t level = 1; level < spec->levels; level++) {
        const heam_cell *cell = &cells[node[level]];
        best = cell->ready > ready ? cell : best;
        ready = cell->ready > ready ? cell->ready : ready;
    }
    return *best;
}

/* The same aligned, with the row that says so. */
static inline uint64_t heam_timing_earliest(const heam_timing *self, uint32_t command, uint32_t bank, int32_t *row) {
    heam_cell binding = heam_timing_binding(self, command, bank);
    *row = heam_cell_row(binding);
    return heam_timing_align(self->spec, command, binding.ready);
}

/* When a command may be issued for a caller in `cycle` who knows the earliest time: at most `cycle` exactly if that is now. */
static inline uint64_t heam_timing_seen_from(const heam_timing *self, uint32_t command, uint64_t ready, uint64_t cycle) {
    uint64_t earliest = heam_timing_align(self->spec, command, ready);
    uint64_t now = heam_timing_align(self->spec, command, cycle);
    return earliest > cycle || now == cycle ? earliest : now;
}

/* As heam_timing_earliest for a caller in `cycle`. */
static inline uint64_t heam_timing_from(const heam_timing *self, uint32_t command, uint32_t bank, uint64_t cycle, int32_t *row) {
    heam_cell binding = heam_timing_binding(self, command, bank);
    *row = heam_cell_row(binding);
    return heam_timing_seen_from(self, command, binding.ready, cycle);
}

#endif
