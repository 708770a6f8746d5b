/* SPDX-License-Identifier: MIT */
#include "support.h"

static void add(toy *self, uint8_t level, uint8_t preceding, uint8_t following, uint32_t cycles, uint16_t window, uint8_t sibling) {
    uint32_t i = self->desc.rows++;
    self->level[i] = level;
    self->preceding[i] = preceding;
    self->following[i] = following;
    self->cycles[i] = cycles;
    self->window[i] = window;
    self->sibling[i] = sibling;
    self->id[i] = (int16_t)i;
}

static void add_plain_rows(toy *self) {
    add(self, BANK, ACT, RD, nRCD, 1, 0);
    add(self, BANK, ACT, WR, nRCD, 1, 0);
    add(self, BANK, ACT, PRE, nRAS, 1, 0);
    add(self, BANK, ACT, ACT, nRC, 1, 0);
    add(self, BANK, PRE, ACT, nRP, 1, 0);
    add(self, BANK, RD, PRE, nRTP, 1, 0);
    add(self, BANK, WR, PRE, nWR_TO_PRE, 1, 0);
    add(self, BANK_GROUP, RD, RD, nCCD_L, 1, 0);
    add(self, BANK_GROUP, WR, WR, nCCD_L, 1, 0);
    add(self, BANK_GROUP, ACT, ACT, nRRD_L, 1, 0);
    add(self, RANK, RD, RD, nCCD_S, 1, 0);
    add(self, RANK, WR, WR, nCCD_S, 1, 0);
    add(self, RANK, RD, WR, nRD_TO_WR, 1, 0);
    add(self, RANK, WR, RD, nWR_TO_RD, 1, 0);
    add(self, RANK, ACT, ACT, nRRD_S, 1, 0);
    add(self, RANK, ACT, ACT, nFAW, 4, 0);
    add(self, RANK, RD, RD, nRANK_SWITCH, 1, 1);
    add(self, RANK, ACT, PREA, nRAS, 1, 0);
    add(self, RANK, RD, PREA, nRTP, 1, 0);
    add(self, RANK, WR, PREA, nWR_TO_PRE, 1, 0);
    add(self, RANK, PREA, ACT, nRP, 1, 0);
    add(self, RANK, PREA, REF, nRP, 1, 0);
    add(self, RANK, PRE, REF, nRP, 1, 0);
    add(self, RANK, ACT, REF, nRC, 1, 0);
    add(self, RANK, REF, ACT, nRFC, 1, 0);
    add(self, RANK, REF, REF, nRFC, 1, 0);
}

static void add_pim_rows(toy *self) {
    add(self, BANK, ACT, PIM_RD, nRCD, 1, 0);
    add(self, BANK, PIM_RD, PRE, nRTP, 1, 0);
    add(self, RANK, PIM_RD, PREA, nRTP, 1, 0);
    add(self, BANK_GROUP, PIM_RD, PIM_RD, nCCD_L, 1, 0);
    add(self, CHANNEL, PIM_MOV, PIM_MOV, nCCD_S, 1, 0);
    add(self, CHANNEL, PIM_RDRES, PIM_RDRES, nCCD_S, 1, 0);
    add(self, CHANNEL, PIM_WRLUT, PIM_WRLUT, nCCD_S, 1, 0);
    add(self, CHANNEL, PIM_WRIMM, PIM_WRIMM, nCCD_S, 1, 0);
}

static void add_bank_refresh_rows(toy *self) {
    for (uint8_t command = REFPB; command <= REFSB; command++) {
        add(self, BANK, ACT, command, nRC, 1, 0);
        add(self, BANK, PRE, command, nRP, 1, 0);
        add(self, RANK, PREA, command, nRP, 1, 0);
    }
    add(self, BANK, REFPB, ACT, nRFCpb, 1, 0);
    add(self, RANK, REFPB, ACT, nRREFD, 1, 0);
    add(self, RANK, REFPB, REFPB, nRREFD, 1, 0);
    add(self, BANK, REFSB, ACT, nRFCsb, 1, 0);
    add(self, RANK, REFSB, ACT, nREFSBRD, 1, 0);
    add(self, RANK, REFSB, REFSB, nRFCsb, 1, 0);
}

