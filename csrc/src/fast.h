/* SPDX-License-Identifier: MIT */
/*
 * The fast engine for plain request streams: the rules of docs/engine.md for the shapes that are common.
 *
 * Every rank has rows of 16-bit lanes, one per bank: the earliest time of each command, relative to a moving base, the position of the
 * bank's oldest request that hits the open row and of the oldest that does not. A key of time, slot, class and age per lane makes one
 * minimum the answer to "what next, when and where". Banks of other ranks are all delayed alike by a command, so that the tables are
 * those of one rank. What seldom happens (refresh, change of mode, renumbering) works on the same state, in plain C.
 * docs/performance.md has the reasons and the numbers.
 */
#ifndef HEAM_FAST_H
#define HEAM_FAST_H

#include "buffer.h"
#include "timing.h"

#define FAST_BANKS 64u  /* banks of a channel, at most */
#define FAST_QUEUE 32u  /* entries of a queue, at most */
#define FAST_WINDOW 64u /* positions of a queue: those in use are in order of age */
#define FAST_CHANNELS 64u
#define FAST_DELAY_MAX 16000u

/* Key: time ahead << 8 | slot << 7 | class << 6 | position or rank. */
#define FAST_NONE 0xFFFFu  /* no candidate in this lane */
#define FAST_FAR 254u      /* times ahead are cut off here, so that no key is FAST_NONE */
#define FAST_QUEUED 0x40u  /* class: queued requests come after active ones of the same time */
#define FAST_ROW_SLOT 0x80u /* the row slot comes after the column slot of the same cycle */
#define FAST_REBASE 40000u  /* lanes are rebased when the clock is so far from their base */
#define FAST_SHIFT_MIN 12u /* free positions that are worth a move */
#define FAST_STAMP_MAX 0xFFF0u
#define FAST_READS_MIN 64u /* reads that are booked together, at least */
#define HEAM_FAST_MAINTENANCE 1568u /* as in plain.c */

#if defined(__GNUC__)
#define FAST_SELDOM(condition) __builtin_expect((condition), 0)
#else
#define FAST_SELDOM(condition) (condition)
#endif

/* Preceding commands; the first four also are the following ones with a lane per bank. */
enum { FAST_ACT, FAST_PRE, FAST_RD, FAST_WR, FAST_BANKED, FAST_PREA = FAST_BANKED, FAST_REF, FAST_COMMANDS };
enum { FAST_READS, FAST_WRITES, FAST_QUEUES };
/* What fast_serve waits for beside its limit. */
enum { FAST_WANT_NOTHING, FAST_WANT_READ_SLOT, FAST_WANT_WRITE_SLOT, FAST_WANT_IDLE };

/* Rows of lanes; the first four are of the commands above. */
enum {
    FAST_HIT = FAST_BANKED, /* oldest queued request that hits: class and position, or FAST_NONE */
    FAST_ROW,               /* oldest one that needs ACT or PREpb; FAST_NONE also while an active request waits */
    FAST_OPEN,              /* all ones where a row is open */
    FAST_AGE,               /* place of the active request among all of the channel, or FAST_NONE */
    FAST_STAMP,             /* its stamp, or FAST_NONE */
    FAST_WRITE,             /* all ones where it is a write; anything where there is none */
    FAST_KINDS
};

