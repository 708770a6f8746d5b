/* SPDX-License-Identifier: MIT */
/* Inside a PIM channel: what its parts share. pim.c has the path, results and refresh, pim_deliver.c the delivery of
   instructions, pim_units.c the local controllers and the units' arithmetic. */
#ifndef HEAM_PIM_H
#define HEAM_PIM_H

#include "stack.h"

#define NOBODY UINT32_MAX

/* Where an operand's row comes from: a bank, the PE's LUT or cache through its port, the read of another operand, or the
   host. */
typedef enum { FROM_BANK, FROM_PORT, FROM_LEADER, FROM_HOST } row_source;

/* An operand in a unit's queue. */
typedef struct {
    heam_order what;
    uint64_t available;
    uint64_t arrival;  /* FROM_LEADER: when its row is there; 0: not read yet */
    uint64_t reg;      /* MUL, MAC: when their register is loaded */
    uint64_t result;   /* LOAD, MUL: when the register that they load is */
    uint32_t by;       /* the ledger's numbers: of its delivery, */
    uint32_t row_by;   /* FROM_LEADER: of the read that brought its row, */
    uint32_t reg_by;   /* MUL, MAC: of what loaded their register, */
    uint32_t result_by; /* LOAD, MUL: of what loads it */
    uint32_t partner;  /* LOAD, MUL: the next link of the chain; NOBODY while not delivered */
    uint32_t before;   /* MUL, MAC: the link before it, while that is queued */
    uint32_t leader;   /* FROM_LEADER: while that is queued */
    uint32_t follower; /* FROM_BANK: the first of its followers; FROM_LEADER: the next of them */
    uint32_t last_follower;
    uint32_t tag;      /* index into the channel's tags */
    uint16_t issued;   /* bursts */
    uint8_t source;    /* row_source */
    uint8_t fills;     /* a line of the PE's cache waits for it */
    uint8_t awaited;   /* something started waits for it */
    uint8_t started;
    uint8_t loaded;
    uint8_t counted;
} entry;

typedef struct {
    uint64_t alu_free;
    uint64_t lut_free;
    uint64_t reg;       /* of a link that has left before its partner was delivered */
    uint64_t left;      /* when an operand left its queue last */
    uint32_t left_by;   /* the ledger's numbers: of that, */
    uint32_t reg_by;    /* of what loaded the register, */
    uint32_t alu_by;    /* of what its ALU did last, */
    uint32_t last_by;   /* of its last command */
    uint32_t queued;
    uint32_t load;      /* the link (LOAD or MUL) whose partner is to come; NOBODY: it has left */
} unit;

/* A row in a PE's cache. */
typedef struct {
    uint64_t key;
    uint32_t filler; /* the entry whose read brings it; NOBODY: it is there */
    uint32_t valid;
} cache_line;

/* The sum of one GnR at one unit. */
typedef struct {
    uint64_t ready;
    uint64_t bursts;  /* of the pooled vector that it holds, a bit each */
    uint32_t by;      /* the ledger's number of what made it ready */
    uint32_t pending; /* operands delivered and not yet read completely */
    uint8_t used;
    uint8_t closed;   /* its last operand has been delivered */
} partial;

/* A GnR in this channel. */
typedef struct {
    uint64_t age;
    uint64_t gnr; /* tag number + 1; 0: free */
    uint32_t number;
    uint32_t gnr_slot;
    uint32_t units;    /* that it uses, as far as delivered */
    uint32_t merged;   /* units whose partial has reached the merge node, or left as a result */
    uint64_t bursts;   /* of the pooled vector that the merge node holds or will hold */
    uint8_t closed;
} batch_tag;

/* Something complete that waits to be moved or read out. */
typedef struct {
    uint64_t ready;
    uint64_t age;
    uint32_t tag;
    uint32_t unit;
    uint32_t by; /* the ledger's number of what made it ready */
} waiting;

typedef struct {
    waiting *items;
    uint32_t size;
} waiting_list;

/* The steps of a cycle, each with the first cycle in which it may have something to do. */
typedef enum { STEP_LUT, STEP_RESULT, STEP_IMMEDIATE, STEP_DELIVER, STEP_MOVE, STEP_REFRESH, STEP_WALK, STEPS } pim_step;

