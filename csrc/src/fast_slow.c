/* SPDX-License-Identifier: MIT */
/* The seldom parts of the fast engine: refresh, change of mode, renumbering, the log. Plain C on the state in memory. */
#include "fast.h"
#include "latencies.h"

static uint16_t *lane_of(const fast_channel *self, uint32_t bank, uint32_t kind) {
    const fast_tables *tables = self->tables;
    return fast_row(self, tables->rank_of[bank], kind, tables->width) + tables->within[bank];
}

static bool busy(const fast_channel *self, uint32_t bank) {
    return (self->busy >> bank & 1) != 0;
}

static void rebase(fast_channel *self) {
    uint64_t by = self->now_row - self->base;
    for (uint32_t rank = 0; rank < self->tables->ranks; rank++) {
        uint16_t *lanes = fast_row(self, rank, 0, self->tables->width);
        for (uint32_t i = 0; i < FAST_BANKED * self->tables->width; i++) {
            lanes[i] = by >= lanes[i] ? 0 : (uint16_t)(lanes[i] - by);
        }
    }
    self->base = self->now_row;
}

/* Looks again at all requests of the current queue. */
static void rebuild(fast_channel *self) {
    const fast_queue *queue = &self->queue[self->write_mode];
    uint64_t hits = 0;
    for (uint64_t rest = queue->live; rest != 0; rest &= rest - 1) {
        uint32_t at = fast_first(rest);
        hits |= (uint64_t)(queue->rows[at] == self->open_row[queue->entry[at].bank]) << at;
    }
    for (uint32_t bank = 0; bank < self->tables->banks; bank++) {
        uint64_t of_bank = queue->of_bank[bank];
        *lane_of(self, bank, FAST_HIT) = (uint16_t)fast_mark(of_bank & hits, FAST_QUEUED);
        *lane_of(self, bank, FAST_ROW) = busy(self, bank) ? FAST_NONE : (uint16_t)fast_mark(of_bank & ~hits, self->tables->row_bits);
    }
    self->hits = hits;
}

/* FAST_HIT and FAST_ROW, which are side by side. */
static void shift_lanes(fast_channel *self, uint32_t by) {
    for (uint32_t rank = 0; rank < self->tables->ranks; rank++) {
        uint16_t *lanes = fast_row(self, rank, FAST_HIT, self->tables->width);
        for (uint32_t i = 0; i < 2 * self->tables->width; i++) {
            lanes[i] = (uint16_t)(lanes[i] - (lanes[i] == FAST_NONE ? 0 : by));
        }
    }
}

/* Moves everything down by as many positions as are free before the oldest. */
static void shift(fast_channel *self, uint32_t q, uint32_t by) {
    fast_queue *queue = &self->queue[q];
    memmove(queue->rows, queue->rows + by, (FAST_WINDOW - by) * sizeof(queue->rows[0]));
    memmove(queue->entry, queue->entry + by, (FAST_WINDOW - by) * sizeof(queue->entry[0]));
    if (self->with_rest && q == FAST_WRITES) {
        memmove(self->rest, self->rest + by, (FAST_WINDOW - by) * sizeof(self->rest[0]));
    }
    for (uint32_t bank = 0; bank < FAST_BANKS; bank++) {
        queue->of_bank[bank] >>= by;
    }
    queue->live >>= by;
    queue->counted >>= by;
    queue->tail -= by;
    if (q == self->write_mode) {
        self->hits >>= by;
        shift_lanes(self, by);
    }
}

static void map_lanes(fast_channel *self, const uint8_t map[FAST_WINDOW]) {
    for (uint32_t rank = 0; rank < self->tables->ranks; rank++) {
        uint16_t *lanes = fast_row(self, rank, FAST_HIT, self->tables->width);
        for (uint32_t i = 0; i < 2 * self->tables->width; i++) {
            uint32_t old = lanes[i];
            uint32_t none = 0 - (uint32_t)(old == FAST_NONE); /* no branch: it could not be foretold */
            lanes[i] = (uint16_t)((old & ~(FAST_WINDOW - 1)) | map[old & (FAST_WINDOW - 1)] | none);
        }
    }
}

