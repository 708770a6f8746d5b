/* SPDX-License-Identifier: MIT */
/* Inside of a plain channel: what its front end (plain.c), its refreshes (refresh.c) and its policies (policy.c) share. */
#ifndef HEAM_PLAIN_H
#define HEAM_PLAIN_H

#include "channel.h"

#define MAINTENANCE_MAX 1568u /* as the controller this one is compatible with */

enum { SLOT_COLUMN = 1, SLOT_ROW = 2 };
enum { QUEUE_READ, QUEUE_WRITE, QUEUE_ACTIVE, QUEUES };

/* Requests in order of entry. `order` lists pool entries; the hot fields lie in arrays of their own. */
typedef struct {
    uint32_t size;
    uint32_t capacity;
    uint16_t *order;
} queue;

typedef struct {
    heam_order what;
    uint64_t arrival; /* clock stamp */
    uint8_t is_write;
    uint8_t counted;
    uint8_t next; /* HEAM_KIND_* of its next command, valid while ready > 0 */
    int16_t bound;
} request;

typedef struct {
    uint32_t queue;
    uint32_t position;
    uint32_t kind;
    int16_t bound;
    bool found;
} choice;

/* A due cycle as an exact fraction: cycle + rest / divisor. */
typedef struct {
    uint64_t cycle;
    uint64_t rest;
} due_time;

typedef struct {
    due_time next;   /* the next refresh that falls due */
    due_time oldest; /* the oldest one that is owed and not in the maintenance queue; `next` if there is none */
    uint64_t owed;
    uint64_t queued; /* of these, in the maintenance queue */
    uint32_t turn;
    bool urgent;     /* refresh of banks: the oldest may wait no longer */
} rank_refresh;

typedef struct {
    uint32_t kind;   /* HEAM_KIND_REF, REFPB or REFSB */
    uint32_t turns;
    uint64_t step;   /* from one due cycle of a rank to the next, in units of 1 / divisor */
    uint64_t divisor;
    uint64_t wait;   /* cycles from due to urgent */
    uint64_t event;  /* nothing falls due or becomes urgent before */
    uint64_t owed;   /* over all ranks */
    uint64_t queued;
    uint32_t urgent_ranks;
    uint64_t unwanted_at; /* no refresh that can wait could go on before; 0: look again */
    rank_refresh *ranks;
} refresh_state;

struct heam_plain {
    heam_channel base;
    queue queues[QUEUES];
    request *pool;
    uint64_t *ready; /* per pool entry: lower bound of its next command's time; 0 = look again */
    uint16_t *vacant; /* stack of unused pool entries */
    uint32_t vacant_size;
    uint32_t *active_in_bank;
    uint32_t *active_in_rank;
    uint32_t *requests_in_bank; /* queued or active */
    uint8_t *held;              /* per bank: an urgent refresh lets nothing new start there */
    uint16_t *maintenance; /* ring of ranks that wait for REFab */
    uint32_t maintenance_head;
    uint32_t maintenance_size;
    refresh_state refresh;
    uint32_t *served;   /* per bank: column commands since its ACT */
    uint64_t *last_use; /* per bank: its last ACT, RD or WR */
    uint64_t *mark;     /* per bank: the scan that last saw what it looked for */
    uint64_t scan;
    uint64_t close_at;  /* the row policy closes nothing before; 0: look again */
    bool choosy;        /* the scheduler or the row policy passes requests over, or looks for hits first */
    uint64_t last_cycle;
    bool write_mode;
};

/* A bank's state or its active requests changed: what waits for it must be looked at again. */
void heam_plain_wake_bank(heam_plain *self, uint32_t bank);
void heam_plain_wake_all(heam_plain *self);
/* Sets an entry's next command and its earliest time, for a caller in `cycle` (HEAM_NEVER while it must not go on). */
void heam_plain_look(heam_plain *self, uint32_t q, uint32_t entry, uint64_t cycle);
/* Something was issued or has arrived: what was found out about idle banks may be wrong. */
void heam_plain_stir(heam_plain *self);

int32_t heam_refresh_init(heam_plain *self);
void heam_refresh_clear(heam_plain *self);
/* What falls due or becomes urgent in this cycle, if its time has come. */
void heam_refresh_tick(heam_plain *self, uint64_t cycle);
/* Advances the head of the maintenance queue, or one urgent refresh of banks, by a command. */
bool heam_refresh_maintain(heam_plain *self, uint64_t cycle);
/* Advances a refresh that could still wait, of banks that nobody wants. */
bool heam_refresh_unwanted(heam_plain *self, uint64_t cycle);
/* After a cycle in which nothing was issued: when can a refresh go on? */
uint64_t heam_refresh_next(const heam_plain *self);
/* PREpb for no request. */
void heam_plain_precharge(heam_plain *self, uint32_t bank, int16_t bound, uint64_t cycle);

/* As the default pick of a queue, for the other schedulers and with capped rows. */
bool heam_policy_pick(heam_plain *self, uint32_t q, uint64_t cycle, int slots, choice *out);
uint64_t heam_policy_earliest(heam_plain *self, uint32_t q);
/* Closes a bank by the row policy. */
bool heam_policy_close(heam_plain *self, uint64_t cycle);

static inline int slot_of(uint32_t kind) {
    return kind == HEAM_KIND_RD || kind == HEAM_KIND_WR ? SLOT_COLUMN : SLOT_ROW;
}

/* Why a command came at `cycle` though its row allowed it before. */
static inline int16_t late_bound(const request *r, uint64_t cycle) {
    return r->arrival + 1 == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_SLOT;
}

#endif
