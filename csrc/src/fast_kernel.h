/* SPDX-License-Identifier: MIT */
/*
 * The frequent part of the fast engine, written once for all instruction sets and widths. Included after fast_vector.h by a
 * file that also has defined KERNEL, v_count(mask), v_least(vectors, how many, &lane, &vec) and f_match(rows, row, positions).
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
} regs;

FAST_FN void set_now(regs *r, const fast_channel *self, uint64_t cycle) {
    r->now_row = r->now_column = cycle;
    r->now = r->column = v_set1((uint32_t)(cycle - self->base));
}

FAST_FN void take(regs *r, const fast_channel *self) {
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

FAST_FN uint16_t *row_of(const fast_channel *self, uint32_t rank, uint32_t kind) {
    return fast_row(self, rank, kind, FAST_WIDTH);
}

FAST_FN void put(const fast_channel *self, uint32_t rank, uint32_t kind, vec here, uint32_t value) {
    uint16_t *row = row_of(self, rank, kind);
    v_store(row, v_select(here, v_set1(value), v_load(row)));
}

/* What comes next: its key, where, and when, also relative to the base. */
typedef struct {
    uint32_t key;
    uint32_t rank;
    uint32_t within;
    uint32_t bank;
    vec here; /* its lane in its rank */
    vec at;
    uint64_t cycle;
} choice;

/* Time ahead in the key's upper byte. */
FAST_FN vec ahead(vec time, vec now) {
    return v_shl8(v_min(v_subs(time, now), v_set1(FAST_FAR)));
}

FAST_FN vec keys(const fast_channel *self, const regs *r, uint32_t rank) {
    const uint16_t *row = row_of(self, rank, 0);
#define ROW(kind) v_load(row + (size_t)(kind) * FAST_WIDTH)
    vec hit = v_or(ahead(v_max(ROW(FAST_RD + self->write_mode), r->column), r->now), ROW(FAST_HIT));
    vec active = v_or(ahead(v_max(v_select(ROW(FAST_WRITE), ROW(FAST_WR), ROW(FAST_RD)), r->column), r->now), ROW(FAST_AGE));
    vec other = v_or(ahead(v_select(ROW(FAST_OPEN), ROW(FAST_PRE), ROW(FAST_ACT)), r->now), ROW(FAST_ROW));
#undef ROW
    return v_min(v_min(hit, other), active);
}

FAST_FN void pick(const fast_channel *self, const regs *r, choice *c, uint32_t ranks) {
    vec key[FAST_RANKS];
    vec one;
    uint32_t lane;
    for (uint32_t rank = 0; rank < ranks; rank++) {
        key[rank] = keys(self, r, rank);
    }
    c->key = v_least(key, ranks, &lane, &one);
    c->rank = lane / FAST_WIDTH;
    c->within = lane % FAST_WIDTH;
    c->at = v_add(r->now, v_shr8(one));
    c->cycle = r->now_row + (c->key >> 8);
}

/* What is needed of a choice that is going to be issued. */
FAST_FN void place(const fast_channel *self, choice *c) {
    c->bank = c->rank * self->tables->rank_stride + c->within;
    c->here = v_lane(c->within);
}

FAST_FN void raise_row(uint16_t *row, vec time) {
    v_store(row, v_max(v_load(row), time));
}

FAST_FN void bind(fast_channel *self, uint32_t command, const choice *c, uint32_t ranks) {
    const fast_tables *tables = self->tables;
    const uint16_t *d = fast_delays(tables, command, c->within, FAST_WIDTH);
    uint16_t *row = row_of(self, c->rank, 0);
    for (uint32_t following = 0; following < FAST_BANKED; following++) {
        if ((tables->binds[command] >> following & 1) != 0) {
            raise_row(row + (size_t)following * FAST_WIDTH, v_add(c->at, v_load(d + (size_t)following * FAST_WIDTH)));
        }
    }
    if (ranks > 1 && tables->crosses[command] != 0) {
        for (uint32_t following = 0; following < FAST_BANKED; following++) {
            vec time = v_add(c->at, v_set1(tables->other[command][following]));
            for (uint32_t rank = 0; (tables->crosses[command] >> following & 1) != 0 && rank < ranks; rank++) {
                if (rank != c->rank) {
                    raise_row(row_of(self, rank, following), time);
                }
            }
        }
    }
    self->last[command][c->rank] = c->cycle + 1;
}