/* A standard as delays between lanes. Delays are 0 where nothing binds. */
typedef struct {
    uint32_t width; /* lanes of a rank: 16, 32 or 64 */
    uint32_t banks;
    uint32_t ranks;
    uint32_t rank_stride; /* banks of a rank */
    bool split;
    uint16_t row_bits; /* slot and class of row candidates */
    uint32_t read_latency;
    uint32_t refresh_interval;
    uint16_t *memory; /* of delay and window_lanes */
    /* Inside a rank: [command][bank of the rank][following][lane]; PREab and REFab have one bank */
    uint16_t *delay;
    uint16_t other[FAST_COMMANDS][FAST_BANKED]; /* of all banks of the other ranks */
    uint8_t binds[FAST_COMMANDS];  /* following commands with a delay inside the rank, as bits */
    uint8_t crosses[FAST_COMMANDS]; /* the same for the other ranks */
    /* PREab and REFab as following commands: same rank, other rank; -1: nothing binds */
    int32_t to_prea[FAST_COMMANDS][2];
    int32_t to_ref[FAST_COMMANDS][2];
    /* The activation window: ACT, the w-th last one of a node */
    uint32_t window; /* 0: none */
    uint32_t window_cycles;
    uint32_t window_stride; /* banks of a node */
    bool window_wide;       /* a node is more than a rank: the whole channel */
    uint16_t *window_lanes; /* [bank of the rank][lane]: all ones in the bank's node */
    uint8_t command[FAST_COMMANDS]; /* number in the spec */
    uint8_t rank_of[FAST_BANKS];
    uint8_t within[FAST_BANKS]; /* bank number in the rank: the lane */
    uint8_t window_node[FAST_BANKS];
} fast_tables;

typedef struct {
    uint64_t arrival;
    uint16_t column;
    uint16_t stamp; /* orders arrivals within the channel */
    uint8_t bank;
    uint8_t is_write;
} fast_entry;

typedef struct {
    uint64_t live;    /* positions in use */
    uint64_t counted; /* requests whose first command has been issued */
    uint32_t size;
    uint32_t tail; /* next position */
    uint32_t capacity;
    _Alignas(64) uint32_t rows[FAST_WINDOW];
    uint64_t of_bank[FAST_BANKS]; /* positions by bank */
    fast_entry entry[FAST_WINDOW];
} fast_queue;

typedef struct {
    uint64_t cycle;
    uint64_t latency;
} fast_read;

typedef struct fast_channel {
    uint16_t *lanes; /* [rank][kind][lane] */
    const fast_tables *tables;
    uint64_t base; /* cycle of lane value 0 */
    uint64_t now_column; /* first cycle whose column slot is still to come */
    uint64_t now_row;    /* the same for the row slot; equal or one behind */
    uint64_t next_refresh;
    uint64_t quiet; /* no command comes before this cycle; 0: not known */
    uint64_t busy; /* banks with an active request */
    uint64_t hits; /* positions of the current queue that hit the open row */
    uint32_t write_mode;
    uint32_t high; /* to writes from this many on */
    uint32_t low;  /* to reads below this many */
    fast_queue queue[FAST_QUEUES];
    uint32_t open_row[FAST_BANKS];
    fast_entry active[FAST_BANKS];
    uint32_t rank_open[FAST_BANKS];
    uint64_t rank_since[FAST_BANKS];
    uint64_t last[FAST_COMMANDS][FAST_BANKS]; /* by rank: 1 + cycle; 0: never */
    int64_t *history; /* [node][window]: times of the last ACTs */
    uint32_t history_at[FAST_BANKS];
    uint16_t *maintenance; /* ring of ranks that wait for REFab */
    uint32_t maintenance_head;
    uint32_t maintenance_size;
    uint32_t stamp;
    uint64_t last_arrival;
    uint64_t last_issue;
    uint64_t last_data; /* latest cycle in which data arrive */
    fast_read *reads; /* those that are not booked yet, in the order in which they were asked for */
    uint32_t reads_size;
    uint32_t reads_limit; /* book those that are complete when there are so many */
    uint64_t *latencies;  /* of the booked ones: HEAM_LATENCY_BINS */
    bool with_rest;       /* a request had an address of more than its place */
    uint64_t rest[FAST_WINDOW]; /* of queued writes, if so */
    uint64_t counters[HEAM_COUNTERS];
    uint16_t index;
    bool failed;
    /* with a log only */
    bool with_log;
    heam_ring log;
    heam_timing shadow; /* tells which row set a command's time */
} fast_channel;

/* The requests of one call and the front end's state. */
typedef struct {
    uint64_t i;
    uint64_t n;
    const uint16_t *channel;
    const uint16_t *bank;
    const uint32_t *row;
    const uint16_t *column;
    const uint8_t *is_write;
    const uint64_t *rest; /* or NULL */
    uint64_t cycle;  /* of the offers */
    uint32_t offers; /* left in it */
    uint32_t offers_per_cycle;
} fast_front;

