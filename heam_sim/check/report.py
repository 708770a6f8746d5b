# SPDX-License-Identifier: MIT
"""What a checker says: violations, complete counts per rule, and one way to turn them into an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from heam_sim.errors import CheckError

__all__ = ["Findings", "Report", "Violation"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One broken rule.

    Attributes
    ----------
    rule
        Family of the rule: ``"row"`` (a constraint row), ``"bank state"``, ``"clock order"``,
        ``"alignment"``, ``"command slot"``, ``"unit"``, ``"data bus"``, ``"refresh deadline"``; the
        functional check has families of its own.
    row
        Label of the constraint row, e.g. ``"rank RD->WR 10 (rank_io)"``; the family's name for other rules.
    first_index, second_index
        Rows of the log that clash; -1 where there is no such command.
    first_clock, second_clock
        Their clocks in cycles of the channel; -1 where there is no such command.
    message
        One sentence.
    """

    rule: str
    row: str
    first_index: int
    second_index: int
    first_clock: int
    second_clock: int
    message: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Outcome of a check.

    Attributes
    ----------
    violations
        At most ``limit`` per rule, in the order of the rules.
    counts
        Complete number of violations per row label (``Violation.row``); rules that hold are absent.
    commands
        Log rows that were looked at.
    """

    violations: tuple[Violation, ...]
    counts: dict[str, int]
    commands: int

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.counts

    @property
    def total(self) -> int:
        """Number of all violations, also of those beyond the limit."""
        return sum(self.counts.values())

    def require(self) -> None:
        """Raise :class:`~heam_sim.errors.CheckError` with the first violation if there is one."""
        if self.ok:
            return
        more = f" ({self.total} violations in all)" if self.total > 1 else ""
        raise CheckError(self.violations[0].message + more)


@dataclass
class Findings:
    """Collects violations while a check runs: all are counted, ``limit`` per label spelled out."""

    limit: int
    violations: list[Violation] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        rule: str,
        row: str,
        pairs: tuple[IntArray, IntArray],
        clocks: tuple[IntArray, IntArray],
        message: Callable[[int], str],
    ) -> None:
        """Record one violation per element; ``message(i)`` words the i-th of them."""
        first, second = pairs
        if len(second) == 0:
            return
        already = self.counts.get(row, 0)
        self.counts[row] = already + len(second)
        for i in range(min(len(second), max(0, self.limit - already))):
            self.violations.append(
                Violation(
                    rule=rule,
                    row=row,
                    first_index=int(first[i]),
                    second_index=int(second[i]),
                    first_clock=int(clocks[0][i]),
                    second_clock=int(clocks[1][i]),
                    message=message(i),
                )
            )

    def report(self, commands: int) -> Report:
        """Freeze what was found."""
        return Report(violations=tuple(self.violations), counts=dict(self.counts), commands=commands)
