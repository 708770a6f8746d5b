/* SPDX-License-Identifier: MIT */
/* Refreshes of a plain channel: due, owed, urgent, issued (docs/engine.md, "Refresh of a plain channel"). */
#include "plain.h"

#define POSTPONE_MAX 8u
#define NO_RANK UINT32_MAX

static due_time later(const refresh_state *self, due_time from, uint64_t units) {
    uint64_t rest = from.rest + units % self->divisor;
    return (due_time){.cycle = from.cycle + units / self->divisor + rest / self->divisor, .rest = rest % self->divisor};
}

static bool of_banks(const heam_plain *self) {
    return self->refresh.kind != HEAM_KIND_REF;
}

/* Banks that the next refresh of a rank concerns. */
static heam_span concerned(const heam_plain *self, uint32_t rank) {
    const heam_timing *timing = &self->base.timing;
    uint32_t first = rank * timing->spec->stride[1];
    if (!of_banks(self)) {
        return (heam_span){.first = first, .step = 1, .count = timing->spec->stride[1]};
    }
    return heam_timing_span(timing, timing->spec->of_kind[self->refresh.kind], first + self->refresh.ranks[rank].turn);
}

static void set_kind(heam_plain *self, uint32_t refresh) {
    const heam_spec *spec = self->base.timing.spec;
    self->refresh.kind = refresh == HEAM_REFRESH_PER_BANK ? HEAM_KIND_REFPB : refresh == HEAM_REFRESH_SAME_BANK ? HEAM_KIND_REFSB : HEAM_KIND_REF;
    self->refresh.turns = refresh == HEAM_REFRESH_PER_BANK ? spec->stride[1] : refresh == HEAM_REFRESH_SAME_BANK ? spec->counts[spec->levels - 1] : 1;
}

