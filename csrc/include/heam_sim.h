/* SPDX-License-Identifier: MIT */
/*
 * heam_sim: the whole public surface of the C core.
 *
 * Contracts that hold everywhere:
 * - Handles are opaque; *_create sets *out only on HEAM_OK; *_destroy(NULL) is allowed.
 * - Functions return a status (0 is HEAM_OK); heam_status_name() and heam_status_text() describe it.
 * - Arrays belong to the caller and are copied or consumed within the call; no pointer is kept.
 * - Cycles are of the named clock, ticks are the common base of all clocks. Integers only.
 * - One thread per handle at a time; different handles are independent. There are no globals.
 */
#ifndef HEAM_SIM_H
#define HEAM_SIM_H

#include <stdint.h>

#if defined(HEAM_API) /* given by a build that keeps all within, e.g. the Python extension */
#elif defined(__GNUC__)
#define HEAM_API __attribute__((visibility("default")))
#else
#define HEAM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* cffi-begin */
#define HEAM_KIND_ACT 0
#define HEAM_KIND_PRE 1
#define HEAM_KIND_PREA 2
#define HEAM_KIND_RD 3
#define HEAM_KIND_WR 4
#define HEAM_KIND_REF 5
#define HEAM_KIND_PIM_RD 6
#define HEAM_KIND_PIM_MOV 7
#define HEAM_KIND_PIM_RDRES 8
#define HEAM_KIND_PIM_WRLUT 9
#define HEAM_KIND_PIM_LUT 10
#define HEAM_KIND_OTHER 11
#define HEAM_KIND_REFPB 12 /* refresh of one bank */
#define HEAM_KIND_REFSB 13 /* refresh of the same bank of every bank group */
#define HEAM_KIND_PIM_WRIMM 14
#define HEAM_KINDS 15

#define HEAM_ITEM_HOST_READ 0
#define HEAM_ITEM_PIM_READ 1
#define HEAM_ITEM_PIM_LUT 2
/* A vector that the host makes of the host reads directly before it, as many as `row` says, and sends to the PE. */
#define HEAM_ITEM_PIM_IMMEDIATE 3

#define HEAM_ROLE_ACC 0
#define HEAM_ROLE_LOAD 1
#define HEAM_ROLE_MAC 2
#define HEAM_ROLE_MUL 3
#define HEAM_ROLE_FILL 4
#define HEAM_ROLE_NONE 255 /* PREpb that no request asked for: row policy, refresh of a bank */

/* The item came with the instruction of the item before it, of the same GnR and channel. */
#define HEAM_FLAG_CARRIED 1
/* The item's row may be kept in the PE's cache. */
#define HEAM_FLAG_CACHE 2
/* Of a host read: its bytes do not pass the host's adder. */
#define HEAM_FLAG_UNADDED 4

/* Values for a whole block, for each of its entries, for each lookup (see heam_column). */
#define HEAM_OF_BLOCK 0
#define HEAM_OF_ENTRY 1
#define HEAM_OF_LOOKUP 2

#define HEAM_CHANNEL_PLAIN 0
#define HEAM_CHANNEL_PIM 1

/* Policies of plain channels (docs/engine.md). */
#define HEAM_SCHEDULER_FRFCFS 0
#define HEAM_SCHEDULER_FCFS 1
#define HEAM_SCHEDULER_FRFCFS_CAP 2

#define HEAM_ROWS_OPEN 0
#define HEAM_ROWS_CLOSED 1
#define HEAM_ROWS_TIMEOUT 2
#define HEAM_ROWS_CAPPED 3

#define HEAM_REFRESH_NONE 0
#define HEAM_REFRESH_ALL_BANK 1
#define HEAM_REFRESH_PER_BANK 2
#define HEAM_REFRESH_SAME_BANK 3

#define HEAM_STATE_NEED_INPUT 0
#define HEAM_STATE_PAUSED 1
#define HEAM_STATE_DONE 2

/* How plain request streams are simulated; all give the same results. AUTO takes the fastest that fits memory and processor. */
#define HEAM_ENGINE_AUTO 0
#define HEAM_ENGINE_GENERIC 1
#define HEAM_ENGINE_PORTABLE 2
#define HEAM_ENGINE_AVX2 3

/* Histograms of read latencies, in cycles: a bin for each value below EXACT, then OCTAVE bins of equal width for every doubling, so
   that no bin is wider than 1/OCTAVE of its least value; 64 bits in all. */
