/* SPDX-License-Identifier: MIT */
/* Descriptions that are no DRAM standard are refused with the right code and the offending entry. */
#include "check.h"
#include "support.h"

static void expect(const toy *memory, const char *status, uint64_t where, int line) {
    heam_spec *spec = NULL;
    uint64_t detail = 999999;
    int32_t got = heam_spec_create(&memory->desc, &spec, &detail);
    if (!status_is(got, status)) {
        fprintf(stderr, "line %d: got %s instead of %s\n", line, heam_status_name(got), status);
    }
    CHECK(status_is(got, status));
    CHECK(spec == NULL);
    CHECK_EQ(detail, where);
    CHECK(status_is(heam_spec_create(&memory->desc, &spec, NULL), status)); /* detail may be NULL */
}

#define REFUSED(change, status, where)                                                                                                   \
    do {                                                                                                                                 \
        toy_init(&memory);                                                                                                               \
        change;                                                                                                                          \
        expect(&memory, status, where, __LINE__);                                                                                        \
    } while (0)

static void test_levels(void) {
    toy memory;
    REFUSED(memory.desc.levels = 2, "HEAM_BAD_LEVELS", 0);
    REFUSED(memory.desc.levels = 9, "HEAM_BAD_LEVELS", 0);
    REFUSED(memory.desc.counts = NULL, "HEAM_BAD_LEVELS", 0);
    REFUSED(memory.counts[CHANNEL] = 2, "HEAM_BAD_LEVELS", 0);
    REFUSED(memory.counts[BANK_GROUP] = 0, "HEAM_BAD_LEVELS", BANK_GROUP);
    REFUSED(memory.counts[BANK] = UINT32_MAX, "HEAM_BAD_LEVELS", BANK);
    REFUSED(memory.counts[RANK] = memory.counts[BANK_GROUP] = memory.counts[BANK] = 100, "HEAM_BAD_LEVELS", BANK_GROUP);
}

static void test_values(void) {
    toy memory;
    REFUSED(memory.desc.dram_rows = 0, "HEAM_BAD_ARGUMENT", 0);
    REFUSED(memory.desc.dram_rows = UINT64_C(1) << 40, "HEAM_BAD_ARGUMENT", 0);
    REFUSED(memory.desc.dram_columns = 0, "HEAM_BAD_ARGUMENT", 0);
    REFUSED(memory.desc.dram_columns = 65536, "HEAM_BAD_ARGUMENT", 0);
    REFUSED(memory.desc.read_latency = 0, "HEAM_BAD_ARGUMENT", 0);
    REFUSED(memory.desc.burst_cycles = 0, "HEAM_BAD_ARGUMENT", 0);
    REFUSED(memory.desc.burst_bytes = 0, "HEAM_BAD_ARGUMENT", 0);
    REFUSED(memory.desc.refresh_interval = 0, "HEAM_BAD_ARGUMENT", 0);
    REFUSED(memory.desc.split_buses = 2, "HEAM_BAD_ARGUMENT", 0);
}

static void test_commands(void) {
    toy memory;
    REFUSED(memory.desc.commands = 0, "HEAM_BAD_COMMAND", 0);
    REFUSED(memory.desc.commands = 65, "HEAM_BAD_COMMAND", 0);
    REFUSED(memory.desc.kind = NULL, "HEAM_BAD_COMMAND", 0);
    REFUSED(memory.desc.scope = NULL, "HEAM_BAD_COMMAND", 0);
    REFUSED(memory.kind[WR] = HEAM_KIND_PIM_WRIMM + 1, "HEAM_BAD_COMMAND", WR);
    REFUSED(memory.kind[WR] = HEAM_KIND_RD, "HEAM_BAD_COMMAND", WR);          /* two RD */
    REFUSED(memory.kind[REF] = HEAM_KIND_OTHER, "HEAM_BAD_COMMAND", HEAM_KIND_REF); /* no REF */
    REFUSED(memory.scope[PIM_MOV] = TOY_LEVELS, "HEAM_BAD_COMMAND", PIM_MOV);
    REFUSED(memory.scope[ACT] = RANK, "HEAM_BAD_COMMAND", ACT);
    REFUSED(memory.scope[PREA] = BANK, "HEAM_BAD_COMMAND", PREA);
    static const uint8_t never[TOY_COMMANDS] = {1, 1, 0};
    REFUSED(memory.desc.alignment = never, "HEAM_BAD_COMMAND", 2);
    REFUSED(memory.scope[REFPB] = RANK, "HEAM_BAD_COMMAND", REFPB);
    REFUSED(memory.scope[REFSB] = BANK_GROUP, "HEAM_BAD_COMMAND", REFSB);
}

static void test_rows(void) {
    toy memory;
    REFUSED(memory.desc.row_cycles = NULL, "HEAM_BAD_ROW", 0);
    REFUSED(memory.desc.row_id = NULL, "HEAM_BAD_ROW", 0);
    REFUSED(memory.level[3] = TOY_LEVELS, "HEAM_BAD_ROW", 3);
    int32_t many = toy_row(&memory, RANK, REFSB, ACT); /* it stands at several nodes: which would be the siblings? */
    REFUSED(memory.sibling[many] = 1, "HEAM_BAD_ROW", (uint64_t)many);
    REFUSED(memory.preceding[4] = TOY_COMMANDS, "HEAM_BAD_ROW", 4);
    REFUSED(memory.following[5] = TOY_COMMANDS, "HEAM_BAD_ROW", 5);
    REFUSED(memory.window[6] = 0, "HEAM_BAD_ROW", 6);
    REFUSED(memory.window[6] = 65, "HEAM_BAD_ROW", 6);
    REFUSED(memory.sibling[7] = 2, "HEAM_BAD_ROW", 7);
    REFUSED((memory.sibling[7] = 1, memory.window[7] = 4), "HEAM_BAD_ROW", 7);
    REFUSED((memory.sibling[7] = 1, memory.level[7] = CHANNEL), "HEAM_BAD_ROW", 7);
    REFUSED(memory.id[8] = -1, "HEAM_BAD_ROW", 8);
    REFUSED(memory.cycles[9] = UINT32_MAX, "HEAM_BAD_ROW", 9);
}

int main(void) {
    toy memory;
    heam_spec *spec = NULL;
    toy_init(&memory);
    CHECK(memory.desc.rows <= TOY_ROWS_MAX);
    CHECK_IS(heam_spec_create(&memory.desc, &spec, NULL), "HEAM_OK");
    CHECK(spec != NULL);
    CHECK_IS(heam_spec_create(NULL, &spec, NULL), "HEAM_BAD_ARGUMENT");
    CHECK_IS(heam_spec_create(&memory.desc, NULL, NULL), "HEAM_BAD_ARGUMENT");
    heam_spec_destroy(spec);
    heam_spec_destroy(NULL);
    memory.desc.rows = 0; /* no constraints at all is a memory, too */
    spec = NULL;
    CHECK_IS(heam_spec_create(&memory.desc, &spec, NULL), "HEAM_OK");
    heam_spec_destroy(spec);
    test_levels();
    test_values();
    test_commands();
    test_rows();
    return check_report();
}
