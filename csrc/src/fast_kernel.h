/* SPDX-License-Identifier: MIT */
/*
 * The frequent part of the fast engine, written once for all instruction sets and widths. Included after fast_vector.h by a
 * file that also has defined KERNEL(name), v_lane(lane) -> lane_t, v_put(vec, lane_t, value), v_below(vec, x) (how many lanes
 * are less or equal), v_rank_in and v_rank_out, v_least(vec, &lane) and f_match(rows, row, positions).
 */

typedef struct {
    vec act, pre, rd, wr;
    vec hit, row, open, busy, write, rank, stamp;
} regs;

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
}

/* Time ahead in the key's upper byte. */
FAST_FN vec ahead(vec time, vec now) {
    return v_shl8(v_min(v_subs(time, now), v_set1(FAST_FAR)));
}

/* The least key: what comes next. */
FAST_FN uint32_t pick(const regs *r, bool write_mode, uint32_t now_column, uint32_t now_row, uint32_t *lane) {
    vec now = v_set1(now_row);
    vec column = v_set1(now_column);
    vec mode = v_set1(write_mode ? 0xFFFF : 0);
    vec hit = v_or(ahead(v_max(v_select(mode, r->wr, r->rd), column), now), r->hit);
    vec active = v_orn(v_or(ahead(v_max(v_select(r->write, r->wr, r->rd), column), now), r->rank), r->busy);
    vec row = v_or(v_or(ahead(v_select(r->open, r->pre, r->act), now), r->row), r->busy);
    return v_least(v_min(v_min(hit, row), active), lane);
}

FAST_FN void bind(regs *r, const fast_tables *tables, uint32_t command, uint32_t lane, uint32_t at) {
    const uint16_t *d = tables->delay + tables->begin[command] + (size_t)lane * FAST_BANKED * FAST_WIDTH;
    vec now = v_set1(at);
    r->act = v_max(r->act, v_add(now, v_load(d)));
    r->pre = v_max(r->pre, v_add(now, v_load(d + FAST_WIDTH)));
    r->rd = v_max(r->rd, v_add(now, v_load(d + 2 * FAST_WIDTH)));
    r->wr = v_max(r->wr, v_add(now, v_load(d + 3 * FAST_WIDTH)));
}

FAST_FN uint32_t mark(uint64_t bits, uint32_t marks) {
    return bits == 0 ? FAST_NONE : fast_first(bits) | marks;
}

/* The candidates of a bank, after its requests or its row have changed. */
FAST_FN void show(regs *r, const fast_channel *self, lane_t at, uint64_t of_bank) {
    uint64_t hits = self->hits & of_bank;
    r->hit = v_put(r->hit, at, mark(hits, FAST_QUEUED));
    r->row = v_put(r->row, at, mark(of_bank & ~hits, self->tables->row_bits));
}

FAST_FN uint64_t leave(fast_queue *queue, uint32_t lane, uint64_t bit) {
    queue->live &= ~bit;
    queue->size--;
    return queue->of_bank[lane] &= ~bit;
}

FAST_FN void issue_column(fast_channel *self, regs *r, uint32_t lane, const fast_entry *entry, uint64_t cycle) {
    uint32_t command = entry->is_write ? FAST_WR : FAST_RD;
    self->last[command][self->tables->rank_of[lane]] = cycle + 1;
    if (self->with_log) {
        heam_fast_log(self, command, lane, self->open_row[lane], entry->column, entry->arrival, cycle);
    }
    bind(r, self->tables, command, lane, (uint32_t)(cycle - self->base));
    fast_retire(self, entry, cycle);
}

FAST_FN void column_of_active(fast_channel *self, regs *r, uint32_t lane, uint32_t rank, uint64_t cycle) {
    lane_t at = v_lane(lane);
    self->actives--;
    self->rank_active[self->tables->rank_of[lane]]--;
    r->rank = v_rank_out(r->rank, rank);
    r->busy = v_put(r->busy, at, 0);
    r->stamp = v_put(r->stamp, at, FAST_NONE);
    issue_column(self, r, lane, &self->active[lane], cycle);
}

FAST_FN void column_of_queued(fast_channel *self, regs *r, uint32_t lane, uint32_t position, uint64_t cycle) {
    fast_queue *queue = &self->queue[self->write_mode];
    uint64_t bit = (uint64_t)1 << position;
    self->counters[HEAM_COUNT_row_hits] += (queue->counted & bit) == 0;
    uint64_t hits = self->hits & leave(queue, lane, bit);
    self->hits &= ~bit;
    r->hit = v_put(r->hit, v_lane(lane), mark(hits, FAST_QUEUED));
    issue_column(self, r, lane, &queue->entry[position], cycle);
}