/* Moves the requests of a window together, in their order. */
static void compact(fast_channel *self, uint32_t q) {
    fast_queue *queue = &self->queue[q];
    uint8_t map[FAST_WINDOW] = {0};
    uint64_t counted = 0;
    uint64_t hits = 0;
    uint32_t to = 0;
    if (queue->live == 0 || fast_first(queue->live) >= FAST_SHIFT_MIN) {
        shift(self, q, queue->live == 0 ? FAST_WINDOW - 1 : fast_first(queue->live));
        return;
    }
    memset(queue->of_bank, 0, sizeof(queue->of_bank));
    for (uint64_t rest = queue->live; rest != 0; rest &= rest - 1) {
        uint32_t from = fast_first(rest);
        counted |= (queue->counted >> from & 1) << to;
        hits |= (self->hits >> from & 1) << to;
        map[from] = (uint8_t)to;
        queue->rows[to] = queue->rows[from];
        queue->entry[to] = queue->entry[from];
        if (self->with_rest && q == FAST_WRITES) {
            self->rest[to] = self->rest[from];
        }
        queue->of_bank[queue->entry[to].bank] |= (uint64_t)1 << to;
        to++;
    }
    queue->tail = to;
    queue->counted = counted;
    queue->live = ((uint64_t)1 << to) - 1; /* to <= FAST_QUEUE */
    if (q == self->write_mode) {
        self->hits = hits;
        map_lanes(self, map);
    }
}

static uint32_t collect_stamps(fast_channel *self, uint16_t *out[3 * FAST_BANKS]) {
    uint32_t count = 0;
    for (uint32_t q = 0; q < FAST_QUEUES; q++) {
        for (uint64_t rest = self->queue[q].live; rest != 0; rest &= rest - 1) {
            out[count++] = &self->queue[q].entry[fast_first(rest)].stamp;
        }
    }
    for (uint32_t bank = 0; bank < self->tables->banks; bank++) {
        if (busy(self, bank)) {
            out[count++] = lane_of(self, bank, FAST_STAMP);
        }
    }
    return count;
}

/* Stamps run from 0; when they reach their end, those in use are numbered anew in the same order. */
static void renumber(fast_channel *self) {
    uint16_t *at[3 * FAST_BANKS];
    uint16_t next[3 * FAST_BANKS];
    uint32_t count = collect_stamps(self, at);
    for (uint32_t i = 0; i < count; i++) {
        next[i] = 0;
        for (uint32_t j = 0; j < count; j++) {
            next[i] = (uint16_t)(next[i] + (*at[j] < *at[i]));
        }
        next[i] = *at[i] == self->stamp ? (uint16_t)count : next[i]; /* the latest may get company of the same arrival */
    }
    for (uint32_t i = 0; i < count; i++) {
        *at[i] = next[i];
    }
    self->stamp = count;
}

void heam_fast_make_room(fast_channel *self, uint32_t q) {
    if (self->queue[q].tail == FAST_WINDOW) {
        compact(self, q);
    }
    if (self->stamp == FAST_STAMP_MAX) {
        renumber(self);
    }
}

void heam_fast_book(fast_channel *self, uint64_t clock) {
    uint32_t booked = 0;
    while (booked < self->reads_size && self->reads[booked].cycle <= clock) {
        uint64_t latency = self->reads[booked++].latency;
        self->counters[HEAM_COUNT_read_latency] += latency;
        self->latencies[heam_latency_bin(latency)]++;
    }
    self->counters[HEAM_COUNT_reads_completed] += booked;
    self->reads_size -= booked;
    memmove(self->reads, self->reads + booked, self->reads_size * sizeof(*self->reads));
    self->reads_limit = 2 * self->reads_size > FAST_READS_MIN ? 2 * self->reads_size : FAST_READS_MIN;
}

static void log_command(fast_channel *self, uint32_t command, uint32_t bank, uint32_t row, uint32_t column, uint64_t arrival, uint64_t cycle) {
    int32_t bound;
    bool of_request = command < FAST_BANKED;
    uint32_t number = self->tables->command[command];
    uint64_t earliest = heam_timing_earliest(&self->shadow, number, bank, &bound);
    if ((of_request && earliest == 0 ? 1 : earliest) < cycle) {
        bound = of_request && arrival + 1 == cycle ? HEAM_BOUND_ARRIVAL : HEAM_BOUND_SLOT;
    }
    heam_timing_issue(&self->shadow, number, bank, row, cycle, 0);
    heam_log_record record = {.clock = cycle, .row = row, .channel = self->index, .bank = (uint16_t)bank, .column = (uint16_t)column,
                              .unit = HEAM_NO_UNIT, .bound = (int16_t)bound, .command = (uint8_t)number};
    if (!heam_ring_reserve(&self->log)) {
        self->failed = true;
        return;
    }
    heam_ring_push(&self->log, &record, sizeof(record));
}

