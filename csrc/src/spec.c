/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "timing.h"

static int32_t fail(uint64_t *detail, uint64_t index, int32_t status) {
    if (detail != NULL) {
        *detail = index;
    }
    return status;
}

static int32_t check_levels(const heam_spec_desc *desc, uint64_t *detail) {
    if (desc->levels < 3 || desc->levels > HEAM_MAX_LEVELS || desc->counts == NULL || desc->counts[0] != 1) {
        return fail(detail, 0, HEAM_BAD_LEVELS);
    }
    uint64_t banks = 1;
    for (uint32_t level = 0; level < desc->levels; level++) {
        if (desc->counts[level] == 0 || desc->counts[level] > HEAM_MAX_BANKS) {
            return fail(detail, level, HEAM_BAD_LEVELS);
        }
        banks *= desc->counts[level];
        if (banks > HEAM_MAX_BANKS) {
            return fail(detail, level, HEAM_BAD_LEVELS);
        }
    }
    if (desc->dram_rows == 0 || desc->dram_rows >= HEAM_CLOSED || desc->dram_columns == 0 || desc->dram_columns > 65535 ||
        desc->read_latency == 0 || desc->read_latency > 1000000 || desc->burst_cycles == 0 || desc->burst_cycles > 1000000 ||
        desc->burst_bytes == 0 || desc->burst_bytes > 65536 || desc->refresh_interval == 0 || desc->split_buses > 1) {
        return fail(detail, 0, HEAM_BAD_ARGUMENT);
    }
    return HEAM_OK;
}

static int32_t check_commands(const heam_spec_desc *desc, uint64_t *detail) {
    if (desc->commands == 0 || desc->commands > HEAM_MAX_COMMANDS || desc->kind == NULL || desc->scope == NULL) {
        return fail(detail, 0, HEAM_BAD_COMMAND);
    }
    uint32_t seen[HEAM_KINDS] = {0};
    for (uint32_t command = 0; command < desc->commands; command++) {
        uint32_t kind = desc->kind[command];
        if (kind >= HEAM_KINDS || desc->scope[command] >= desc->levels ||
            (kind != HEAM_KIND_OTHER && seen[kind]++ > 0)) {
            return fail(detail, command, HEAM_BAD_COMMAND);
        }
        bool of_bank = kind == HEAM_KIND_ACT || kind == HEAM_KIND_PRE || kind == HEAM_KIND_RD || kind == HEAM_KIND_WR ||
                       kind == HEAM_KIND_PIM_RD || kind == HEAM_KIND_REFPB || kind == HEAM_KIND_REFSB;
        bool of_rank = kind == HEAM_KIND_PREA || kind == HEAM_KIND_REF;
        if (desc->alignment != NULL && desc->alignment[command] == 0) {
            return fail(detail, command, HEAM_BAD_COMMAND);
        }
        if ((of_bank && desc->scope[command] != desc->levels - 1) || (of_rank && desc->scope[command] != 1)) {
            return fail(detail, command, HEAM_BAD_COMMAND);
        }
    }
    static const uint32_t needed[] = {HEAM_KIND_ACT, HEAM_KIND_PRE, HEAM_KIND_PREA, HEAM_KIND_RD, HEAM_KIND_WR, HEAM_KIND_REF};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (seen[needed[i]] == 0) {
            return fail(detail, needed[i], HEAM_BAD_COMMAND);
        }
    }
    return HEAM_OK;
}

static int32_t check_rows(const heam_spec_desc *desc, uint64_t *detail) {
    if (desc->rows > 65536 || (desc->rows > 0 && (desc->row_level == NULL || desc->row_preceding == NULL || desc->row_following == NULL ||
                               desc->row_cycles == NULL || desc->row_window == NULL || desc->row_sibling == NULL ||
                               desc->row_id == NULL))) {
        return fail(detail, 0, HEAM_BAD_ROW);
    }
    for (uint32_t i = 0; i < desc->rows; i++) {
        if (desc->row_level[i] >= desc->levels || desc->row_preceding[i] >= desc->commands ||
            desc->row_following[i] >= desc->commands || desc->row_window[i] == 0 || desc->row_window[i] > 64 ||
            desc->row_sibling[i] > 1 || (desc->row_sibling[i] == 1 && (desc->row_window[i] != 1 || desc->row_level[i] == 0)) ||
            desc->row_id[i] < 0 || desc->row_cycles[i] > 100000000) {
            return fail(detail, i, HEAM_BAD_ROW);
        }
        /* Which nodes would be the other ones of a command that stands at several? */
        bool at_many = desc->kind[desc->row_preceding[i]] == HEAM_KIND_REFSB || desc->kind[desc->row_following[i]] == HEAM_KIND_REFSB;
        if (desc->row_sibling[i] == 1 && at_many) {
            return fail(detail, i, HEAM_BAD_ROW);
        }
    }
    return HEAM_OK;
}