struct heam_pim {
    heam_channel base;
    uint64_t due[STEPS];  /* never too late: whoever makes something possible earlier says so with heam_pim_wake */
    uint32_t full_unit;   /* whose queue the head of the buffer waits for; NOBODY */
    heam_stack *stack;    /* NULL: the host reads results out of this channel */
    uint32_t stack_index; /* ordinal of the channel there */
    uint32_t units;
    uint32_t unit_stride; /* banks per unit */
    uint32_t pool_size;
    entry *pool;
    uint64_t *ready;   /* per pool entry: lower bound of when it can do something; 0 = look again */
    uint16_t *order;   /* delivered entries, oldest first */
    uint32_t order_size;
    uint16_t *vacant;
    uint32_t vacant_size;
    unit *unit;
    cache_line *lines; /* [(unit * cache_sets + set) * cache_ways + way], the most recently used way first */
    partial *partials; /* [unit * batch_tags + tag] */
    batch_tag *tags;
    uint32_t tags_used;
    uint32_t current;  /* tag of the GnR that is being delivered */
    heam_immediates *immediates;  /* the host's */
    uint16_t *waiting_immediates; /* delivered entries FROM_HOST, oldest first */
    uint32_t immediates_size;
    heam_ring pins;               /* ends of the immediates' bursts on the data pins, where instructions use them too, */
    heam_ring result_pins;        /* and of the results' */
    waiting_list moves;
    waiting_list results;  /* to be read out here; those of a stack node have its accumulator for a tag */
    uint32_t *started_in_bank;
    uint32_t *started_in_rank;
    uint32_t *owed;    /* REFab per rank */
    uint32_t owed_total;
    uint64_t *column_used; /* per unit (host-driven: of the channel, at 0): cycle of its last column command */
    uint64_t *row_used;
    uint64_t age;
    uint64_t path_free;
    uint64_t sent;          /* when the last instruction has crossed the first stage */
    uint64_t crossed;       /* when it, or what it carried last, has crossed the second stage */
    uint32_t crossed_rank;
    uint64_t *second_free;  /* per rank */
    uint64_t merge_free;
    uint64_t tag_freed; /* when a tag was freed last */
    uint32_t tag_by;    /* the ledger's numbers: of that, */
    uint32_t path_by;   /* of what took the path last, */
    uint32_t delivered_by; /* of the last delivery, */
    uint32_t move_by;   /* of the last PIM_MOV, */
    uint32_t merge_by;  /* of what the merge node's adder did last */
    uint64_t lut_left;  /* PIM_WRLUT commands to come, all ranks */
    uint64_t next_refresh;
    uint64_t next;      /* collected while a step runs: when it may have something to do again */
};

/* Notes when the step that runs may have something to do again. */
static inline void later(heam_pim *self, uint64_t cycle) {
    self->next = cycle < self->next ? cycle : self->next;
}

/* A step may have something to do at `cycle`, or as soon as it comes to its turn. */
static inline void heam_pim_wake(heam_pim *self, pim_step step, uint64_t cycle) {
    self->due[step] = cycle < self->due[step] ? cycle : self->due[step];
}

/* When a command may be issued, and the row that says so. Whoever issues one has asked for it last. */
static inline uint64_t earliest(heam_pim *self, uint32_t kind, uint32_t bank, uint64_t cycle, int32_t *row) {
    uint32_t command = self->base.timing.spec->of_kind[kind];
    heam_cell binding = heam_timing_binding(&self->base.timing, command, bank);
    *row = heam_cell_row(binding);
    self->base.row_by = heam_cell_by(binding);
    return heam_timing_seen_from(&self->base.timing, command, binding.ready, cycle);
}

static inline int16_t bound_of(uint64_t earliest_cycle, int32_t row, uint64_t cycle, int16_t otherwise) {
    return earliest_cycle == cycle ? (int16_t)row : otherwise;
}

static inline partial *partial_of(heam_pim *self, uint32_t u, uint32_t tag) {
    return &self->partials[(size_t)u * self->base.desc.batch_tags + tag];
}

/* The lowest burst of a set that is not empty. */
static inline uint32_t first_burst(uint64_t bursts) {
    return (uint32_t)__builtin_ctzll(bursts);
}

