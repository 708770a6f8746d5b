/* SPDX-License-Identifier: MIT */
/* The caller's items: checks, and a copy of them in the order of the channels' needs. */
#include "system.h"

void heam_work_clear(work *self) {
    free(self->offsets);
    free(self->arrivals);
    free(self->orders);
    free(self->lines);
    free(self->channels);
    memset(self, 0, sizeof(*self));
}

/* What the items of a channel must keep to, side by side: looking it up in the channel would take longer than the checks. */
typedef struct {
    uint64_t dram_rows;
    uint32_t kind; /* HEAM_CHANNEL_* */
    uint32_t banks;
    uint32_t dram_columns;
    uint32_t bursts_per_line; /* of a plain channel; the rest are of a PIM channel */
    uint32_t units;
    uint32_t unit_banks;
    uint32_t result_bursts;
    bool caches;
    bool reads_luts;
    bool takes_immediates;
} limits;

static limits limits_of(const heam_system *self, const member *m) {
    const heam_spec *spec = m->base->timing.spec;
    const heam_channel_desc *desc = &m->base->desc;
    limits found = {.kind = desc->kind, .banks = spec->banks, .dram_rows = spec->dram_rows, .dram_columns = spec->dram_columns};
    if (m->pim == NULL) {
        found.bursts_per_line = self->desc.line_bytes / spec->burst_bytes;
        return found;
    }
    found.units = heam_pim_units(m->pim);
    found.unit_banks = spec->stride[desc->unit_level];
    found.result_bursts = desc->result_bursts;
    found.caches = desc->cache_sets > 0;
    found.reads_luts = desc->port_bytes_per_cycle > 0;
    found.takes_immediates = spec->of_kind[HEAM_KIND_PIM_WRIMM] != HEAM_NO_COMMAND;
    return found;
}

static bool is_pim(const heam_items *items, uint64_t i) {
    return items->kind[i] != HEAM_ITEM_HOST_READ;
}

static bool adds(const heam_items *items, uint64_t i) {
    return is_pim(items, i) && (items->role[i] == HEAM_ROLE_ACC || items->role[i] == HEAM_ROLE_MAC);
}

static uint32_t first_of(const heam_items *items, uint64_t i) {
    return items->segment != NULL ? items->segment[i] : 0;
}

static uint32_t covered(const heam_items *items, uint64_t i) {
    return items->covers != NULL && items->covers[i] > 0 ? items->covers[i] : items->bursts[i];
}

static bool valid_bank(const heam_items *items, uint64_t i, const limits *of) {
    return items->bank[i] < of->banks && items->row[i] < of->dram_rows && items->bursts[i] > 0 &&
           (uint32_t)items->column[i] + items->bursts[i] <= of->dram_columns;
}

static bool valid_host_read(const heam_items *items, uint64_t i, const limits *of) {
    return of->kind == HEAM_CHANNEL_PLAIN && valid_bank(items, i, of) &&
           (of->bursts_per_line == 1 || items->bursts[i] % of->bursts_per_line == 0);
}

static bool valid_pim(const heam_items *items, uint64_t i, const limits *of) {
    if (of->kind != HEAM_CHANNEL_PIM || items->unit[i] >= of->units) {
        return false;
    }
    if (adds(items, i) && first_of(items, i) + covered(items, i) > of->result_bursts) {
        return false;
    }
    if (items->role[i] == HEAM_ROLE_FILL && (items->kind[i] != HEAM_ITEM_PIM_READ || !of->caches)) {
        return false;
    }
    if (items->kind[i] == HEAM_ITEM_PIM_IMMEDIATE) {
        return true;
    }
    if (items->kind[i] == HEAM_ITEM_PIM_LUT) {
        return items->bursts[i] > 0 && items->bank[i] == 0 && of->reads_luts;
    }
    /* The bank is the unit's: a difference below zero is a large one. */
    return valid_bank(items, i, of) && items->bank[i] - items->unit[i] * of->unit_banks < of->unit_banks;
}

