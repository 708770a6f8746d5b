/* SPDX-License-Identifier: MIT */
/*
 * The frequent part of the fast engine, written once for all instruction sets and widths. Included after fast_vector.h by a
 * file that also has defined KERNEL, v_count(mask), v_least(vectors, how many, &vector, &lane, &vec) and f_match(rows, row, positions).
 * A lane that has been changed is written with its whole vector: what is stored lane by lane cannot be loaded as a vector at once.
 */

/* Ranks of a channel, at most: a rank of more than half a width has no narrower one. */
#if FAST_WIDTH == 16
#define FAST_RANKS FAST_BANKS
#else
#define FAST_RANKS (2 * FAST_BANKS / FAST_WIDTH)
#endif

/* The clock and what else of the state is asked for in every command. */
typedef struct {
    vec now, column; /* now_row and now_column in every lane */
    uint64_t now_column, now_row, hits;
    /* Copies: a store of lanes could change what they are copies of, as far as the compiler can see. */
    uint16_t *lanes;
    const fast_tables *tables;
} regs;

FAST_FN void set_now(regs *r, const fast_channel *self, uint64_t cycle) {
    r->now_row = r->now_column = cycle;
    r->now = r->column = v_set1((uint32_t)(cycle - self->base));
}

FAST_FN void take(regs *r, const fast_channel *self) {
    r->lanes = self->lanes;
    r->tables = self->tables;
    r->hits = self->hits;
    r->now_row = self->now_row;
    r->now_column = self->now_column;
    /* The clock can be far ahead of the base here; it is rebased before the lanes are used. */
    r->now = v_set1((uint32_t)(r->now_row - self->base));
    r->column = v_set1((uint32_t)(r->now_column - self->base));
}

FAST_FN void give(const regs *r, fast_channel *self) {
    self->hits = r->hits;
    self->now_row = r->now_row;
    self->now_column = r->now_column;
}

/* The first row of a rank. */
FAST_FN uint16_t *rows_of(const regs *r, uint32_t rank) {
    return r->lanes + (size_t)rank * FAST_KINDS * FAST_WIDTH;
}

FAST_FN vec get(const uint16_t *rows, uint32_t kind) {
    return v_load(rows + (size_t)kind * FAST_WIDTH);
}

FAST_FN void set(uint16_t *rows, uint32_t kind, vec x) {
    v_store(rows + (size_t)kind * FAST_WIDTH, x);
}

FAST_FN void put(uint16_t *rows, uint32_t kind, vec here, uint32_t value) {
    set(rows, kind, v_select(here, v_set1(value), get(rows, kind)));
}

/* Puts all ones: FAST_NONE, or yes. */
FAST_FN void put_ones(uint16_t *rows, uint32_t kind, vec here) {
    set(rows, kind, v_or(get(rows, kind), here));
}

FAST_FN void raise_row(uint16_t *rows, uint32_t kind, vec time) {
    set(rows, kind, v_max(get(rows, kind), time));
}

/* What comes next: its key, where, and when, also relative to the base. */
typedef struct {
    uint32_t key;
    uint32_t rank;
    uint32_t within;
    uint32_t bank;
    uint16_t *rows; /* of its rank */
    vec here;       /* its lane there */
    vec at;
    uint64_t cycle;
} choice;

/* Time ahead in the key's upper byte. */
FAST_FN vec ahead(vec time, vec now) {
    return v_shl8(v_min(v_subs(time, now), v_set1(FAST_FAR)));
}

FAST_FN vec keys(const regs *r, const uint16_t *rows, uint32_t column) {
    vec hit = v_or(ahead(v_max(get(rows, column), r->column), r->now), get(rows, FAST_HIT));
    vec active = v_or(ahead(v_max(v_select(get(rows, FAST_WRITE), get(rows, FAST_WR), get(rows, FAST_RD)), r->column), r->now), get(rows, FAST_AGE));
    vec other = v_or(ahead(v_select(get(rows, FAST_OPEN), get(rows, FAST_PRE), get(rows, FAST_ACT)), r->now), get(rows, FAST_ROW));
    return v_min(v_min(hit, other), active);
}

