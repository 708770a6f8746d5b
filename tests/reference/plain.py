# SPDX-License-Identifier: MIT
"""A plain channel (host traffic) and the replay front end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, NamedTuple

from tests.reference.meter import Meter
from tests.reference.refresh import Refresh
from tests.reference.timing import NO_UNIT, Record, Timing

__all__ = ["PlainChannel", "ReplayChannel", "Request", "replay"]

COLUMN_KINDS = frozenset({"RD", "WR"})
ROW_KINDS = frozenset({"ACT", "PRE", "PREA", "REF", "REFPB", "REFSB"})
ALL_KINDS = COLUMN_KINDS | ROW_KINDS
ROLE_NO_REQUEST = 255


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
    immediate: Any = None
    unadded: bool = False
    stamp: int = 0
    counted: bool = False


class Completion(NamedTuple):
    """A read whose data are complete at ``cycle``."""

    cycle: int
    request: Request


class PlainChannel:
    """Read, write and maintenance queue, active list, a scheduler, a row policy and refresh."""

    def __init__(
        self,
        spec: Any,
        *,
        read_queue: int = 32,
        write_queue: int = 32,
        write_high_percent: int = 80,
        write_low_percent: int = 20,
        refresh: str | bool = "all-bank",
        refresh_interval: int = 0,
        refresh_stagger: bool = False,
        refresh_postpone: int = 0,
        scheduler: str = "frfcfs",
        row_hit_cap: int = 0,
        row_policy: str = "open",
        row_timeout: int = 0,
        row_cap: int = 0,
        energy: Mapping[str, int] | None = None,
        energy_window: int = 0,
        index: int = 0,
    ) -> None:
        self.spec = spec
        self.index = index
        self.timing = Timing(spec)
        self.meter = Meter(self.timing, energy, energy_window)
        self.read_capacity = read_queue
        self.write_capacity = write_queue
        self.high_percent = write_high_percent
        self.low_percent = write_low_percent
        self.scheduler = scheduler
        self.row_hit_cap = row_hit_cap
        self.row_policy = row_policy
        self.row_timeout = row_timeout
        self.row_cap = row_cap
        self.clock = 0
        self.pushed: list[Request] = []
        self.reads: list[Request] = []
        self.writes: list[Request] = []
        self.active: list[Request] = []
        self.maintenance: list[int] = []
        self.write_mode = False
        self.served = [0] * self.timing.banks
        self.last_use = [0] * self.timing.banks
        self.log: list[Record] = []
        self.completed: list[Completion] = []
        self.counters = dict.fromkeys(PLAIN_COUNTERS, 0)
        kind = {True: "all-bank", False: "none"}.get(refresh, refresh)
        self.refresh: Refresh | None = None
        if kind != "none":
            self.refresh = Refresh(
                self.timing,
                str(kind),
                interval=refresh_interval or spec.refresh_interval,
                staggered=refresh_stagger,
                postpone=refresh_postpone,
            )

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
        owed = self.refresh is not None and any(self.refresh.owed)
        return bool(self.pushed or self.reads or self.writes or self.active or owed)

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
        if self.refresh is not None:
            self.refresh.advance(self.clock)
            if self.refresh.kind == "all-bank":
                self.maintenance.extend(self.refresh.joining(self.clock))
        if self.spec.split_command_buses:
            self._choose(COLUMN_KINDS)
            self._choose(ROW_KINDS)
        else:
            self._choose(ALL_KINDS)

    def _choose(self, kinds: frozenset[str]) -> None:
        """Issue at most one command of the given kinds: active list, then maintenance, then a queue, ..."""
        # Arrival is the stamp; of two that arrived in the same cycle, the one activated first comes first.
        by_arrival = sorted(self.active, key=lambda request: request.stamp)
        if kinds & COLUMN_KINDS and self._serve(by_arrival, kinds):
            return
        if kinds & ROW_KINDS and self._maintain():
            return
        if self.maintenance:
            return
        self._decide_mode()
        if self._serve(self._candidates(self.writes if self.write_mode else self.reads), kinds):
            return
        if kinds & ROW_KINDS and not self._refresh_unwanted():
            self._close_rows()

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

    def _is_hit(self, request: Request) -> bool:
        return self.timing.open_row[request.bank] == request.row

    def _is_active(self, bank: int) -> bool:
        return any(request.bank == bank for request in self.active)

    def _candidates(self, queue: list[Request]) -> list[Request]:
        """Return what the scheduler may take of a queue, in its order."""
        if self.scheduler == "fcfs":
            queue = [] if self.active else queue[:1]
        allowed = [request for i, request in enumerate(queue) if self._may_go_on(request, queue[:i])]
        if self.scheduler == "frfcfs-cap":
            allowed.sort(key=lambda request: not self._is_hit(request))
        return allowed

    def _may_go_on(self, request: Request, older: list[Request]) -> bool:
        bank = request.bank
        if self._is_held(bank):
            return False
        if not self._is_hit(request):
            # Its next command must not close a bank that an active request still needs.
            return self.timing.open_row[bank] is None or not self._is_active(bank)
        served = self.served[bank]
        if self.row_policy == "capped" and served + self._is_active(bank) >= self.row_cap:
            return False
        rival = any(other.bank == bank and other.row != request.row for other in older)
        return not (self.scheduler == "frfcfs-cap" and rival and served >= self.row_hit_cap)

    def _is_held(self, bank: int) -> bool:
        """Whether an urgent refresh of banks keeps new work from this bank."""
        refresh = self.refresh
        if refresh is None or refresh.kind == "all-bank":
            return False
        rank = self.timing.node(1, bank)
        return refresh.urgent(rank, self.clock) and bank in refresh.concerned(rank)

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
        if kind == "PRE":
            return
        self.last_use[request.bank] = self.clock
        if kind == "ACT":
            (self.writes if request.is_write else self.reads).remove(request)
            self.active.append(request)
            self.served[request.bank] = 0
            return
        self.served[request.bank] += 1
        for queue in (self.active, self.reads, self.writes):
            if any(entry is request for entry in queue):
                queue.remove(request)
        if kind == "RD":
            self.completed.append(Completion(self.clock + self.spec.read_latency, request))

    # -- refresh and row policy

    def _maintain(self) -> bool:
        """Advance the head of the maintenance queue, or one urgent refresh of banks, by one command."""
        if self.maintenance:
            return self._refresh_rank(self.maintenance[0])
        if self.refresh is None or self.refresh.kind == "all-bank":
            return False
        ranks = self.refresh.oldest_first()
        return any(self._refresh_banks(rank) for rank in ranks if self.refresh.urgent(rank, self.clock))

    def _refresh_unwanted(self) -> bool:
        """Advance one refresh that could still wait, of banks that nobody wants, by one command."""
        if self.refresh is None:
            return False
        wanted = {request.bank for request in (*self.reads, *self.writes, *self.active)}
        step = self._refresh_rank if self.refresh.kind == "all-bank" else self._refresh_banks
        return any(
            step(rank)
            for rank in self.refresh.oldest_first()
            if not self.refresh.urgent(rank, self.clock) and wanted.isdisjoint(self.refresh.concerned(rank))
        )

    def _refresh_rank(self, rank: int) -> bool:
        assert self.refresh is not None
        banks = self.timing.banks_below(1, rank)
        closing = any(self.timing.open_row[bank] is not None for bank in banks)
        command = self.timing.command["PREA"] if closing else self.refresh.command
        if not self.timing.ready(command, banks[0], self.clock):
            return False
        if closing and any(request.bank in banks for request in self.active):
            return False
        self._log(command, banks[0], None)
        self.timing.issue(command, banks[0], 0, self.clock)
        if not closing:
            self.refresh.served(rank)
            if self.maintenance:
                self.maintenance.pop(0)
        return True

    def _refresh_banks(self, rank: int) -> bool:
        assert self.refresh is not None
        banks = self.refresh.concerned(rank)
        still_open = [bank for bank in banks if self.timing.open_row[bank] is not None]
        if still_open:
            return any(self._precharge(bank) for bank in still_open)
        if not self.timing.ready(self.refresh.command, banks[0], self.clock):
            return False
        self._log(self.refresh.command, banks[0], None)
        self.timing.issue(self.refresh.command, banks[0], 0, self.clock)
        self.refresh.served(rank)
        return True

    def _close_rows(self) -> bool:
        """Precharge one bank whose row has been open for long enough, by the row policy."""
        return any(self._precharge(bank) for bank in range(self.timing.banks) if self._may_close(bank))

    def _may_close(self, bank: int) -> bool:
        opened = self.timing.open_row[bank]
        if opened is None or self.row_policy == "open":
            return False
        if self.row_policy == "capped":
            return self.served[bank] >= self.row_cap
        everyone = (*self.reads, *self.writes, *self.active)
        wanted = any(request.bank == bank and request.row == opened for request in everyone)
        patience = self.row_timeout if self.row_policy == "timeout" else 0
        return not wanted and self.clock >= self.last_use[bank] + patience

    def _precharge(self, bank: int) -> bool:
        """Close a bank for no request, if it may be closed now."""
        command = self.timing.command["PRE"]
        if self._is_active(bank) or not self.timing.ready(command, bank, self.clock):
            return False
        self._log(command, bank, None)
        self.timing.issue(command, bank, 0, self.clock)
        self.counters["pre_unasked"] += 1
        return True

    def _log(self, command: str, bank: int, request: Request | None) -> None:
        bound = self.timing.bound(command, bank, self.clock)
        self.counters[COUNTER_OF_KIND[self.timing.kind[command]]] += 1
        self.meter.note(self.timing.kind[command], bank, NO_UNIT, self.clock)
        row, column, tag, slot, role = 0, 0, 0, 0, 0
        if request is not None:
            row, column = request.row, request.column
            tag, slot, role = request.tag, request.slot, request.role
        elif self.timing.kind[command] == "PRE":
            role = ROLE_NO_REQUEST
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
    "PIM_WRIMM": "pim_wrimm",
    "PIM_LUT": "pim_lut",
    "REFPB": "ref_bank",
    "REFSB": "ref_bank",
}

PLAIN_COUNTERS = (
    *dict.fromkeys(COUNTER_OF_KIND.values()),
    "pre_unasked",
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
    drain: bool = True,
    **controller: Any,
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
    drain
        True: go on until every request has retired, due refreshes are served and all data have arrived
        (nothing is issued while only data are on the way). False: stop in the cycle whose clock is the stamp
        of the last request, before the cycle in which that request could first be served.
    **controller
        Queues and policies, as :class:`PlainChannel` takes them.

    Returns
    -------
    list of ReplayChannel
        One per channel, with the counters that Ramulator reports.
    """
    parts = [PlainChannel(spec, index=c, **controller) for c in range(channels)]
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
        "ref_bank": count["ref_bank"],
        "pre_unasked": count["pre_unasked"],
    }
    commands = [(r.clock, r.command, r.bank, r.row, r.column, r.bound) for r in part.log]
    return ReplayChannel(commands, counters, latencies)