void heam_fast_log_choice(fast_channel *self, uint32_t key, uint32_t bank, uint64_t cycle) {
    const fast_queue *queue = &self->queue[self->write_mode];
    uint32_t position = key & (FAST_WINDOW - 1);
    bool queued = (key & FAST_QUEUED) != 0;
    const fast_entry *entry = queued ? &queue->entry[position] : &self->active[bank];
    bool column = !queued || (self->hits >> position & 1) != 0;
    uint32_t command = column ? (entry->is_write ? FAST_WR : FAST_RD) : self->open_row[bank] == HEAM_CLOSED ? FAST_ACT : FAST_PRE;
    log_command(self, command, bank, column ? self->open_row[bank] : queue->rows[position], entry->column, entry->arrival, cycle);
}

static void raise_lane(uint16_t *lane, uint32_t time) {
    if (time > *lane) {
        *lane = (uint16_t)time;
    }
}

static void delay(fast_channel *self, uint32_t command, uint32_t rank, uint32_t within, uint64_t cycle) {
    const fast_tables *tables = self->tables;
    const uint16_t *inside = fast_delays(tables, command, within, tables->width);
    uint32_t now = (uint32_t)(cycle - self->base);
    for (uint32_t other = 0; other < tables->ranks; other++) {
        for (uint32_t c = 0; c < FAST_BANKED; c++) {
            uint16_t *lanes = fast_row(self, other, c, tables->width);
            for (uint32_t lane = 0; lane < tables->width; lane++) {
                raise_lane(&lanes[lane], now + (other == rank ? inside[c * tables->width + lane] : tables->other[command][c]));
            }
        }
    }
}

/* The clock after a command: with split buses the row slot of the cycle comes after its column slot. */
static void step(fast_channel *self, uint64_t cycle, bool column) {
    self->last_issue = cycle;
    self->now_column = cycle + 1;
    self->now_row = column && self->tables->split ? cycle : cycle + 1;
}

static void issue_active(fast_channel *self, uint32_t bank, uint64_t cycle) {
    const fast_entry *entry = &self->active[bank];
    uint32_t command = entry->is_write ? FAST_WR : FAST_RD;
    uint32_t rank = self->tables->rank_of[bank];
    uint32_t age = *lane_of(self, bank, FAST_AGE);
    uint64_t of_bank = self->queue[self->write_mode].of_bank[bank];
    if (self->with_log) {
        log_command(self, command, bank, self->open_row[bank], entry->column, entry->arrival, cycle);
    }
    self->last[command][rank] = cycle + 1;
    for (uint32_t other = 0; other < self->tables->banks; other++) {
        uint16_t *lane = lane_of(self, other, FAST_AGE);
        *lane = (uint16_t)(*lane - (*lane != FAST_NONE && *lane > age));
    }
    *lane_of(self, bank, FAST_AGE) = *lane_of(self, bank, FAST_STAMP) = FAST_NONE;
    *lane_of(self, bank, FAST_ROW) = (uint16_t)fast_mark(of_bank & ~self->hits, self->tables->row_bits);
    self->busy &= ~((uint64_t)1 << bank);
    fast_retire(self, entry, cycle);
    delay(self, command, rank, self->tables->within[bank], cycle);
    step(self, cycle, true);
}

/* The active request that comes first, and when; HEAM_NEVER if there is none. */
static uint64_t first_active(const fast_channel *self, uint32_t *bank) {
    uint64_t best = HEAM_NEVER;
    for (uint32_t at = 0; at < self->tables->banks; at++) {
        if (!busy(self, at)) {
            continue;
        }
        uint64_t time = self->base + *lane_of(self, at, self->active[at].is_write ? FAST_WR : FAST_RD);
        time = time < self->now_column ? self->now_column : time;
        if (time < best || (time == best && *lane_of(self, at, FAST_AGE) < *lane_of(self, *bank, FAST_AGE))) {
            best = time;
            *bank = at;
        }
    }
    return best;
}

void heam_fast_change_mode(fast_channel *self) {
    self->write_mode = !self->write_mode;
    rebuild(self);
}

static void close_rank(fast_channel *self, uint32_t rank, uint64_t cycle) {
    uint32_t first = rank * self->tables->rank_stride;
    for (uint32_t bank = first; bank < first + self->tables->rank_stride; bank++) {
        self->open_row[bank] = HEAM_CLOSED;
        *lane_of(self, bank, FAST_OPEN) = 0;
    }
    if (self->rank_open[rank] > 0) {
        self->counters[HEAM_COUNT_rank_active] += cycle - self->rank_since[rank];
        self->counters[HEAM_COUNT_bank_active] += self->rank_open[rank] * cycle;
        self->rank_open[rank] = 0;
    }
    rebuild(self);
}