#define HEAM_LATENCY_EXACT 4096
#define HEAM_LATENCY_OCTAVE 64
#define HEAM_LATENCY_BINS 7424

/* The log's command number of a host access that the LLC served. */
#define HEAM_LOG_LLC_HIT 255
/* The log's command numbers of rows that a PE had: from its cache, or from an identical operand's read. */
#define HEAM_LOG_PE_HIT 254
#define HEAM_LOG_MERGED 253
/* The log's command number of a burst on the crossbar of a stack. */
#define HEAM_LOG_PIM_XMOV 252
/* The log's unit number where no PE is concerned. */
#define HEAM_NO_UNIT 65535

/* `bound` of a logged command where no constraint row set its time. */
#define HEAM_BOUND_NONE -1
#define HEAM_BOUND_ARRIVAL -2
#define HEAM_BOUND_SLOT -3
#define HEAM_BOUND_PATH -4
#define HEAM_BOUND_LUT -5
#define HEAM_BOUND_REGISTER -6

typedef struct heam_spec heam_spec;
typedef struct heam_device heam_device;
typedef struct heam_system heam_system;
typedef struct heam_replay heam_replay;
typedef struct heam_row_set heam_row_set;
typedef struct heam_row_stack heam_row_stack;

/* A memory standard as data. Level 0 is the channel, level 1 the rank or pseudo channel, the last the bank. */
typedef struct {
    uint32_t levels;            /* 3..8 */
    const uint32_t *counts;     /* levels entries: nodes per parent; counts[0] = 1 */
    uint32_t commands;          /* 1..64 */
    const uint8_t *kind;        /* per command: HEAM_KIND_* (each kind but OTHER at most once) */
    const uint8_t *scope;       /* per command: level */
    uint32_t rows;              /* constraint rows, one per (preceding, following) pair */
    const uint8_t *row_level;
    const uint8_t *row_preceding;
    const uint8_t *row_following;
    const uint32_t *row_cycles;
    const uint16_t *row_window; /* >= 1 */
    const uint8_t *row_sibling; /* 0 or 1 */
    const int16_t *row_id;      /* reported as `bound`; >= 0 */
    uint64_t dram_rows;         /* per bank */
    uint32_t dram_columns;      /* per row, in bursts */
    uint32_t split_buses;       /* 1: a column and a row command slot per cycle */
    uint32_t read_latency;      /* cycles from RD to the last beat: nCL + nBL */
    uint32_t burst_cycles;      /* nBL */
    uint32_t burst_bytes;
    uint32_t refresh_interval;  /* nREFI, cycles */
    const uint8_t *alignment;   /* per command: it starts in cycles 1, 1 + alignment, ... only; NULL: all 1 */
} heam_spec_desc;

