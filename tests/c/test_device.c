/* SPDX-License-Identifier: MIT */
/* The bare device: each constraint row binds where it should, to the cycle, and nowhere else. */
#include "check.h"
#include "support.h"

static toy memory;
static heam_device *device;

static void fresh(void) {
    heam_device_destroy(device);
    device = NULL;
    heam_spec *spec = toy_spec();
    CHECK(spec != NULL);
    CHECK_IS(heam_device_create(spec, &device), "HEAM_OK");
    heam_spec_destroy(spec); /* the device keeps what it needs */
}

static void issue(uint32_t command, uint32_t bank, uint64_t row, uint64_t cycle) {
    CHECK_IS(heam_device_issue(device, command, bank, row, cycle), "HEAM_OK");
}

/* Not legal one cycle before, legal now, and the device names the row that says so. */
static void earliest_is(uint32_t command, uint32_t bank, uint64_t row, uint64_t cycle, int32_t id, int line) {
    uint64_t got = 0;
    int32_t by = -99;
    CHECK_IS(heam_device_earliest(device, command, bank, &got, &by), "HEAM_OK");
    if (got != cycle || by != id) {
        fprintf(stderr, "line %d: earliest %d by row %d, not %d by row %d\n", line, (int)got, by, (int)cycle, id);
    }
    CHECK_EQ(got, cycle);
    CHECK_EQ(by, id);
    if (cycle > 0) {
        CHECK_IS(heam_device_probe(device, command, bank, row, cycle - 1), "HEAM_TOO_EARLY");
        CHECK_IS(heam_device_issue(device, command, bank, row, cycle - 1), "HEAM_TOO_EARLY");
    }
    CHECK_IS(heam_device_probe(device, command, bank, row, cycle), "HEAM_OK");
}
#define EARLIEST(command, bank, row, cycle, id) earliest_is(command, bank, row, cycle, id, __LINE__)

static void test_bank(void) {
    uint32_t bank = toy_bank(0, 0, 0);
    fresh();
    EARLIEST(ACT, bank, 3, 0, HEAM_BOUND_NONE);
    issue(ACT, bank, 3, 10);
    EARLIEST(RD, bank, 3, 10 + nRCD, toy_row(&memory, BANK, ACT, RD));
    EARLIEST(PRE, bank, 3, 10 + nRAS, toy_row(&memory, BANK, ACT, PRE));
    issue(RD, bank, 3, 20);
    EARLIEST(PRE, bank, 3, 20 + nRTP, toy_row(&memory, BANK, RD, PRE));
    issue(PRE, bank, 3, 23);
    EARLIEST(ACT, bank, 4, 23 + nRP, toy_row(&memory, BANK, PRE, ACT));
    issue(ACT, bank, 4, 29);
    issue(WR, bank, 4, 34);
    EARLIEST(PRE, bank, 4, 34 + nWR_TO_PRE, toy_row(&memory, BANK, WR, PRE));
}

static void test_groups_and_ranks(void) {
    fresh();
    uint32_t here = toy_bank(0, 0, 0);
    uint32_t same_group = toy_bank(0, 0, 1);
    uint32_t other_group = toy_bank(0, 1, 0);
    uint32_t other_rank = toy_bank(1, 0, 0);
    issue(ACT, here, 1, 0);
    EARLIEST(ACT, same_group, 1, nRRD_L, toy_row(&memory, BANK_GROUP, ACT, ACT));
    EARLIEST(ACT, other_group, 1, nRRD_S, toy_row(&memory, RANK, ACT, ACT));
    EARLIEST(ACT, other_rank, 1, 0, HEAM_BOUND_NONE);
    issue(ACT, other_group, 1, 2);
    issue(ACT, other_rank, 1, 2);
    issue(ACT, same_group, 1, 10);
    issue(RD, here, 1, 100);
    EARLIEST(RD, here, 1, 100 + nCCD_L, toy_row(&memory, BANK_GROUP, RD, RD));
    EARLIEST(RD, same_group, 1, 100 + nCCD_L, toy_row(&memory, BANK_GROUP, RD, RD));
    /* Rows 10 and 16 of the toy are both (rank, RD, RD): the plain one and the one between sibling ranks. */
    EARLIEST(RD, other_group, 1, 100 + nCCD_S, 10);
    EARLIEST(RD, other_rank, 1, 100 + nRANK_SWITCH, 16);
    EARLIEST(WR, other_group, 1, 100 + nRD_TO_WR, toy_row(&memory, RANK, RD, WR));
    EARLIEST(WR, other_rank, 1, 2 + nRCD, toy_row(&memory, BANK, ACT, WR));
    CHECK_EQ(memory.sibling[16], 1);
}