FAST_FN void pick(const fast_channel *self, const regs *r, choice *c, uint32_t ranks) {
    vec key[FAST_RANKS];
    vec one;
    for (uint32_t rank = 0; rank < ranks; rank++) {
        key[rank] = keys(r, rows_of(r, rank), FAST_RD + self->write_mode);
    }
    c->key = v_least(key, ranks, &c->rank, &c->within, &one);
    c->at = v_add(r->now, v_shr8(one));
    c->cycle = r->now_row + (c->key >> 8);
}

/* What is needed of a choice that is going to be issued. */
FAST_FN void place(const regs *r, choice *c) {
    c->bank = c->rank * r->tables->rank_stride + c->within;
    c->rows = rows_of(r, c->rank);
    c->here = v_lane(c->within);
}

FAST_FN void bind_inside(const choice *c, const uint16_t *delays, uint32_t following) {
    raise_row(c->rows, following, v_add(c->at, get(delays, following)));
}

FAST_FN void bind_across(const regs *r, uint32_t command, const choice *c, uint32_t following, uint32_t ranks) {
    vec time = v_add(c->at, v_set1(r->tables->other[command][following]));
    for (uint32_t rank = 0; rank < ranks; rank++) {
        if (ranks == 2) { /* one that the compiler knows to be the only other */
            raise_row(rows_of(r, 1 - c->rank), following, time);
            return;
        }
        if (rank != c->rank) {
            raise_row(rows_of(r, rank), following, time);
        }
    }
}

FAST_FN void bind(fast_channel *self, const regs *r, uint32_t command, const choice *c, uint32_t ranks) {
    const uint16_t *delays = fast_delays(r->tables, command, c->within, FAST_WIDTH);
    uint32_t binds = r->tables->binds[command];
    uint32_t crosses = r->tables->crosses[command];
    if ((binds & 1u << FAST_ACT) != 0) {
        bind_inside(c, delays, FAST_ACT);
    }
    if ((binds & ~(1u << FAST_ACT)) != 0) { /* PREpb often delays nothing but ACT, RD and WR all but ACT */
        bind_inside(c, delays, FAST_PRE);
        bind_inside(c, delays, FAST_RD);
        bind_inside(c, delays, FAST_WR);
    }
    if (ranks > 1 && crosses != 0) {
        bind_across(r, command, c, FAST_RD, ranks);
        bind_across(r, command, c, FAST_WR, ranks);
        if ((crosses & (1u << FAST_ACT | 1u << FAST_PRE)) != 0) {
            bind_across(r, command, c, FAST_ACT, ranks);
            bind_across(r, command, c, FAST_PRE, ranks);
        }
    }
    self->last[command][c->rank] = c->cycle + 1;
}

FAST_FN uint64_t leave(fast_queue *queue, uint32_t bank, uint64_t bit) {
    queue->live &= ~bit;
    queue->size--;
    return queue->of_bank[bank] &= ~bit;
}

FAST_FN void issue_column(fast_channel *self, const regs *r, const choice *c, const fast_entry *entry, uint32_t ranks) {
    if (entry->is_write) {
        bind(self, r, FAST_WR, c, ranks);
    } else {
        bind(self, r, FAST_RD, c, ranks);
    }
    fast_retire(self, entry, c->cycle);
}

