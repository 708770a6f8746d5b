/* SPDX-License-Identifier: MIT */
/* Bytes as the description of a memory: refused with a place that exists, or good enough to be used. */
#include "fuzz.h"

#define ARRAYS 11u

typedef struct {
    heam_spec_desc desc;
    void *arrays[ARRAYS];
} description;

/* An array of the length that the description claims. Few bytes make a long array: they are repeated. */
static void *array(bytes *in, size_t count, size_t width, uint32_t modulus) {
    uint8_t *out = malloc(count * width);
    PROMISE(out != NULL || count == 0);
    for (size_t i = 0; i < count; i++) {
        uint64_t value = at_end(in) && in->size > 0 ? in->data[i % in->size] : next_number(in, (unsigned)width);
        value = modulus > 0 ? value % modulus : value;
        for (size_t b = 0; b < width; b++) {
            out[i * width + b] = (uint8_t)(value >> (8 * b)); /* little endian, as the machines that CI has */
        }
    }
    return out;
}

/* `tame` keeps most numbers in their ranges, so that descriptions get past the first checks. */
static void describe_freely(description *self, bytes *in, bool tame) {
    heam_spec_desc *d = &self->desc;
    d->levels = tame ? 3 + next_below(in, 4) : (uint32_t)next_below(in, 12);
    d->commands = tame ? 6 + next_below(in, 8) : next_below(in, 80);
    d->rows = next_below(in, tame ? 40 : 200);
    d->dram_rows = next_number(in, tame ? 2 : 5);
    d->dram_columns = (uint32_t)next_number(in, tame ? 1 : 3);
    d->split_buses = next_below(in, tame ? 2 : 3);
    d->read_latency = (uint32_t)next_number(in, tame ? 1 : 3);
    d->burst_cycles = (uint32_t)next_number(in, tame ? 1 : 3);
    d->burst_bytes = (uint32_t)next_number(in, tame ? 1 : 3);
    d->refresh_interval = (uint32_t)next_number(in, 2);
    uint32_t levels = tame ? d->levels : 0;
    uint32_t commands = tame ? d->commands : 0;
    uint32_t *counts = array(in, d->levels, 4, tame ? 6 : 5000);
    uint8_t *kind = array(in, d->commands, 1, tame ? 14 : 0);
    uint8_t *scope = array(in, d->commands, 1, levels);
    for (uint32_t i = 0; tame && i < d->commands; i++) {
        bool of_banks = i == 6 || i == 7; /* REFPB and REFSB, now and then */
        kind[i] = (uint8_t)(i < 6 ? i : of_banks && kind[i] > HEAM_KIND_OTHER ? HEAM_KIND_REFPB + i - 6 : HEAM_KIND_OTHER);
        scope[i] = (uint8_t)(kind[i] == HEAM_KIND_PREA || kind[i] == HEAM_KIND_REF ? 1 : kind[i] != HEAM_KIND_OTHER ? levels - 1 : scope[i]);
    }
    if (d->levels > 0 && tame) {
        counts[0] = 1;
    }
    self->arrays[0] = counts;
    self->arrays[1] = kind;
    self->arrays[2] = scope;
    self->arrays[3] = array(in, d->rows, 1, levels);
    self->arrays[4] = array(in, d->rows, 1, commands);
    self->arrays[5] = array(in, d->rows, 1, commands);
    self->arrays[6] = array(in, d->rows, 4, tame ? 100000000 : 0);
    self->arrays[7] = array(in, d->rows, 2, tame ? 65 : 0);
    self->arrays[8] = array(in, d->rows, 1, tame ? 2 : 0);
    self->arrays[9] = array(in, d->rows, 2, tame ? 32768 : 0);
    uint8_t *alignment = array(in, d->commands, 1, tame ? 3 : 0);
    for (uint32_t i = 0; tame && i < d->commands; i++) {
        alignment[i]++;
    }
    self->arrays[10] = alignment;
    for (uint32_t i = 0; tame && i < d->rows; i++) {
        uint8_t *sibling = self->arrays[8];
        const uint16_t *window = self->arrays[7];
        const uint8_t *level = self->arrays[3];
        const uint8_t *preceding = self->arrays[4];
        const uint8_t *following = self->arrays[5];
        bool at_many = kind[preceding[i]] == HEAM_KIND_REFSB || kind[following[i]] == HEAM_KIND_REFSB;
        sibling[i] = window[i] == 1 && level[i] > 0 && !at_many ? sibling[i] : 0;
    }
}

static void bind_arrays(description *self, uint32_t missing) {
    if (missing < ARRAYS) {
        free(self->arrays[missing]);
        self->arrays[missing] = NULL;
    }
    self->desc.counts = self->arrays[0];
    self->desc.kind = self->arrays[1];
    self->desc.scope = self->arrays[2];
    self->desc.row_level = self->arrays[3];
    self->desc.row_preceding = self->arrays[4];
    self->desc.row_following = self->arrays[5];
    self->desc.row_cycles = self->arrays[6];
    self->desc.row_window = self->arrays[7];
    self->desc.row_sibling = self->arrays[8];
    self->desc.row_id = self->arrays[9];
    self->desc.alignment = self->arrays[10];
}