/* Has one of its banks an active request? */
static bool rank_busy(const fast_channel *self, uint32_t rank) {
    uint32_t first = rank * self->tables->rank_stride;
    bool found = false;
    for (uint32_t bank = first; bank < first + self->tables->rank_stride; bank++) {
        found = found || busy(self, bank);
    }
    return found;
}

/* When the head of the maintenance queue may be served. */
static uint64_t maintenance_time(const fast_channel *self, uint32_t rank, uint32_t command) {
    const fast_tables *tables = self->tables;
    uint64_t time = self->now_row;
    if (command == FAST_PREA && rank_busy(self, rank)) {
        return HEAM_NEVER;
    }
    for (uint32_t c = 0; c < FAST_COMMANDS; c++) {
        const int32_t *to = command == FAST_PREA ? tables->to_prea[c] : tables->to_ref[c];
        for (uint32_t other = 0; other < tables->ranks; other++) {
            int32_t cycles = to[other != rank];
            if (cycles >= 0 && self->last[c][other] != 0 && self->last[c][other] - 1 + (uint32_t)cycles > time) {
                time = self->last[c][other] - 1 + (uint32_t)cycles;
            }
        }
    }
    return time;
}

static void issue_maintenance(fast_channel *self, uint32_t rank, uint32_t command, uint64_t cycle) {
    if (self->with_log) {
        log_command(self, command, rank * self->tables->rank_stride, 0, 0, 0, cycle);
    }
    self->last[command][rank] = cycle + 1;
    delay(self, command, rank, 0, cycle);
    if (command == FAST_PREA) {
        self->counters[HEAM_COUNT_prea]++;
        close_rank(self, rank, cycle);
    } else {
        self->counters[HEAM_COUNT_ref]++;
        self->maintenance_head = (self->maintenance_head + 1) % HEAM_FAST_MAINTENANCE;
        self->maintenance_size--;
    }
    step(self, cycle, false);
}

static void refresh_due(fast_channel *self) {
    self->next_refresh += self->tables->refresh_interval;
    for (uint32_t rank = 0; rank < self->tables->ranks; rank++) {
        if (self->maintenance_size < HEAM_FAST_MAINTENANCE) {
            self->maintenance[(self->maintenance_head + self->maintenance_size++) % HEAM_FAST_MAINTENANCE] = (uint16_t)rank;
        }
    }
}

/* Refreshes from the start of a cycle until none is due or the cycle is `limit`. */
static void maintain(fast_channel *self, uint64_t limit) {
    for (;;) {
        if (self->now_column == self->now_row) {
            if (self->now_row >= limit) {
                return;
            }
            if (self->now_row == self->next_refresh) {
                refresh_due(self);
            }
        }
        if (self->maintenance_size == 0) {
            return;
        }
        uint32_t bank = 0;
        uint32_t rank = self->maintenance[self->maintenance_head];
        uint32_t command = self->rank_open[rank] > 0 ? FAST_PREA : FAST_REF;
        uint64_t active = first_active(self, &bank);
        uint64_t maintenance = maintenance_time(self, rank, command);
        uint64_t first = active <= maintenance ? active : maintenance;
        uint64_t stop = limit < self->next_refresh ? limit : self->next_refresh;
        if (first >= stop) {
            self->now_column = self->now_row = stop;
            continue;
        }
        if (first - self->base >= FAST_REBASE) {
            self->now_column = self->now_row = first;
            rebase(self);
            continue;
        }
        if (active <= maintenance) {
            issue_active(self, bank, active);
        } else {
            issue_maintenance(self, rank, command, maintenance);
        }
    }
}

bool heam_fast_settle(fast_channel *self, uint64_t limit, uint32_t want) {
    for (;;) {
        if (self->now_row >= limit || (want == FAST_WANT_IDLE && heam_fast_idle(self))) {
            return true;
        }
        if (self->now_row - self->base >= FAST_REBASE) {
            rebase(self);
        }
        if (self->maintenance_size != 0 || self->now_row == self->next_refresh) {
            maintain(self, limit);
            if (self->maintenance_size != 0) {
                return true; /* at the limit */
            }
        } else {
            return false;
        }
    }
}

bool heam_fast_idle(const fast_channel *self) {
    return (self->busy | self->maintenance_size | self->queue[FAST_READS].size | self->queue[FAST_WRITES].size) == 0;
}