/* The activation window: the oldest of the last ACTs of this node allows the next one. */
FAST_FN void bind_window(fast_channel *self, regs *r, uint32_t lane, uint64_t cycle) {
    const fast_tables *tables = self->tables;
    uint32_t node = lane / tables->window_stride;
    int64_t *history = self->history + (size_t)node * tables->window;
    uint32_t at = self->history_at[node];
    history[at] = (int64_t)cycle;
    at = at + 1 == tables->window ? 0 : at + 1;
    self->history_at[node] = at;
    int64_t time = history[at] + (int64_t)tables->window_cycles - (int64_t)self->base;
    vec lanes = v_load(tables->window_lanes + (size_t)node * FAST_WIDTH);
    r->act = v_max(r->act, v_and(lanes, v_set1(time < 0 ? 0 : (uint32_t)time)));
}

FAST_FN void activate(fast_channel *self, regs *r, uint32_t lane, uint32_t position, uint64_t cycle) {
    fast_queue *queue = &self->queue[self->write_mode];
    const fast_entry *entry = &queue->entry[position];
    uint64_t bit = (uint64_t)1 << position;
    uint32_t row = queue->rows[position];
    uint32_t rank = self->tables->rank_of[lane];
    lane_t at = v_lane(lane);
    if (self->with_log) {
        heam_fast_log(self, FAST_ACT, lane, row, entry->column, entry->arrival, cycle);
    }
    self->counters[HEAM_COUNT_act]++;
    self->counters[HEAM_COUNT_row_misses] += (queue->counted & bit) == 0;
    uint64_t of_bank = leave(queue, lane, bit);
    self->open_row[lane] = row;
    self->hits |= f_match(queue->rows, row, of_bank);
    show(r, self, at, of_bank);
    uint32_t place = v_below(r->stamp, entry->stamp);
    r->rank = v_put(v_rank_in(r->rank, r->stamp, entry->stamp), at, place);
    r->stamp = v_put(r->stamp, at, entry->stamp);
    r->open = v_put(r->open, at, 0xFFFF);
    r->busy = v_put(r->busy, at, 0xFFFF);
    r->write = v_put(r->write, at, self->write_mode ? 0xFFFF : 0);
    self->active[lane] = *entry;
    self->actives++;
    self->rank_active[rank]++;
    self->rank_since[rank] = self->rank_open[rank]++ == 0 ? cycle : self->rank_since[rank];
    self->last[FAST_ACT][rank] = cycle + 1;
    bind(r, self->tables, FAST_ACT, lane, (uint32_t)(cycle - self->base));
    if (self->tables->window != 0) {
        bind_window(self, r, lane, cycle);
    }
}

FAST_FN void precharge(fast_channel *self, regs *r, uint32_t lane, uint32_t position, uint64_t cycle) {
    fast_queue *queue = &self->queue[self->write_mode];
    const fast_entry *entry = &queue->entry[position];
    uint64_t bit = (uint64_t)1 << position;
    uint32_t rank = self->tables->rank_of[lane];
    lane_t at = v_lane(lane);
    if (self->with_log) {
        heam_fast_log(self, FAST_PRE, lane, queue->rows[position], entry->column, entry->arrival, cycle);
    }
    self->counters[HEAM_COUNT_pre]++;
    self->counters[HEAM_COUNT_row_conflicts] += (queue->counted & bit) == 0;
    queue->counted |= bit;
    self->open_row[lane] = HEAM_CLOSED;
    self->hits &= ~queue->of_bank[lane];
    show(r, self, at, queue->of_bank[lane]);
    r->open = v_put(r->open, at, 0);
    if (--self->rank_open[rank] == 0) {
        self->counters[HEAM_COUNT_rank_active] += cycle - self->rank_since[rank];
    }
    self->last[FAST_PRE][rank] = cycle + 1;
    bind(r, self->tables, FAST_PRE, lane, (uint32_t)(cycle - self->base));
}

enum { ISSUED_ACTIVE, ISSUED_QUEUED, ISSUED_ACT, ISSUED_PRE };

FAST_FN uint32_t issue(fast_channel *self, regs *r, uint32_t key, uint32_t lane, uint64_t cycle) {
    uint32_t position = key & (FAST_WINDOW - 1);
    bool split = self->tables->split;
    self->last_issue = cycle;
    self->now_column = cycle + 1;
    if ((key & FAST_QUEUED) == 0) {
        self->now_row = cycle + !split;
        column_of_active(self, r, lane, position, cycle);
        return ISSUED_ACTIVE;
    }
    if ((self->hits >> position & 1) != 0) {
        self->now_row = cycle + !split;
        column_of_queued(self, r, lane, position, cycle);
        return ISSUED_QUEUED;
    }
    self->now_row = cycle + 1;
    if (self->open_row[lane] == HEAM_CLOSED) {
        activate(self, r, lane, position, cycle);
        return ISSUED_ACT;
    }
    precharge(self, r, lane, position, cycle);
    return ISSUED_PRE;
}

