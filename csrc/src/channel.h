/* SPDX-License-Identifier: MIT */
/* What plain and PIM channels have in common, and their interfaces towards the host. */
#ifndef HEAM_CHANNEL_H
#define HEAM_CHANNEL_H

#include "buffer.h"
#include "immediates.h"
#include "ledger.h"
#include "timing.h"

static inline uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Reasons that are no rows: HEAM_BOUND_*. */
#define HEAM_BOUND_CODES 6u

/* One operand as the host hands it to a channel. */
typedef struct {
    uint64_t line;   /* names the row in PE caches */
    uint64_t pushed; /* first channel cycle that may see it */
    uint64_t rest; /* of the address, beside the place: see heam_replay_run */
    uint64_t adds;   /* bursts of the pooled vector that it adds to, a bit each; 0: none (LOAD, MUL) */
    uint32_t gnr_slot; /* the host's table entry */
    uint32_t by;       /* the ledger's number of its issue by the host */
    uint32_t immediate; /* IMMEDIATE, or a host read for one: its number + 1 (of the caller's items: 1); 0: none */
    uint32_t tag;
    uint32_t row;
    uint32_t slot;
    uint16_t bank;
    uint16_t column;
    uint16_t bursts;
    uint16_t unit;
    uint16_t alu; /* cycles per burst; 0: the channel's */
    uint8_t kind;
    uint8_t role;
    uint8_t last_of_unit;
    uint8_t last_of_channel;
    uint8_t flags;
} heam_order;

/* A burst on its way to the host. */
typedef struct {
    uint64_t cycle; /* of the channel: when the host has it. Stands first */
    uint64_t arrival; /* of the request, in the channel's cycles */
    uint32_t gnr_slot;
    uint32_t by; /* the ledger's number of its command */
    uint32_t immediate; /* that it is read for: number + 1; 0: none */
    bool unadded;       /* does not pass the host's adder */
} heam_burst;

typedef struct {
    heam_channel_desc desc;
    heam_timing timing;
    uint16_t index;
    heam_ring orders;   /* from the host, in order */
    uint32_t instructions; /* among the orders: all that are not CARRIED */
    heam_ring bursts;   /* to the host: reads of a plain channel, results of a PIM channel */
    heam_ring *log;     /* of the run, or NULL */
    uint64_t *bounds;   /* commands by what set their time: `bound` at index bound + HEAM_BOUND_CODES */
    uint64_t *bank_since; /* per bank: when its row was opened */
    uint64_t *bank_reads; /* per bank: RD and PIM_RD */
    uint64_t *window_sums; /* energy in the present window of cycles n * L + 1 to (n + 1) * L: of the channel, then of every rank; NULL */
    uint64_t window_end;   /* its last cycle */
    heam_ledger *ledger; /* of the run, or NULL */
    uint32_t last;      /* the ledger's number of the last command */
    uint32_t row_by;    /* the ledger's number of the command from which the row counts that sets the next one's time */
    uint32_t because;   /* what the next command waited for if no row says so, and why */
    int16_t reason;
    uint64_t counters[HEAM_COUNTERS];
    bool failed;        /* memory was exhausted in mid-cycle */
} heam_channel;

int32_t heam_channel_init(heam_channel *self, const heam_channel_desc *desc, const heam_spec *spec, uint16_t index, heam_ring *log);
void heam_channel_clear(heam_channel *self);
/* Notes an event of this channel in the ledger. */
static inline uint32_t heam_channel_event(heam_channel *self, uint64_t cycle, uint32_t cause, int16_t reason) {
    return heam_ledger_note(self->ledger, cycle * self->desc.period, cause, reason, self->index);
}

/* Finds out from which command the row counts that sets a command's time. */
static inline void heam_channel_find_cause(heam_channel *self, uint32_t kind, uint32_t bank) {
    if (self->ledger != NULL) {
        self->row_by = heam_timing_cause(&self->timing, self->timing.spec->of_kind[kind], bank);
    }
}

/* Says what the next command waited for, in case that no row does. */
static inline void heam_channel_because(heam_channel *self, uint32_t cause, int16_t reason) {
    self->because = cause;
    self->reason = reason;
}

/* Issues `command`, counts it, logs it. `bound` as in heam_log_record. */
void heam_channel_issue(heam_channel *self, uint32_t kind, uint64_t cycle, const heam_log_record *record);
/* Counts what set its time, and logs it; also for what is no DRAM command (HEAM_LOG_*). */
void heam_channel_note(heam_channel *self, uint32_t command, uint64_t cycle, const heam_log_record *record);
/* Hits, misses and conflicts: by the bank's state before a request's first command. */
void heam_channel_count_row(heam_channel *self, uint32_t bank, uint32_t row);
void heam_channel_push_burst(heam_channel *self, const heam_burst *burst);
/* `cycle`: until when open banks are counted. */
uint32_t heam_channel_counters(const heam_channel *self, uint64_t cycle, uint64_t *out, uint32_t capacity);
uint32_t heam_channel_bounds(const heam_channel *self, uint64_t *out, uint32_t capacity);

typedef struct heam_plain heam_plain;
typedef struct heam_pim heam_pim;

int32_t heam_plain_create(const heam_channel_desc *desc, const heam_spec *spec, uint16_t index, heam_ring *log, heam_plain **out);
void heam_plain_destroy(heam_plain *self);
heam_channel *heam_plain_base(heam_plain *self);
/* Everything of cycle `cycle`, accepting at most one order a cycle, and of all later ones before `limit`. Returns the next cycle in
   which something can happen (HEAM_NEVER: not before the next order). */
uint64_t heam_plain_run(heam_plain *self, uint64_t cycle, uint64_t limit);
/* The compatibility front end splits a cycle: begin, any number of offers, schedule. */
void heam_plain_begin(heam_plain *self, uint64_t cycle);
/* False: the queue is full. `stamp` is the clock at the time of the offer. */
bool heam_plain_offer(heam_plain *self, const heam_order *order, bool is_write, uint64_t stamp);
uint64_t heam_plain_schedule(heam_plain *self, uint64_t cycle);
/* Would a read of this burst be answered from the write queue now? */
bool heam_plain_forwards(const heam_plain *self, const heam_order *order);
bool heam_plain_idle(const heam_plain *self);

int32_t heam_pim_create(const heam_channel_desc *desc, const heam_spec *spec, uint16_t index, heam_ring *log, heam_pim **out);
void heam_pim_destroy(heam_pim *self);
heam_channel *heam_pim_base(heam_pim *self);
uint32_t heam_pim_units(const heam_pim *self);
/* The ledger's number of its last delivery. */
uint32_t heam_pim_delivered_by(const heam_pim *self);
/* The host has what an immediate of this channel is made of, from this cycle on. */
void heam_pim_immediate_there(heam_pim *self, uint64_t cycle);
/* Where IMMEDIATE items find out about their vectors. */
void heam_pim_set_immediates(heam_pim *self, heam_immediates *immediates);
/* As heam_plain_run. */
uint64_t heam_pim_run(heam_pim *self, uint64_t cycle, uint64_t limit);

#endif