static void test_window(void) {
    fresh();
    issue(ACT, toy_bank(0, 0, 0), 0, 0);
    issue(ACT, toy_bank(0, 1, 0), 0, 2);
    issue(ACT, toy_bank(0, 0, 1), 0, 8);
    issue(PRE, toy_bank(0, 0, 0), 0, 12);
    /* Three activations do not fill the window of four; the bank's own nRC and nRP bind at 18. */
    EARLIEST(ACT, toy_bank(0, 0, 0), 0, 18, toy_row(&memory, BANK, ACT, ACT));
    issue(ACT, toy_bank(0, 1, 1), 0, 10);
    EARLIEST(ACT, toy_bank(0, 0, 0), 0, nFAW, 15);
    CHECK_EQ(memory.window[15], 4);
    EARLIEST(ACT, toy_bank(1, 0, 0), 0, 0, HEAM_BOUND_NONE);
    issue(ACT, toy_bank(0, 0, 0), 0, nFAW);
    issue(PRE, toy_bank(0, 0, 1), 0, 30);
    /* The window slides: the fourth-last activation is now the one at cycle 2, but nRP binds later. */
    EARLIEST(ACT, toy_bank(0, 0, 1), 0, 30 + nRP, toy_row(&memory, BANK, PRE, ACT));
}

static void test_states(void) {
    fresh();
    uint32_t bank = toy_bank(1, 1, 1);
    CHECK_IS(heam_device_probe(device, RD, bank, 0, 1000), "HEAM_BAD_STATE");
    CHECK_IS(heam_device_probe(device, PRE, bank, 0, 1000), "HEAM_BAD_STATE");
    CHECK_IS(heam_device_probe(device, REF, bank, 0, 1000), "HEAM_OK");
    issue(ACT, bank, 5, 1000);
    CHECK_IS(heam_device_probe(device, ACT, bank, 5, 9000), "HEAM_BAD_STATE");
    CHECK_IS(heam_device_probe(device, RD, bank, 6, 9000), "HEAM_BAD_STATE");
    CHECK_IS(heam_device_probe(device, PIM_RD, bank, 6, 9000), "HEAM_BAD_STATE");
    CHECK_IS(heam_device_probe(device, PIM_RD, bank, 5, 9000), "HEAM_OK");
    CHECK_IS(heam_device_probe(device, REF, toy_bank(1, 0, 0), 0, 9000), "HEAM_BAD_STATE");
    CHECK_IS(heam_device_probe(device, REF, toy_bank(0, 0, 0), 0, 9000), "HEAM_OK");
    issue(PREA, toy_bank(1, 0, 0), 0, 1020);
    EARLIEST(REF, toy_bank(1, 0, 0), 0, 1020 + nRP, toy_row(&memory, RANK, PREA, REF));
    issue(REF, toy_bank(1, 0, 0), 0, 2000);
    EARLIEST(ACT, bank, 0, 2000 + nRFC, toy_row(&memory, RANK, REF, ACT));
    EARLIEST(ACT, toy_bank(0, 1, 1), 0, 0, HEAM_BOUND_NONE);
}