/* One entry of a good description gets a value that it cannot have. Returns the status and the place that must come of it. */
static const char *spoil(description *self, bytes *in, uint64_t *place) {
    heam_spec_desc *d = &self->desc;
    uint8_t excess = next_byte(in);
    uint32_t what = next_below(in, 10);
    if (what < 7 && d->rows == 0) {
        return NULL;
    }
    uint32_t i = next_below(in, what < 7 ? d->rows : d->commands);
    *place = i;
    switch (what) {
        case 0: ((uint8_t *)self->arrays[3])[i] = (uint8_t)(d->levels + excess % 200u); break;
        case 1: ((uint8_t *)self->arrays[4])[i] = (uint8_t)(d->commands + excess % 200u); break;
        case 2: ((uint8_t *)self->arrays[5])[i] = (uint8_t)(d->commands + excess % 200u); break;
        case 3: ((uint32_t *)self->arrays[6])[i] = 100000001u + excess; break;
        case 4: ((uint16_t *)self->arrays[7])[i] = (uint16_t)(excess & 1u ? 0 : 65 + excess); break;
        case 5: ((uint8_t *)self->arrays[8])[i] = (uint8_t)(2 + excess % 200u); break;
        case 6: ((int16_t *)self->arrays[9])[i] = (int16_t)(-1 - excess); break;
        case 7: ((uint8_t *)self->arrays[1])[i] = (uint8_t)(HEAM_KINDS + excess % 200u); break;
        case 8: ((uint8_t *)self->arrays[10])[i] = 0; break;
        default: ((uint8_t *)self->arrays[2])[i] = (uint8_t)(d->levels + excess % 200u); break;
    }
    return what < 7 ? "HEAM_BAD_ROW" : "HEAM_BAD_COMMAND";
}

/* Everything that heam_spec_create looks at before commands and rows is in its range. */
static void settle(description *self) {
    heam_spec_desc *d = &self->desc;
    uint16_t *window = self->arrays[7];
    uint32_t *counts = self->arrays[0];
    d->dram_rows += d->dram_rows == 0;
    d->dram_columns += d->dram_columns == 0;
    d->read_latency += d->read_latency == 0;
    d->burst_cycles += d->burst_cycles == 0;
    d->burst_bytes += d->burst_bytes == 0;
    d->refresh_interval += d->refresh_interval == 0;
    for (uint32_t i = 0; i < d->rows; i++) {
        window[i] = (uint16_t)(window[i] + (window[i] == 0));
        ((uint8_t *)self->arrays[8])[i] &= (uint8_t)(window[i] == 1);
    }
    for (uint32_t level = 0, banks = 1; level < d->levels; level++) {
        counts[level] += counts[level] == 0;
        counts[level] = banks * counts[level] > 4096 ? 1 : counts[level];
        banks *= counts[level];
    }
}

/* A memory that was accepted takes commands, and says for each whether it may come. */
static void use(const heam_spec *spec, const heam_spec_desc *desc, bytes *in) {
    heam_device *device = NULL;
    heam_replay *replay = NULL;
    uint64_t clock = 0;
    int32_t status = heam_device_create(spec, &device);
    PROMISE(status_is(status, "HEAM_OK") == (device != NULL));
    for (int i = 0; device != NULL && i < 40; i++) {
        uint32_t command = next_below(in, desc->commands);
        uint32_t bank = (uint32_t)next_number(in, 1);
        uint64_t row = next_number(in, 1);
        uint64_t earliest = 0;
        int32_t by = 0;
        if (status_is(heam_device_earliest(device, command, bank, &earliest, &by), "HEAM_OK")) {
            uint32_t beat = desc->alignment == NULL ? 1 : desc->alignment[command];
            clock = earliest > clock ? earliest : clock + 1;
            while ((clock + beat - 1) % beat != 0) {
                clock++;
            }
            status = heam_device_issue(device, command, bank, row, clock);
            PROMISE(!status_is(status, "HEAM_TOO_EARLY"));
            PROMISE(by >= HEAM_BOUND_NONE);
        }
    }
    heam_channel_desc channel = plain_channel();
    status = heam_replay_create(1, &channel, spec, 1, 1, &replay);
    PROMISE(status_is(status, "HEAM_OK") == (replay != NULL));
    heam_replay_destroy(replay);
    heam_device_destroy(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bytes in = {.data = data, .size = size};
    description self = {.desc = {.levels = 0}};
    heam_spec *spec = NULL;
    uint64_t detail = 0;
    uint8_t mode = next_byte(&in);
    uint32_t missing = next_byte(&in);
    bool tame = mode % 4 != 0;
    const char *wanted = tame && mode < 224 ? "HEAM_OK" : NULL;
    uint64_t place = 0;
    describe_freely(&self, &in, tame);
    if (tame) {
        settle(&self);
    }
    if (wanted != NULL && mode % 2 == 0) {
        wanted = spoil(&self, &in, &place);
    }
    bind_arrays(&self, missing);
    wanted = missing < ARRAYS ? NULL : wanted;
    fail_allocation(mode >= 224 ? mode - 223u : 0);
    int32_t status = heam_spec_create(&self.desc, &spec, &detail);
    bool refused_memory = allocation_failed();
    fail_allocation(0);
    PROMISE(status_is(status, "HEAM_OK") == (spec != NULL));
    PROMISE(status_is(status, "HEAM_OUT_OF_MEMORY") == refused_memory);
    PROMISE(wanted == NULL || status_is(status, wanted));
    PROMISE(wanted == NULL || spec != NULL || detail == place);
    if (status_is(status, "HEAM_BAD_ROW")) {
        PROMISE(detail == 0 || detail < self.desc.rows);
    }
    if (status_is(status, "HEAM_BAD_LEVELS")) {
        PROMISE(detail == 0 || detail < self.desc.levels);
    }
    if (spec != NULL) {
        use(spec, &self.desc, &in);
    }
    heam_spec_destroy(spec);
    for (uint32_t i = 0; i < ARRAYS; i++) {
        free(self.arrays[i]);
    }
    return 0;
}
