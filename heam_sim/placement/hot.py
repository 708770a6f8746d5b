# SPDX-License-Identifier: MIT
"""Which rows the profile part of a trace calls hot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.embedding import EmbeddingScheme, Subtable
from heam_sim.trace import LookupTrace

__all__ = ["Ranking", "RowSet", "rank_rows"]

_Int = NDArray[np.int64]


_ODD = np.uint64(0x9E3779B97F4A7C15)  # golden ratio, odd: spreads neighbours over the buckets


class _Buckets:
    """Finds the places of many rows at once: buckets of one row, and the same again for what does not fit.

    A binary search waits for memory at every step; this takes two or three look-ups, and memory for some
    numbers per row, whatever the rows of the model.
    """

    def __init__(self, rows: _Int, slots: _Int) -> None:
        bits = max(4 * rows.size - 1, 1).bit_length()
        self._shift = np.uint64(64 - bits)
        # A row that is no row stands for what empty buckets hold.
        self._rows, self._slots = np.append(rows, -1), np.append(slots, -1)
        smallest: Any = np.min_scalar_type(rows.size)  # the fewer bytes, the more stays in the cache
        self._held: NDArray[Any] = np.full(1 << bits, rows.size, smallest)
        bucket = self._bucket(rows)
        self._held[bucket] = np.arange(rows.size)
        left = np.flatnonzero(self._held[bucket] != np.arange(rows.size))
        self._next = _Buckets(rows[left], slots[left]) if left.size else None

    def _bucket(self, row: _Int) -> _Int:
        mixed = row.view(np.uint64) * _ODD
        mixed >>= self._shift
        return mixed.view(np.int64)

    def find(self, row: _Int) -> _Int:
        held = self._held[self._bucket(row)]
        slot = np.where(self._rows[held] == row, self._slots[held], -1)
        if self._next is not None:
            again = np.nonzero((slot < 0) & (held < self._rows.size - 1))
            slot[again] = self._next.find(row[again])
        return slot


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
        self._buckets = _Buckets(rows, self.slot)

    @classmethod
    def empty(cls) -> RowSet:
        """No row at all."""
        nothing = np.empty(0, np.int64)
        return cls(nothing, nothing, {}, 0.0)

    def find(self, row: _Int) -> _Int:
        """Return the slot of each row (numbers over the model), -1 for rows that do not belong."""
        if not self.rows.size:
            return np.full(row.shape, -1, np.int64)
        return self._buckets.find(row)


class Ranking:
    """Rows of some subtables by how often the profile reads them, ties by row number.

    Attributes
    ----------
    keys, counts
        int64: row numbers over the model, most read first, and their accesses.
    sizes
        int64: their row sizes in bytes.
    """

    def __init__(self, keys: _Int, counts: _Int, sizes: _Int) -> None:
        order = np.lexsort((keys, -counts))
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
    reads, sizes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for table in range(profile.tables):
        for operand in scheme.operands(table, profile.indices[table], subtables):
            if chosen[operand.subtable_id]:
                reads.append(operand.rows + first_row[operand.subtable_id])
                size = subtables[operand.subtable_id].row_bytes
                sizes.append(np.full(operand.rows.size, size, np.int64))
    keys, at, counts = np.unique(np.concatenate(reads), return_index=True, return_counts=True)
    return Ranking(keys, counts, np.concatenate(sizes)[at])
