# SPDX-License-Identifier: MIT
"""A plain channel (host traffic) and the replay front end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, NamedTuple

from tests.reference.timing import NO_UNIT, Record, Timing

__all__ = ["PlainChannel", "ReplayChannel", "Request", "replay"]

COLUMN_KINDS = frozenset({"RD", "WR"})
ROW_KINDS = frozenset({"ACT", "PRE", "PREA", "REF"})
ALL_KINDS = COLUMN_KINDS | ROW_KINDS


@dataclass(eq=False)
class Request:
    """A read or write of one burst."""

    bank: int
    row: int
    column: int
    is_write: bool = False
    address: int = 0
    tag: int = 0
    slot: int = 0
    role: int = 0
    stamp: int = 0
    counted: bool = False


class Completion(NamedTuple):
    """A read whose data are complete at ``cycle``."""

    cycle: int
    request: Request


class PlainChannel:
    """Read, write and maintenance queue, active list, FR-FCFS."""

    def __init__(
        self,
        spec: Any,
        *,
        read_queue: int = 32,
        write_queue: int = 32,
        high: float = 0.8,
        low: float = 0.2,
        refresh: bool = True,
        index: int = 0,
    ) -> None:
        self.spec = spec
        self.index = index
        self.timing = Timing(spec)
        self.read_capacity = read_queue
        self.write_capacity = write_queue
        self.high_percent = round(high * 100)
        self.low_percent = round(low * 100)
        self.refresh = refresh
        self.clock = 0
        self.pushed: list[Request] = []
        self.reads: list[Request] = []
        self.writes: list[Request] = []
        self.active: list[Request] = []
        self.maintenance: list[int] = []
        self.write_mode = False
        self.log: list[Record] = []
        self.completed: list[Completion] = []
        self.counters = dict.fromkeys(PLAIN_COUNTERS, 0)
        if refresh:
            self.rank_level = self.timing.scope[self.timing.command["REF"]]

    # -- requests coming in

    def push(self, request: Request) -> None:
        """Hand over a read of the system host; it waits before the read queue, in order."""
        self.pushed.append(request)

    def offer(self, request: Request) -> bool:
        """Offer a request of the replay front end, ahead of the coming cycle. False: its queue is full."""
        request.stamp = self.clock
        same = any(write.address == request.address for write in self.writes)
        if request.is_write:
            if not same and len(self.writes) >= self.write_capacity:
                return False
            self.counters["writes"] += 1
            if same:
                self.counters["coalesced"] += 1
            else:
                self.writes.append(request)
            return True
        if not same and len(self.reads) >= self.read_capacity:
            return False
        self.counters["reads"] += 1
        if same:
            self.counters["forwarded"] += 1
            self.completed.append(Completion(request.stamp + 1, request))
        else:
            self.reads.append(request)
        return True

    @property
    def busy(self) -> bool:
        """Whether a request has not retired yet or a refresh that is due has not been served."""
        return bool(self.pushed or self.reads or self.writes or self.active or self.maintenance)

    @property
    def last_arrival(self) -> int:
        """Cycle in which the last of all data have arrived, 0 if none were asked for."""
        return max((done.cycle for done in self.completed), default=0)

    # -- one cycle

    def cycle(self) -> None:
        """Advance by one cycle of the channel's clock."""
        self.clock += 1
        if self.pushed and len(self.reads) < self.read_capacity:
            request = self.pushed.pop(0)
            request.stamp = self.clock
            self.counters["reads"] += 1
            self.reads.append(request)
        if self.refresh and self.clock % self.spec.refresh_interval == 0:
            self.maintenance.extend(range(self.timing.nodes[self.rank_level]))
        if self.spec.split_command_buses:
            self._choose(COLUMN_KINDS)
            self._choose(ROW_KINDS)
        else:
            self._choose(ALL_KINDS)

    def _choose(self, kinds: frozenset[str]) -> None:
        """Issue at most one command of the given kinds: active list, then maintenance, then a queue."""
        # Arrival is the stamp; of two that arrived in the same cycle, the one activated first comes first.
        by_arrival = sorted(self.active, key=lambda request: request.stamp)
        if kinds & COLUMN_KINDS and self._serve(by_arrival, kinds):
            return
        if self.maintenance:
            if "REF" in kinds:
                self._maintain()
            return
        self._decide_mode()
        queue = self.writes if self.write_mode else self.reads
        self._serve([request for request in queue if not self._disturbs(request)], kinds)

    def _decide_mode(self) -> None:
        fill = len(self.writes) * 100
        if self.write_mode:
            if (fill == 0 or fill < self.low_percent * self.write_capacity) and self.reads:
                self.write_mode = False
        elif fill > self.high_percent * self.write_capacity or not self.reads:
            self.write_mode = True

    def _next_command(self, request: Request) -> str:
        open_row = self.timing.open_row[request.bank]
        if open_row is None:
            return self.timing.command["ACT"]
        if open_row != request.row:
            return self.timing.command["PRE"]
        return self.timing.command["WR" if request.is_write else "RD"]

    def _disturbs(self, request: Request) -> bool:
        """Whether the request's next command closes a bank that an active request still needs."""
        closes = self.timing.kind[self._next_command(request)] == "PRE"
        return closes and any(other.bank == request.bank for other in self.active)

    def _serve(self, candidates: list[Request], kinds: frozenset[str]) -> bool:
        for request in candidates:
            command = self._next_command(request)
            if self.timing.kind[command] in kinds and self.timing.ready(command, request.bank, self.clock):
                self._issue(request, command)
                return True
        return False

    def _issue(self, request: Request, command: str) -> None:
        if not request.counted:
            request.counted = True
            open_row = self.timing.open_row[request.bank]
            state = "misses" if open_row is None else "hits" if open_row == request.row else "conflicts"
            self.counters["row_" + state] += 1
        self._log(command, request.bank, request)
        self.timing.issue(command, request.bank, request.row, self.clock)
        kind = self.timing.kind[command]
        if kind == "ACT":
            (self.writes if request.is_write else self.reads).remove(request)
            self.active.append(request)
        elif kind in COLUMN_KINDS:
            for queue in (self.active, self.reads, self.writes):
                if any(entry is request for entry in queue):
                    queue.remove(request)
            if kind == "RD":
                self.completed.append(Completion(self.clock + self.spec.read_latency, request))

    def _maintain(self) -> None:
        """Advance the head of the maintenance queue by one command, if it may."""
        rank = self.maintenance[0]
        banks = self.timing.banks_below(self.rank_level, rank)
        closing = any(self.timing.open_row[bank] is not None for bank in banks)
        command = self.timing.command["PREA" if closing else "REF"]
        if not self.timing.ready(command, banks[0], self.clock):
            return
        if closing and any(request.bank in banks for request in self.active):
            return
        self._log(command, banks[0], None)
        self.timing.issue(command, banks[0], 0, self.clock)
        if not closing:
            self.maintenance.pop(0)

    def _log(self, command: str, bank: int, request: Request | None) -> None:
        bound = self.timing.bound(command, bank, self.clock)
        self.counters[COUNTER_OF_KIND[self.timing.kind[command]]] += 1
        row, column, tag, slot, role = 0, 0, 0, 0, 0
        if request is not None:
            row, column = request.row, request.column
            tag, slot, role = request.tag, request.slot, request.role
        self.log.append(
            Record(self.clock, self.index, command, bank, row, column, tag, slot, NO_UNIT, bound, role)
        )


