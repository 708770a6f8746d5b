# SPDX-License-Identifier: MIT
"""What a channel's commands cost, and how long its rows were open: from the record of all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from tests.reference.timing import NO_UNIT, Timing

__all__ = ["ENERGY_COUNTERS", "Meter"]

ENERGY_COUNTERS = ("energy", "energy_peak", "energy_rank_peak")


class Meter:
    """Notes every command; the sums are made when they are asked for."""

    def __init__(self, timing: Timing, energy: Mapping[str, int] | None, window: int) -> None:
        self.timing = timing
        self.energy = energy or {}
        self.window = window
        self.spent: list[tuple[int, int | None, int]] = []
        self.opened: list[tuple[int, int]] = []
        self.closed: list[tuple[int, int]] = []
        self.read: list[int] = []

    def note(self, kind: str, bank: int, unit: int, clock: int) -> None:
        """Note a command that is about to be issued."""
        of_no_rank = kind == "PIM_RDRES" and unit == NO_UNIT
        rank = None if of_no_rank else self.timing.node(1, bank)
        self.spent.append((clock, rank, self.energy.get(kind, 0)))
        if kind in ("RD", "PIM_RD"):
            self.read.append(bank)
        if kind == "ACT":
            self.opened.append((bank, clock))
        for closing in {"PRE": [bank], "PREA": list(self._rank_of(bank))}.get(kind, []):
            if self.timing.open_row[closing] is not None:
                self.closed.append((closing, clock))

    def _rank_of(self, bank: int) -> range:
        return self.timing.banks_below(1, self.timing.node(1, bank))

    def energies(self) -> dict[str, int]:
        """The whole energy, and the largest of a window: of the channel and of a rank."""
        if self.window == 0:
            return dict.fromkeys(ENERGY_COUNTERS, 0)
        windows: dict[int, int] = defaultdict(int)
        of_ranks: dict[tuple[int, int], int] = defaultdict(int)
        for clock, rank, energy in self.spent:
            number = (clock - 1) // self.window
            windows[number] += energy
            if rank is not None:
                of_ranks[number, rank] += energy
        return {
            "energy": sum(windows.values()),
            "energy_peak": max(windows.values(), default=0),
            "energy_rank_peak": max(of_ranks.values(), default=0),
        }

    def bank_reads(self) -> list[int]:
        """Column reads of every bank."""
        return [self.read.count(bank) for bank in range(self.timing.banks)]

    def bank_active(self, end: int) -> int:
        """Cycles with a row open, up to `end`, summed over banks."""
        still = [bank for bank, row in enumerate(self.timing.open_row) if row is not None]
        closings = [*self.closed, *((bank, end) for bank in still)]
        return sum(clock for _, clock in closings) - sum(clock for _, clock in self.opened)
