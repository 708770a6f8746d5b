# SPDX-License-Identifier: MIT
"""Small, slow twins for the tests of the checkers: a toy standard, a naive generator, a literal row walk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from heam_sim.check.logs import LOG_DTYPE


@dataclass(frozen=True)
class ToyCommand:
    name: str
    kind: str
    scope: str
    alignment: int = 1


@dataclass(frozen=True)
class ToyRow:
    level: str
    preceding: tuple[str, ...]
    following: tuple[str, ...]
    cycles: int
    window: int = 1
    sibling: bool = False
    resource: str = "toy"


@dataclass(frozen=True)
class ToySpec:
    """Hand-made standard with two ranks, bank groups and banks; all numbers are assumed."""

    name: str = "toy"
    levels: tuple[str, ...] = ("channel", "rank", "bank_group", "bank")
    counts: dict[str, int] = field(
        default_factory=lambda: {"channel": 1, "rank": 2, "bank_group": 2, "bank": 2}
    )
    timing: dict[str, int] = field(default_factory=lambda: {"nCL": 5, "nCWL": 3, "nBL": 2})
    commands: tuple[ToyCommand, ...] = (
        ToyCommand("ACT", "ACT", "bank"),
        ToyCommand("PREpb", "PRE", "bank"),
        ToyCommand("PREab", "PREA", "rank"),
        ToyCommand("RD", "RD", "bank"),
        ToyCommand("WR", "WR", "bank"),
        ToyCommand("REFab", "REF", "rank"),
    )
    constraints: tuple[ToyRow, ...] = (
        ToyRow("channel", ("RD",), ("RD",), 2, resource="host_bus"),
        ToyRow("channel", ("WR",), ("WR",), 2, resource="host_bus"),
        ToyRow("rank", ("RD",), ("WR",), 4, resource="rank_io"),
        ToyRow("rank", ("WR",), ("RD",), 7, resource="rank_io"),
        ToyRow("rank", ("RD",), ("RD",), 3, sibling=True, resource="host_bus"),
        ToyRow("rank", ("RD",), ("WR",), 5, sibling=True, resource="host_bus"),
        ToyRow("rank", ("ACT",), ("ACT",), 2, resource="activation_power"),
        ToyRow("rank", ("ACT",), ("ACT",), 13, window=3, resource="activation_power"),
        ToyRow("bank_group", ("RD",), ("RD",), 4, resource="bank_group_io"),
        ToyRow("bank", ("ACT",), ("RD", "WR"), 4, resource="bank"),
        ToyRow("bank", ("ACT",), ("PREpb",), 8, resource="bank"),
        ToyRow("bank", ("PREpb",), ("ACT",), 4, resource="bank"),
        ToyRow("bank", ("RD",), ("PREpb",), 3, resource="bank"),
        ToyRow("bank", ("WR",), ("PREpb",), 9, resource="bank"),
        ToyRow("rank", ("ACT",), ("PREab",), 8, resource="state"),
        ToyRow("rank", ("RD",), ("PREab",), 3, resource="state"),
        ToyRow("rank", ("WR",), ("PREab",), 9, resource="state"),
        ToyRow("rank", ("PREpb", "PREab"), ("REFab",), 4, resource="state"),
        ToyRow("rank", ("REFab",), ("ACT", "REFab"), 20, resource="refresh"),
    )
    split_command_buses: bool = False
    refresh_interval: int = 60
    bank_refresh_interval: int | None = None
    max_postponed_refreshes: int | None = None


def node_of(spec: Any, bank: int, level: str) -> int:
    """Node of a level in its channel."""
    size = 1
    for name in spec.levels[spec.levels.index(level) + 1 :]:
        size *= spec.counts[name]
    return bank // size


def reaches(spec: Any, command: Any, level: str) -> bool:
    """Whether a level is not below the command's scope."""
    return spec.levels.index(level) <= spec.levels.index(command.scope)