FAST_FN void column_of_active(fast_channel *self, const regs *r, const choice *c, uint32_t ranks) {
    vec age = v_set1(c->key & (FAST_WINDOW - 1));
    vec none = v_set1(FAST_NONE);
    for (uint32_t rank = 0; rank < ranks; rank++) { /* those behind it move up */
        vec ages = get(rows_of(r, rank), FAST_AGE);
        vec keep = v_or(v_at_most(ages, age), v_equal(ages, none));
        set(rows_of(r, rank), FAST_AGE, v_sub(v_sub(ages, v_set1(1)), keep));
    }
    put_ones(c->rows, FAST_AGE, c->here);
    put_ones(c->rows, FAST_STAMP, c->here);
    self->busy &= ~((uint64_t)1 << c->bank);
    uint64_t of_bank = self->queue[self->write_mode].of_bank[c->bank];
    put(c->rows, FAST_ROW, c->here, fast_mark(of_bank & ~r->hits, r->tables->row_bits));
    issue_column(self, r, c, &self->active[c->bank], ranks);
}

FAST_FN void column_of_queued(fast_channel *self, regs *r, const choice *c, uint32_t ranks) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint32_t position = c->key & (FAST_WINDOW - 1);
    uint64_t bit = (uint64_t)1 << position;
    self->counters[HEAM_COUNT_row_hits] += (queue->counted & bit) == 0;
    uint64_t hits = r->hits & leave(queue, c->bank, bit);
    r->hits &= ~bit;
    put(c->rows, FAST_HIT, c->here, fast_mark(hits, FAST_QUEUED));
    issue_column(self, r, c, &queue->entry[position], ranks);
}

/* The activation window: the oldest of the last ACTs of this node allows the next one. */
FAST_FN void bind_window(fast_channel *self, const regs *r, const choice *c, uint32_t ranks) {
    const fast_tables *tables = r->tables;
    uint32_t node = tables->window_node[c->bank];
    int64_t *history = self->history + (size_t)node * tables->window;
    uint32_t at = self->history_at[node];
    history[at] = (int64_t)c->cycle;
    at = at + 1 == tables->window ? 0 : at + 1;
    self->history_at[node] = at;
    int64_t time = history[at] + (int64_t)tables->window_cycles - (int64_t)self->base;
    vec earliest = v_set1(time < 0 ? 0 : (uint32_t)time);
    raise_row(c->rows, FAST_ACT, v_and(get(tables->window_lanes, c->within), earliest));
    for (uint32_t rank = 0; tables->window_wide && rank < ranks; rank++) {
        raise_row(rows_of(r, rank), FAST_ACT, earliest);
    }
}

/* Gives the request that is becoming active its place among the others, by arrival. */
FAST_FN void enter_active(const regs *r, const choice *c, uint32_t stamp, uint32_t ranks) {
    vec limit = v_set1(stamp);
    vec none = v_set1(FAST_NONE);
    uint32_t before = 0;
    for (uint32_t rank = 0; rank < ranks; rank++) {
        vec ages = get(rows_of(r, rank), FAST_AGE);
        vec earlier = v_at_most(get(rows_of(r, rank), FAST_STAMP), limit);
        before += v_count(earlier);
        set(rows_of(r, rank), FAST_AGE, v_add(v_add(ages, v_set1(1)), v_or(earlier, v_equal(ages, none))));
    }
    put(c->rows, FAST_AGE, c->here, before);
    put(c->rows, FAST_STAMP, c->here, stamp);
}

FAST_FN void activate(fast_channel *self, regs *r, const choice *c, uint32_t ranks) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint32_t position = c->key & (FAST_WINDOW - 1);
    const fast_entry *entry = &queue->entry[position];
    uint64_t bit = (uint64_t)1 << position;
    uint32_t row = queue->rows[position];
    bind(self, r, FAST_ACT, c, ranks);
    if (r->tables->window != 0) {
        bind_window(self, r, c, ranks);
    }
    self->counters[HEAM_COUNT_act]++;
    self->counters[HEAM_COUNT_row_misses] += (queue->counted & bit) == 0;
    uint64_t of_bank = leave(queue, c->bank, bit);
    self->open_row[c->bank] = row;
    uint64_t hits = f_match(queue->rows, row, of_bank);
    r->hits |= hits;
    put(c->rows, FAST_HIT, c->here, fast_mark(hits, FAST_QUEUED));
    put_ones(c->rows, FAST_ROW, c->here);
    put_ones(c->rows, FAST_OPEN, c->here);
    put(c->rows, FAST_WRITE, c->here, self->write_mode ? 0xFFFF : 0);
    enter_active(r, c, entry->stamp, ranks);
    self->busy |= (uint64_t)1 << c->bank;
    self->active[c->bank] = *entry;
    self->rank_since[c->rank] = self->rank_open[c->rank]++ == 0 ? c->cycle : self->rank_since[c->rank];
    self->counters[HEAM_COUNT_bank_active] -= c->cycle; /* and plus the cycle in which it is closed */
}