static void set_shape(heam_spec *self, const heam_spec_desc *desc) {
    self->levels = desc->levels;
    uint32_t nodes = 1;
    for (uint32_t level = 0; level < self->levels; level++) {
        self->counts[level] = desc->counts[level];
        nodes *= desc->counts[level];
        self->nodes[level] = nodes;
        self->base[level] = self->total_nodes;
        self->total_nodes += nodes;
    }
    self->banks = nodes;
    for (uint32_t level = 0; level < self->levels; level++) {
        self->stride[level] = self->banks / self->nodes[level];
    }
    self->commands = desc->commands;
    memset(self->of_kind, HEAM_NO_COMMAND, sizeof(self->of_kind));
    for (uint32_t command = 0; command < self->commands; command++) {
        self->kind[command] = desc->kind[command];
        self->scope[command] = desc->scope[command];
        self->alignment[command] = desc->alignment == NULL ? 1 : desc->alignment[command];
        self->aligned = self->aligned || self->alignment[command] > 1;
        if (desc->kind[command] != HEAM_KIND_OTHER) {
            self->of_kind[desc->kind[command]] = (uint8_t)command;
        }
    }
    self->dram_rows = desc->dram_rows;
    self->dram_columns = desc->dram_columns;
    self->split_buses = desc->split_buses;
    self->read_latency = desc->read_latency;
    self->burst_cycles = desc->burst_cycles;
    self->burst_bytes = desc->burst_bytes;
    self->refresh_interval = desc->refresh_interval;
}

/* A row whose level lies below the scope of one of its commands can never bind. */
static bool row_counts(const heam_spec *self, const heam_spec_desc *desc, uint32_t i, uint32_t preceding) {
    return desc->row_preceding[i] == preceding && desc->row_level[i] <= self->scope[preceding] &&
           desc->row_level[i] <= self->scope[desc->row_following[i]];
}

/* One history per (level, preceding) that has a windowed row, as deep as its widest window. */
static void add_groups(heam_spec *self, const heam_spec_desc *desc, uint32_t command) {
    for (uint32_t level = 0; level < self->levels; level++) {
        uint32_t window = 0;
        for (uint32_t i = 0; i < desc->rows; i++) {
            if (row_counts(self, desc, i, command) && desc->row_level[i] == level && desc->row_window[i] > 1 &&
                desc->row_window[i] > window) {
                window = desc->row_window[i];
            }
        }
        if (window > 0) {
            self->groups[self->groups_count++] =
                (heam_group){.window = window, .offset = self->history_size, .level = (uint8_t)level, .command = (uint8_t)command};
            self->history_size += window * self->nodes[level];
        }
    }
}

static uint32_t group_of(const heam_spec *self, uint32_t command, uint32_t level) {
    for (uint32_t g = self->group_begin[command]; g < self->groups_count; g++) {
        if (self->groups[g].level == level) {
            return g;
        }
    }
    return 0;
}

static void add_updates(heam_spec *self, const heam_spec_desc *desc, uint32_t command) {
    for (uint32_t i = 0; i < desc->rows; i++) {
        if (desc->row_id[i] >= 0 && (uint32_t)desc->row_id[i] + 1 > self->rows_count) {
            self->rows_count = (uint32_t)desc->row_id[i] + 1;
        }
        if (!row_counts(self, desc, i, command)) {
            continue;
        }
        self->updates[self->updates_count++] = (heam_update){
            .cycles = desc->row_cycles[i],
            .group = desc->row_window[i] > 1 ? group_of(self, command, desc->row_level[i]) : 0,
            .row_id = desc->row_id[i],
            .window = desc->row_window[i],
            .level = desc->row_level[i],
            .following = desc->row_following[i],
            .sibling = desc->row_sibling[i],
        };
    }
}