def concerned(spec: Any, command: Any, bank: int) -> list[int]:
    """Banks at which a command stands: for kind REFSB those of its rank at one place of a bank group."""
    if command.kind != "REFSB":
        return [bank]
    inner, rank = spec.counts[spec.levels[-1]], node_of(spec, bank, spec.levels[1])
    banks = int(np.prod([spec.counts[level] for level in spec.levels[1:]]))
    return [b for b in range(banks) if b % inner == bank % inner and node_of(spec, b, spec.levels[1]) == rank]


@dataclass
class Walk:
    """The timing state of one channel, literally: for each node, when each command was issued."""

    spec: Any
    issued: dict[tuple[str, int, str], list[int]] = field(default_factory=lambda: defaultdict(list))

    def demands(self, command: Any, bank: int) -> dict[int, int]:
        """Earliest cycle that each row (by number) sets for a command."""
        result: dict[int, int] = {}
        for one in concerned(self.spec, command, bank):
            for row, cycle in self._demands_at(command, one).items():
                result[row] = max(result.get(row, 0), cycle)
        return result

    def _demands_at(self, command: Any, bank: int) -> dict[int, int]:
        by_name = {c.name: c for c in self.spec.commands}
        result: dict[int, int] = {}
        for i, row in enumerate(self.spec.constraints):
            if command.name not in row.following or not reaches(self.spec, command, row.level):
                continue
            node = node_of(self.spec, bank, row.level)
            nodes = [node]
            if row.sibling:
                outer = self.spec.levels[self.spec.levels.index(row.level) - 1]
                each = self.spec.counts[row.level]
                parent = node_of(self.spec, bank, outer)
                nodes = [n for n in range(parent * each, (parent + 1) * each) if n != node]
            for name in row.preceding:
                if not reaches(self.spec, by_name[name], row.level):
                    continue
                for n in nodes:
                    clocks = self.issued[row.level, n, name]
                    if len(clocks) >= row.window:
                        result[i] = max(result.get(i, 0), clocks[-row.window] + row.cycles)
        return result

    def issue(self, command: Any, bank: int, clock: int) -> None:
        """Remember a command."""
        banks = concerned(self.spec, command, bank)
        for level in self.spec.levels:
            if reaches(self.spec, command, level):
                for node in {node_of(self.spec, one, level) for one in banks}:
                    self.issued[level, node, command.name].append(clock)


def literal_row_counts(spec: Any, log: np.ndarray, names: Sequence[str]) -> dict[int, int]:
    """Violations per constraint row (by number), command by command."""
    by_name = {c.name: c for c in spec.commands}
    walks: dict[int, Walk] = {}
    counts: dict[int, int] = {}
    for record in log:
        walk = walks.setdefault(int(record["channel"]), Walk(spec))
        command, bank, clock = by_name[names[record["command"]]], int(record["bank"]), int(record["clock"])
        for row, earliest in walk.demands(command, bank).items():
            if clock < earliest:
                counts[row] = counts.get(row, 0) + 1
        walk.issue(command, bank, clock)
    return counts


@dataclass
class Generated:
    """A legal log, and for each constraint row the log rows whose time it set."""

    log: np.ndarray
    names: tuple[str, ...]
    binding: dict[int, list[int]]


