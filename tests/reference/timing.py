# SPDX-License-Identifier: MIT
"""Timing and bank state of one channel, straight from the constraint rows."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = [
    "BOUND_LUT",
    "BOUND_NONE",
    "NO_UNIT",
    "ROLE_ACC",
    "ROLE_FILL",
    "ROLE_LOAD",
    "ROLE_MAC",
    "ROLE_MUL",
    "Record",
    "Timing",
]

NO_UNIT = 65535
BOUND_NONE = -1
BOUND_LUT = -5

ROLE_ACC = 0
ROLE_LOAD = 1
ROLE_MAC = 2
ROLE_MUL = 3
ROLE_FILL = 4


class Record(NamedTuple):
    """One issued command; the fields are those of the command log."""

    clock: int
    channel: int
    command: str
    bank: int
    row: int
    column: int
    tag: int
    slot: int
    unit: int
    bound: int
    role: int


class Timing:
    """Earliest cycles and open rows of one channel.

    Parameters
    ----------
    spec
        Anything with the fields ``levels``, ``counts``, ``commands`` and ``constraints`` of a resolved
        standard. The channel is one node, whatever ``counts["channel"]`` says.
    """

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self.levels: list[str] = list(spec.levels)
        self.counts = [1] + [int(spec.counts[level]) for level in self.levels[1:]]
        self.nodes: list[int] = []
        total = 1
        for count in self.counts:
            total *= count
            self.nodes.append(total)
        self.banks = total
        self.banks_per_node = [total // nodes for nodes in self.nodes]
        self.scope: dict[str, int] = {c.name: self.levels.index(c.scope) for c in spec.commands}
        self.kind: dict[str, str] = {c.name: c.kind for c in spec.commands}
        self.alignment: dict[str, int] = {c.name: c.alignment for c in spec.commands}
        self.command: dict[str, str] = {}
        for c in spec.commands:
            self.command.setdefault(c.kind, c.name)
        # A dictionary per node: command -> (earliest cycle, row that set it); command -> cycles of its past.
        self._earliest: list[list[dict[str, tuple[int, int]]]] = [[{} for _ in range(n)] for n in self.nodes]
        self._past: list[list[dict[str, list[int]]]] = [[{} for _ in range(n)] for n in self.nodes]
        self._rows: dict[str, list[tuple[int, Any]]] = {
            c.name: [(i, row) for i, row in enumerate(spec.constraints) if c.name in row.preceding]
            for c in spec.commands
        }
        self._longest = max((row.window for row in spec.constraints), default=1)
        self.open_row: list[int | None] = [None] * self.banks

    def node(self, level: int, bank: int) -> int:
        """Index, within the channel, of the node of ``level`` that holds ``bank``."""
        return bank // self.banks_per_node[level]

    def first_bank(self, level: int, node: int) -> int:
        """First bank below a node."""
        return node * self.banks_per_node[level]

    def banks_below(self, level: int, node: int) -> range:
        """All banks below a node."""
        first = self.first_bank(level, node)
        return range(first, first + self.banks_per_node[level])

    def concerned(self, command: str, bank: int) -> list[int]:
        """Banks on whose paths ``command`` at ``bank`` stands: one, unless it is of kind REFSB."""
        if self.kind[command] != "REFSB":
            return [bank]
        place, rank = bank % self.counts[-1], self.node(1, bank)
        return [below for below in self.banks_below(1, rank) if below % self.counts[-1] == place]

    def earliest(self, command: str, bank: int) -> tuple[int, int]:
        """Earliest cycle of ``command`` on the path of ``bank``, and the row that set it (-1: none)."""
        best = (0, BOUND_NONE)
        for one in self.concerned(command, bank):
            for level in range(self.scope[command] + 1):
                bound = self._earliest[level][self.node(level, one)].get(command)
                if bound is not None and bound[0] > best[0]:
                    best = bound
        cycle, row = best
        while not self.on_beat(command, cycle):
            cycle += 1
        return cycle, row

    def on_beat(self, command: str, cycle: int) -> bool:
        """Whether ``command`` may start in this cycle at all."""
        return (cycle - 1) % self.alignment[command] == 0

    def bound(self, command: str, bank: int, cycle: int) -> int:
        """The row that kept ``command`` from coming before ``cycle``, -1 if it was something else."""
        earliest, row = self.earliest(command, bank)
        return row if earliest == cycle else BOUND_NONE

    def ready(self, command: str, bank: int, cycle: int) -> bool:
        """Whether timing allows ``command`` on ``bank`` at ``cycle``."""
        return self.on_beat(command, cycle) and self.earliest(command, bank)[0] <= cycle

    def issue(self, command: str, bank: int, row: int, cycle: int) -> None:
        """Issue ``command`` at ``cycle``: bank state, history and all rows that it precedes."""
        scope = self.scope[command]
        self._change_state(command, bank, row)
        banks = self.concerned(command, bank)
        for level in range(scope + 1):
            for node in sorted({self.node(level, one) for one in banks}):
                past = self._past[level][node].setdefault(command, [])
                past.append(cycle)
                del past[: -self._longest]
        for index, constraint in self._rows[command]:
            level = self.levels.index(constraint.level)
            if level > scope:
                continue
            for node in sorted({self.node(level, one) for one in banks}):
                past = self._past[level][node][command]
                if len(past) < constraint.window:
                    continue
                until = past[-constraint.window] + constraint.cycles
                for target in self._targets(level, node, constraint.sibling):
                    for following in constraint.following:
                        self._raise(level, target, following, until, index)

    def _targets(self, level: int, node: int, sibling: bool) -> list[int]:
        if not sibling:
            return [node]
        first = node - node % self.counts[level]
        return [other for other in range(first, first + self.counts[level]) if other != node]

    def _raise(self, level: int, node: int, command: str, until: int, index: int) -> None:
        bounds = self._earliest[level][node]
        if until > bounds.get(command, (0, BOUND_NONE))[0]:
            bounds[command] = (until, index)

    def _change_state(self, command: str, bank: int, row: int) -> None:
        kind = self.kind[command]
        if kind == "ACT":
            self.open_row[bank] = row
        elif kind == "PRE":
            self.open_row[bank] = None
        elif kind in ("PREA", "REF"):
            scope = self.scope[command]
            for below in self.banks_below(scope, self.node(scope, bank)):
                self.open_row[below] = None
