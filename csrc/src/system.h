/* SPDX-License-Identifier: MIT */
/* Inside a system: system.c has creation and the run, work.c the caller's items, host.c the host's cycle. */
#ifndef HEAM_SYSTEM_H
#define HEAM_SYSTEM_H

#include "channel.h"
#include "ledger.h"
#include "llc.h"
#include "stack.h"

#define NOBODY UINT32_MAX
#define MAX_CHANNELS 4096u

typedef struct {
    heam_plain *plain;
    heam_pim *pim;
    heam_channel *base;
    heam_stack *stack;   /* NULL: none */
    uint64_t next_cycle; /* HEAM_NEVER: nothing to do */
} member;

/* A GnR in flight. */
typedef struct {
    uint64_t gnr;
    uint64_t arrival;
    uint64_t waiting; /* bursts that the host has not yet received */
    bool issued;      /* all its items */
} flight;

/* A GnR whose sum is complete at a host cycle. */
typedef struct {
    uint64_t cycle;
    uint32_t slot;
    uint32_t by; /* its number in the ledger */
} finish;

/* What the GnR that was admitted last gathers at one unit or in one channel. */
typedef struct {
    uint64_t stamp;  /* GnR + 1 */
    uint64_t bursts; /* of the result, a bit each */
    uint32_t parts;  /* at a stack node: results of channels */
} gathering;

/* The caller's items, copied. */
typedef struct {
    uint64_t gnrs;
    uint64_t count;
    uint64_t gnr_capacity;
    uint64_t capacity;
    uint64_t *offsets;
    uint64_t *arrivals; /* per GnR, if `timed` */
    bool timed;
    heam_order *orders;
    uint64_t *lines;
    uint16_t *channels;
} work;

struct heam_system {
    heam_host_desc desc;
    uint32_t channels;
    member *members;
    uint64_t *next_tick;   /* per channel: of its next cycle; HEAM_NEVER: nothing to do */
    bool lockstep;         /* host and channels take every tick together; else the host is ahead (docs/engine.md, "Time") */
    uint64_t tick;         /* lockstep: the smallest of next_tick, or less */
    uint64_t *reach;       /* per channel: ticks after a cycle before which none of its bursts can be at the host */
    uint64_t safe;         /* host ahead: no burst that is not on its way yet can be at the host before this tick */
    uint64_t *burst_tick;  /* per channel: when the host has its next burst; HEAM_NEVER: none is on its way */
    uint64_t next_burst;   /* the smallest of burst_tick */
    uint32_t *unit_base;   /* first stamp of a channel's units */
    gathering *of_unit;
    gathering *of_channel;
    gathering *of_stack;   /* and how many results it will get; [channels] */
    heam_stack **stacks;   /* by number, less 1; NULL where no channel has that number; [channels] */
    uint32_t stacks_size;
    heam_immediates immediates;
    uint32_t making;       /* the immediate whose reads are being issued; NOBODY */
    heam_llc llc;
    heam_ring log;
    heam_ring latencies;
    bool with_log;
    flight *flights;
    uint32_t *vacant;
    uint32_t vacant_size;
    heam_ring finishes;    /* in order of cycle */
    work work;
    work spare;            /* the arrays of the piece before */
    bool last_input;
    uint64_t position;     /* next GnR of the work */
    uint64_t item;         /* next item of the GnR that is being issued */
    uint32_t line;         /* next line of that item */
    uint32_t issuing;      /* flight slot; NOBODY */
    uint64_t admitted;
    uint64_t finished;
    uint64_t adder;        /* bytes: host cycle x add_bytes_per_cycle at which the adder is free */
    uint64_t outstanding;
    uint64_t host_cycle;   /* HEAM_NEVER: nothing to do */
    uint32_t tokens;       /* left in the host cycle that was interrupted for input */
    bool resume;           /* the host cycle is to be continued at its issue step */
    uint32_t blocked_on;   /* channel whose instruction buffer was full; NOBODY */
    heam_stack *blocked_on_stack; /* whose accumulators were all taken; NULL */
    uint64_t ended_at;     /* tick of the host's last cycle */
    uint64_t time;
    uint64_t counters[HEAM_HOST_COUNTERS];
    heam_ledger ledger;
    uint32_t issued_by;    /* the ledger's numbers: of the last cycle in which something was issued, */
    uint32_t adder_by;     /* of what the adder works on since, */
    uint32_t collected_by; /* of the burst that came last, */
    uint32_t retired_by;   /* of the GnR that finished last */
    uint64_t issued_at;    /* host cycle of issued_by; HEAM_NEVER */
    uint32_t waits;        /* wait_reason: why issue stopped */
    uint32_t buffer_of;    /* WAIT_BUFFER: the channel */
    heam_stack *stack_waited; /* WAIT_STACK: whose accumulators were taken */
    bool failed;
};

/* Why the host stopped issuing. */
typedef enum { WAIT_TOKENS, WAIT_ARRIVAL, WAIT_WINDOW, WAIT_BUFFER, WAIT_STACK, WAIT_OUTSTANDING } wait_reason;

static inline uint64_t ceil_div(uint64_t a, uint64_t b) {
    return a / b + (a % b != 0);
}

/* A channel must look again in a cycle. */
static inline void wake_channel(heam_system *self, uint32_t channel, uint64_t cycle) {
    member *m = &self->members[channel];
    if (cycle < m->next_cycle) {
        m->next_cycle = cycle;
        uint64_t tick = self->next_tick[channel] = cycle * m->base->desc.period;
        self->tick = tick < self->tick ? tick : self->tick;
        self->safe = tick + self->reach[channel] < self->safe ? tick + self->reach[channel] : self->safe;
    }
}

/* Lets a channel run all its cycles before a tick. */
void heam_system_catch_up(heam_system *self, uint32_t channel, uint64_t tick);
/* Checks the caller's arrays; *detail (may be NULL) gets the item that was refused. */
int32_t heam_work_validate(const heam_system *self, const heam_items *items, uint64_t *detail);
/* Copies checked items into the arrays that are there, or into new ones. */
int32_t heam_work_copy(work *to, const heam_items *items);
void heam_work_clear(work *self);
/* The next burst of channel `c` is another one than before. */
static inline void heam_note_burst(heam_system *self, uint32_t c) {
    const heam_channel *base = self->members[c].base;
    uint64_t tick = HEAM_NEVER;
    if (base->bursts.size > 0) {
        const heam_burst *burst = heam_ring_at(&base->bursts, 0);
        tick = burst->cycle * base->desc.period;
    }
    self->burst_tick[c] = tick;
}

/* The host's cycle `host_cycle`, or its rest. False: input is needed before it can be finished. */
bool heam_host_run(heam_system *self);

#endif