class Generator:
    """Issues random legal commands, each as early as the rows, the bus and one command a cycle allow."""

    def __init__(self, spec: Any, seed: int, *, pim: bool = False, unit_banks: int = 1) -> None:
        self.spec, self.pim, self.unit_banks = spec, pim, unit_banks
        self.rng = np.random.default_rng(seed)
        self.by_kind = {c.kind: c for c in spec.commands}
        self.walk = Walk(spec)
        self.banks = node_of(spec, 0, "bank") + int(np.prod([spec.counts[x] for x in spec.levels[1:]]))
        self.rank_banks = self.banks // spec.counts[spec.levels[1]]
        self.open: dict[int, int] = {}
        self.busy: dict[int, list[int]] = defaultdict(list)
        self.records: list[tuple[Any, ...]] = []
        self.binding: dict[int, list[int]] = defaultdict(list)
        self.names = tuple(c.name for c in spec.commands)
        self.clock = 0
        self.refreshed = [0] * spec.counts[spec.levels[1]]

    def _bus_start(self, kind: str, bank: int, clock: int) -> tuple[int, int]:
        """Clock from which the data bus is free, and the bus."""
        t = self.spec.timing
        bus = bank // self.rank_banks if self.spec.levels[1] == "pseudo_channel" else 0
        delay = t["nCL"] if kind in ("RD", "PIM_RDRES") else t["nCWL"]
        while any(abs(clock + delay - start) < t["nBL"] for start in self.busy[bus][-64:]):
            clock += 1
        self.busy[bus].append(clock + delay)
        return clock, bus

    def issue(self, kind: str, bank: int, row: int = 0, unit: int = 65535, column: int = 0) -> None:
        """Issue one command at its earliest legal time."""
        command = self.by_kind[kind]
        demands = self.walk.demands(command, bank)
        clock = max([self.clock + 1, *demands.values()])
        if kind in ("RD", "WR", "PIM_RDRES", "PIM_WRLUT"):
            clock, _ = self._bus_start(kind, bank, clock)
        for i, earliest in demands.items():
            if earliest == clock:
                self.binding[i].append(len(self.records))
        self.walk.issue(command, bank, clock)
        self.clock = clock
        code = self.names.index(command.name)
        self.records.append((clock, 0, code, bank, row, column, 0, 0, unit, -1, 0))

    def _refresh(self, rank: int) -> None:
        first = rank * self.rank_banks
        mine = [b for b in self.open if b // self.rank_banks == rank]
        if mine and self.rng.random() < 0.8:
            self.issue("PREA", first)
        else:
            for bank in mine:
                self.issue("PRE", bank)
        for bank in mine:
            del self.open[bank]
        for _ in range(int(self.rng.integers(1, 3))):
            self.issue("REF", first)
        self.refreshed[rank] = self.clock

    def _column(self, bank: int) -> None:
        choice = self.rng.random()
        if self.pim and choice < 0.6:
            self.issue("PIM_RD", bank, self.open[bank], unit=bank // self.unit_banks)
        else:
            self.issue("RD" if choice < 0.7 else "WR", bank, self.open[bank])

    def _bank_step(self, bank: int) -> None:
        if bank not in self.open:
            self.open[bank] = int(self.rng.integers(0, 9))
            self.issue("ACT", bank, self.open[bank])
        elif self.rng.random() < 0.35:
            del self.open[bank]
            self.issue("PRE", bank)
        else:
            self._column(bank)

    def _pim_step(self) -> None:
        kind = str(self.rng.choice(["PIM_MOV", "PIM_RDRES", "PIM_WRLUT"]))
        unit = int(self.rng.integers(0, self.banks // self.unit_banks))
        bank = unit * self.unit_banks
        if kind == "PIM_WRLUT":
            bank = bank // self.rank_banks * self.rank_banks
        self.issue(kind, bank, unit=65535 if kind == "PIM_WRLUT" else unit)

    def run(self, commands: int) -> Generated:
        """Issue about ``commands`` commands."""
        while len(self.records) < commands:
            # Phases on few banks meet the narrow rows, phases on all banks the wide ones.
            span = int(self.rng.choice([1, 2, self.rank_banks, self.banks]))
            start = int(self.rng.integers(0, self.banks))
            for _ in range(12):
                due = [r for r, c in enumerate(self.refreshed) if self.clock - c > self.spec.refresh_interval]
                if due:
                    self._refresh(due[0])
                elif self.rng.random() < 0.03:
                    self._refresh(int(self.rng.integers(0, len(self.refreshed))))
                elif self.pim and self.rng.random() < 0.35:
                    self._pim_step()
                else:
                    self._bank_step((start + int(self.rng.integers(0, span))) % self.banks)
        log = np.array(self.records, dtype=LOG_DTYPE)
        return Generated(log, self.names, dict(self.binding))