/* It is made of the host reads directly before it, and covers what it sends. */
static bool valid_immediate(const heam_items *items, uint64_t i, uint64_t first, const limits *of) {
    if (!of->takes_immediates || items->role[i] != HEAM_ROLE_ACC || items->bank[i] != 0 || items->column[i] != 0 ||
        items->bursts[i] == 0 || covered(items, i) != items->bursts[i] || items->row[i] == 0 || items->row[i] > i - first) {
        return false;
    }
    for (uint64_t read = i - items->row[i]; read < i; read++) {
        if (is_pim(items, read)) {
            return false;
        }
    }
    return true;
}

/* A chain LOAD, any number of MUL, MAC stands together, at one unit of one channel and in one GnR. */
static bool valid_roles(const heam_items *items, uint64_t i, uint64_t first, uint64_t end) {
    uint8_t role = items->role[i];
    if (!is_pim(items, i)) {
        return role <= HEAM_ROLE_MUL;
    }
    bool linked = i > first && is_pim(items, i - 1) && (items->role[i - 1] == HEAM_ROLE_LOAD || items->role[i - 1] == HEAM_ROLE_MUL);
    bool combines = role == HEAM_ROLE_MUL || role == HEAM_ROLE_MAC;
    if (role > HEAM_ROLE_FILL || linked != combines) {
        return false;
    }
    if (combines && (items->channel[i] != items->channel[i - 1] || items->unit[i] != items->unit[i - 1])) {
        return false;
    }
    if (role != HEAM_ROLE_LOAD && role != HEAM_ROLE_MUL) {
        return true;
    }
    return i + 1 < end && is_pim(items, i + 1) && (items->role[i + 1] == HEAM_ROLE_MUL || items->role[i + 1] == HEAM_ROLE_MAC);
}

static uint8_t known_flags(uint8_t kind) {
    return kind == HEAM_ITEM_HOST_READ       ? HEAM_FLAG_UNADDED
           : kind == HEAM_ITEM_PIM_IMMEDIATE ? 0
                                             : HEAM_FLAG_CARRIED | HEAM_FLAG_CACHE;
}

/* What is carried needs an instruction of the same channel before it. */
static bool valid_flags(const heam_items *items, uint64_t i, uint64_t first) {
    uint8_t flags = items->flags[i];
    if (flags == 0) {
        return true;
    }
    if ((flags & ~known_flags(items->kind[i])) != 0) {
        return false;
    }
    return (flags & HEAM_FLAG_CARRIED) == 0 || (i > first && is_pim(items, i - 1) && items->channel[i] == items->channel[i - 1]);
}

static bool valid_item(const heam_items *items, uint64_t i, uint64_t first, uint64_t end, const limits *of, uint32_t channels) {
    if (items->channel[i] >= channels || items->kind[i] > HEAM_ITEM_PIM_IMMEDIATE || !valid_roles(items, i, first, end)) {
        return false;
    }
    if (items->flags != NULL && !valid_flags(items, i, first)) {
        return false;
    }
    of += items->channel[i];
    if (items->kind[i] == HEAM_ITEM_HOST_READ) {
        return valid_host_read(items, i, of);
    }
    return valid_pim(items, i, of) && (items->kind[i] != HEAM_ITEM_PIM_IMMEDIATE || valid_immediate(items, i, first, of));
}

static int32_t validate_items(const heam_items *items, const limits *of, uint32_t channels, uint64_t *detail) {
    for (uint64_t g = 0; g < items->gnrs; g++) {
        for (uint64_t i = items->offsets[g]; i < items->offsets[g + 1]; i++) {
            if (!valid_item(items, i, items->offsets[g], items->offsets[g + 1], of, channels)) {
                if (detail != NULL) {
                    *detail = i;
                }
                return HEAM_BAD_ITEM;
            }
        }
    }
    return HEAM_OK;
}

