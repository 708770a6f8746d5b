# SPDX-License-Identifier: MIT
"""A PIM channel: instruction path, operand queues, units, merge node, read-out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.reference.meter import Meter
from tests.reference.operands import Entry, Line, ResultBurst, Share, Tag
from tests.reference.plain import COUNTER_OF_KIND, PLAIN_COUNTERS
from tests.reference.stack import Stack
from tests.reference.timing import (
    BOUND_LUT,
    NO_UNIT,
    ROLE_FILL,
    ROLE_LOAD,
    ROLE_MAC,
    ROLE_MUL,
    Record,
    Timing,
)

__all__ = ["PimChannel"]

#: Counters that only PIM channels have.
PIM_COUNTERS = (
    "path_busy",
    "second_busy",
    "alu_busy",
    "merge_busy",
    "lut_busy",
    "pe_hits",
    "pe_misses",
    "merged",
    "pe_prefetches",
    "pe_filled",
    "pe_read",
    "pim_xmov",
    "stack_busy",
)
#: What is logged but touches neither bank nor bus of the memory.
PSEUDO = ("PIM_LUT", "PE_HIT", "MERGED", "PIM_XMOV")
COMBINING = (ROLE_MUL, ROLE_MAC)


class PimChannel:
    """The rules P1 to P7, in that order, once a cycle; the keywords are the engine's channel options."""

    def __init__(
        self,
        spec: Any,
        *,
        unit_level: str | int,
        merge: bool,
        queue_depth: int,
        batch_tags: int,
        instruction_cycles: int,
        decode_cycles: int,
        alu_cycles: int,
        alu_latency: int,
        merge_cycles: int,
        mov_latency: int,
        res_latency: int,
        imm_latency: int = 0,
        period: int = 1,
        port_bytes_per_cycle: int,
        lut_load: int,
        result_bursts: int,
        refresh: bool,
        path_uses_dq: bool = False,
        second_stage_cycles: int = 0,
        host_driven: bool = False,
        cache_sets: int = 0,
        cache_ways: int = 0,
        merge_identical: bool = False,
        energy: Mapping[str, int] | None = None,
        energy_window: int = 0,
        stack: int = 0,
        stack_tags: int = 0,
        stack_cycles: int = 0,
        xmov_cycles: int = 0,
        xmov_latency: int = 0,
        index: int = 0,
    ) -> None:
        self.spec = spec
        self.index = index
        self.timing = timing = Timing(spec)
        self.meter = Meter(timing, energy, energy_window)
        self.unit_level = timing.levels.index(unit_level) if isinstance(unit_level, str) else unit_level
        self.units = timing.nodes[self.unit_level]
        self.merge = merge
        self.queue_depth = queue_depth
        self.batch_tags = batch_tags
        self.instruction_cycles = instruction_cycles
        self.decode_cycles = decode_cycles
        self.alu_cycles = alu_cycles
        self.alu_latency = alu_latency
        self.merge_cycles = merge_cycles
        self.mov_latency = mov_latency
        self.res_latency = res_latency
        self.imm_latency = imm_latency
        self.period = period
        self.pins: list[int] = []  # ends of the immediates' bursts
        self.port_bytes = port_bytes_per_cycle
        self.result_bursts = result_bursts
        self.refresh = refresh
        self.path_uses_dq = path_uses_dq
        self.second_stage_cycles = second_stage_cycles
        self.host_driven = host_driven
        self.cache_sets = cache_sets
        self.cache_ways = cache_ways
        self.merge_identical = merge_identical
        self.stack = stack
        self.stack_tags = stack_tags
        self.stack_cycles = stack_cycles
        self.xmov_cycles = xmov_cycles
        self.xmov_latency = xmov_latency
        self.node: Stack | None = None
        ref = timing.command.get("REF")
        self.rank_level = 1 if ref is None else timing.scope[ref]
        self.ranks = timing.nodes[self.rank_level]
        self.lut_bursts = [(burst, rank) for burst in range(lut_load) for rank in range(self.ranks)]
        self.clock = 0
        self.path_free = 0
        self.sent = 0
        self.crossed = 0
        self.crossed_rank: int | None = None
        self.second_free = [0] * self.ranks
        self.bus: set[str] = set()
        self.merge_free = 0
        self.alu_free = [0] * self.units
        self.lut_free = [0] * self.units
        self.newest: list[Entry | None] = [None] * self.units
        # Per unit and set, the least recently used line first.
        self.caches: list[list[list[Line]]] = [[[] for _ in range(cache_sets)] for _ in range(self.units)]
        self.owed = [0] * self.ranks
        self.buffer: list[Entry] = []
        self.entries: list[Entry] = []
        self.tags: dict[int, Tag] = {}
        self.delivered_gnrs = 0
        self.work: dict[int, dict[int, list[frozenset[int]]]] = {}
        self.log: list[Record] = []
        self.completed: list[ResultBurst] = []
        self.counters = dict.fromkeys((*PLAIN_COUNTERS, *PIM_COUNTERS), 0)

    # -- the host's side

    def announce(self, gnr: int, items_of_unit: Mapping[int, list[frozenset[int]]]) -> None:
        """Tell which units a GnR uses here, and the bursts that each item adds to (so the last is known)."""
        self.work[gnr] = dict(items_of_unit)

    def push(self, entry: Entry) -> None:
        """Put an instruction into the buffer."""
        self.buffer.append(entry)

    def results_of(self, gnr: int) -> list[list[int]]:
        """Return the results that a GnR yields here, by their bursts."""
        tag = self._new_tag(gnr)
        return [tag.bursts] if self.merge else [share.bursts for share in tag.shares.values()]

    def _new_tag(self, gnr: int) -> Tag:
        shares = {
            unit: Share(len(items), sorted(frozenset[int]().union(*items)))
            for unit, items in sorted(self.work[gnr].items())
        }
        bursts = {burst for share in shares.values() for burst in share.bursts}
        return Tag(gnr, self.delivered_gnrs, sorted(bursts), shares)

    # -- one cycle

    def cycle(self) -> None:
        """Advance by one cycle of the channel's clock."""
        self.clock += 1
        self.bus.clear()
        self._owe_refresh()
        self._load_lut()
        self._read_out()
        self._send_immediates()
        self._deliver()
        self._move()
        self._refresh()
        self._walk()

    def _owe_refresh(self) -> None:
        if self.refresh and self.clock % self.spec.refresh_interval == 0:
            self.owed = [owed + 1 for owed in self.owed]

    def _load_lut(self) -> None:
        if not self.lut_bursts or not self._path_is_free():
            return
        burst, rank = self.lut_bursts[0]
        bank = self.timing.first_bank(self.rank_level, rank)
        if self._ready("PIM_WRLUT", bank):
            self._issue("PIM_WRLUT", bank, row=burst, column=burst)
            self.lut_bursts.pop(0)
            self._take_path()

    def _path_is_free(self) -> bool:
        return self._bus_is_free("column") if self.host_driven else self.clock >= self.path_free

    def _take_path(self) -> None:
        if not self.host_driven:
            self.path_free = self.clock + 1
            self.counters["path_busy"] += 1

    def _bus_is_free(self, slot: str) -> bool:
        """Whether the host may put a command on the channel's command bus (local controllers do without)."""
        return not self.host_driven or (
            slot not in self.bus and (self.spec.split_command_buses or not self.bus)
        )

    def results(self) -> list[tuple[int, int, Tag, Share | Tag]]:
        """What this channel itself holds of sums: when it is ready, the unit, the tag, whose bursts."""
        found: list[tuple[int, int, Tag, Share | Tag]] = []
        for tag in self.tags.values():
            if self.merge:
                if tag.ready is not None:
                    found.append((tag.ready, NO_UNIT, tag, tag))
            else:
                for unit, share in tag.shares.items():
                    if share.ready is not None and share.bursts:
                        found.append((share.ready, unit, tag, share))
        return found

    def first_bank(self, unit: int) -> int:
        """Bank that a result is addressed to."""
        return 0 if unit == NO_UNIT else self.timing.first_bank(self.unit_level, unit)

    def release(self, tag: Tag) -> None:
        """Free a tag whose results have left."""
        parts: list[Share | Tag] = [tag] if self.merge else list(tag.shares.values())
        if not any(part.bursts for part in parts):
            del self.tags[tag.gnr]

    def _read_out(self) -> None:
        if not self._path_is_free():
            return
        if self.node is not None:
            waiting = [(ready, gnr, NO_UNIT, gnr, bursts) for ready, gnr, bursts in self.node.sums(self)]
        else:
            waiting = [
                (ready, tag.age, unit, tag.gnr, result.bursts) for ready, unit, tag, result in self.results()
            ]
        for ready, _, unit, gnr, bursts in sorted(waiting, key=lambda r: r[:3]):
            bank = self.first_bank(unit)
            if ready > self.clock or not self._ready("PIM_RDRES", bank):
                continue
            self._issue("PIM_RDRES", bank, column=bursts.pop(0), tag=gnr, unit=unit)
            self._take_path()
            arrival = self.clock + self.res_latency + self.spec.timing["nBL"]
            self.completed.append(ResultBurst(arrival, gnr))
            if self.node is not None:
                self.node.release()
            else:
                self.release(self.tags[gnr])
            return

    def _send_immediates(self) -> None:
        if not self._path_is_free():
            return
        for entry in self.entries:
            if entry.immediate is None or entry.available > self.clock:
                continue
            bank = self.timing.first_bank(self.unit_level, entry.unit)
            if not entry.immediate.there(self.clock * self.period) or not self._ready("PIM_WRIMM", bank):
                continue
            self._issue(
                "PIM_WRIMM",
                bank,
                column=min(entry.covers) + entry.done,
                tag=entry.gnr,
                slot=entry.slot,
                unit=entry.unit,
            )
            self._take_path()
            entry.done += 1
            arrival = self.clock + self.imm_latency + self.spec.timing["nBL"]
            self.pins.append(arrival)
            self._use(entry, arrival, 1)
            if entry.done == entry.bursts:
                self._leave(entry, arrival)
            return

    def _deliver(self) -> None:
        while self.buffer and self._may_deliver(self.buffer[0]):
            self._put(self.buffer.pop(0))

    def _may_deliver(self, entry: Entry) -> bool:
        if entry.role != ROLE_FILL and entry.gnr not in self.tags and len(self.tags) >= self.batch_tags:
            return False
        if sum(other.unit == entry.unit for other in self.entries) >= self.queue_depth:
            return False
        if entry.carried:
            return True
        if self.lut_bursts or self.host_driven:
            return not self.lut_bursts
        return self.clock >= self.path_free and not (self.path_uses_dq and self._pins_taken())

    def _put(self, entry: Entry) -> None:
        """Put an item into its unit's queue."""
        if entry.role != ROLE_FILL and entry.gnr not in self.tags:
            self.tags[entry.gnr] = self._new_tag(entry.gnr)
            self.delivered_gnrs += 1
        if entry.role in COMBINING:
            entry.before = self.newest[entry.unit]
            if entry.before is not None:
                entry.before.after = entry
        self.newest[entry.unit] = entry
        if self._look_up(entry):
            self.entries.append(entry)
        rank = self.timing.node(self.rank_level, self.timing.first_bank(self.unit_level, entry.unit))
        if not entry.carried:
            self.counters["instructions"] += 1
            self.counters["path_busy"] += self.instruction_cycles
            self.sent = self.clock + self.instruction_cycles
            self.path_free = self.sent
        if not entry.carried or rank != self.crossed_rank:
            self.crossed_rank = rank
            self.crossed = max(self.clock, self.sent, self.second_free[rank]) + self.second_stage_cycles
            self.second_free[rank] = self.crossed
            self.counters["second_busy"] += self.second_stage_cycles
        entry.available = max(self.clock, self.crossed + self.decode_cycles)

    def _look_up(self, entry: Entry) -> bool:
        """Find out where the row of an operand comes from; False: a FILL that has nothing to do."""
        if entry.is_lut or entry.immediate is not None:
            return True
        fill, line = entry.role == ROLE_FILL, None
        if self.cache_sets:
            lines = self.caches[entry.unit][entry.line % self.cache_sets]
            found = next((line for line in lines if line.key == entry.line), None)
            self.counters["pe_prefetches" if fill else "pe_hits" if found else "pe_misses"] += 1
            if found is not None:
                lines.remove(found)
                lines.append(found)
                if found.filler is None:
                    entry.hit = True
                elif found.filler.bursts == entry.bursts and not fill:
                    self._follow(entry, found.filler)
                return not fill
            if entry.may_be_kept:
                line = Line(entry.line, entry)
                lines.append(line)
                del lines[: -self.cache_ways]
        if self.merge_identical:
            for leader in self.entries:
                reads = leader.reads_a_bank
                same = (leader.unit, leader.line, leader.bursts) == (entry.unit, entry.line, entry.bursts)
                if reads and same:
                    if line is not None:
                        line.filler = leader
                    if not fill:
                        self._follow(entry, leader)
                    return not fill
        return True

    def _follow(self, entry: Entry, leader: Entry) -> None:
        entry.leader = leader
        leader.followers.append(entry)
        self.counters["merged"] += 1

    def _pins_taken(self) -> bool:
        """Whether a result burst would be on the data pins together with an instruction delivered now."""
        end = self.clock + self.instruction_cycles
        burst = self.spec.timing["nBL"]
        ends = [*(done.cycle for done in self.completed), *self.pins]
        return any(self.clock < cycle and cycle - burst < end for cycle in ends)

    def _move(self) -> None:
        if not self.merge:
            return
        for tag in sorted(self.tags.values(), key=lambda t: t.age):
            for unit, share in sorted(tag.shares.items()):
                complete = share.ready is not None and share.ready <= self.clock
                if not complete or not share.bursts:
                    continue
                bank = self.timing.first_bank(self.unit_level, unit)
                if not self._bus_is_free("column") or not self._ready("PIM_MOV", bank):
                    continue
                self._issue("PIM_MOV", bank, column=share.bursts.pop(0), tag=tag.gnr, unit=unit)
                arrival = self.clock + self.mov_latency + self.spec.timing["nBL"]
                self.merge_free = max(self.merge_free, arrival) + self.merge_cycles
                self.counters["merge_busy"] += self.merge_cycles
                if not any(other.bursts for other in tag.shares.values()):
                    tag.ready = self.merge_free
                return

    def _refresh(self) -> None:
        for rank in range(self.ranks):
            if not self.owed[rank]:
                continue
            banks = self.timing.banks_below(self.rank_level, rank)
            if any(entry.started and entry.bank in banks for entry in self.entries):
                continue
            if not self._bus_is_free("row"):
                continue
            if any(self.timing.open_row[bank] is not None for bank in banks):
                if self._ready("PREA", banks[0]):
                    self._issue("PREA", banks[0])
            elif self._ready("REF", banks[0]):
                self._issue("REF", banks[0])
                self.owed[rank] -= 1

    # -- the units

    def _walk(self) -> None:
        """Let every unit work, all entries of the channel in order of delivery."""
        # Units whose slot is taken.
        column_used: set[int] = set()
        row_used = set() if self.spec.split_command_buses else column_used
        for entry in list(self.entries):
            if entry.available > self.clock or entry.left or entry.leader is not None:
                continue
            if entry.immediate is not None:
                continue
            if entry.is_lut or entry.hit:
                self._try_port(entry)
                continue
            open_row = self.timing.open_row[entry.bank]
            if open_row == entry.row:
                self._try_read(entry, column_used)
            elif entry.unit in row_used or not self._bus_is_free("row") or self._held_by_refresh(entry):
                continue
            elif open_row is None:
                self._try_activate(entry, row_used)
            else:
                self._try_precharge(entry, row_used)

    def _held_by_refresh(self, entry: Entry) -> bool:
        """Not started while its rank owes REFab, and nothing started waits for it."""
        owes = self.owed[self.timing.node(self.rank_level, entry.bank)] > 0
        return owes and not entry.started and not self._awaited(entry)

    def _awaited(self, entry: Entry) -> bool:
        """Whether something started waits for this entry: a later link of its chain, or of a follower's."""
        waiting = [*entry.followers, *([] if entry.after is None else [entry.after])]
        return any(other.started or self._awaited(other) for other in waiting)

    def _wanted_by_older(self, entry: Entry) -> bool:
        """Whether an older READ, itself not held by refresh, wants the row that is open in this bank."""
        older = self.entries[: self.entries.index(entry)]
        open_row = self.timing.open_row[entry.bank]
        reads = [other for other in older if other.reads_a_bank and other.bank == entry.bank]
        return any(other.row == open_row and not self._held_by_refresh(other) for other in reads)

    def _register_loaded(self, entry: Entry) -> bool:
        return entry.role not in COMBINING or entry.before is None or entry.before.left

    def _try_port(self, entry: Entry) -> None:
        if self.lut_free[entry.unit] > self.clock or not self._register_loaded(entry):
            return
        if not self._bus_is_free("column"):
            return
        self._issue_entry("PE_HIT" if entry.hit else "PIM_LUT", entry, entry.column)
        self.counters["pe_read"] += entry.bursts if entry.hit else 0
        arrival = self.clock + -(-entry.bursts * self.spec.burst_bytes // self.port_bytes)
        self.lut_free[entry.unit] = arrival
        self.counters["lut_busy"] += arrival - self.clock
        self._use(entry, arrival, entry.bursts)
        self._leave(entry, arrival)

    def _try_read(self, entry: Entry, column_used: set[int]) -> None:
        if entry.unit in column_used or not self._register_loaded(entry):
            return
        if not self._bus_is_free("column"):
            return
        if self._held_by_refresh(entry):
            return
        if not self._ready("PIM_RD", entry.bank):
            return
        self._count(entry, "hits")
        self._issue_entry("PIM_RD", entry, entry.column + entry.done)
        column_used.add(entry.unit)
        entry.started = True
        entry.done += 1
        arrival = self.clock + self.spec.read_latency
        self._use(entry, arrival, 1)
        if entry.done == entry.bursts:
            self._leave(entry, arrival)

    def _try_activate(self, entry: Entry, row_used: set[int]) -> None:
        if self._ready("ACT", entry.bank):
            self._count(entry, "misses")
            self._issue_entry("ACT", entry, entry.column)
            row_used.add(entry.unit)
            entry.started = True

    def _try_precharge(self, entry: Entry, row_used: set[int]) -> None:
        if any(other.started and other.bank == entry.bank for other in self.entries):
            return
        if self._wanted_by_older(entry):
            return
        if self._ready("PRE", entry.bank):
            self._count(entry, "conflicts")
            self._issue_entry("PRE", entry, entry.column)
            row_used.add(entry.unit)

    def _use(self, entry: Entry, arrival: int, bursts: int) -> None:
        """Let bursts that are there at ``arrival`` go where their role says."""
        if entry.role == ROLE_FILL:
            return
        if entry.role == ROLE_LOAD:
            entry.register = arrival
            return
        unit = entry.unit
        start = max(self.alu_free[unit], arrival)
        if entry.role in COMBINING and entry.before is not None:
            start = max(start, entry.before.register)
        work = bursts * (entry.alu or self.alu_cycles)
        self.alu_free[unit] = start + work
        self.counters["alu_busy"] += work
        if entry.role == ROLE_MUL:
            entry.register = self.alu_free[unit] + self.alu_latency
        else:
            self.tags[entry.gnr].shares[unit].last_alu = self.alu_free[unit]

    def _leave(self, entry: Entry, arrival: int) -> None:
        """Take an entry whose row is there out of the queue, and what has waited for that."""
        entry.left = True
        self.entries.remove(entry)
        for lines in self.caches[entry.unit]:
            for line in lines:
                if line.filler is entry:
                    line.filler = None
                    self.counters["pe_filled"] += entry.bursts
        if entry.role != ROLE_FILL:
            self._finish(entry)
        for follower in entry.followers:
            follower.arrival = arrival
            self._take_row(follower)
        if entry.after is not None:
            self._take_row(entry.after)

    def _take_row(self, follower: Entry) -> None:
        """Let a follower go on whose row has come and whose register is loaded."""
        if follower.left or follower.arrival is None or not self._register_loaded(follower):
            return
        self._issue_entry("MERGED", follower, follower.column)
        self._use(follower, follower.arrival, follower.bursts)
        self._leave(follower, follower.arrival)

    def _finish(self, entry: Entry) -> None:
        share = self.tags[entry.gnr].shares[entry.unit]
        share.items -= 1
        if share.items == 0:
            share.ready = share.last_alu + self.alu_latency

    # -- issuing

    def _count(self, entry: Entry, state: str) -> None:
        if not entry.counted:
            entry.counted = True
            self.counters["row_" + state] += 1

    def _ready(self, kind: str, bank: int) -> bool:
        return self.timing.ready(self.timing.command[kind], bank, self.clock)

    def _issue_entry(self, kind: str, entry: Entry, column: int) -> None:
        self._issue(
            kind,
            entry.bank,
            row=entry.row,
            column=column,
            tag=entry.gnr,
            slot=entry.slot,
            unit=entry.unit,
            role=entry.role,
        )

    def send(self, unit: int, gnr: int, bursts: list[int]) -> None:
        """Let the lowest burst of a result go over the stack's crossbar."""
        self._issue("PIM_XMOV", self.first_bank(unit), column=bursts.pop(0), tag=gnr, unit=unit)
        self.counters["pim_xmov"] += 1
        self.counters["stack_busy"] += self.stack_cycles

    def _issue(
        self,
        kind: str,
        bank: int,
        *,
        row: int = 0,
        column: int = 0,
        tag: int = 0,
        slot: int = 0,
        unit: int = NO_UNIT,
        role: int = 0,
    ) -> None:
        # A LUT port has no timing rows: what comes through it is bound by the port alone.
        name = self.timing.command.get(kind, kind)
        if kind in PSEUDO:
            bound = BOUND_LUT
        else:
            bound = self.timing.bound(name, bank, self.clock)
        if kind in COUNTER_OF_KIND:
            self.counters[COUNTER_OF_KIND[kind]] += 1
        if kind != "MERGED":
            self.bus.add("row" if kind in ("ACT", "PRE", "PREA", "REF") else "column")
        record = Record(self.clock, self.index, name, bank, row, column, tag, slot, unit, bound, role)
        self.log.append(record)
        if kind in COUNTER_OF_KIND:
            self.meter.note(kind, bank, unit, self.clock)
        if kind not in PSEUDO:
            self.timing.issue(name, bank, row, self.clock)