int32_t heam_spec_create(const heam_spec_desc *desc, heam_spec **out, uint64_t *detail) {
    int32_t status = HEAM_OUT_OF_MEMORY;
    heam_spec *self = NULL;
    if (desc == NULL || out == NULL) {
        return fail(detail, 0, HEAM_BAD_ARGUMENT);
    }
    if ((status = check_levels(desc, detail)) != HEAM_OK || (status = check_commands(desc, detail)) != HEAM_OK ||
        (status = check_rows(desc, detail)) != HEAM_OK) {
        return status;
    }
    status = HEAM_OUT_OF_MEMORY;
    self = calloc(1, sizeof(*self));
    if (self == NULL) {
        goto out;
    }
    self->updates = calloc((size_t)desc->rows + 1, sizeof(*self->updates));
    self->groups = calloc((size_t)desc->commands * desc->levels + 1, sizeof(*self->groups));
    if (self->updates == NULL || self->groups == NULL) {
        goto out;
    }
    set_shape(self, desc);
    for (uint32_t command = 0; command < self->commands; command++) {
        self->group_begin[command] = self->groups_count;
        self->update_begin[command] = self->updates_count;
        add_groups(self, desc, command);
        add_updates(self, desc, command);
    }
    self->group_begin[self->commands] = self->groups_count;
    self->update_begin[self->commands] = self->updates_count;
    *out = self;
    self = NULL;
    status = HEAM_OK;
out:
    heam_spec_destroy(self);
    return status;
}

/* All ranks at once: they follow each other, and the last is busy for as long as its longest row says. */
static uint64_t cost_of_ranks(const heam_spec *self) {
    uint32_t ref = self->of_kind[HEAM_KIND_REF];
    uint64_t apart = 1;
    uint64_t after = 0;
    for (uint32_t u = self->update_begin[ref]; u < self->update_begin[ref + 1]; u++) {
        const heam_update *row = &self->updates[u];
        after = row->cycles > after ? row->cycles : after;
        if (row->following == ref && (row->sibling || row->level == 0) && row->cycles > apart) {
            apart = row->cycles;
        }
    }
    return (self->nodes[1] - 1) * apart + after;
}

/* Every bank once: a rank's refreshes follow each other, and all of a channel share its command slots. */
static uint64_t cost_of_banks(const heam_spec *self, uint32_t command, uint32_t turns) {
    uint64_t in_rank = 1;
    uint64_t in_channel = 1;
    for (uint32_t u = self->update_begin[command]; u < self->update_begin[command + 1]; u++) {
        const heam_update *row = &self->updates[u];
        if (row->following != command || row->level == self->levels - 1) {
            continue;
        }
        uint64_t *apart = row->level == 0 ? &in_channel : &in_rank;
        *apart = row->cycles > *apart ? row->cycles : *apart;
    }
    in_channel *= self->nodes[1];
    return turns * (in_rank > in_channel ? in_rank : in_channel);
}

bool heam_spec_can_refresh(const heam_spec *self, const heam_channel_desc *desc) {
    uint64_t interval = desc->refresh_interval > 0 ? desc->refresh_interval : self->refresh_interval;
    uint32_t kind = desc->refresh == HEAM_REFRESH_PER_BANK ? HEAM_KIND_REFPB : HEAM_KIND_REFSB;
    switch (desc->refresh) {
        case HEAM_REFRESH_NONE:
            return true;
        case HEAM_REFRESH_ALL_BANK:
            return interval > cost_of_ranks(self);
        default: {
            uint32_t turns = desc->refresh == HEAM_REFRESH_PER_BANK ? self->stride[1] : self->counts[self->levels - 1];
            uint32_t command = self->of_kind[kind];
            return command == HEAM_NO_COMMAND || interval > cost_of_banks(self, command, turns);
        }
    }
}

void heam_spec_clear(heam_spec *self) {
    free(self->updates);
    free(self->groups);
    self->updates = NULL;
    self->groups = NULL;
}

void heam_spec_destroy(heam_spec *self) {
    if (self != NULL) {
        heam_spec_clear(self);
        free(self);
    }
}

int32_t heam_spec_copy(const heam_spec *self, heam_spec *out) {
    *out = *self;
    out->updates = calloc((size_t)self->updates_count + 1, sizeof(*out->updates));
    out->groups = calloc((size_t)self->groups_count + 1, sizeof(*out->groups));
    if (out->updates == NULL || out->groups == NULL) {
        heam_spec_clear(out);
        return HEAM_OUT_OF_MEMORY;
    }
    memcpy(out->updates, self->updates, self->updates_count * sizeof(*out->updates));
    memcpy(out->groups, self->groups, self->groups_count * sizeof(*out->groups));
    return HEAM_OK;
}