/* Runs until the start of `limit`, or until what is wanted has happened. */
FAST_FN bool run(fast_channel *self, regs *r, uint64_t limit, uint32_t want) {
    for (;;) {
        uint64_t stop = limit < self->next_refresh ? limit : self->next_refresh;
        uint32_t lane;
        if (want == FAST_WANT_IDLE && fast_idle(self)) {
            return true;
        }
        if (self->now_row >= stop || self->maintenance_size != 0) {
            /* With split buses a row slot may be left of the cycle before the limit: now_row < now_column <= limit. */
            if (self->now_row >= limit) {
                return true;
            }
            give(r, self);
            heam_fast_maintain(self, limit);
            take(r, self);
            if (self->maintenance_size != 0) {
                return true; /* at the limit */
            }
            continue;
        }
        if (self->now_row - self->base > FAST_REBASE) {
            give(r, self);
            heam_fast_rebase(self);
            take(r, self);
        }
        if (fast_unstable(self)) {
            give(r, self);
            heam_fast_change_mode(self);
            take(r, self);
            continue;
        }
        uint32_t key = pick(r, self->write_mode != 0, (uint32_t)(self->now_column - self->base), (uint32_t)(self->now_row - self->base), &lane);
        uint64_t cycle = self->now_row + (key >> 8);
        if (key >= FAST_FAR << 8) {
            cycle = key == FAST_NONE ? stop : cycle;
            if (cycle == HEAM_NEVER) {
                return false;
            }
            self->now_column = self->now_row = cycle < stop ? cycle : stop;
            continue;
        }
        if (cycle >= stop) {
            self->now_column = self->now_row = stop;
            continue;
        }
        uint32_t issued = issue(self, r, key, lane, cycle);
        if ((issued == ISSUED_QUEUED || issued == ISSUED_ACT) && want == FAST_WANT_READ_SLOT + self->write_mode) {
            return true;
        }
    }
}

/* A read or write of the very same burst in the write queue. */
FAST_FN bool queued_write(const fast_channel *self, uint32_t bank, uint32_t row, uint32_t column) {
    const fast_queue *queue = &self->queue[FAST_WRITES];
    uint64_t same = queue->of_bank[bank];
    if (same == 0) {
        return false;
    }
    for (same = f_match(queue->rows, row, same); same != 0; same &= same - 1) {
        if (queue->entry[fast_first(same)].column == column) {
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
    if (queue->tail == FAST_WINDOW) {
        give(r, self);
        heam_fast_compact(self, q);
        take(r, self);
    }
    if (arrival != self->last_arrival) {
        self->last_arrival = arrival;
        if (self->stamp == FAST_STAMP_MAX) {
            give(r, self);
            heam_fast_renumber(self);
            take(r, self);
        }
        self->stamp++;
    }
    uint32_t position = queue->tail++;
    uint64_t bit = (uint64_t)1 << position;
    queue->rows[position] = row;
    queue->entry[position] = (fast_entry){
        .arrival = arrival, .column = front->column[i], .stamp = (uint16_t)self->stamp, .bank = (uint8_t)bank, .is_write = q == FAST_WRITES};
    queue->live |= bit;
    queue->counted &= ~bit;
    uint64_t of_bank = queue->of_bank[bank] |= bit;
    if (q == self->write_mode) {
        self->hits |= self->open_row[bank] == row ? bit : 0;
        show(r, self, v_lane(bank), of_bank);
    }
    queue->size++;
    uint64_t queued = (uint64_t)self->queue[FAST_READS].size + self->queue[FAST_WRITES].size;
    uint64_t *peak = &self->counters[HEAM_COUNT_queue_peak];
    *peak = queued > *peak ? queued : *peak;
}

/* Offers the next request, whose turn it is in front->cycle; waits for a place in its queue when there is none. */
FAST_FN bool offer(fast_channel *self, regs *r, fast_front *front) {
    uint64_t i = front->i;
    uint32_t q = front->is_write[i] != 0 ? FAST_WRITES : FAST_READS;
    self->counters[q == FAST_WRITES ? HEAM_COUNT_writes : HEAM_COUNT_reads]++;
    if (queued_write(self, front->bank[i], front->row[i], front->column[i])) {
        self->counters[q == FAST_WRITES ? HEAM_COUNT_coalesced : HEAM_COUNT_forwarded]++;
        if (q == FAST_READS) {
            fast_read_done(self, front->cycle, front->cycle - 1);
        }
    } else {
        if (self->queue[q].size == self->queue[q].capacity) {
            if (!run(self, r, HEAM_NEVER, q == FAST_WRITES ? FAST_WANT_WRITE_SLOT : FAST_WANT_READ_SLOT)) {
                return false;
            }
            front->cycle = self->last_issue + 1;
            front->offers = front->offers_per_cycle;
            run(self, r, front->cycle, FAST_WANT_NOTHING);
        }
        insert(self, r, q, front);
    }
    front->i++;
    front->offers--;
    return true;
}

FAST_TARGET bool KERNEL(fast_channel *self, fast_front *front, uint64_t limit, uint32_t want) {
    regs r;
    take(&r, self);
    bool moves = front != NULL || run(self, &r, limit, want);
    while (front != NULL && moves && front->i < front->n && front->channel[front->i] == self->index) {
        if (front->offers == 0) {
            front->cycle++;
            front->offers = front->offers_per_cycle;
        }
        run(self, &r, front->cycle, FAST_WANT_NOTHING);
        moves = offer(self, &r, front);
    }
    give(&r, self);
    return moves;
}