void toy_init(toy *self) {
    static const uint8_t scope[TOY_COMMANDS] = {
        [ACT] = BANK,         [PRE] = BANK,           [PREA] = RANK,        [RD] = BANK,       [WR] = BANK,     [REF] = RANK, [PIM_RD] = BANK,
        [PIM_MOV] = BANK_GROUP, [PIM_RDRES] = CHANNEL, [PIM_WRLUT] = RANK, [PIM_LUT] = BANK_GROUP,
        [REFPB] = BANK,       [REFSB] = BANK,         [PIM_WRIMM] = BANK_GROUP,
    };
    memset(self, 0, sizeof(*self));
    self->counts[CHANNEL] = 1;
    self->counts[RANK] = self->counts[BANK_GROUP] = self->counts[BANK] = 2;
    for (uint8_t command = 0; command < TOY_COMMANDS; command++) {
        self->kind[command] = command; /* the toy numbers its commands as the kinds are numbered, but for OTHER */
        self->scope[command] = scope[command];
    }
    self->kind[REFPB] = HEAM_KIND_REFPB;
    self->kind[REFSB] = HEAM_KIND_REFSB;
    self->kind[PIM_WRIMM] = HEAM_KIND_PIM_WRIMM;
    self->desc = (heam_spec_desc){
        .levels = TOY_LEVELS,
        .counts = self->counts,
        .commands = TOY_COMMANDS,
        .kind = self->kind,
        .scope = self->scope,
        .row_level = self->level,
        .row_preceding = self->preceding,
        .row_following = self->following,
        .row_cycles = self->cycles,
        .row_window = self->window,
        .row_sibling = self->sibling,
        .row_id = self->id,
        .dram_rows = 32,
        .dram_columns = 16,
        .read_latency = nCL + nBL,
        .burst_cycles = nBL,
        .burst_bytes = 64,
        .refresh_interval = nREFI,
    };
    add_plain_rows(self);
    add_pim_rows(self);
    add_bank_refresh_rows(self);
}

int32_t toy_row(const toy *self, uint8_t level, uint8_t preceding, uint8_t following) {
    for (uint32_t i = 0; i < self->desc.rows; i++) {
        if (self->level[i] == level && self->preceding[i] == preceding && self->following[i] == following) {
            return self->id[i];
        }
    }
    return -1;
}

uint32_t toy_bank(uint32_t rank, uint32_t group, uint32_t bank) {
    return 4 * rank + 2 * group + bank;
}

heam_spec *toy_spec(void) {
    toy memory;
    heam_spec *spec = NULL;
    toy_init(&memory);
    return status_is(heam_spec_create(&memory.desc, &spec, NULL), "HEAM_OK") ? spec : NULL;
}

heam_channel_desc plain_channel(void) {
    return (heam_channel_desc){
        .kind = HEAM_CHANNEL_PLAIN, .period = 1, .read_queue = 8, .write_queue = 8, .write_high_percent = 80, .write_low_percent = 20};
}

heam_channel_desc pim_channel(void) {
    return (heam_channel_desc){
        .kind = HEAM_CHANNEL_PIM,
        .period = 1,
        .unit_level = BANK_GROUP,
        .merge = 1,
        .queue_depth = 4,
        .batch_tags = 2,
        .instruction_buffer = 4,
        .instruction_cycles = 2,
        .decode_cycles = 1,
        .alu_cycles = 1,
        .alu_latency = 2,
        .merge_cycles = 1,
        .mov_latency = 3,
        .res_latency = 5,
        .port_bytes_per_cycle = 32,
        .result_bursts = 4,
    };
}

heam_host_desc small_host(void) {
    return (heam_host_desc){
        .period = 1, .issue_per_cycle = 1, .outstanding = 8, .add_bytes_per_cycle = 64, .line_bytes = 64, .window = 4, .ledger_ticks = 50};
}

bool status_is(int32_t status, const char *name) {
    const char *known = heam_status_name(status);
    return known != NULL && strcmp(known, name) == 0;
}

uint64_t ticks_spent(const heam_system *system, uint32_t channels) {
    static uint64_t parts[4096];
    uint64_t sum = 0;
    for (uint32_t place = 0; place <= channels; place++) {
        uint32_t length = heam_system_spent(system, place, parts, 4096);
        for (uint32_t i = 0; i < length / 2 && length <= 4096; i++) {
            sum += parts[i];
        }
    }
    return sum;
}

uint64_t counter(const uint64_t *values, const char *name) {
    for (uint32_t i = 0; heam_counter_name(i) != NULL; i++) {
        if (strcmp(heam_counter_name(i), name) == 0) {
            return values[i];
        }
    }
    return UINT64_MAX;
}

uint64_t host_counter(const uint64_t *values, const char *name) {
    for (uint32_t i = 0; heam_host_counter_name(i) != NULL; i++) {
        if (strcmp(heam_host_counter_name(i), name) == 0) {
            return values[i];
        }
    }
    return UINT64_MAX;
}