int32_t heam_work_validate(const heam_system *self, const heam_items *items, uint64_t *detail) {
    if (items->offsets == NULL || items->offsets[0] != 0) {
        return HEAM_BAD_ARGUMENT;
    }
    for (uint64_t g = 0; g < items->gnrs; g++) {
        if (items->offsets[g + 1] < items->offsets[g]) {
            return HEAM_BAD_ARGUMENT;
        }
    }
    for (uint64_t g = 0; items->arrival != NULL && g < items->gnrs; g++) {
        if (items->arrival[g] >> 62 != 0) {
            if (detail != NULL) {
                *detail = g;
            }
            return HEAM_BAD_ARRIVAL;
        }
    }
    uint64_t count = items->offsets[items->gnrs];
    if (count > 0 && (items->kind == NULL || items->role == NULL || items->channel == NULL || items->bank == NULL || items->row == NULL ||
                      items->column == NULL || items->bursts == NULL || items->unit == NULL || items->slot == NULL || items->line == NULL)) {
        return HEAM_BAD_ARGUMENT;
    }
    if (count == 0) {
        return HEAM_OK;
    }
    limits *of = malloc(self->channels * sizeof(*of));
    if (of == NULL) {
        return HEAM_OUT_OF_MEMORY;
    }
    for (uint32_t c = 0; c < self->channels; c++) {
        of[c] = limits_of(self, &self->members[c]);
    }
    int32_t status = validate_items(items, of, self->channels, detail);
    free(of);
    return status;
}

/* The bursts that a checked operand adds to, a bit each. */
static uint64_t burst_set(const heam_items *items, uint64_t i) {
    return UINT64_MAX >> (64 - covered(items, i)) << first_of(items, i);
}

/* The arrays of an earlier piece are used again where they are large enough: fresh memory costs more than copying. */
static bool make_room(work *to, uint64_t gnrs, uint64_t count) {
    if (to->offsets != NULL && gnrs <= to->gnr_capacity && count <= to->capacity) {
        return true;
    }
    heam_work_clear(to);
    to->offsets = malloc((gnrs + 1) * sizeof(*to->offsets));
    to->arrivals = malloc((gnrs + 1) * sizeof(*to->arrivals));
    to->orders = malloc((count + 1) * sizeof(*to->orders));
    to->lines = malloc((count + 1) * sizeof(*to->lines));
    to->channels = malloc((count + 1) * sizeof(*to->channels));
    to->gnr_capacity = gnrs;
    to->capacity = count;
    return to->offsets != NULL && to->arrivals != NULL && to->orders != NULL && to->lines != NULL && to->channels != NULL;
}

static void copy_orders(heam_order *restrict to, const heam_items *items, uint64_t count) {
    const heam_items from = *items; /* so that the compiler knows that its arrays stay where they are */
    for (uint64_t i = 0; i < count; i++) {
        to[i] = (heam_order){.row = from.row[i], .slot = from.slot[i], .bank = from.bank[i], .column = from.column[i],
                             .bursts = from.bursts[i], .unit = from.unit[i], .kind = from.kind[i], .role = from.role[i],
                             .alu = from.alu != NULL ? from.alu[i] : 0, .adds = adds(&from, i) ? burst_set(&from, i) : 0,
                             .line = from.line[i], .flags = from.flags != NULL ? from.flags[i] : 0};
        if (from.kind[i] == HEAM_ITEM_PIM_IMMEDIATE) {
            for (uint64_t at = i - from.row[i]; at <= i; at++) {
                to[at].immediate = 1;
            }
        }
    }
}

int32_t heam_work_copy(work *to, const heam_items *items) {
    uint64_t count = items->offsets[items->gnrs];
    if (items->gnrs >= SIZE_MAX / 64 || count >= SIZE_MAX / 64) {
        return HEAM_OUT_OF_MEMORY;
    }
    if (!make_room(to, items->gnrs, count)) {
        heam_work_clear(to);
        return HEAM_OUT_OF_MEMORY;
    }
    to->gnrs = items->gnrs;
    to->count = count;
    memcpy(to->offsets, items->offsets, (items->gnrs + 1) * sizeof(*to->offsets));
    to->timed = items->arrival != NULL;
    if (to->timed) {
        memcpy(to->arrivals, items->arrival, items->gnrs * sizeof(*to->arrivals));
    }
    if (count > 0) {
        copy_orders(to->orders, items, count);
        memcpy(to->lines, items->line, count * sizeof(*to->lines));
        memcpy(to->channels, items->channel, count * sizeof(*to->channels));
    }
    return HEAM_OK;
}