COUNTER_OF_KIND = {
    "ACT": "act",
    "PRE": "pre",
    "PREA": "prea",
    "RD": "rd",
    "WR": "wr",
    "REF": "ref",
    "PIM_RD": "pim_rd",
    "PIM_MOV": "pim_mov",
    "PIM_RDRES": "pim_rdres",
    "PIM_WRLUT": "pim_wrlut",
    "PIM_LUT": "pim_lut",
}

PLAIN_COUNTERS = (
    *COUNTER_OF_KIND.values(),
    "row_hits",
    "row_misses",
    "row_conflicts",
    "instructions",
    "reads",
    "writes",
    "forwarded",
    "coalesced",
)


@dataclass
class ReplayChannel:
    """What a replay issued in one channel.

    ``commands`` holds ``(clock, command, bank, row, column, bound)``; PREab and REFab have the first bank of
    their rank, row 0 and column 0. ``latencies`` are those of the completed reads, in cycles, in order of
    booking.
    """

    commands: list[tuple[int, str, int, int, int, int]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    latencies: list[int] = field(default_factory=list)


def replay(
    spec: Any,
    requests: Sequence[tuple[int, int, int, int, bool, int]],
    *,
    channels: int,
    offers_per_cycle: int = 1,
    refresh: bool = True,
    drain: bool = True,
    read_queue: int = 32,
    write_queue: int = 32,
) -> list[ReplayChannel]:
    """Play a request stream through ``channels`` equal channels.

    Parameters
    ----------
    spec
        The resolved standard.
    requests
        ``(channel, bank, row, column, is_write, address)`` in trace order. Addresses are numbers that tell
        requests apart: a queued write answers or absorbs what has its very address, whatever the place.
    channels
        How many channels there are.
    offers_per_cycle
        Requests offered in every cycle but the first, which sees one.
    refresh
        Whether REFab is due every ``refresh_interval`` cycles.
    drain
        True: go on until every request has retired, due refreshes are served and all data have arrived
        (nothing is issued while only data are on the way). False: stop in the cycle whose clock is the stamp
        of the last request, before the cycle in which that request could first be served.
    read_queue, write_queue
        Entries per channel.

    Returns
    -------
    list of ReplayChannel
        One per channel, with the counters that Ramulator reports.
    """
    parts = [
        PlainChannel(spec, read_queue=read_queue, write_queue=write_queue, refresh=refresh, index=c)
        for c in range(channels)
    ]
    head = 0
    first = True
    while head < len(requests) or (drain and any(part.busy for part in parts)):
        for _ in range(1 if first else offers_per_cycle):
            if head == len(requests):
                break
            channel, bank, row, column, is_write, address = requests[head]
            request = Request(int(bank), int(row), int(column), bool(is_write), int(address))
            if not parts[int(channel)].offer(request):
                break
            head += 1
        first = False
        if head == len(requests) and not drain:
            break
        for part in parts:
            part.cycle()
    end = max((part.clock for part in parts), default=0)
    if drain:
        # Nothing is issued any more while the last data are on their way.
        end = max([end, *(part.last_arrival for part in parts)])
    return [_report(part, end) for part in parts]


def _report(part: PlainChannel, end: int) -> ReplayChannel:
    count = part.counters
    # Reads are booked when their data are complete, in the order in which they were asked for: a forwarded
    # read behind an RD in flight waits for it. What is still on the way at the end is not booked.
    served = takewhile(lambda done: done.cycle <= end, part.completed)
    latencies = [done.cycle - done.request.stamp for done in served]
    counters = {
        "cycles": end,
        "row_hits": count["row_hits"],
        "row_misses": count["row_misses"],
        "row_conflicts": count["row_conflicts"],
        "num_read_reqs": count["reads"],
        "num_write_reqs": count["writes"],
        "num_read_reqs_served": count["rd"],
        "num_write_reqs_served": count["wr"],
        "num_read_reqs_forwarded": count["forwarded"],
        "num_write_reqs_coalesced": count["coalesced"],
        "num_maintenance_reqs_served": count["ref"],
        "read_latency": sum(latencies),
    }
    commands = [(r.clock, r.command, r.bank, r.row, r.column, r.bound) for r in part.log]
    return ReplayChannel(commands, counters, latencies)
