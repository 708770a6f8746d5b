/* SPDX-License-Identifier: MIT */
/* A small made-up memory and a way to make allocations fail; shared by the C tests, which use the public header only. */
#ifndef HEAM_TEST_SUPPORT_H
#define HEAM_TEST_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "heam_sim.h"

/* Command numbers of the toy. */
enum { ACT, PRE, PREA, RD, WR, REF, PIM_RD, PIM_MOV, PIM_RDRES, PIM_WRLUT, PIM_LUT, REFPB, REFSB, PIM_WRIMM, TOY_COMMANDS };
enum { CHANNEL, RANK, BANK_GROUP, BANK, TOY_LEVELS };
enum { TOY_ROWS_MAX = 64 };

/* Timing of the toy, in cycles. The values are made up so that every one of them can be told from the others. */
enum {
    nRCD = 5,
    nRAS = 12,
    nRP = 6,
    nRC = 18,
    nRTP = 3,
    nWR_TO_PRE = 14,
    nCCD_L = 7,
    nCCD_S = 4,
    nRRD_L = 8,
    nRRD_S = 2,
    nFAW = 23,
    nRD_TO_WR = 9,
    nWR_TO_RD = 16,
    nRANK_SWITCH = 6,
    nRFC = 40,
    nRFCpb = 21,
    nRREFD = 5,
    nRFCsb = 25,
    nREFSBRD = 10,
    nCL = 5,
    nBL = 4,
    nREFI = 200
};

/* Two ranks x two bank groups x two banks; rows of 16 bursts of 64 bytes. Arrays may be changed before heam_spec_create. */
typedef struct {
    heam_spec_desc desc;
    uint32_t counts[TOY_LEVELS];
    uint8_t kind[TOY_COMMANDS];
    uint8_t scope[TOY_COMMANDS];
    uint8_t level[TOY_ROWS_MAX];
    uint8_t preceding[TOY_ROWS_MAX];
    uint8_t following[TOY_ROWS_MAX];
    uint32_t cycles[TOY_ROWS_MAX];
    uint16_t window[TOY_ROWS_MAX];
    uint8_t sibling[TOY_ROWS_MAX];
    int16_t id[TOY_ROWS_MAX];
} toy;

/* Fills in the toy; its pointers point into itself, so it must not be copied. */
void toy_init(toy *self);
/* The id of the row (level, preceding, following), or -1. */
int32_t toy_row(const toy *self, uint8_t level, uint8_t preceding, uint8_t following);
/* Bank number in the channel. */
uint32_t toy_bank(uint32_t rank, uint32_t group, uint32_t bank);
/* A spec of the toy; NULL if memory is exhausted. */
heam_spec *toy_spec(void);

heam_channel_desc plain_channel(void);
/* A PE per bank group and a merge node. */
heam_channel_desc pim_channel(void);
heam_host_desc small_host(void);

/* Does a status have this name? Names are the public way to tell codes apart. */
bool status_is(int32_t status, const char *name);
/* A counter by name from an array of all counters; fails loudly (returns UINT64_MAX) for an unknown name. */
/* All ticks that the run has charged to something. */
uint64_t ticks_spent(const heam_system *system, uint32_t channels);
uint64_t counter(const uint64_t *values, const char *name);
uint64_t host_counter(const uint64_t *values, const char *name);

/* From now on the n-th allocation (from 1) fails, once; 0: none. */
void fail_allocation(uint64_t n);
/* Has the failure asked for happened? */
bool allocation_failed(void);

#define COUNTERS_MAX 128
#define CHECK_IS(call, name)                                                                                                             \
    do {                                                                                                                                 \
        int32_t check_is_status = (call);                                                                                                \
        if (!status_is(check_is_status, name)) {                                                                                         \
            fprintf(stderr, "%s:%d: %s gave %s\n", __FILE__, __LINE__, #call, heam_status_name(check_is_status));                        \
        }                                                                                                                                \
        CHECK(status_is(check_is_status, name));                                                                                         \
    } while (0)

#endif
