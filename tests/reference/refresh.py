# SPDX-License-Identifier: MIT
"""Which refreshes of a plain channel are due, owed and urgent, as docs/engine.md defines it."""

from __future__ import annotations

from tests.reference.timing import Timing

__all__ = ["Refresh"]

KINDS = {"all-bank": "REF", "per-bank": "REFPB", "same-bank": "REFSB"}


class Refresh:
    """The refreshes that every rank owes; ``owed[rank]`` holds their due cycles, the oldest first."""

    def __init__(self, timing: Timing, kind: str, *, interval: int, staggered: bool, postpone: int) -> None:
        self.timing = timing
        self.kind = kind
        self.ranks = timing.nodes[1]
        self.per_rank = timing.banks // self.ranks
        self.turns = {"all-bank": 1, "per-bank": self.per_rank, "same-bank": timing.counts[-1]}[kind]
        self.interval = interval
        self.staggered = staggered
        self.wait = max(0, postpone * interval - interval // 2)
        self.command = timing.command[KINDS[kind]]
        self.fallen_due = [0] * self.ranks
        self.owed: list[list[int]] = [[] for _ in range(self.ranks)]
        self.turn = [0] * self.ranks

    def due(self, rank: int, number: int) -> int:
        """Cycle in which refresh `number` (from 1) of a rank is due."""
        if not self.staggered:
            return number * self.interval // self.turns
        return ((number - 1) * self.ranks + rank + 1) * self.interval // (self.turns * self.ranks)

    def advance(self, clock: int) -> None:
        """Note what falls due in this cycle."""
        for rank in range(self.ranks):
            while self.due(rank, self.fallen_due[rank] + 1) == clock:
                self.fallen_due[rank] += 1
                self.owed[rank].append(clock)

    def urgent(self, rank: int, clock: int) -> bool:
        """Whether the oldest refresh that a rank owes may wait no longer."""
        return bool(self.owed[rank]) and clock >= self.owed[rank][0] + self.wait

    def joining(self, clock: int) -> list[int]:
        """Ranks of which a refresh becomes urgent in this very cycle, once for each refresh."""
        return [rank for rank in range(self.ranks) for due in self.owed[rank] if due + self.wait == clock]

    def oldest_first(self) -> list[int]:
        """Ranks that owe a refresh, the longest owed first."""
        return sorted((r for r in range(self.ranks) if self.owed[r]), key=lambda r: (self.owed[r][0], r))

    def concerned(self, rank: int) -> list[int]:
        """Banks that the next refresh of a rank concerns."""
        if self.kind == "all-bank":
            return list(self.timing.banks_below(1, rank))
        return self.timing.concerned(self.command, rank * self.per_rank + self.turn[rank])

    def served(self, rank: int) -> None:
        """Note that the oldest refresh of a rank was issued."""
        self.owed[rank].pop(0)
        self.turn[rank] = (self.turn[rank] + 1) % self.turns
