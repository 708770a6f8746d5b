/* SPDX-License-Identifier: MIT */
/* What work asks of every resource: sums and lists for closed-form ceilings. Nothing is simulated here. */
#include <stdbool.h>
#include <stdlib.h>

#include "bits.h"
#include "timing.h"

/* The bursts that a GnR's sums have in every unit and in every channel, a bit each, and where there are some. */
typedef struct {
    uint64_t place; /* of the unit */
    uint32_t channel;
} touch;

typedef struct {
    uint64_t *of_unit; /* (channels, units) */
    uint64_t *of_channel;
    touch *touched;
    uint64_t count;
} sums;

static void sums_clear(sums *self) {
    free(self->of_unit);
    free(self->of_channel);
    free(self->touched);
}

static bool sums_init(sums *self, const heam_demand *demand) {
    size_t units = (size_t)demand->channels * demand->units;
    *self = (sums){.of_unit = calloc(units + 1, sizeof(uint64_t)),
                   .of_channel = calloc(demand->channels, sizeof(uint64_t)),
                   .touched = malloc((units + 1) * sizeof(touch))};
    if (self->of_unit == NULL || self->of_channel == NULL || self->touched == NULL) {
        sums_clear(self);
        return false;
    }
    return true;
}

static void sums_add(sums *self, uint64_t place, uint32_t channel, uint64_t bursts) {
    if (self->of_unit[place] == 0) {
        self->touched[self->count++] = (touch){place, channel};
    }
    self->of_unit[place] |= bursts;
    self->of_channel[channel] |= bursts;
}

/* The GnR is over: count its bursts and begin again. */
static void sums_close(sums *self, heam_demand *demand) {
    uint64_t whole = 0;
    for (uint64_t i = 0; i < self->count; i++) {
        uint64_t place = self->touched[i].place;
        uint32_t channel = self->touched[i].channel;
        whole |= self->of_unit[place];
        demand->partials[channel] += heam_ones(self->of_unit[place]);
        demand->results[channel] += self->of_channel[channel] != 0 ? heam_ones(self->of_channel[channel]) : 0;
        self->of_unit[place] = self->of_channel[channel] = 0; /* a channel counts with the first of its units */
    }
    if (demand->stack_channels > 0) {
        uint64_t reader = demand->stack_first + demand->gnrs % demand->stack_channels;
        demand->stack_sums[reader] += heam_ones(whole);
    }
    demand->gnrs++;
    self->count = 0;
}

static bool has_bank(const heam_items *items, uint64_t i) {
    return items->kind[i] == HEAM_ITEM_HOST_READ || items->kind[i] == HEAM_ITEM_PIM_READ;
}

static uint32_t covered(const heam_items *items, uint64_t i) {
    return items->covers[i] > 0 ? items->covers[i] : items->bursts[i];
}

static bool adds(const heam_items *items, uint64_t i) {
    return items->role[i] == HEAM_ROLE_ACC || items->role[i] == HEAM_ROLE_MAC;
}

static bool valid(const heam_demand *demand, const heam_items *items, uint64_t i) {
    if (items->kind[i] > HEAM_ITEM_PIM_IMMEDIATE || items->channel[i] >= demand->channels || items->bursts[i] == 0) {
        return false;
    }
    if (has_bank(items, i) && (items->bank[i] >= demand->banks || items->row[i] >= demand->dram_rows)) {
        return false;
    }
    if (items->kind[i] == HEAM_ITEM_HOST_READ) {
        return true;
    }
    return items->unit[i] < demand->units && (items->kind[i] != HEAM_ITEM_PIM_LUT || demand->port_bytes_per_cycle > 0) &&
           (!adds(items, i) || items->segment[i] + covered(items, i) <= 64);
}

static void add_host(heam_demand *demand, const heam_items *items, uint64_t i) {
    uint32_t channel = items->channel[i];
    uint64_t lines = (uint64_t)items->bursts[i] * demand->burst_bytes[channel] / demand->line_bytes;
    demand->host_bursts[channel] += items->bursts[i];
    demand->host_lines += lines;
    demand->added_lines += (items->flags[i] & HEAM_FLAG_UNADDED) == 0 ? lines : 0;
    if (demand->lines != NULL) {
        demand->lines[demand->host_items] = (uint64_t)channel << 48 | items->line[i];
        demand->line_counts[demand->host_items++] = (uint32_t)lines;
    }
}

