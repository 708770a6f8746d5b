# SPDX-License-Identifier: MIT
"""The finite host and all channels on one base tick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.reference.operands import Entry, Immediate
from tests.reference.pim import PimChannel
from tests.reference.plain import PlainChannel, Request
from tests.reference.stack import Stack
from tests.reference.timing import BOUND_NONE, NO_UNIT, ROLE_ACC, ROLE_FILL, ROLE_MAC, Record

__all__ = [
    "CACHE",
    "CARRIED",
    "HOST_READ",
    "OPTIONAL_ITEMS",
    "PIM_IMMEDIATE",
    "PIM_LUT",
    "PIM_READ",
    "UNADDED",
    "simulate",
]

HOST_READ = 0
PIM_READ = 1
PIM_LUT = 2
PIM_IMMEDIATE = 3
#: Flag of an item that came with the instruction of the item before it.
CARRIED = 1
#: Flag of an item whose row may be kept in the PE's cache.
CACHE = 2
#: Flag of a host read whose bytes do not pass the host's adder.
UNADDED = 4
#: Work arrays that may be left out: all zero then.
OPTIONAL_ITEMS = ("segment", "covers", "alu", "flags")
MAX_TICKS = 200_000

HOST_COUNTERS = ("cycles", "tokens", "llc_hits", "llc_misses", "read_bursts", "result_bursts", "instructions")


@dataclass(eq=False)
class Gnr:
    """One bag: its items in program order and how far it has got."""

    number: int
    items: list[dict[str, int]]
    immediates: dict[int, Immediate] = field(default_factory=dict)  # by the item that makes or sends it
    arrival: int = 0
    given: int | None = None  # tick before which the host does not start it
    next_item: int = 0
    next_line: int = 0
    waiting: int = 0
    issued: bool = False
    finish_cycle: int | None = None
    retired: bool = False
    channels: set[int] = field(default_factory=set)
    stacks: set[int] = field(default_factory=set)


class Host:
    """The rules H1 to H3, in that order, once a host cycle."""

    def __init__(
        self,
        channels: Sequence[PlainChannel | PimChannel],
        periods: Sequence[int],
        host: Mapping[str, int],
        gnrs: list[Gnr],
    ) -> None:
        self.channels = channels
        self.periods = periods
        self.period = host["period"]
        self.issue_per_cycle = host["issue_per_cycle"]
        self.limit = host["outstanding"]
        self.add_bytes = host["add_bytes_per_cycle"]
        self.line_bytes = host["line_bytes"]
        self.sets = host["llc_sets"]
        self.ways = host["llc_ways"]
        self.window = host["window"]
        self.batch = host.get("batch", 0)
        self.instruction_buffer = host.get("instruction_buffer", 1)
        self.gnrs = gnrs
        self.cache: dict[int, list[int]] = {}
        self.outstanding = 0
        self.adder = 0
        self.clock = -1
        self.issuing: Gnr | None = None
        self.admitted = 0
        self.collected = [0] * len(channels)
        self.log: list[Record] = []
        self.counters = dict.fromkeys(HOST_COUNTERS, 0)

    @property
    def tick(self) -> int:
        """The tick of the current host cycle."""
        return self.clock * self.period

    def finished(self) -> bool:
        """Whether every GnR has retired."""
        return all(g.retired for g in self.gnrs)

    def cycle(self) -> None:
        """Advance by one host cycle."""
        self.clock += 1
        self.counters["cycles"] += 1
        for index in range(len(self.channels)):
            self._collect(index)
        self._retire()
        self._issue()

    # -- H1

    def _collect(self, index: int) -> None:
        channel, period = self.channels[index], self.periods[index]
        done = channel.completed
        while self.collected[index] < len(done) and done[self.collected[index]].cycle * period <= self.tick:
            burst = done[self.collected[index]]
            self.collected[index] += 1
            added = True
            if isinstance(channel, PlainChannel):
                self.outstanding -= 1
                self.counters["read_bursts"] += 1
                request: Request = burst.request  # type: ignore[union-attr]
                gnr = self.gnrs[request.tag]
                added = not request.unadded
            else:
                self.counters["result_bursts"] += 1
                gnr = self.gnrs[burst.gnr]  # type: ignore[union-attr]
            if added:
                self._add(channel.spec.burst_bytes)
            if isinstance(channel, PlainChannel) and request.immediate is not None:
                request.immediate.missing -= 1
                self._comes(request.immediate, added=added)
            gnr.waiting -= 1
            self._settle(gnr)

    def _add(self, amount: int) -> None:
        self.adder = max(self.adder, self.clock * self.add_bytes) + amount

    def _comes(self, immediate: Immediate, *, added: bool) -> None:
        """A burst of an immediate is at the host, or will be when it has passed the adder."""
        ready = -(-self.adder // self.add_bytes) if added else self.clock
        immediate.ready = max(immediate.ready, ready)
        if immediate.missing == 0:
            immediate.tick = immediate.ready * self.period

    def _settle(self, gnr: Gnr) -> None:
        if gnr.issued and gnr.waiting == 0:
            gnr.finish_cycle = max(self.clock, -(-self.adder // self.add_bytes))

    # -- H2

    def _retire(self) -> None:
        for gnr in self.gnrs[: self.admitted]:
            if gnr.finish_cycle is not None and gnr.finish_cycle <= self.clock:
                gnr.retired = True

    # -- H3

    def _issue(self) -> None:
        tokens = self.issue_per_cycle
        while tokens:
            if self.issuing is None and not self._admit():
                return
            gnr = self.issuing
            if gnr is None:
                continue
            if not self._issue_step(gnr):
                return
            tokens -= 1
            self.counters["tokens"] += 1
            if gnr.next_item == len(gnr.items):
                gnr.issued = True
                self.issuing = None
                self._settle(gnr)

    def _admit(self) -> bool:
        """Admit the next GnR if there is one and window and barrier let it in."""
        if self.admitted == len(self.gnrs):
            return False
        in_flight = sum(not g.retired for g in self.gnrs[: self.admitted])
        if in_flight >= self.window:
            return False
        if self.batch:
            earlier = self.admitted - self.admitted % self.batch
            if not all(g.retired for g in self.gnrs[:earlier]):
                return False
        gnr = self.gnrs[self.admitted]
        if gnr.given is not None and gnr.given > self.tick:
            return False
        self.admitted += 1
        gnr.arrival = self.tick if gnr.given is None else gnr.given
        if gnr.items:
            self.issuing = gnr
        else:
            gnr.issued = True
            gnr.finish_cycle = self.clock
        return True

    def _issue_step(self, gnr: Gnr) -> bool:
        """Spend one token on the GnR's current item; False if it cannot go on."""
        item = gnr.items[gnr.next_item]
        channel = self.channels[item["channel"]]
        if isinstance(channel, PlainChannel):
            return self._issue_line(gnr, item, channel)
        if sum(not entry.carried for entry in channel.buffer) >= self.instruction_buffer:
            return False
        if channel.node is not None and not channel.node.admit(gnr.number):
            return False
        self._push(gnr, channel)
        self.counters["instructions"] += 1
        while gnr.next_item < len(gnr.items) and gnr.items[gnr.next_item]["flags"] & CARRIED:
            self._push(gnr, channel)
        return True

    def _push(self, gnr: Gnr, channel: PimChannel) -> None:
        """Hand the GnR's current item to its channel."""
        item = gnr.items[gnr.next_item]
        channel.push(
            Entry(
                gnr=gnr.number,
                unit=item["unit"],
                bank=item["bank"],
                row=item["row"],
                column=item["column"],
                bursts=item["bursts"],
                role=item["role"],
                slot=item["slot"],
                is_lut=item["kind"] == PIM_LUT,
                immediate=gnr.immediates.get(gnr.next_item),
                covers=_covers(item),
                alu=item["alu"],
                carried=bool(item["flags"] & CARRIED),
                line=item["line"],
                may_be_kept=bool(item["flags"] & CACHE) or item["role"] == ROLE_FILL,
            )
        )
        if item["channel"] not in gnr.channels and item["role"] != ROLE_FILL:
            gnr.channels.add(item["channel"])
            if channel.node is None:
                gnr.waiting += sum(map(len, channel.results_of(gnr.number)))
            elif channel.stack not in gnr.stacks:
                gnr.stacks.add(channel.stack)
                gnr.waiting += len(channel.node.results_of(gnr.number))
        gnr.next_item += 1

    def _issue_line(self, gnr: Gnr, item: Mapping[str, int], channel: PlainChannel) -> bool:
        per_line = max(1, self.line_bytes // channel.spec.burst_bytes)
        first = gnr.next_line * per_line
        bursts = min(per_line, item["bursts"] - first)
        line = item["line"] + gnr.next_line
        unadded = bool(item["flags"] & UNADDED)
        immediate = gnr.immediates.get(gnr.next_item)
        if self._cached(line):
            self.counters["llc_hits"] += 1
            self._touch(line)
            if not unadded:
                self._add(self.line_bytes)
            if immediate is not None:
                self._comes(immediate, added=not unadded)
            for burst in range(first, first + bursts):
                self.log.append(self._hit_record(gnr, item, burst))
        else:
            if self.outstanding + bursts > self.limit:
                return False
            self.counters["llc_misses"] += 1
            self._touch(line)
            self.outstanding += bursts
            if immediate is not None:
                immediate.missing += bursts
                immediate.tick = None
            gnr.waiting += bursts
            for burst in range(first, first + bursts):
                channel.push(
                    Request(
                        item["bank"],
                        item["row"],
                        item["column"] + burst,
                        tag=gnr.number,
                        slot=item["slot"],
                        role=item["role"],
                        immediate=immediate,
                        unadded=unadded,
                    )
                )
        gnr.next_line += 1
        if first + bursts == item["bursts"]:
            gnr.next_line = 0
            gnr.next_item += 1
        return True

    def _hit_record(self, gnr: Gnr, item: Mapping[str, int], burst: int) -> Record:
        return Record(
            self.clock,
            item["channel"],
            "LLC_HIT",
            item["bank"],
            item["row"],
            item["column"] + burst,
            gnr.number,
            item["slot"],
            NO_UNIT,
            BOUND_NONE,
            item["role"],
        )

    def _cached(self, line: int) -> bool:
        return self.sets > 0 and line in self.cache.get(line % self.sets, [])

    def _touch(self, line: int) -> None:
        """Make a line the most recently used of its set; the least recently used one leaves a full set."""
        if self.sets == 0 or self.ways == 0:
            return
        lines = self.cache.setdefault(line % self.sets, [])
        if line in lines:
            lines.remove(line)
        lines.append(line)
        del lines[: -self.ways]


def simulate(
    channels: Sequence[Mapping[str, Any]],
    host: Mapping[str, int],
    items: Mapping[str, Any],
    gnr_offsets: Any,
    arrivals: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Run bags through a system, one tick after the other.

    Parameters
    ----------
    channels
        Per channel ``kind`` ("plain" or "pim"), ``spec``, ``period`` (ticks) and the options of its class.
    host
        ``period`` (ticks), ``issue_per_cycle``, ``outstanding`` (bursts), ``add_bytes_per_cycle``,
        ``line_bytes``, ``llc_sets`` (0: no LLC), ``llc_ways``, ``window``, ``batch`` (0: none),
        ``instruction_buffer``.
    items
        The work arrays, by name.
    gnr_offsets
        GnRs + 1 offsets into them.
    arrivals
        Tick of every GnR before which the host does not start it; None: all are there from the start.

    Returns
    -------
    dict
        ``time`` (tick of the last finish), ``log`` (records by tick, the host's first, then channels in
        order), ``counters`` (a dict per channel), ``host`` (counters), ``arrival`` and ``finish``
        (ticks per GnR), ``bank_reads`` (column reads of every bank, a list per channel).
    """
    parts = [_build(index, options) for index, options in enumerate(channels)]
    periods = [int(options["period"]) for options in channels]
    stacks = _stacks(parts)
    gnrs = list(_bags(items, gnr_offsets))
    for gnr in gnrs:
        gnr.given = None if arrivals is None else int(arrivals[gnr.number])
        _announce(gnr, parts)
    driver = Host(parts, periods, {name: int(value) for name, value in host.items()}, gnrs)
    log: list[Record] = []
    for tick in range(MAX_TICKS):
        if tick % driver.period == 0:
            driver.cycle()
            _drain(driver.log, log)
            if driver.finished():
                break
        for part, period in zip(parts, periods, strict=True):
            if tick > 0 and tick % period == 0:
                part.cycle()
                _drain(part.log, log)
        for stack in stacks:
            if tick > 0 and tick % periods[stack.channels[0].index] == 0:
                stack.cycle()
                for channel in stack.channels:
                    _drain(channel.log, log)
    else:
        raise AssertionError("the reference makes no progress")
    time = max((g.finish_cycle or 0 for g in gnrs), default=0) * driver.period
    return {
        "time": time,
        "log": log,
        "counters": [
            {
                **part.counters,
                **part.meter.energies(),
                "bank_active": part.meter.bank_active(time // period),
            }
            for part, period in zip(parts, periods, strict=True)
        ],
        "host": driver.counters,
        "arrival": [g.arrival for g in gnrs],
        "finish": [(g.finish_cycle or 0) * driver.period for g in gnrs],
        "bank_reads": [part.meter.bank_reads() for part in parts],
    }


def _build(index: int, options: Mapping[str, Any]) -> PlainChannel | PimChannel:
    rest = {name: value for name, value in options.items() if name not in ("kind", "spec", "period")}
    if options["kind"] == "plain":
        return PlainChannel(options["spec"], index=index, **rest)
    return PimChannel(options["spec"], index=index, period=int(options["period"]), **rest)


def _stacks(parts: Sequence[PlainChannel | PimChannel]) -> list[Stack]:
    """The stack nodes, in order of their numbers."""
    members: dict[int, list[PimChannel]] = {}
    for part in parts:
        if isinstance(part, PimChannel) and part.stack:
            members.setdefault(part.stack, []).append(part)
    return [Stack(channels) for _, channels in sorted(members.items())]


def _bags(items: Mapping[str, Any], offsets: Any) -> Iterator[Gnr]:
    zeros = [0] * int(offsets[-1])
    columns = dict.fromkeys(OPTIONAL_ITEMS, zeros)
    columns |= {name: [int(value) for value in values] for name, values in items.items()}
    bounds = [int(offset) for offset in offsets]
    for number, (start, stop) in enumerate(pairwise(bounds)):
        rows = [{name: column[i] for name, column in columns.items()} for i in range(start, stop)]
        yield Gnr(number, rows, _immediates(rows))


def _immediates(items: Sequence[Mapping[str, int]]) -> dict[int, Immediate]:
    """What each IMMEDIATE and the reads that it is made of stand for."""
    found: dict[int, Immediate] = {}
    for at, item in enumerate(items):
        if item["kind"] == PIM_IMMEDIATE:
            assert all(before["kind"] == HOST_READ for before in items[at - item["row"] : at])
            found |= dict.fromkeys(range(at - item["row"], at + 1), Immediate())
    return found


def _announce(gnr: Gnr, parts: Sequence[PlainChannel | PimChannel]) -> None:
    units: dict[int, dict[int, list[frozenset[int]]]] = {}
    for item in gnr.items:
        is_pim = isinstance(parts[item["channel"]], PimChannel)
        assert is_pim == (item["kind"] != HOST_READ), "an item of the wrong kind for its channel"
        if is_pim and item["role"] != ROLE_FILL:
            units.setdefault(item["channel"], {}).setdefault(item["unit"], []).append(_covers(item))
    for channel, covers in units.items():
        part = parts[channel]
        assert isinstance(part, PimChannel)
        part.announce(gnr.number, covers)
        if part.node is not None:
            part.node.announce(gnr.number, part.results_of(gnr.number))


def _covers(item: Mapping[str, int]) -> frozenset[int]:
    """Bursts of the pooled vector that an item adds to."""
    if item["role"] not in (ROLE_ACC, ROLE_MAC):
        return frozenset()
    return frozenset(range(item["segment"], item["segment"] + (item["covers"] or item["bursts"])))


def _drain(source: list[Record], target: list[Record]) -> None:
    target.extend(source)
    source.clear()
