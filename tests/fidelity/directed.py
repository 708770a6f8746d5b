# SPDX-License-Identifier: MIT
"""Logs made for one constraint row: a short legal way to two commands that it keeps apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import lcm
from typing import Any

import numpy as np

from heam_sim.check.logs import LOG_DTYPE
from tests.fidelity.check_twin import Walk, concerned, node_of, reaches

NEED_OPEN = ("RD", "WR", "RDA", "WRA", "PIM_RD", "PRE")
NEED_CLOSED = ("ACT", "REFPB", "RFMPB")
NEED_ALL_CLOSED = ("REF", "RFM")
CLOSING = ("PRE", "RDA", "WRA")
DATA_DELAY = {
    "RD": "nCL",
    "RDA": "nCL",
    "WR": "nCWL",
    "WRA": "nCWL",
    "PIM_RDRES": "nCL",
    "PIM_WRLUT": "nCWL",
}
ROW = 1


@dataclass(frozen=True)
class Event:
    """One command of a log."""

    clock: int
    name: str
    bank: int


@dataclass(frozen=True)
class Case:
    """A log in which ``events[second]`` may not come earlier because of one row."""

    row: int
    events: tuple[Event, ...]
    first: int
    second: int


class Player:
    """Issues commands as early as the rows of a spec and the states of its banks allow."""

    def __init__(self, spec: Any, closing: str) -> None:
        self.spec, self.closing = spec, closing
        self.by_name = {c.name: c for c in spec.commands}
        self.of_kind = {c.kind: c.name for c in spec.commands}
        self.walk = Walk(spec)
        self.events: list[Event] = []
        self.open: set[int] = set()
        self.clock = 0
        self.rest = 10 + max(row.cycles for row in spec.constraints)
        self.rank_banks = spec.banks // spec.counts[spec.levels[1]]

    def rank_of(self, bank: int) -> range:
        first = bank // self.rank_banks * self.rank_banks
        return range(first, first + self.rank_banks)

    def earliest(self, name: str, bank: int) -> dict[int, int]:
        return self.walk.demands(self.by_name[name], bank)

    def issue(self, name: str, bank: int, *, pause: bool = False) -> int:
        """Issue a command, as early as possible or after a long pause; return its place in the log."""
        clock = max([self.clock + 1, *self.earliest(name, bank).values()]) + (self.rest if pause else 0)
        clock += -(clock - 1) % self.by_name[name].alignment
        self.walk.issue(self.by_name[name], bank, clock)
        self.events.append(Event(clock, name, bank))
        self.clock = clock
        kind = self.by_name[name].kind
        if kind == "ACT":
            self.open.add(bank)
        elif kind in CLOSING:
            self.open.discard(bank)
        elif kind == "PREA":
            self.open -= set(self.rank_of(bank))
        return len(self.events) - 1

    def prepare(self, name: str, bank: int, *, pause: bool = False) -> None:
        """Bring banks into the state that a command needs."""
        kind = self.by_name[name].kind
        if kind in NEED_OPEN and bank not in self.open:
            self.issue(self.of_kind["ACT"], bank, pause=pause)
        shut = [bank] if kind in NEED_CLOSED else list(self.rank_of(bank)) if kind in NEED_ALL_CLOSED else []
        shut = concerned(self.spec, self.by_name[name], bank) if kind == "REFSB" else shut
        shut = [b for b in shut if b in self.open]
        if shut and self.closing == "PREA":
            self.issue(self.of_kind["PREA"], self.rank_of(bank)[0], pause=pause)
        for b in shut if self.closing == "PRE" else []:
            self.issue(self.of_kind["PRE"], b, pause=pause)

    def finish(self) -> None:
        """Close every bank, long after."""
        for first in range(0, self.spec.banks, self.rank_banks):
            self.issue(self.of_kind["PREA"], first, pause=True)


def places(spec: Any, row: Any, before: str, after: str) -> Iterator[tuple[list[int], int]]:
    """Banks of the ``window`` preceding commands and of the following one that the row binds together."""
    depth = spec.levels.index(row.level)
    strides = [spec.banks // spec.nodes(level) for level in spec.levels]
    scopes = {c.name: strides[spec.levels.index(c.scope)] for c in spec.commands}

    def address(name: str, bank: int) -> int:
        return bank // scopes[name] * scopes[name]

    if row.window > 1:
        inside = range(strides[depth])
        group = spec.counts["bank"]
        spread = sorted(inside, key=lambda b: (b % group, b // group))
        if len(spread) > row.window:
            yield [address(before, b) for b in spread[: row.window]], address(after, spread[row.window])
        yield [address(before, b % len(inside)) for b in range(row.window)], address(after, 0)
        return
    if row.sibling:
        yield [address(before, 0)], address(after, strides[depth])
        return
    # Banks that part as far out as the row allows come first: there the fewest other rows apply.
    for inner in range(depth + 1, len(spec.levels)):
        if spec.counts[spec.levels[inner]] > 1:
            yield [address(before, 0)], address(after, strides[inner])
    yield [address(before, 0)], address(after, 0)


def _clear_of_bus(player: Player, first: Event, second: Event) -> bool:
    """Whether the bursts of two commands, if they have any, do not meet on one host-side data bus."""
    spec = player.spec
    kinds = [player.by_name[e.name].kind for e in (first, second)]
    if not all(kind in DATA_DELAY for kind in kinds):
        return True
    if spec.levels[1] == "pseudo_channel" and player.rank_of(first.bank) != player.rank_of(second.bank):
        return True
    starts = [e.clock + spec.timing[DATA_DELAY[k]] for e, k in zip((first, second), kinds, strict=True)]
    return abs(starts[1] - starts[0]) >= spec.timing["nBL"]


def binding_case(spec: Any, number: int, before: str, after: str) -> Case | None:
    """Look for a legal log in which row ``number`` alone or among equals sets the time of ``after``."""
    row = spec.constraints[number]
    for banks, bank in places(spec, row, before, after):
        for closing in ("PRE", "PREA"):
            player = Player(spec, closing)
            for b in banks:
                player.prepare(before, b, pause=True)
            kinds = player.by_name[before].kind, player.by_name[after].kind
            if (
                kinds[1] in NEED_OPEN
                and kinds[0] not in NEED_ALL_CLOSED
                and not (kinds[0] == "ACT" and bank in banks)
            ):
                player.prepare(after, bank, pause=True)
            first = player.issue(before, banks[0], pause=True)
            for b in banks[1:]:
                player.issue(before, b)
            player.prepare(after, bank)
            wanted = player.events[first].clock + row.cycles
            demand = player.earliest(after, bank)
            second = player.issue(after, bank)
            event = player.events[second]
            clear = all(_clear_of_bus(player, e, event) for e in player.events[:second])
            if event.clock == wanted == demand.get(number) and clear:
                player.finish()
                return Case(number, tuple(player.events), first, second)
    return None


def alone(spec: Any, number: int, before: str, after: str) -> tuple[Any, Case]:
    """A spec of one row, and commands exactly as far apart as it asks; bank states are left aside."""
    row = spec.constraints[number]
    banks, bank = next(places(spec, row, before, after))
    events = [Event(10 + i, before, b) for i, b in enumerate(banks)]
    events.append(Event(10 + row.cycles, after, bank))
    return replace(spec, constraints=(row,)), Case(number, tuple(events), 0, len(events) - 1)


def pairs(spec: Any) -> list[tuple[int, str, str]]:
    """All (row, preceding, following) of a spec that can bind.

    Not below a command's scope, and not between siblings where there is one node (4-high stacks: one SID).
    """
    by_name = {c.name: c for c in spec.commands}
    return [
        (number, before, after)
        for number, row in enumerate(spec.constraints)
        if not (row.sibling and spec.counts[row.level] == 1)
        for before in row.preceding
        for after in row.following
        if reaches(spec, by_name[before], row.level) and reaches(spec, by_name[after], row.level)
    ]


def to_log(spec: Any, cases: list[Case]) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Play cases one after the other; return the log and where each case's two commands stand."""
    names = [c.name for c in spec.commands]
    per_unit = spec.banks // spec.nodes(spec.unit_level) if spec.unit_level in spec.levels else 0
    beat = lcm(*(command.alignment for command in spec.commands))
    records, marks, start = [], [], 0
    for case in cases:
        marks.append((len(records) + case.first, len(records) + case.second))
        for event in case.events:
            pim = event.name.startswith("PIM") and not event.name.startswith("PIM_WRLUT")
            unit = node_of(spec, event.bank, spec.unit_level) if pim and per_unit else 65535
            records.append(
                (start + event.clock, 0, names.index(event.name), event.bank, ROW, 0, 0, 0, unit, -1, 0)
            )
        # The next case begins at the end of this one, and on the same beat.
        start += case.events[-1].clock
        start += -start % beat
    return np.array(records, dtype=LOG_DTYPE), marks