FAST_FN void precharge(fast_channel *self, regs *r, const choice *c, uint32_t ranks) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint64_t of_bank = queue->of_bank[c->bank];
    uint64_t bit = (uint64_t)1 << (c->key & (FAST_WINDOW - 1));
    bind(self, r, FAST_PRE, c, ranks);
    self->counters[HEAM_COUNT_pre]++;
    self->counters[HEAM_COUNT_row_conflicts] += (queue->counted & bit) == 0;
    queue->counted |= bit;
    self->open_row[c->bank] = HEAM_CLOSED;
    r->hits &= ~of_bank;
    put_ones(c->rows, FAST_HIT, c->here);
    put(c->rows, FAST_ROW, c->here, fast_mark(of_bank, r->tables->row_bits));
    put(c->rows, FAST_OPEN, c->here, 0);
    self->counters[HEAM_COUNT_bank_active] += c->cycle;
    if (--self->rank_open[c->rank] == 0) {
        self->counters[HEAM_COUNT_rank_active] += c->cycle - self->rank_since[c->rank];
    }
}

/* Issues the choice; true if a request has left its queue. */
FAST_FN bool issue(fast_channel *self, regs *r, choice *c, uint32_t ranks) {
    bool column = true;
    bool left = true;
    place(r, c);
    self->last_issue = c->cycle;
    if ((c->key & FAST_QUEUED) == 0) {
        column_of_active(self, r, c, ranks);
        left = false;
    } else if ((r->hits >> (c->key & (FAST_WINDOW - 1)) & 1) != 0) {
        column_of_queued(self, r, c, ranks);
    } else if (self->open_row[c->bank] == HEAM_CLOSED) {
        activate(self, r, c, ranks);
        column = false;
    } else {
        precharge(self, r, c, ranks);
        column = left = false;
    }
    /* With split buses the row slot of the cycle comes after its column slot. */
    bool again = column && r->tables->split;
    r->now_column = c->cycle + 1;
    r->now_row = c->cycle + !again;
    r->column = v_add(c->at, v_set1(1));
    r->now = again ? c->at : r->column;
    return left;
}

FAST_FN uint64_t least(uint64_t x, uint64_t y) {
    return x < y ? x : y;
}

/* Runs until the start of `limit`, or until what is wanted has happened. False: nothing can happen any more. */
FAST_FN bool run(fast_channel *self, regs *r, uint64_t limit, uint32_t want, uint32_t ranks) {
    if (limit <= self->quiet && want != FAST_WANT_IDLE) {
        if (r->now_row < limit) {
            set_now(r, self, limit);
        }
        return true;
    }
    self->quiet = 0;
    uint64_t stop = least(least(limit, self->next_refresh), self->base + FAST_REBASE);
    for (;;) {
        if (FAST_SELDOM(r->now_row >= stop || self->maintenance_size != 0 || want == FAST_WANT_IDLE)) {
            if (r->now_row >= limit) {
                return true;
            }
            give(r, self);
            self->quiet = 0;
            bool over = heam_fast_settle(self, limit, want);
            take(r, self);
            if (over) {
                return true;
            }
            stop = least(least(limit, self->next_refresh), self->base + FAST_REBASE);
        }
        choice c;
        pick(self, r, &c, ranks);
        if (FAST_SELDOM(fast_unstable(self)) && c.key >= FAST_QUEUED) {
            /* No active request is ready in this very cycle: the mode is decided in it. */
            give(r, self);
            heam_fast_change_mode(self);
            take(r, self);
            continue;
        }
        if (FAST_SELDOM(c.key >= FAST_FAR << 8)) {
            if (c.key == FAST_NONE && limit == HEAM_NEVER && self->next_refresh == HEAM_NEVER) {
                return false;
            }
            set_now(r, self, c.key == FAST_NONE ? stop : least(c.cycle, stop));
            continue;
        }
        if (c.cycle >= stop) {
            self->quiet = least(c.cycle, least(self->next_refresh, self->base + FAST_REBASE));
            set_now(r, self, stop);
            continue;
        }
        if (FAST_SELDOM(self->with_log)) {
            give(r, self);
            heam_fast_log_choice(self, c.key, c.rank * r->tables->rank_stride + c.within, c.cycle);
            take(r, self);
        }
        if (issue(self, r, &c, ranks) && want == FAST_WANT_READ_SLOT + self->write_mode) {
            return true;
        }
    }
}