int32_t heam_refresh_init(heam_plain *self) {
    const heam_channel_desc *desc = &self->base.desc;
    const heam_spec *spec = self->base.timing.spec;
    refresh_state *state = &self->refresh;
    uint32_t ranks = spec->nodes[1];
    uint64_t interval = desc->refresh_interval > 0 ? desc->refresh_interval : spec->refresh_interval;
    if (desc->refresh > HEAM_REFRESH_SAME_BANK || desc->refresh_stagger > 1 || desc->refresh_postpone > POSTPONE_MAX) {
        return HEAM_BAD_CHANNEL;
    }
    set_kind(self, desc->refresh);
    state->event = HEAM_NEVER;
    if (desc->refresh == HEAM_REFRESH_NONE) {
        return HEAM_OK;
    }
    state->divisor = (uint64_t)state->turns * (desc->refresh_stagger ? ranks : 1);
    state->step = interval * (desc->refresh_stagger ? ranks : 1);
    state->wait = desc->refresh_postpone == 0 ? 0 : desc->refresh_postpone * interval - interval / 2;
    if (spec->of_kind[state->kind] == HEAM_NO_COMMAND || interval < state->divisor) {
        return HEAM_BAD_CHANNEL;
    }
    state->ranks = calloc(ranks, sizeof(*state->ranks));
    if (state->ranks == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    for (uint32_t rank = 0; rank < ranks; rank++) {
        due_time zero = {.cycle = 0};
        state->ranks[rank].next = later(state, zero, interval * (desc->refresh_stagger ? rank + 1 : 1));
        state->ranks[rank].oldest = state->ranks[rank].next;
        state->event = state->ranks[rank].next.cycle < state->event ? state->ranks[rank].next.cycle : state->event;
    }
    return HEAM_OK;
}

void heam_refresh_clear(heam_plain *self) {
    free(self->refresh.ranks);
    self->refresh.ranks = NULL;
}

/* Nothing new starts in the banks of an urgent refresh; those of a refresh that was served are free again. */
static void hold(heam_plain *self, uint32_t rank, bool urgent) {
    heam_span span = concerned(self, rank);
    rank_refresh *own = &self->refresh.ranks[rank];
    if (own->urgent == urgent) {
        return;
    }
    self->refresh.urgent_ranks += urgent ? 1u : UINT32_MAX;
    own->urgent = urgent;
    for (uint32_t i = 0; i < span.count; i++) {
        uint32_t bank = span.first + i * span.step;
        self->held[bank] = urgent;
        heam_plain_wake_bank(self, bank);
    }
}

static void join(heam_plain *self, uint32_t rank) {
    rank_refresh *own = &self->refresh.ranks[rank];
    own->oldest = later(&self->refresh, own->oldest, self->refresh.step);
    if (self->maintenance_size == MAINTENANCE_MAX) { /* it is lost, as in the controller this one is compatible with */
        own->owed--;
        self->refresh.owed--;
        return;
    }
    self->maintenance[(self->maintenance_head + self->maintenance_size++) % MAINTENANCE_MAX] = (uint16_t)rank;
    own->queued++;
    self->refresh.queued++;
}

static bool waits(const rank_refresh *own) {
    return own->owed > own->queued;
}

static void become_urgent(heam_plain *self, uint32_t rank, uint64_t cycle) {
    rank_refresh *own = &self->refresh.ranks[rank];
    if (of_banks(self)) {
        hold(self, rank, waits(own) && own->oldest.cycle + self->refresh.wait <= cycle);
        return;
    }
    while (waits(own) && own->oldest.cycle + self->refresh.wait <= cycle) {
        join(self, rank);
    }
}

void heam_refresh_tick(heam_plain *self, uint64_t cycle) {
    refresh_state *state = &self->refresh;
    if (cycle < state->event) {
        return;
    }
    uint64_t event = HEAM_NEVER;
    state->unwanted_at = 0;
    for (uint32_t rank = 0; rank < self->base.timing.spec->nodes[1]; rank++) {
        rank_refresh *own = &state->ranks[rank];
        while (own->next.cycle <= cycle) {
            own->next = later(state, own->next, state->step);
            own->owed++;
            state->owed++;
        }
        become_urgent(self, rank, cycle);
        event = own->next.cycle < event ? own->next.cycle : event;
        uint64_t urgent = waits(own) && !own->urgent ? own->oldest.cycle + state->wait : HEAM_NEVER;
        event = urgent < event ? urgent : event;
    }
    state->event = event;
}

/* ---- the commands ---- */

/* PREpb of the first open bank that may be closed now; otherwise when the first of them may. */
static uint64_t step_precharge(const heam_plain *self, const heam_span *span, uint64_t cycle, choice *out) {
    const heam_timing *timing = &self->base.timing;
    uint64_t least = HEAM_NEVER;
    for (uint32_t i = 0; i < span->count; i++) {
        uint32_t bank = span->first + i * span->step;
        if (timing->open_row[bank] == HEAM_CLOSED || self->active_in_bank[bank] > 0) {
            continue;
        }
        int32_t row;
        uint64_t earliest = heam_timing_from(timing, timing->spec->of_kind[HEAM_KIND_PRE], bank, cycle, &row);
        if (earliest <= cycle) {
            *out = (choice){.position = bank, .kind = HEAM_KIND_PRE, .bound = (int16_t)(earliest == cycle ? row : HEAM_BOUND_SLOT), .found = true};
            return earliest;
        }
        least = earliest < least ? earliest : least;
    }
    return least;
}

static bool all_closed(const heam_timing *timing, const heam_span *span) {
    for (uint32_t i = 0; i < span->count; i++) {
        if (timing->open_row[span->first + i * span->step] != HEAM_CLOSED) {
            return false;
        }
    }
    return true;
}

/* The next command of a rank's refresh. Found if it may be issued now; otherwise returns when it may. */
static uint64_t step(const heam_plain *self, uint32_t rank, uint64_t cycle, choice *out) {
    const heam_timing *timing = &self->base.timing;
    heam_span span = concerned(self, rank);
    uint32_t kind = self->refresh.kind;
    if (of_banks(self)) {
        if (!all_closed(timing, &span)) {
            return step_precharge(self, &span, cycle, out);
        }
    } else if (timing->rank_open[rank] > 0) {
        kind = HEAM_KIND_PREA;
        if (self->active_in_rank[rank] > 0) {
            return HEAM_NEVER;
        }
    }
    int32_t row;
    uint64_t earliest = heam_timing_earliest_any(timing, timing->spec->of_kind[kind], span.first, &row);
    uint64_t now = heam_timing_align(timing->spec, timing->spec->of_kind[kind], cycle);
    if (earliest <= cycle && now > cycle) {
        return now;
    }
    if (earliest <= cycle) {
        *out = (choice){.position = span.first, .kind = kind, .bound = (int16_t)(earliest == cycle ? row : HEAM_BOUND_SLOT), .found = true};
    }
    return earliest;
}

static void served(heam_plain *self, uint32_t rank, uint64_t cycle) {
    refresh_state *state = &self->refresh;
    rank_refresh *own = &state->ranks[rank];
    own->owed--;
    state->owed--;
    if (own->queued > 0) {
        own->queued--;
        state->queued--;
        self->maintenance_head = (self->maintenance_head + 1) % MAINTENANCE_MAX;
        self->maintenance_size--;
        return;
    }
    hold(self, rank, false);
    own->oldest = later(state, own->oldest, state->step);
    own->turn = (own->turn + 1) % state->turns;
    become_urgent(self, rank, cycle);
    state->event = waits(own) && !own->urgent && own->oldest.cycle + state->wait < state->event ? own->oldest.cycle + state->wait : state->event;
}

void heam_plain_precharge(heam_plain *self, uint32_t bank, int16_t bound, uint64_t cycle) {
    heam_log_record record = {.bank = (uint16_t)bank, .unit = HEAM_NO_UNIT, .bound = bound, .role = HEAM_ROLE_NONE};
    heam_channel_because(&self->base, self->base.last, HEAM_REASON(REFRESH));
    heam_channel_find_cause(&self->base, HEAM_KIND_PRE, bank);
    heam_channel_issue(&self->base, HEAM_KIND_PRE, cycle, &record);
    self->base.counters[HEAM_COUNT_pre_unasked]++;
    heam_plain_wake_bank(self, bank);
    heam_plain_stir(self);
}

static void issue_step(heam_plain *self, uint32_t rank, const choice *chosen, uint64_t cycle) {
    if (chosen->kind == HEAM_KIND_PRE) {
        heam_plain_precharge(self, chosen->position, chosen->bound, cycle);
        return;
    }
    heam_log_record record = {.bank = (uint16_t)chosen->position, .unit = HEAM_NO_UNIT, .bound = chosen->bound};
    heam_channel_because(&self->base, self->base.last, HEAM_REASON(REFRESH));
    heam_channel_find_cause(&self->base, chosen->kind, chosen->position);
    heam_channel_issue(&self->base, chosen->kind, cycle, &record);
    if (chosen->kind == HEAM_KIND_PREA) {
        heam_plain_wake_all(self);
    } else {
        served(self, rank, cycle);
    }
    heam_plain_stir(self);
}

/* The rank after (due, rank) in the order of the oldest refresh that waits; NO_RANK if there is none. */
static uint32_t next_rank(const heam_plain *self, uint64_t due, uint32_t rank) {
    uint32_t best = NO_RANK;
    for (uint32_t r = 0; r < self->base.timing.spec->nodes[1]; r++) {
        const rank_refresh *own = &self->refresh.ranks[r];
        bool after = rank == NO_RANK || own->oldest.cycle > due || (own->oldest.cycle == due && r > rank);
        if (waits(own) && after && (best == NO_RANK || own->oldest.cycle < self->refresh.ranks[best].oldest.cycle)) {
            best = r;
        }
    }
    return best;
}

static bool wanted(const heam_plain *self, uint32_t rank) {
    heam_span span = concerned(self, rank);
    for (uint32_t i = 0; i < span.count; i++) {
        if (self->requests_in_bank[span.first + i * span.step] > 0) {
            return true;
        }
    }
    return false;
}

/* Goes through the ranks, the longest owed first; issues the first command that may be. Otherwise *when says when one may. */
static bool advance(heam_plain *self, uint64_t cycle, bool urgent, uint64_t *when) {
    *when = HEAM_NEVER;
    uint32_t rank = next_rank(self, 0, NO_RANK);
    while (rank != NO_RANK) {
        const rank_refresh *own = &self->refresh.ranks[rank];
        choice chosen = {.found = false};
        if (own->urgent == urgent && (urgent || !wanted(self, rank))) {
            uint64_t due = step(self, rank, cycle, &chosen);
            *when = due < *when ? due : *when;
        }
        if (chosen.found) {
            chosen.bound = !urgent && chosen.bound == HEAM_BOUND_SLOT ? HEAM_BOUND_NONE : chosen.bound;
            issue_step(self, rank, &chosen, cycle);
            return true;
        }
        rank = next_rank(self, own->oldest.cycle, rank);
    }
    return false;
}

bool heam_refresh_maintain(heam_plain *self, uint64_t cycle) {
    uint64_t when;
    if (self->maintenance_size > 0) {
        choice chosen = {.found = false};
        uint32_t rank = self->maintenance[self->maintenance_head];
        step(self, rank, cycle, &chosen);
        if (chosen.found) {
            issue_step(self, rank, &chosen, cycle);
        }
        return chosen.found;
    }
    return self->refresh.urgent_ranks > 0 && advance(self, cycle, true, &when);
}

bool heam_refresh_unwanted(heam_plain *self, uint64_t cycle) {
    refresh_state *state = &self->refresh;
    if (state->owed == state->queued || cycle < state->unwanted_at) {
        return false;
    }
    return advance(self, cycle, false, &state->unwanted_at);
}

uint64_t heam_refresh_next(const heam_plain *self) {
    const refresh_state *state = &self->refresh;
    uint64_t next = state->event;
    choice unused;
    if (self->maintenance_size > 0) {
        uint64_t due = step(self, self->maintenance[self->maintenance_head], 0, &unused);
        return due < next ? due : next;
    }
    for (uint32_t rank = 0; state->urgent_ranks > 0 && rank < self->base.timing.spec->nodes[1]; rank++) {
        uint64_t due = state->ranks[rank].urgent ? step(self, rank, 0, &unused) : HEAM_NEVER;
        next = due < next ? due : next;
    }
    return state->owed > state->queued && state->unwanted_at < next ? state->unwanted_at : next;
}