typedef struct {
    uint32_t kind;               /* HEAM_CHANNEL_* */
    uint32_t period;             /* ticks per cycle */
    uint32_t energy_window;      /* cycles over which energy is summed for its peak; 0: energy is not counted */
    uint64_t energy[HEAM_KINDS]; /* what a command of each kind costs, in a unit of the caller's; up to 2^40 */
    uint32_t refresh;            /* HEAM_REFRESH_*; pim: none or all-bank */
    uint32_t read_queue;         /* plain: entries, 1..16384 */
    uint32_t write_queue;        /* plain: entries */
    uint32_t write_high_percent; /* plain: switch to writes above this fill */
    uint32_t write_low_percent;  /* plain: back to reads below this fill */
    uint32_t unit_level;         /* pim: level of the PEs */
    uint32_t merge;              /* pim: 1 if the channel has a merge node */
    uint32_t queue_depth;        /* pim: operands queued per PE */
    uint32_t batch_tags;         /* pim: GnRs in flight per channel */
    uint32_t instruction_buffer; /* pim: instructions the host can have waiting */
    uint32_t instruction_cycles; /* pim: cycles one instruction occupies its path */
    uint32_t path_uses_dq;       /* pim: 1: instructions also travel over the data pins and keep clear of results */
    uint32_t decode_cycles;
    uint32_t alu_cycles;         /* per burst */
    uint32_t alu_latency;
    uint32_t merge_cycles;       /* per burst */
    uint32_t mov_latency;
    uint32_t res_latency;
    uint32_t port_bytes_per_cycle; /* pim: of a PE's LUT and cache port; 0: there is none, and LUT items are refused */
    uint32_t lut_load;           /* bursts to load per rank before the first instruction */
    uint32_t result_bursts;      /* bursts of a pooled vector, 1..64 */
    uint32_t second_stage_cycles; /* pim: cycles an instruction then occupies the path of its rank; 0: there is none */
    uint32_t host_driven;        /* pim: 1: no instruction path (instruction_cycles is 0), commands share the channel's command bus */
    uint32_t cache_sets;         /* pim: of every PE's cache of operand rows; 0: there is none, and FILL is refused */
    uint32_t cache_ways;
    uint32_t merge_identical;    /* pim: 1: an operand whose row is already queued at its PE is not read again */
    uint32_t scheduler;          /* plain: HEAM_SCHEDULER_* */
    uint32_t row_hit_cap;        /* plain, frfcfs-cap: column commands of a row after which younger hits no longer overtake */
    uint32_t row_policy;         /* plain: HEAM_ROWS_* */
    uint32_t row_timeout;        /* plain, timeout: cycles */
    uint32_t row_cap;            /* plain, capped: column commands, >= 1 */
    uint32_t refresh_stagger;    /* plain: 1: the ranks' due cycles lie evenly apart */
    uint32_t refresh_postpone;   /* plain: intervals that a refresh may wait, 0..8 */
    uint32_t refresh_interval;   /* plain: cycles in which every bank is refreshed once; 0: the standard's nREFI */
    uint32_t stack;              /* pim: number of its stack node, from 1 to the number of channels; 0: the host reads its results */
    uint32_t stack_tags;         /* of a stack: accumulators, 1..65536; this and the rest are the same in all its channels */
    uint32_t stack_cycles;       /* of a stack: of its adder, per burst */
    uint32_t xmov_cycles;        /* of a stack: of its crossbar, per burst, >= 1 */
    uint32_t xmov_latency;       /* of a stack: cycles from there to the adder */
    uint32_t imm_latency;        /* pim: cycles from a PIM_WRIMM to its burst */
} heam_channel_desc;

typedef struct {
    uint32_t period;          /* ticks per host cycle */
    uint32_t issue_per_cycle; /* tokens */
    uint32_t outstanding;     /* bursts */
    uint32_t add_bytes_per_cycle;
    uint32_t line_bytes;
    uint32_t llc_sets;        /* 0: no LLC */
    uint32_t llc_ways;
    uint32_t window;          /* GnRs in flight */
    uint32_t batch;           /* 0: sliding window; else barrier every so many GnRs */
    uint32_t ledger_ticks;    /* at most about so far apart lie the walks that charge the time; 0: no account of it */
} heam_host_desc;

/* A map from byte addresses to places in which every bit of a burst's address has an image, and a place is the XOR of the images of
   the bits that are set. */
typedef struct {
    uint32_t burst_bits;     /* log2 of a burst's bytes: the lowest bits of an address */
    uint32_t bits;           /* of the burst's address inside the capacity, next to them; with burst_bits at most 63 */
    const uint16_t *channel; /* per bit */
    const uint16_t *bank;    /* per bit: flat in its channel */
    const uint32_t *row;     /* per bit */
    const uint16_t *column;  /* per bit: in bursts */
} heam_map_desc;

/* Work of `gnrs` bags; item i of bag g: offsets[g] <= i < offsets[g + 1]. NULL for an array from `segment` on: all zero. */
typedef struct {
    uint64_t gnrs;
    const uint64_t *offsets;
    const uint8_t *kind;
    const uint8_t *role;
    const uint16_t *channel;
    const uint16_t *bank;
    const uint32_t *row;
    const uint16_t *column;
    const uint16_t *bursts;
    const uint16_t *unit;
    const uint32_t *slot;
    const uint64_t *line;   /* host reads: line address; PIM_READ: a number of the row's own, for PE caches and merging */
    const uint8_t *segment; /* first burst of the pooled vector that the operand adds to */
    const uint8_t *covers;  /* how many bursts of it; 0: as many as `bursts` */
    const uint16_t *alu;    /* ALU cycles per burst; 0: the channel's alu_cycles */
    const uint8_t *flags;   /* HEAM_FLAG_* */
    const uint64_t *arrival; /* per bag: tick before which the host does not start it, below 2^62; NULL: all are there from the start */
} heam_items;