FAST_FN uint64_t rest_of(const fast_front *front) {
    return front->rest == NULL ? 0 : front->rest[front->i];
}

/* Is the head of the line answered by a write of the very same address that is queued? */
FAST_FN bool same_as_queued(const fast_channel *self, const fast_front *front) {
    const fast_queue *queue = &self->queue[FAST_WRITES];
    uint64_t i = front->i;
    if (queue->size == 0) {
        return false;
    }
    for (uint64_t same = f_match(queue->rows, front->row[i], queue->of_bank[front->bank[i]]); same != 0; same &= same - 1) {
        uint32_t at = fast_first(same);
        if (queue->entry[at].column == front->column[i] && (!self->with_rest || self->rest[at] == rest_of(front))) {
            return true;
        }
    }
    return false;
}

/* A new request is the youngest: it becomes a candidate only where there is none of its kind yet. */
FAST_FN void show_new(fast_channel *self, regs *r, uint32_t bank, uint32_t row, uint32_t position) {
    const fast_tables *tables = r->tables;
    bool hit = self->open_row[bank] == row;
    uint32_t none = 0 - (uint32_t)(!hit && (self->busy >> bank & 1) != 0);
    uint32_t mark = position | (hit ? FAST_QUEUED : tables->row_bits) | none;
    uint16_t *rows = rows_of(r, tables->rank_of[bank]);
    uint32_t kind = hit ? FAST_HIT : FAST_ROW;
    r->hits |= (uint64_t)hit << position;
    set(rows, kind, v_min(get(rows, kind), v_orn(v_set1(mark), v_lane(tables->within[bank]))));
    uint32_t command = hit ? FAST_RD + self->write_mode : self->open_row[bank] == HEAM_CLOSED ? FAST_ACT : FAST_PRE;
    self->quiet = least(self->quiet, self->base + rows[(size_t)command * FAST_WIDTH + tables->within[bank]]);
}

FAST_FN void insert(fast_channel *self, regs *r, uint32_t q, const fast_front *front) {
    fast_queue *queue = &self->queue[q];
    uint64_t i = front->i;
    uint32_t bank = front->bank[i];
    uint32_t row = front->row[i];
    uint64_t arrival = front->cycle - 1;
    if (FAST_SELDOM(queue->tail == FAST_WINDOW || self->stamp == FAST_STAMP_MAX)) {
        give(r, self);
        heam_fast_make_room(self, q);
        take(r, self);
    }
    self->stamp += arrival != self->last_arrival;
    self->last_arrival = arrival;
    uint32_t position = queue->tail++;
    uint64_t bit = (uint64_t)1 << position;
    queue->rows[position] = row;
    queue->entry[position] = (fast_entry){
        .arrival = arrival, .column = front->column[i], .stamp = (uint16_t)self->stamp, .bank = (uint8_t)bank, .is_write = q == FAST_WRITES};
    if (FAST_SELDOM(self->with_rest) && q == FAST_WRITES) {
        self->rest[position] = rest_of(front);
    }
    queue->live |= bit;
    queue->counted &= ~bit;
    queue->of_bank[bank] |= bit;
    if (q == self->write_mode) {
        show_new(self, r, bank, row, position);
    }
    queue->size++;
    self->quiet = fast_unstable(self) ? 0 : self->quiet;
    uint64_t queued = (uint64_t)self->queue[FAST_READS].size + self->queue[FAST_WRITES].size;
    uint64_t *peak = &self->counters[HEAM_COUNT_queue_peak];
    *peak = queued > *peak ? queued : *peak;
}

