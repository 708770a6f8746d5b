/* SPDX-License-Identifier: MIT */
/* Schedulers other than the default one, and when rows are closed that no request closes (docs/engine.md). */
#include "plain.h"

/* Whether the scheduler and the row policy let a request of a queue go on. Asked for all requests of a scan, in order. */
static bool allows(heam_plain *self, const request *r) {
    const heam_channel_desc *desc = &self->base.desc;
    uint32_t bank = r->what.bank;
    uint32_t open = self->base.timing.open_row[bank];
    if (open != r->what.row) {
        self->mark[bank] = open == HEAM_CLOSED ? self->mark[bank] : self->scan; /* a rival of younger hits */
        return true;
    }
    if (desc->row_policy == HEAM_ROWS_CAPPED && self->served[bank] + (self->active_in_bank[bank] > 0) >= desc->row_cap) {
        return false;
    }
    bool rival = self->mark[bank] == self->scan;
    return !(desc->scheduler == HEAM_SCHEDULER_FRFCFS_CAP && rival && self->served[bank] >= desc->row_hit_cap);
}

/* How many requests from the head of a queue the scheduler looks at. */
static uint32_t in_sight(const heam_plain *self, uint32_t q) {
    uint32_t size = self->queues[q].size;
    if (self->base.desc.scheduler != HEAM_SCHEDULER_FCFS || size == 0) {
        return size;
    }
    return self->queues[QUEUE_ACTIVE].size > 0 ? 0 : 1;
}

bool heam_policy_pick(heam_plain *self, uint32_t q, uint64_t cycle, int slots, choice *out) {
    const queue *list = &self->queues[q];
    bool hits_first = self->base.desc.scheduler == HEAM_SCHEDULER_FRFCFS_CAP;
    uint32_t count = in_sight(self, q);
    self->scan++;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t entry = list->order[i];
        const request *r = &self->pool[entry];
        if (!allows(self, r) || self->ready[entry] > cycle) {
            continue;
        }
        heam_plain_look(self, q, entry, cycle);
        bool hit = slot_of(r->next) == SLOT_COLUMN;
        if (self->ready[entry] > cycle || (slot_of(r->next) & slots) == 0 || (out->found && !hit)) {
            continue;
        }
        *out = (choice){.queue = q, .position = i, .kind = r->next, .bound = r->bound, .found = true};
        if (self->ready[entry] < cycle) {
            out->bound = late_bound(r, cycle);
        }
        if (hit || !hits_first) {
            break;
        }
    }
    return out->found;
}

uint64_t heam_policy_earliest(heam_plain *self, uint32_t q) {
    uint64_t least = HEAM_NEVER;
    uint32_t count = in_sight(self, q);
    self->scan++;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t entry = self->queues[q].order[i];
        uint64_t ready = allows(self, &self->pool[entry]) ? self->ready[entry] : HEAM_NEVER;
        least = ready < least ? ready : least;
    }
    return least;
}

/* Marks every bank whose open row a request addresses. */
static void mark_wanted(heam_plain *self) {
    self->scan++;
    for (int q = 0; q < QUEUES; q++) {
        for (uint32_t i = 0; i < self->queues[q].size; i++) {
            const heam_order *what = &self->pool[self->queues[q].order[i]].what;
            if (self->base.timing.open_row[what->bank] == what->row) {
                self->mark[what->bank] = self->scan;
            }
        }
    }
}

/* From when on the policy wants an open bank closed. */
static uint64_t closes_from(const heam_plain *self, uint32_t bank) {
    const heam_channel_desc *desc = &self->base.desc;
    if (desc->row_policy == HEAM_ROWS_CAPPED) {
        return self->served[bank] >= desc->row_cap ? 0 : HEAM_NEVER;
    }
    if (self->mark[bank] == self->scan) {
        return HEAM_NEVER;
    }
    return desc->row_policy == HEAM_ROWS_TIMEOUT ? self->last_use[bank] + desc->row_timeout : 0;
}

bool heam_policy_close(heam_plain *self, uint64_t cycle) {
    const heam_timing *timing = &self->base.timing;
    if (self->base.desc.row_policy == HEAM_ROWS_OPEN || cycle < self->close_at) {
        return false;
    }
    mark_wanted(self);
    uint64_t next = HEAM_NEVER;
    for (uint32_t bank = 0; bank < timing->spec->banks; bank++) {
        if (timing->open_row[bank] == HEAM_CLOSED || self->active_in_bank[bank] > 0) {
            continue;
        }
        int32_t row;
        uint64_t earliest = heam_timing_from(timing, timing->spec->of_kind[HEAM_KIND_PRE], bank, cycle, &row);
        uint64_t from = closes_from(self, bank);
        from = earliest > from ? earliest : from;
        if (from <= cycle) {
            heam_plain_precharge(self, bank, (int16_t)(earliest == cycle ? row : HEAM_BOUND_NONE), cycle);
            return true;
        }
        next = from < next ? from : next;
    }
    self->close_at = next;
    return false;
}