/* What work asks of every resource (see heam_demand_add). */
typedef struct {
    uint32_t channels;
    uint32_t units; /* of the channel with the most */
    uint32_t banks; /* of the channel with the most */
    uint32_t line_bytes;
    uint32_t port_bytes_per_cycle;
    uint32_t stack_first; /* channel of a stack */
    uint32_t stack_channels; /* 0: no stack */
    uint64_t gnrs; /* before these: a stack's channels take turns in reading out sums */
    uint64_t dram_rows; /* of the bank with the most */
    const uint32_t *burst_bytes; /* (channels) */
    /* Sums, added to: of PEs (channels, units), then of channels. */
    uint64_t *reads; /* bursts from banks */
    uint64_t *port_cycles;
    uint64_t *alu_bursts; /* of operands without an ALU time of their own */
    uint64_t *alu_cycles; /* of the others */
    uint64_t *instructions;
    uint64_t *operands; /* from banks, the host's too */
    uint64_t *host_bursts;
    uint64_t *partials; /* bursts of sums that leave PEs */
    uint64_t *results; /* bursts of what is left when those of a channel are put together */
    uint64_t *stack_sums; /* bursts of what is left when those of a stack's channels are, where they are read out */
    uint64_t *immediates; /* bursts that the host sends to PEs */
    uint64_t host_lines;
    uint64_t added_lines; /* those of them that the host adds */
    uint64_t shortest; /* fewest bursts that a PE reads for an entry of pe_rows so far; 0: none */
    /* Lists, written from their start, with room for as many entries as there are items; only `rows` must be there. */
    uint64_t *rows; /* DRAM rows: (channel * banks + bank) * dram_rows + row */
    uint64_t banked; /* entries of rows */
    uint64_t *lines; /* channel << 48 | first host line */
    uint32_t *line_counts;
    uint64_t host_items; /* entries of both */
    uint64_t *pe_rows; /* (channel * units + unit) << 44 | line, of reads from banks */
    uint64_t pe_items;
} heam_demand;

/* Entries of which each belongs to a lookup, and where they go: to start[lookup] (lookup * step without it) + offset + rank. */
typedef struct {
    uint64_t entries;
    uint64_t lookups;
    uint64_t room;         /* behind the last place */
    const uint64_t *which; /* per entry: its lookup; NULL: entry i is of lookup i */
    const uint64_t *start; /* per lookup; NULL: see step */
    uint64_t step;
    uint64_t offset;
    const uint64_t *rank;  /* per entry; NULL: 0 */
} heam_block;

/* One array of `room` integers that a block's values are put into. */
typedef struct {
    const void *from;
    void *to;
    uint32_t bytes; /* of a value: 1, 2, 4 or 8 */
    uint32_t of;    /* HEAM_OF_*: what there is a value for in `from` */
} heam_column;

typedef struct {
    uint64_t clock;
    uint32_t row;
    uint32_t tag;
    uint32_t slot;
    uint16_t channel;
    uint16_t bank;
    uint16_t column;
    uint16_t unit;
    int16_t bound;
    uint8_t command;
    uint8_t role;
} heam_log_record;

typedef struct {
    uint64_t gnr;
    uint64_t arrival; /* tick: given with the work, or when the host started it */
    uint64_t finish;  /* tick */
} heam_latency_record;

/* Names, units and descriptions; NULL beyond the last. */
HEAM_API const char *heam_status_name(int32_t status);
HEAM_API const char *heam_status_text(int32_t status);
HEAM_API const char *heam_kind_name(uint32_t kind);
/* What time may go to beside constraint rows, in the order of heam_system_spent. */
HEAM_API const char *heam_reason_name(uint32_t reason);
HEAM_API const char *heam_reason_text(uint32_t reason);
HEAM_API const char *heam_counter_name(uint32_t counter);
HEAM_API const char *heam_counter_unit(uint32_t counter);
HEAM_API const char *heam_counter_text(uint32_t counter);
HEAM_API const char *heam_host_counter_name(uint32_t counter);
HEAM_API const char *heam_host_counter_unit(uint32_t counter);
HEAM_API const char *heam_host_counter_text(uint32_t counter);

/* Checks and copies the description. *detail (may be NULL) gets the index of the offending entry. */
HEAM_API int32_t heam_spec_create(const heam_spec_desc *desc, heam_spec **out, uint64_t *detail);
HEAM_API void heam_spec_destroy(heam_spec *self);

