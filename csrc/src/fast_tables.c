/* SPDX-License-Identifier: MIT */
/* Turns a standard's rows into delays between lanes, or finds that it cannot. */
#include "fast.h"

#define FAST_ALIGN 64u

static const uint8_t kind_of[FAST_COMMANDS] = {
    [FAST_ACT] = HEAM_KIND_ACT, [FAST_PRE] = HEAM_KIND_PRE, [FAST_RD] = HEAM_KIND_RD,
    [FAST_WR] = HEAM_KIND_WR, [FAST_PREA] = HEAM_KIND_PREA, [FAST_REF] = HEAM_KIND_REF,
};

/* FAST_COMMANDS for commands that plain traffic never sees. */
static uint32_t fast_of(const heam_spec *spec, uint32_t command) {
    uint32_t c = 0;
    while (c < FAST_COMMANDS && kind_of[c] != spec->kind[command]) {
        c++;
    }
    return c;
}

static void raise_lane(uint16_t *at, uint32_t cycles) {
    if (cycles > *at) {
        *at = (uint16_t)cycles;
    }
}

/* Enters a row of a bank's or rank's command into the lanes of the banks that it binds. */
static void add_lanes(fast_tables *self, const heam_spec *spec, uint32_t command, uint32_t following, const heam_update *update) {
    uint32_t stride = spec->stride[update->level];
    uint32_t parent = update->level == 0 ? stride : spec->stride[update->level - 1];
    uint32_t nodes = command < FAST_BANKED ? self->rank_stride : 1;
    if (update->sibling ? update->level == 1 : update->level == 0) { /* deeper levels do not reach beyond a rank */
        raise_lane(&self->other[command][following], update->cycles);
        self->crosses[command] |= (uint8_t)(1u << following);
    }
    for (uint32_t bank = 0; bank < nodes; bank++) {
        uint16_t *lanes = self->delay + (((size_t)command * self->width + bank) * FAST_BANKED + following) * self->width;
        for (uint32_t other = 0; other < self->rank_stride; other++) {
            bool same = bank / stride == other / stride;
            if (update->sibling ? !same && bank / parent == other / parent : same) {
                raise_lane(&lanes[other], update->cycles);
                self->binds[command] |= (uint8_t)(1u << following);
            }
        }
    }
}

static void raise_rank(int32_t *at, uint32_t cycles) {
    if ((int32_t)cycles > *at) {
        *at = (int32_t)cycles;
    }
}

/* Rows that bind PREab and REFab have level 0 or 1; all ranks are siblings. */
static void add_ranked(int32_t to[2], const heam_update *update) {
    if (!update->sibling) {
        raise_rank(&to[0], update->cycles);
    }
    if (update->sibling || update->level == 0) {
        raise_rank(&to[1], update->cycles);
    }
}

/* One kind of window is known: ACT to ACT, at nodes of one level. */
static bool add_window(fast_tables *self, const heam_spec *spec, const heam_update *update) {
    uint32_t stride = spec->stride[update->level];
    if (self->window != 0 && (self->window != update->window || self->window_stride != stride)) {
        return false;
    }
    self->window = update->window;
    self->window_stride = stride;
    if (update->cycles > self->window_cycles) {
        self->window_cycles = update->cycles;
    }
    self->window_wide = stride > self->rank_stride;
    for (uint32_t bank = 0; bank < self->banks; bank++) {
        self->window_node[bank] = (uint8_t)(bank / stride);
    }
    for (uint32_t bank = 0; bank < self->rank_stride; bank++) {
        for (uint32_t other = 0; other < self->rank_stride; other++) {
            self->window_lanes[(size_t)bank * self->width + other] = bank / stride == other / stride ? 0xFFFF : 0;
        }
    }
    return true;
}

static bool add_updates(fast_tables *self, const heam_spec *spec, uint32_t command) {
    uint32_t number = self->command[command];
    for (uint32_t i = spec->update_begin[number]; i < spec->update_begin[number + 1]; i++) {
        const heam_update *update = &spec->updates[i];
        uint32_t following = fast_of(spec, update->following);
        if (following == FAST_COMMANDS) {
            continue;
        }
        if (update->cycles > FAST_DELAY_MAX) {
            return false;
        }
        if (update->window > 1) {
            if (command != FAST_ACT || following != FAST_ACT || !add_window(self, spec, update)) {
                return false;
            }
        } else if (following < FAST_BANKED) {
            add_lanes(self, spec, command, following, update);
        } else {
            add_ranked(following == FAST_PREA ? self->to_prea[command] : self->to_ref[command], update);
        }
    }
    return true;
}

static void set_shape(fast_tables *self, const heam_spec *spec) {
    self->width = spec->stride[1] <= 16 ? 16 : spec->stride[1] <= 32 ? 32 : 64;
    self->banks = spec->banks;
    self->ranks = spec->nodes[1];
    self->rank_stride = spec->stride[1];
    self->split = spec->split_buses != 0;
    self->row_bits = FAST_QUEUED | (self->split ? FAST_ROW_SLOT : 0);
    self->read_latency = spec->read_latency;
    self->refresh_interval = spec->refresh_interval;
    for (uint32_t bank = 0; bank < spec->banks; bank++) {
        self->rank_of[bank] = (uint8_t)(bank / spec->stride[1]);
        self->within[bank] = (uint8_t)(bank % spec->stride[1]);
    }
    for (uint32_t c = 0; c < FAST_COMMANDS; c++) {
        self->command[c] = spec->of_kind[kind_of[c]];
        self->to_prea[c][0] = self->to_prea[c][1] = self->to_ref[c][0] = self->to_ref[c][1] = -1;
    }
}

int32_t heam_fast_tables_init(fast_tables *self, const heam_spec *spec) {
    memset(self, 0, sizeof(*self));
    if (spec->banks > FAST_BANKS) {
        return HEAM_BAD_ENGINE;
    }
    set_shape(self, spec);
    size_t cells = (size_t)FAST_COMMANDS * self->width * FAST_BANKED * self->width;
    self->memory = calloc(cells + (size_t)self->width * self->width + FAST_ALIGN, sizeof(*self->memory));
    if (self->memory == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    self->delay = self->memory + (64 - (uintptr_t)self->memory % 64) / sizeof(*self->memory); /* on a cache line */
    self->window_lanes = self->delay + cells;
    for (uint32_t c = 0; c < FAST_COMMANDS; c++) {
        if (!add_updates(self, spec, c)) {
            heam_fast_tables_clear(self);
            return HEAM_BAD_ENGINE;
        }
    }
    return HEAM_OK;
}

void heam_fast_tables_clear(fast_tables *self) {
    free(self->memory);
    self->memory = self->delay = self->window_lanes = NULL;
}
