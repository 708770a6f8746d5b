/* SPDX-License-Identifier: MIT */
/*
 * The frequent part of the fast engine, written once for all instruction sets and widths. Included after fast_vector.h by a
 * file that also has defined KERNEL, lane_t, v_lane(lane) -> lane_t, v_put(vec, lane_t, value), v_below(vec, x) (how many lanes are
 * less or equal), v_rank_in and v_rank_out, v_least(vec, &lane, &lane_t, &vec) and f_match(rows, row, positions).
 */

typedef struct {
    vec act, pre, rd, wr;
    vec hit, row, open, busy, write, rank, stamp;
    vec now, column; /* now_row and now_column in every lane */
    vec mode;        /* all ones in write mode */
    uint64_t now_column, now_row, hits;
} regs;

FAST_FN void set_now(regs *r, const fast_channel *self, uint64_t cycle) {
    r->now_row = r->now_column = cycle;
    r->now = r->column = v_set1((uint32_t)(cycle - self->base));
}

FAST_FN void take(regs *r, const fast_channel *self) {
    r->act = v_load(self->lane.next[FAST_ACT]);
    r->pre = v_load(self->lane.next[FAST_PRE]);
    r->rd = v_load(self->lane.next[FAST_RD]);
    r->wr = v_load(self->lane.next[FAST_WR]);
    r->hit = v_load(self->lane.hit);
    r->row = v_load(self->lane.row);
    r->open = v_load(self->lane.open);
    r->busy = v_load(self->lane.busy);
    r->write = v_load(self->lane.write);
    r->rank = v_load(self->lane.rank);
    r->stamp = v_load(self->lane.stamp);
    r->hits = self->hits;
    r->mode = v_set1(self->write_mode ? 0xFFFF : 0);
    r->now_row = self->now_row;
    r->now_column = self->now_column;
    /* The clock can be far ahead of the base here; it is rebased before the lanes are used. */
    r->now = v_set1((uint32_t)(r->now_row - self->base));
    r->column = v_set1((uint32_t)(r->now_column - self->base));
}

FAST_FN void give(const regs *r, fast_channel *self) {
    v_store(self->lane.next[FAST_ACT], r->act);
    v_store(self->lane.next[FAST_PRE], r->pre);
    v_store(self->lane.next[FAST_RD], r->rd);
    v_store(self->lane.next[FAST_WR], r->wr);
    v_store(self->lane.hit, r->hit);
    v_store(self->lane.row, r->row);
    v_store(self->lane.open, r->open);
    v_store(self->lane.busy, r->busy);
    v_store(self->lane.write, r->write);
    v_store(self->lane.rank, r->rank);
    v_store(self->lane.stamp, r->stamp);
    self->hits = r->hits;
    self->now_row = r->now_row;
    self->now_column = r->now_column;
}

/* What comes next: its key, its lane (also as lane_t), and when, relative to the base. */
typedef struct {
    uint32_t key;
    uint32_t lane;
    lane_t here;
    vec at;
    uint64_t cycle;
} choice;

/* Time ahead in the key's upper byte. */
FAST_FN vec ahead(vec time, vec now) {
    return v_shl8(v_min(v_subs(time, now), v_set1(FAST_FAR)));
}

FAST_FN void pick(const regs *r, choice *c) {
    vec hit = v_or(ahead(v_max(v_select(r->mode, r->wr, r->rd), r->column), r->now), r->hit);
    vec active = v_orn(v_or(ahead(v_max(v_select(r->write, r->wr, r->rd), r->column), r->now), r->rank), r->busy);
    vec row = v_or(v_or(ahead(v_select(r->open, r->pre, r->act), r->now), r->row), r->busy);
    vec one;
    c->key = v_least(v_min(v_min(hit, row), active), &c->lane, &c->here, &one);
    c->at = v_add(r->now, v_shr8(one));
    c->cycle = r->now_row + (c->key >> 8);
}

FAST_FN void bind(fast_channel *self, regs *r, uint32_t command, const choice *c) {
    const fast_tables *tables = self->tables;
    const uint16_t *d = tables->delay + tables->begin[command] + (size_t)c->lane * FAST_BANKED * FAST_WIDTH;
    r->act = v_max(r->act, v_add(c->at, v_load(d)));
    r->pre = v_max(r->pre, v_add(c->at, v_load(d + FAST_WIDTH)));
    r->rd = v_max(r->rd, v_add(c->at, v_load(d + 2 * FAST_WIDTH)));
    r->wr = v_max(r->wr, v_add(c->at, v_load(d + 3 * FAST_WIDTH)));
    self->last[command][tables->rank_of[c->lane]] = c->cycle + 1;
}

/* The candidates of a bank, after its requests or its row have changed. */
FAST_FN void show(regs *r, const fast_channel *self, lane_t here, uint64_t of_bank) {
    uint64_t hits = r->hits & of_bank;
    r->hit = v_put(r->hit, here, fast_mark(hits, FAST_QUEUED));
    r->row = v_put(r->row, here, fast_mark(of_bank & ~hits, self->tables->row_bits));
}

FAST_FN uint64_t leave(fast_queue *queue, uint32_t lane, uint64_t bit) {
    queue->live &= ~bit;
    queue->size--;
    return queue->of_bank[lane] &= ~bit;
}

FAST_FN void issue_column(fast_channel *self, regs *r, const choice *c, const fast_entry *entry) {
    uint32_t command = entry->is_write ? FAST_WR : FAST_RD;
    bind(self, r, command, c);
    fast_retire(self, entry, c->cycle);
}