/* The bare device of one channel: for tests and for playing other simulators' commands. Copies what it needs of the spec. */
HEAM_API int32_t heam_device_create(const heam_spec *spec, heam_device **out);
HEAM_API void heam_device_destroy(heam_device *self);
/* Earliest cycle of a command on a bank's path and the row that sets it (-1: none). */
HEAM_API int32_t heam_device_earliest(const heam_device *self, uint32_t command, uint32_t bank, uint64_t *cycle, int32_t *row);
/* HEAM_OK if the command may be issued at `cycle`; HEAM_TOO_EARLY or HEAM_BAD_STATE otherwise. */
HEAM_API int32_t heam_device_probe(const heam_device *self, uint32_t command, uint32_t bank, uint64_t dram_row, uint64_t cycle);
/* Issues it if probe allows. */
HEAM_API int32_t heam_device_issue(heam_device *self, uint32_t command, uint32_t bank, uint64_t dram_row, uint64_t cycle);

/* specs: one per channel (may repeat). *detail gets the channel that was refused. */
HEAM_API int32_t heam_system_create(const heam_host_desc *host, uint32_t channels, const heam_channel_desc *desc,
                                    const heam_spec *const *specs, uint32_t with_log, heam_system **out, uint64_t *detail);
HEAM_API void heam_system_destroy(heam_system *self);
/* Copies more bags; allowed when the state is NEED_INPUT (as after create). last = 1: no more will come.
   On HEAM_BAD_ITEM nothing is taken and *detail is the item's index. */
HEAM_API int32_t heam_system_feed(heam_system *self, const heam_items *items, uint32_t last, uint64_t *detail);
/* Simulates until input is needed, everything is done, or max_steps events have passed. *state: HEAM_STATE_*. */
HEAM_API int32_t heam_system_run(heam_system *self, uint64_t max_steps, uint32_t *state);
/* Tick of the last finish so far. */
HEAM_API uint64_t heam_system_time(const heam_system *self);
HEAM_API uint64_t heam_system_finished(const heam_system *self);
/* Copies up to `capacity` counters of a channel; returns how many there are. */
HEAM_API uint32_t heam_system_counters(const heam_system *self, uint32_t channel, uint64_t *out, uint32_t capacity);
HEAM_API uint32_t heam_system_host_counters(const heam_system *self, uint64_t *out, uint32_t capacity);
/* Commands by what set their time: rows of the spec by id, then -1..-6 at [n_rows + 0..5]. Returns the length. */
HEAM_API uint32_t heam_system_bounds(const heam_system *self, uint32_t channel, uint64_t *out, uint32_t capacity);
/* Ticks that went to a place (a channel, or as number of channels the host): rows of the spec by id, then the reasons; then how often
   each of these was waited for. The ticks of all places are, once the run is done, heam_system_time. Returns the length; all zero
   without a ledger. */
HEAM_API uint32_t heam_system_spent(const heam_system *self, uint32_t place, uint64_t *out, uint32_t capacity);
/* Copies up to `capacity` numbers of column reads (RD and PIM_RD), one per bank of a channel; returns how many there are. */
HEAM_API uint32_t heam_system_bank_reads(const heam_system *self, uint32_t channel, uint64_t *out, uint32_t capacity);
/* Moves up to `capacity` records out of the buffers, oldest first; returns how many. */
HEAM_API uint64_t heam_system_take_log(heam_system *self, heam_log_record *out, uint64_t capacity);
HEAM_API uint64_t heam_system_take_latencies(heam_system *self, heam_latency_record *out, uint64_t capacity);
HEAM_API uint64_t heam_system_log_size(const heam_system *self);
HEAM_API uint64_t heam_system_latencies_size(const heam_system *self);

/* Adds what some bags ask for. All arrays of the items are needed, the optional ones too. On HEAM_BAD_ITEM *detail is the item's
   index, and the sums and lists hold what stood before it. */
HEAM_API int32_t heam_demand_add(heam_demand *demand, const heam_items *items, uint64_t *detail);

/* The places of byte addresses; what lies beyond the map's capacity is left out. HEAM_BAD_ARGUMENT also for images that need more
   than 63 bits. */
HEAM_API int32_t heam_lower_places(const heam_map_desc *map, uint64_t n, const uint64_t *address, uint16_t *channel, uint16_t *bank,
                                   uint32_t *row, uint16_t *column);
/* Puts a block's values where they go, column by column. HEAM_BAD_ARGUMENT also if an entry names no lookup or no place; some of the
   others may have been put then. */