/* A read that is answered from the write queue, or a write that is absorbed there. */
FAST_FN void answer(fast_channel *self, uint32_t q, uint64_t cycle) {
    self->counters[q == FAST_WRITES ? HEAM_COUNT_coalesced : HEAM_COUNT_forwarded]++;
    if (q == FAST_READS) {
        fast_read_done(self, cycle, cycle - 1, cycle - 1);
    }
}

/* What has to happen before the next request is offered; false if it is not for this channel, or if there is none. */
FAST_FN bool next_turn(const fast_channel *self, fast_front *front, uint32_t *q, uint64_t *limit, uint32_t *want) {
    if (front->i == front->n || front->channel[front->i] != self->index) {
        return false;
    }
    if (front->offers == 0) {
        front->cycle++;
        front->offers = front->offers_per_cycle;
    }
    *q = front->is_write[front->i] != 0 ? FAST_WRITES : FAST_READS;
    /* A request that has no place now, and no write to be answered from, waits until one leaves. */
    bool waits = self->queue[*q].size == self->queue[*q].capacity && !same_as_queued(self, front);
    *limit = waits ? HEAM_NEVER : front->cycle;
    *want = waits ? FAST_WANT_READ_SLOT + *q : FAST_WANT_NOTHING;
    return true;
}

FAST_FN bool serve(fast_channel *self, fast_front *front, uint64_t limit, uint32_t want, uint32_t ranks) {
    regs r;
    bool moves = true;
    bool refused = false; /* the head of the line: it keeps this answer while it waits */
    uint32_t q = FAST_READS;
    if (front != NULL && !next_turn(self, front, &q, &limit, &want)) {
        return true;
    }
    take(&r, self);
    while ((moves = run(self, &r, limit, want, ranks)) && front != NULL) {
        if (want != FAST_WANT_NOTHING) { /* a place is free from the cycle after this one on */
            if (front->cycle <= self->last_issue) {
                front->cycle = self->last_issue + 1;
                front->offers = front->offers_per_cycle;
            }
            limit = front->cycle;
            want = FAST_WANT_NOTHING;
            refused = true;
            if (r.now_row < limit) {
                continue;
            }
        }
        if (!refused && same_as_queued(self, front)) {
            answer(self, q, front->cycle);
        } else if (self->queue[q].size < self->queue[q].capacity) {
            insert(self, &r, q, front);
        } else {
            limit = HEAM_NEVER;
            want = FAST_WANT_READ_SLOT + q;
            continue;
        }
        refused = false;
        self->counters[q == FAST_WRITES ? HEAM_COUNT_writes : HEAM_COUNT_reads]++;
        front->i++;
        front->offers--;
        if (!next_turn(self, front, &q, &limit, &want)) {
            break;
        }
    }
    give(&r, self);
    return moves;
}

/* The compiler is told the usual numbers of ranks. */
FAST_TARGET bool KERNEL(fast_channel *self, fast_front *front, uint64_t limit, uint32_t want) {
#if FAST_WIDTH < 64
    if (self->tables->ranks == 2) {
        return serve(self, front, limit, want, 2);
    }
    if (self->tables->ranks > 2) {
        return serve(self, front, limit, want, self->tables->ranks);
    }
#endif
    return serve(self, front, limit, want, 1);
}