/* One bank, or one of every bank group of a rank. */
static void test_bank_refresh(void) {
    uint32_t here = toy_bank(0, 0, 1);
    uint32_t other_group = toy_bank(0, 1, 1);
    uint32_t other_place = toy_bank(0, 1, 0);
    uint32_t other_rank = toy_bank(1, 0, 1);
    fresh();
    issue(REFPB, here, 0, 100);
    EARLIEST(ACT, here, 0, 100 + nRFCpb, toy_row(&memory, BANK, REFPB, ACT));
    EARLIEST(ACT, other_group, 0, 100 + nRREFD, toy_row(&memory, RANK, REFPB, ACT));
    EARLIEST(ACT, other_rank, 0, 0, HEAM_BOUND_NONE);
    issue(REFSB, other_group, 0, 200); /* whichever of its banks names it */
    EARLIEST(ACT, here, 0, 200 + nRFCsb, toy_row(&memory, BANK, REFSB, ACT));
    EARLIEST(ACT, other_group, 0, 200 + nRFCsb, toy_row(&memory, BANK, REFSB, ACT));
    EARLIEST(ACT, other_place, 0, 200 + nREFSBRD, toy_row(&memory, RANK, REFSB, ACT));
    EARLIEST(REFSB, other_place, 0, 200 + nRFCsb, toy_row(&memory, RANK, REFSB, REFSB));
    EARLIEST(REFSB, other_rank, 0, 0, HEAM_BOUND_NONE);
    /* One open bank of those that it concerns is enough. */
    issue(ACT, other_group, 5, 300);
    CHECK_IS(heam_device_probe(device, REFPB, other_group, 0, 9000), "HEAM_BAD_STATE");
    CHECK_IS(heam_device_probe(device, REFPB, here, 0, 9000), "HEAM_OK");
    CHECK_IS(heam_device_probe(device, REFSB, here, 0, 9000), "HEAM_BAD_STATE");
    CHECK_IS(heam_device_probe(device, REFSB, other_place, 0, 9000), "HEAM_OK");
    issue(PRE, other_group, 0, 400);
    EARLIEST(REFSB, here, 0, 400 + nRP, toy_row(&memory, BANK, PRE, REFSB));
}

/* Commands that start in every third cycle from 1 on; the others start in any. */
static void test_alignment(void) {
    static const uint8_t beats[TOY_COMMANDS] = {
        [ACT] = 3, [PRE] = 1, [PREA] = 1, [RD] = 3, [WR] = 3, [REF] = 1,
        [PIM_RD] = 1, [PIM_MOV] = 1, [PIM_RDRES] = 1, [PIM_WRLUT] = 1, [PIM_LUT] = 1, [REFPB] = 1, [REFSB] = 1, [PIM_WRIMM] = 1,
    };
    toy slow;
    heam_spec *spec = NULL;
    heam_replay *replay = NULL;
    heam_channel_desc desc = plain_channel();
    toy_init(&slow);
    slow.desc.alignment = beats;
    CHECK_IS(heam_spec_create(&slow.desc, &spec, NULL), "HEAM_OK");
    heam_device_destroy(device);
    device = NULL;
    CHECK_IS(heam_device_create(spec, &device), "HEAM_OK");
    EARLIEST(ACT, 0, 3, 1, HEAM_BOUND_NONE);
    CHECK_IS(heam_device_probe(device, ACT, 0, 3, 12), "HEAM_TOO_EARLY");
    issue(ACT, 0, 3, 13);
    EARLIEST(RD, 0, 3, 19, toy_row(&memory, BANK, ACT, RD)); /* 13 + nRCD is 18 */
    CHECK_IS(heam_device_probe(device, RD, 0, 3, 20), "HEAM_TOO_EARLY");
    EARLIEST(PRE, 0, 3, 13 + nRAS, toy_row(&memory, BANK, ACT, PRE));
    CHECK_IS(heam_replay_create_engine(1, &desc, spec, 1, 0, HEAM_ENGINE_PORTABLE, &replay), "HEAM_BAD_ENGINE");
    CHECK_IS(heam_replay_create(1, &desc, spec, 1, 0, &replay), "HEAM_OK");
    CHECK_EQ(heam_replay_engine(replay), HEAM_ENGINE_GENERIC);
    heam_replay_destroy(replay);
    heam_spec_destroy(spec);
}

static void test_arguments(void) {
    uint64_t cycle;
    int32_t row;
    fresh();
    CHECK_IS(heam_device_create(NULL, &device), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_device_earliest(NULL, ACT, 0, &cycle, &row), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_device_earliest(device, ACT, 0, NULL, &row), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_device_earliest(device, ACT, 0, &cycle, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_device_earliest(device, TOY_COMMANDS, 0, &cycle, &row), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_device_earliest(device, ACT, 8, &cycle, &row), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_device_probe(device, ACT, 0, 32, 0), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_device_issue(device, ACT, 0, UINT64_MAX, 0), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_device_issue(NULL, ACT, 0, 0, 0), "HEAM_BAD_ARGUMENT");
    heam_device_destroy(NULL);
}

int main(void) {
    toy_init(&memory);
    test_bank();
    test_groups_and_ranks();
    test_window();
    test_states();
    test_bank_refresh();
    test_alignment();
    test_arguments();
    heam_device_destroy(device);
    return check_report();
}