HEAM_API int32_t heam_lower_put(const heam_block *block, uint32_t columns, const heam_column *column);

/* Different rows with a number below UINT64_MAX for each; a row that comes twice is a HEAM_BAD_ARGUMENT. */
HEAM_API int32_t heam_row_set_create(uint64_t rows, const uint64_t *row, const uint64_t *slot, heam_row_set **out);
HEAM_API void heam_row_set_destroy(heam_row_set *self);
/* The number of every row; UINT64_MAX where there is none. */
HEAM_API int32_t heam_row_set_find(const heam_row_set *self, uint64_t count, const uint64_t *row, uint64_t *slot);

/* A table's rows by how long ago they were used; none has been at first. */
HEAM_API int32_t heam_row_stack_create(uint64_t rows, heam_row_stack **out);
HEAM_API void heam_row_stack_destroy(heam_row_stack *self);
/* Uses the row that has distance[i] others above it, for every i in turn; where the stack is not that deep, a row that was never used
   (the first of them), or once there is none the one that was not used for longest. Takes time and memory of the distances and of
   the rows used. HEAM_BAD_ARGUMENT also if more than 2^32 - 1 rows may be in use; nothing has changed after an error. */
HEAM_API int32_t heam_row_stack_take(heam_row_stack *self, uint64_t count, const uint64_t *distance, uint64_t *row);

/* Plain request streams with the compatibility front end (head-of-line blocking over all channels). */
HEAM_API int32_t heam_replay_create(uint32_t channels, const heam_channel_desc *desc, const heam_spec *spec,
                                    uint32_t offers_per_cycle, uint32_t with_log, heam_replay **out);
/* The same with an engine of choice (HEAM_ENGINE_*); HEAM_BAD_ENGINE if it fits the memory or the processor not. */
HEAM_API int32_t heam_replay_create_engine(uint32_t channels, const heam_channel_desc *desc, const heam_spec *spec,
                                           uint32_t offers_per_cycle, uint32_t with_log, uint32_t engine, heam_replay **out);
/* The engine in use; never HEAM_ENGINE_AUTO. */
HEAM_API uint32_t heam_replay_engine(const heam_replay *self);
HEAM_API void heam_replay_destroy(heam_replay *self);
/* Runs n more requests until the last of them is accepted; nothing else of that cycle happens yet. `rest` is what a request's
   address holds beside its place: only a queued write with the same place and rest answers a read or absorbs a write. It has no
   other effect. NULL: 0 for all. */
HEAM_API int32_t heam_replay_run(heam_replay *self, uint64_t n, const uint16_t *channel, const uint16_t *bank, const uint32_t *row,
                                 const uint16_t *column, const uint8_t *is_write, const uint64_t *rest, uint64_t *detail);
/* The same for byte addresses below 2^63. Their rest is the part inside the burst and the part beyond the capacity.
   HEAM_BAD_ARGUMENT: an image lies outside the memory; nothing is taken then. */
HEAM_API int32_t heam_replay_run_addresses(heam_replay *self, const heam_map_desc *map, uint64_t n, const uint64_t *address,
                                           const uint8_t *is_write);
/* Brings the counters to the clock at which the last request was accepted, as a run that stops there reports them. */
HEAM_API int32_t heam_replay_stop(heam_replay *self);
/* Goes on until every request has retired and its data have arrived. */
HEAM_API int32_t heam_replay_drain(heam_replay *self);
HEAM_API uint32_t heam_replay_counters(const heam_replay *self, uint32_t channel, uint64_t *out, uint32_t capacity);
/* Copies up to `capacity` bins of a channel's read latencies, the reads that `reads_completed` counts; returns how many bins there
   are (HEAM_LATENCY_BINS, or 0 if there is no such channel). */
HEAM_API uint32_t heam_replay_latencies(const heam_replay *self, uint32_t channel, uint64_t *out, uint32_t capacity);
/* The least latency of a bin, in cycles; UINT64_MAX for bins beyond the last. */
HEAM_API uint64_t heam_latency_least(uint32_t bin);
HEAM_API uint64_t heam_replay_cycle(const heam_replay *self);
HEAM_API uint64_t heam_replay_take_log(heam_replay *self, heam_log_record *out, uint64_t capacity);
HEAM_API uint64_t heam_replay_log_size(const heam_replay *self);
/* cffi-end */

#ifdef __cplusplus
}
#endif

#endif