FAST_FN uint64_t leave(fast_queue *queue, uint32_t bank, uint64_t bit) {
    queue->live &= ~bit;
    queue->size--;
    return queue->of_bank[bank] &= ~bit;
}

FAST_FN void issue_column(fast_channel *self, const choice *c, const fast_entry *entry, uint32_t ranks) {
    if (entry->is_write) {
        bind(self, FAST_WR, c, ranks);
    } else {
        bind(self, FAST_RD, c, ranks);
    }
    fast_retire(self, entry, c->cycle);
}

FAST_FN void column_of_active(fast_channel *self, const regs *r, const choice *c, uint32_t ranks) {
    vec age = v_set1(c->key & (FAST_WINDOW - 1));
    vec none = v_set1(FAST_NONE);
    for (uint32_t rank = 0; rank < ranks; rank++) { /* those behind it move up */
        uint16_t *row = row_of(self, rank, FAST_AGE);
        vec ages = v_load(row);
        vec keep = v_or(v_at_most(ages, age), v_equal(ages, none));
        ages = v_sub(v_sub(ages, v_set1(1)), keep);
        v_store(row, rank == c->rank ? v_or(ages, c->here) : ages);
    }
    put(self, c->rank, FAST_STAMP, c->here, FAST_NONE);
    self->busy &= ~((uint64_t)1 << c->bank);
    uint64_t of_bank = self->queue[self->write_mode].of_bank[c->bank];
    put(self, c->rank, FAST_ROW, c->here, fast_mark(of_bank & ~r->hits, self->tables->row_bits));
    issue_column(self, c, &self->active[c->bank], ranks);
}

FAST_FN void column_of_queued(fast_channel *self, regs *r, const choice *c, uint32_t ranks) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint32_t position = c->key & (FAST_WINDOW - 1);
    uint64_t bit = (uint64_t)1 << position;
    self->counters[HEAM_COUNT_row_hits] += (queue->counted & bit) == 0;
    uint64_t hits = r->hits & leave(queue, c->bank, bit);
    r->hits &= ~bit;
    put(self, c->rank, FAST_HIT, c->here, fast_mark(hits, FAST_QUEUED));
    issue_column(self, c, &queue->entry[position], ranks);
}

/* The activation window: the oldest of the last ACTs of this node allows the next one. */
FAST_FN void bind_window(fast_channel *self, const choice *c, uint32_t ranks) {
    const fast_tables *tables = self->tables;
    uint32_t node = tables->window_node[c->bank];
    int64_t *history = self->history + (size_t)node * tables->window;
    uint32_t at = self->history_at[node];
    history[at] = (int64_t)c->cycle;
    at = at + 1 == tables->window ? 0 : at + 1;
    self->history_at[node] = at;
    int64_t time = history[at] + (int64_t)tables->window_cycles - (int64_t)self->base;
    vec earliest = v_set1(time < 0 ? 0 : (uint32_t)time);
    raise_row(row_of(self, c->rank, FAST_ACT), v_and(v_load(tables->window_lanes + (size_t)c->within * FAST_WIDTH), earliest));
    for (uint32_t rank = 0; tables->window_wide && rank < ranks; rank++) {
        raise_row(row_of(self, rank, FAST_ACT), earliest);
    }
}

/* Gives the request that is becoming active its place among the others, by arrival. */
FAST_FN void enter_active(fast_channel *self, const choice *c, uint32_t stamp, uint32_t ranks) {
    vec limit = v_set1(stamp);
    vec none = v_set1(FAST_NONE);
    uint32_t before = 0;
    for (uint32_t rank = 0; rank < ranks; rank++) {
        uint16_t *row = row_of(self, rank, FAST_AGE);
        vec ages = v_load(row);
        vec earlier = v_at_most(v_load(row_of(self, rank, FAST_STAMP)), limit);
        before += v_count(earlier);
        v_store(row, v_add(v_add(ages, v_set1(1)), v_or(earlier, v_equal(ages, none))));
    }
    put(self, c->rank, FAST_AGE, c->here, before);
    put(self, c->rank, FAST_STAMP, c->here, stamp);
}