/* Whose command slots a unit uses. */
static inline uint32_t slots_of(const heam_pim *self, uint32_t u) {
    return self->base.desc.host_driven ? 0 : u;
}

static inline bool slot_taken(const heam_pim *self, uint32_t u, bool is_column, uint64_t cycle) {
    uint32_t at = slots_of(self, u);
    bool column = self->column_used[at] == cycle;
    bool row = self->row_used[at] == cycle;
    if (!self->base.timing.spec->split_buses) {
        return column || row;
    }
    return is_column ? column : row;
}

/* May the host put a command of its own on the bus, or the instruction path? Notes when it may if not. */
static inline bool path_is_free(heam_pim *self, uint64_t cycle) {
    bool host_driven = self->base.desc.host_driven != 0;
    bool taken = host_driven ? slot_taken(self, 0, true, cycle) : cycle < self->path_free;
    if (taken) {
        later(self, host_driven ? cycle + 1 : self->path_free);
    }
    return !taken;
}

static inline void take_path(heam_pim *self, uint64_t cycle) {
    if (self->base.desc.host_driven) {
        self->column_used[0] = cycle;
    } else {
        self->path_free = cycle + 1;
        self->path_by = self->base.last;
        self->base.counters[HEAM_COUNT_path_busy]++;
    }
}

static inline void issue(heam_pim *self, uint32_t kind, uint64_t cycle, const heam_log_record *record) {
    heam_channel_issue(&self->base, kind, cycle, record);
}

/* Works with the register that the link before it loads. */
static inline bool combines(const entry *e) {
    return e->what.role == HEAM_ROLE_MUL || e->what.role == HEAM_ROLE_MAC;
}

/* Loads the register of the next link. */
static inline bool feeds_register(const entry *e) {
    return e->what.role == HEAM_ROLE_LOAD || e->what.role == HEAM_ROLE_MUL;
}

/* Looks again at every queued entry. */
void heam_pim_wake_all(heam_pim *self);
/* An operand of (unit, tag) has left the queue: if it was the last, the sum waits to be moved or read out. */
void heam_pim_finish_operand(heam_pim *self, uint32_t u, uint32_t tag);
/* A sum of the stack node waits to be read out here. */
void heam_pim_result_waits(heam_pim *self, const waiting *item);
/* The lowest burst of a result of this channel goes over the stack's crossbar, which was busy until then with the burst `before`.
   True: it was the last, the tag may be free. */
bool heam_pim_send_burst(heam_pim *self, const waiting *item, uint64_t cycle, uint32_t before);
/* The sum of one GnR over the channels of a stack. */
typedef struct {
    uint64_t gnr;      /* number + 1; 0: free */
    uint64_t bursts;   /* of the pooled vector, still to be read out */
    uint32_t number;
    uint32_t gnr_slot;
    uint32_t parts;    /* results of channels, still to be sent completely */
} stack_sum;

/* A result of a channel is complete, or will be when it says. */
void heam_stack_offer(heam_stack *self, const heam_pim *pim, const waiting *result);
/* A sum that waits to be read out. */
stack_sum *heam_stack_sum(heam_stack *self, uint32_t accumulator);
/* It has left, with the command `by`. */
void heam_stack_release(heam_stack *self, uint32_t accumulator, uint32_t by);

/* Decides where the row of a new entry comes from. False: it is a FILL that has nothing to do. */
bool heam_pim_look_up(heam_pim *self, uint32_t index);
/* An entry's row has been read: cache lines that wait for it are there. */
void heam_pim_fill_lines(heam_pim *self, uint32_t index);
/* A burst of an entry FROM_HOST is there at `arrival`; with the last one it leaves the queue. */
void heam_pim_burst_came(heam_pim *self, uint32_t index, uint64_t arrival, uint64_t cycle);
/* A burst is on the data pins until `end`. */
void heam_pim_take_pins(heam_pim *self, heam_ring *pins, uint64_t end);
/* Sends a burst of an immediate if one can go. */
void heam_pim_send_immediates(heam_pim *self, uint64_t cycle);
/* Delivers what may come now. */
void heam_pim_deliver(heam_pim *self, uint64_t cycle);
/* Lets the local controllers do what they can in this cycle. */
void heam_pim_walk(heam_pim *self, uint64_t cycle);

#endif