FAST_FN void column_of_active(fast_channel *self, regs *r, const choice *c) {
    r->rank = v_rank_out(r->rank, c->key & (FAST_WINDOW - 1));
    r->busy = v_put(r->busy, c->here, 0);
    r->stamp = v_put(r->stamp, c->here, FAST_NONE);
    issue_column(self, r, c, &self->active[c->lane]);
}

FAST_FN void column_of_queued(fast_channel *self, regs *r, const choice *c) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint32_t position = c->key & (FAST_WINDOW - 1);
    uint64_t bit = (uint64_t)1 << position;
    self->counters[HEAM_COUNT_row_hits] += (queue->counted & bit) == 0;
    uint64_t hits = r->hits & leave(queue, c->lane, bit);
    r->hits &= ~bit;
    r->hit = v_put(r->hit, c->here, fast_mark(hits, FAST_QUEUED));
    issue_column(self, r, c, &queue->entry[position]);
}

/* The activation window: the oldest of the last ACTs of this node allows the next one. */
FAST_FN void bind_window(fast_channel *self, regs *r, const choice *c) {
    const fast_tables *tables = self->tables;
    uint32_t node = tables->window_node[c->lane];
    int64_t *history = self->history + (size_t)node * tables->window;
    uint32_t at = self->history_at[node];
    history[at] = (int64_t)c->cycle;
    at = at + 1 == tables->window ? 0 : at + 1;
    self->history_at[node] = at;
    int64_t time = history[at] + (int64_t)tables->window_cycles - (int64_t)self->base;
    vec lanes = v_load(tables->window_lanes + (size_t)node * FAST_WIDTH);
    r->act = v_max(r->act, v_and(lanes, v_set1(time < 0 ? 0 : (uint32_t)time)));
}

FAST_FN void activate(fast_channel *self, regs *r, const choice *c) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint32_t lane = c->lane;
    uint32_t position = c->key & (FAST_WINDOW - 1);
    const fast_entry *entry = &queue->entry[position];
    uint64_t bit = (uint64_t)1 << position;
    uint32_t row = queue->rows[position];
    uint32_t rank = self->tables->rank_of[lane];
    bind(self, r, FAST_ACT, c);
    if (self->tables->window != 0) {
        bind_window(self, r, c);
    }
    self->counters[HEAM_COUNT_act]++;
    self->counters[HEAM_COUNT_row_misses] += (queue->counted & bit) == 0;
    uint64_t of_bank = leave(queue, lane, bit);
    self->open_row[lane] = row;
    r->hits |= f_match(queue->rows, row, of_bank);
    show(r, self, c->here, of_bank);
    uint32_t place = v_below(r->stamp, entry->stamp);
    r->rank = v_put(v_rank_in(r->rank, r->stamp, entry->stamp), c->here, place);
    r->stamp = v_put(r->stamp, c->here, entry->stamp);
    r->open = v_put(r->open, c->here, 0xFFFF);
    r->busy = v_put(r->busy, c->here, 0xFFFF);
    r->write = v_put(r->write, c->here, self->write_mode ? 0xFFFF : 0);
    self->active[lane] = *entry;
    self->rank_since[rank] = self->rank_open[rank]++ == 0 ? c->cycle : self->rank_since[rank];
}

FAST_FN void precharge(fast_channel *self, regs *r, const choice *c) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint32_t lane = c->lane;
    uint32_t position = c->key & (FAST_WINDOW - 1);
    uint64_t bit = (uint64_t)1 << position;
    uint32_t rank = self->tables->rank_of[lane];
    bind(self, r, FAST_PRE, c);
    self->counters[HEAM_COUNT_pre]++;
    self->counters[HEAM_COUNT_row_conflicts] += (queue->counted & bit) == 0;
    queue->counted |= bit;
    self->open_row[lane] = HEAM_CLOSED;
    r->hits &= ~queue->of_bank[lane];
    show(r, self, c->here, queue->of_bank[lane]);
    r->open = v_put(r->open, c->here, 0);
    if (--self->rank_open[rank] == 0) {
        self->counters[HEAM_COUNT_rank_active] += c->cycle - self->rank_since[rank];
    }
}

/* Issues the choice; true if a request has left its queue. */
FAST_FN bool issue(fast_channel *self, regs *r, const choice *c) {
    bool column = true;
    bool left = true;
    self->last_issue = c->cycle;
    if ((c->key & FAST_QUEUED) == 0) {
        column_of_active(self, r, c);
        left = false;
    } else if ((r->hits >> (c->key & (FAST_WINDOW - 1)) & 1) != 0) {
        column_of_queued(self, r, c);
    } else if (self->open_row[c->lane] == HEAM_CLOSED) {
        activate(self, r, c);
        column = false;
    } else {
        precharge(self, r, c);
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
FAST_FN bool run(fast_channel *self, regs *r, uint64_t limit, uint32_t want) {
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
        pick(r, &c);
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
            heam_fast_log_choice(self, c.key, c.lane, c.cycle);
            take(r, self);
        }
        if (issue(self, r, &c) && want == FAST_WANT_READ_SLOT + self->write_mode) {
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
    uint64_t of_bank = queue->of_bank[bank] |= bit;
    if (q == self->write_mode) {
        r->hits |= (uint64_t)(self->open_row[bank] == row) << position;
        show(r, self, v_lane(bank), of_bank);
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

FAST_TARGET bool KERNEL(fast_channel *self, fast_front *front, uint64_t limit, uint32_t want) {
    regs r;
    bool moves = true;
    uint32_t q = FAST_READS;
    if (front != NULL && !next_turn(self, front, &q, &limit, &want)) {
        return true;
    }
    take(&r, self);
    while ((moves = run(self, &r, limit, want)) && front != NULL) {
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
