# SPDX-License-Identifier: MIT
"""Where items stand in program order."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Starts"]

_Int = NDArray[np.int64]
_Counts = NDArray[np.uint32]


class Starts:
    """Where the items of lookups start in program order; numbers where all lookups are alike.

    Parameters
    ----------
    counts
        uint32 (operands of a lookup, lookups): items.

    Attributes
    ----------
    items
        Items of all lookups.
    step
        Items of each lookup; 0 where they differ.
    """

    def __init__(self, counts: _Counts) -> None:
        self._counts = [_same_or_all(count) for count in counts] if counts.size else [0] * len(counts)
        self._lookups = counts.shape[1]
        self._all = counts
        alike = all(isinstance(count, int) for count in self._counts)
        self.step = sum(count for count in self._counts if isinstance(count, int)) if alike else 0
        self._ends = None if alike else np.cumsum(counts.sum(axis=0, dtype=np.int64))
        self.items = self.step * self._lookups if self._ends is None else int(self._ends[-1])

    @cached_property
    def of_lookups(self) -> _Int:
        """int64 (lookups,)."""
        if self._ends is None:
            return np.arange(self._lookups) * self.step
        starts: _Int = self._ends - self._all.sum(axis=0, dtype=np.int64)
        return starts

    def of_operand(self, operand: int) -> tuple[_Int | int, int]:
        """Where an operand's items start: of every lookup, or a lookup's step; and what is to be added."""
        before = self._counts[:operand]
        same = sum(count for count in before if isinstance(count, int))
        if self._ends is None:
            return self.step, same
        start = self.of_lookups
        for count in before:
            start = start if isinstance(count, int) else start + count
        return start, same

    def array_of_operand(self, operand: int) -> _Int:
        """Where an operand's items start: int64 (lookups,)."""
        start: _Int = self.of_lookups + self._all[:operand].sum(axis=0, dtype=np.int64)
        return start

    def before(self, lookups: _Int) -> _Int:
        """How many items stand before some lookups, which may be the one behind the last."""
        if self._ends is None:
            return lookups * self.step
        return np.concatenate(([0], self._ends))[lookups]


def _same_or_all(counts: _Counts) -> _Counts | int:
    """Return one number if all are the same."""
    return int(counts[0]) if counts.size and (counts == counts[0]).all() else counts
