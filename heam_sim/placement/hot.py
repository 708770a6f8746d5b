# SPDX-License-Identifier: MIT
"""Which rows the profile part of a trace calls hot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import RowNumbers
from heam_sim.embedding import EmbeddingScheme, Subtable
from heam_sim.trace import LookupTrace

__all__ = ["Ranking", "RowSet", "rank_rows"]

_Int = NDArray[np.int64]


class RowSet:
    """Some rows of a model, in ascending order, with a number among those of their size.

    Attributes
    ----------
    rows
        int64, sorted: numbers over all rows of the model.
    slot
        int64, like `rows`: ordinal among the rows of the same size, plus what `first` says of that size.
    share
        Of the profile's accesses that they take.
    """

    def __init__(self, rows: _Int, sizes: _Int, first: Mapping[int, int], share: float) -> None:
        self.rows = rows
        self.share = share
        self.slot = np.zeros(rows.size, np.int64)
        self.counts: dict[int, int] = {}
        for size in np.unique(sizes).tolist():
            mine = sizes == size
            self.counts[size] = int(mine.sum())
            self.slot[mine] = np.arange(self.counts[size]) + first.get(size, 0)
        self._numbers = RowNumbers(rows, self.slot) if rows.size else None

    @classmethod
    def empty(cls) -> RowSet:
        """No row at all."""
        nothing = np.empty(0, np.int64)
        return cls(nothing, nothing, {}, 0.0)

    def find(self, row: _Int) -> _Int:
        """Return the slot of each row (numbers over the model), -1 for rows that do not belong."""
        return np.full(row.shape, -1, np.int64) if self._numbers is None else self._numbers.find(row)


class Ranking:
    """Rows of some subtables by how often the profile reads them, ties by row number.

    Attributes
    ----------
    keys, counts
        int64: row numbers over the model, most read first, and their accesses.
    sizes
        int64: their row sizes in bytes.

    Parameters
    ----------
    keys, counts, sizes
        The same, in ascending order of row numbers.
    """

    def __init__(self, keys: _Int, counts: _Int, sizes: _Int) -> None:
        seldom = int(counts.max(initial=0)) - counts
        if seldom.max(initial=0) < 1 << 16:
            seldom = seldom.astype(np.uint16)  # which numpy sorts in linear time
        order = np.argsort(seldom, kind="stable")
        self.keys, self.counts, self.sizes = keys[order], counts[order], sizes[order]

    def reaching(self, share: float) -> int:
        """Return how many rows, at least, take a share of the accesses."""
        total = int(self.counts.sum())
        if not total or share <= 0:
            return 0
        return int(np.searchsorted(np.cumsum(self.counts), share * total, side="left")) + 1

    def read_at_least(self, reads: int) -> int:
        """Return how many rows are read so often."""
        return int(np.searchsorted(-self.counts, -reads, side="right"))

    def fitting(self, budget_bytes: int, slots: Mapping[int, int]) -> int:
        """Return how many of the most read rows fit, with the bytes that a row of each size takes."""
        taken = np.zeros(self.sizes.size, np.int64)
        for size, slot in slots.items():
            taken[self.sizes == size] = slot
        return int(np.searchsorted(np.cumsum(taken), budget_bytes, side="right"))

    def first(self, count: int, offsets: Mapping[int, int]) -> RowSet:
        """Return the `count` most read rows; `offsets` gives the first slot of each size."""
        total = int(self.counts.sum())
        keys = self.keys[:count]
        order = np.argsort(keys)
        share = float(self.counts[:count].sum() / total) if total else 0.0
        return RowSet(keys[order], self.sizes[:count][order], offsets, share)


def rank_rows(
    profile: LookupTrace,
    scheme: EmbeddingScheme,
    subtables: Sequence[Subtable],
    first_row: _Int,
    chosen: NDArray[np.bool_],
) -> Ranking:
    """Count what the profile reads in the chosen subtables.

    Parameters
    ----------
    profile
        The part of the trace that decides.
    scheme, subtables
        The embedding.
    first_row
        int64 (subtables,): number of each subtable's first row over the model.
    chosen
        bool (subtables,): which of them count.
    """
    reads = [np.empty(0, np.int64)]
    for table in range(profile.tables):
        for operand in scheme.operands(table, profile.indices[table], subtables):
            if chosen[operand.subtable_id]:
                reads.append(operand.rows + first_row[operand.subtable_id])
    found = np.concatenate(reads)
    found.sort()
    starts = np.flatnonzero(np.diff(found, prepend=-1))  # not numpy.unique, which hashes
    keys, counts = found[starts], np.diff(starts, append=found.size)
    of_tables = np.array([table.row_bytes for table in subtables], np.int64)
    return Ranking(keys, counts, of_tables[np.searchsorted(first_row, keys, side="right") - 1])