FAST_FN void activate(fast_channel *self, regs *r, const choice *c, uint32_t ranks) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint32_t position = c->key & (FAST_WINDOW - 1);
    const fast_entry *entry = &queue->entry[position];
    uint64_t bit = (uint64_t)1 << position;
    uint32_t row = queue->rows[position];
    bind(self, FAST_ACT, c, ranks);
    if (self->tables->window != 0) {
        bind_window(self, c, ranks);
    }
    self->counters[HEAM_COUNT_act]++;
    self->counters[HEAM_COUNT_row_misses] += (queue->counted & bit) == 0;
    uint64_t of_bank = leave(queue, c->bank, bit);
    self->open_row[c->bank] = row;
    uint64_t hits = f_match(queue->rows, row, of_bank);
    r->hits |= hits;
    put(self, c->rank, FAST_HIT, c->here, fast_mark(hits, FAST_QUEUED));
    put(self, c->rank, FAST_ROW, c->here, FAST_NONE);
    put(self, c->rank, FAST_OPEN, c->here, 0xFFFF);
    put(self, c->rank, FAST_WRITE, c->here, self->write_mode ? 0xFFFF : 0);
    enter_active(self, c, entry->stamp, ranks);
    self->busy |= (uint64_t)1 << c->bank;
    self->active[c->bank] = *entry;
    self->rank_since[c->rank] = self->rank_open[c->rank]++ == 0 ? c->cycle : self->rank_since[c->rank];
}

FAST_FN void precharge(fast_channel *self, regs *r, const choice *c, uint32_t ranks) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint64_t of_bank = queue->of_bank[c->bank];
    uint64_t bit = (uint64_t)1 << (c->key & (FAST_WINDOW - 1));
    bind(self, FAST_PRE, c, ranks);
    self->counters[HEAM_COUNT_pre]++;
    self->counters[HEAM_COUNT_row_conflicts] += (queue->counted & bit) == 0;
    queue->counted |= bit;
    self->open_row[c->bank] = HEAM_CLOSED;
    r->hits &= ~of_bank;
    put(self, c->rank, FAST_HIT, c->here, FAST_NONE);
    put(self, c->rank, FAST_ROW, c->here, fast_mark(of_bank, self->tables->row_bits));
    put(self, c->rank, FAST_OPEN, c->here, 0);
    if (--self->rank_open[c->rank] == 0) {
        self->counters[HEAM_COUNT_rank_active] += c->cycle - self->rank_since[c->rank];
    }
}

/* Issues the choice; true if a request has left its queue. */
FAST_FN bool issue(fast_channel *self, regs *r, choice *c, uint32_t ranks) {
    bool column = true;
    bool left = true;
    place(self, c);
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
    bool again = column && self->tables->split;
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
    uint64_t stop = least(least(limit, self->next_refresh), self->base + FAST_REBASE);
    for (;;) {
        if (FAST_SELDOM(r->now_row >= stop || self->maintenance_size != 0 || want == FAST_WANT_IDLE)) {
            if (r->now_row >= limit) {
                return true;
            }
            give(r, self);
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
            set_now(r, self, stop);
            continue;
        }
        if (FAST_SELDOM(self->with_log)) {
            give(r, self);
            heam_fast_log_choice(self, c.key, c.rank * self->tables->rank_stride + c.within, c.cycle);
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
    const fast_tables *tables = self->tables;
    bool hit = self->open_row[bank] == row;
    uint32_t none = 0 - (uint32_t)(!hit && (self->busy >> bank & 1) != 0);
    uint32_t mark = position | (hit ? FAST_QUEUED : tables->row_bits) | none;
    uint16_t *lanes = row_of(self, tables->rank_of[bank], hit ? FAST_HIT : FAST_ROW);
    r->hits |= (uint64_t)hit << position;
    v_store(lanes, v_min(v_load(lanes), v_orn(v_set1(mark), v_lane(tables->within[bank]))));
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
            if (r.now_row < limit) {
                continue;
            }
        }
        if (same_as_queued(self, front)) {
            answer(self, q, front->cycle);
        } else if (self->queue[q].size < self->queue[q].capacity) {
            insert(self, &r, q, front);
        } else {
            limit = HEAM_NEVER;
            want = FAST_WANT_READ_SLOT + q;
            continue;
        }
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