static void add_pim(heam_demand *demand, const heam_items *items, uint64_t i, sums *of_gnr) {
    uint64_t place = (uint64_t)items->channel[i] * demand->units + items->unit[i], bursts = items->bursts[i];
    uint8_t role = items->role[i];
    if (items->kind[i] == HEAM_ITEM_PIM_READ) {
        demand->reads[place] += bursts;
        if (demand->pe_rows != NULL) {
            demand->pe_rows[demand->pe_items++] = place << 44 | items->line[i];
            demand->shortest = demand->shortest == 0 || bursts < demand->shortest ? bursts : demand->shortest;
        }
    } else if (items->kind[i] == HEAM_ITEM_PIM_IMMEDIATE) {
        demand->immediates[items->channel[i]] += bursts;
    } else {
        uint64_t bytes = bursts * demand->burst_bytes[items->channel[i]], port = demand->port_bytes_per_cycle;
        demand->port_cycles[place] += (bytes + port - 1) / port;
    }
    if (role != HEAM_ROLE_LOAD && role != HEAM_ROLE_FILL) {
        uint64_t cycles = items->alu[i];
        demand->alu_bursts[place] += cycles == 0 ? bursts : 0;
        demand->alu_cycles[place] += bursts * cycles;
    }
    demand->instructions[items->channel[i]] += (items->flags[i] & HEAM_FLAG_CARRIED) == 0;
    if (adds(items, i)) {
        sums_add(of_gnr, place, items->channel[i], UINT64_MAX >> (64 - covered(items, i)) << items->segment[i]);
    }
}

static bool complete(const heam_demand *demand, const heam_items *items) {
    return demand->burst_bytes != NULL && demand->line_bytes > 0 && demand->reads != NULL && demand->port_cycles != NULL &&
           demand->alu_bursts != NULL && demand->alu_cycles != NULL && demand->instructions != NULL && demand->operands != NULL &&
           demand->host_bursts != NULL && demand->partials != NULL && demand->results != NULL && demand->stack_sums != NULL && demand->immediates != NULL && demand->rows != NULL &&
           (demand->lines == NULL) == (demand->line_counts == NULL) && items->kind != NULL && items->role != NULL &&
           items->channel != NULL && items->bank != NULL && items->row != NULL && items->bursts != NULL && items->unit != NULL &&
           items->line != NULL && items->segment != NULL && items->covers != NULL && items->alu != NULL && items->flags != NULL;
}

static bool ordered(const heam_items *items) {
    if (items->offsets == NULL || items->offsets[0] != 0) {
        return false;
    }
    for (uint64_t g = 0; g < items->gnrs; g++) {
        if (items->offsets[g + 1] < items->offsets[g]) {
            return false;
        }
    }
    return true;
}

static int32_t add_gnrs(heam_demand *demand, const heam_items *items, sums *of_gnr, uint64_t *detail) {
    for (uint64_t g = 0; g < items->gnrs; g++) {
        for (uint64_t i = items->offsets[g]; i < items->offsets[g + 1]; i++) {
            if (!valid(demand, items, i)) {
                *detail = i;
                return HEAM_BAD_ITEM;
            }
            uint64_t channel = items->channel[i];
            if (has_bank(items, i)) {
                demand->operands[channel]++;
                demand->rows[demand->banked++] = (channel * demand->banks + items->bank[i]) * demand->dram_rows + items->row[i];
            }
            if (items->kind[i] == HEAM_ITEM_HOST_READ) {
                add_host(demand, items, i);
            } else {
                add_pim(demand, items, i, of_gnr);
            }
        }
        sums_close(of_gnr, demand);
    }
    return HEAM_OK;
}

int32_t heam_demand_add(heam_demand *demand, const heam_items *items, uint64_t *detail) {
    if (demand == NULL || items == NULL || detail == NULL || demand->channels == 0 || demand->units == 0 ||
        (uint64_t)demand->stack_first + demand->stack_channels > demand->channels || !ordered(items)) {
        return HEAM_BAD_ARGUMENT;
    }
    demand->banked = demand->host_items = demand->pe_items = 0;
    if (items->offsets[items->gnrs] == 0) {
        return HEAM_OK;
    }
    if (!complete(demand, items)) {
        return HEAM_BAD_ARGUMENT;
    }
    sums of_gnr;
    if (!sums_init(&of_gnr, demand)) {
        return HEAM_OUT_OF_MEMORY;
    }
    /* Copies, of which the compiler knows that no array lies in them. */
    heam_demand sum = *demand;
    const heam_items given = *items;
    int32_t status = add_gnrs(&sum, &given, &of_gnr, detail);
    *demand = sum;
    sums_clear(&of_gnr);
    return status;
}