/* Brings the channel to the start of `limit` (or to what is wanted, whichever comes first); then, if `front` is given, offers
   it requests as long as the next one is for this channel. False: it can make no progress. */
typedef bool fast_serve(fast_channel *self, fast_front *front, uint64_t limit, uint32_t want);

fast_serve heam_fast_serve_portable_16, heam_fast_serve_portable_32, heam_fast_serve_portable_64;
#if defined(__x86_64__) && defined(__GNUC__)
#define FAST_X86 1
fast_serve heam_fast_serve_avx2_16, heam_fast_serve_avx2_32, heam_fast_serve_avx2_64;
#endif

/* HEAM_BAD_ENGINE: the standard has a row that these tables cannot hold. */
int32_t heam_fast_tables_init(fast_tables *self, const heam_spec *spec);
void heam_fast_tables_clear(fast_tables *self);

/* What seldom happens; all of it works on the state in memory. */
/* Makes a position free in a window and a stamp. */
void heam_fast_make_room(fast_channel *self, uint32_t q);
/* Serves the other queue from now on. */
void heam_fast_change_mode(fast_channel *self);
/* Refresh and new base. True: the channel is at the limit, or idle if that was wanted; false: the next thing is an ordinary
   command before `limit`, the next refresh and the end of the lanes' range. */
bool heam_fast_settle(fast_channel *self, uint64_t limit, uint32_t want);
bool heam_fast_idle(const fast_channel *self);
/* Books the reads whose data have arrived by `clock`. */
void heam_fast_book(fast_channel *self, uint64_t clock);
/* Logs the command that a key stands for, before it is issued. */
void heam_fast_log_choice(fast_channel *self, uint32_t key, uint32_t bank, uint64_t cycle);

/* Number of the lowest bit of a mask that is not 0. */
static inline uint32_t fast_first(uint64_t bits) {
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctzll(bits);
#else
    uint32_t at = 0;
    while ((bits >> at & 1) == 0) {
        at++;
    }
    return at;
#endif
}

/* The lowest position of some and marks, or all ones if there is none. */
static inline uint32_t fast_mark(uint64_t positions, uint32_t marks) {
    return (0 - (uint32_t)(positions == 0)) | fast_first(positions | (uint64_t)1 << 63) | marks;
}

/* Would the mode change, were it decided now? */
static inline bool fast_unstable(const fast_channel *self) {
    uint32_t writes = self->queue[FAST_WRITES].size;
    bool reads = self->queue[FAST_READS].size != 0;
    return self->write_mode ? writes < self->low && reads : writes >= self->high || !reads;
}

/* Delays inside the rank of a command at a bank. */
static inline const uint16_t *fast_delays(const fast_tables *self, uint32_t command, uint32_t within, uint32_t width) {
    return self->delay + ((size_t)command * width + within) * FAST_BANKED * width;
}

static inline uint16_t *fast_row(const fast_channel *self, uint32_t rank, uint32_t kind, uint32_t width) {
    return self->lanes + ((size_t)rank * FAST_KINDS + kind) * width;
}

/* `now`: a cycle that is over when the counters are next looked at. */
static inline void fast_read_done(fast_channel *self, uint64_t cycle, uint64_t arrival, uint64_t now) {
    if (FAST_SELDOM(self->reads_size == self->reads_limit)) {
        heam_fast_book(self, now);
    }
    self->reads[self->reads_size++] = (fast_read){.cycle = cycle, .latency = cycle - arrival};
}

/* Counts a column command; its request is gone afterwards. */
static inline void fast_retire(fast_channel *self, const fast_entry *entry, uint64_t cycle) {
    if (entry->is_write) {
        self->counters[HEAM_COUNT_wr]++;
        self->counters[HEAM_COUNT_writes_retired]++;
    } else {
        self->counters[HEAM_COUNT_rd]++;
        self->counters[HEAM_COUNT_reads_retired]++;
        self->last_data = cycle + self->tables->read_latency;
        fast_read_done(self, self->last_data, entry->arrival, cycle);
    }
}

#endif
