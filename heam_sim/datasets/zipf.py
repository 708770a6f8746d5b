# SPDX-License-Identifier: MIT
"""Bounded Zipf ranks by rejection-inversion (Hörmann and Derflinger, ACM TOMACS 6(3), 1996).

Exact for every exponent of at least 0 and any number of rows, in constant memory and a constant number of
tries per value. Uniform numbers come from the raw PCG64 stream, whose values numpy promises to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "ZipfSampler", "raw_words", "uniforms"]

BLOCK = 1 << 15  # values drawn at a time: the scratch arrays stay in the cache
_FEWEST_CELLS, _MOST_CELLS = 1 << 12, 1 << 16  # parts of the unit interval
_DRAWS_PER_CELL = 16
_SAFE_SLOPE = 0.01

_Float64Array = NDArray[np.float64]


def raw_words(seed: int, key: tuple[int, ...], count: int) -> NDArray[np.uint64]:
    """Return `count` raw 64-bit words of the stream that `seed` and `key` name."""
    words: NDArray[np.uint64] = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)).random_raw(count)
    return words


def uniforms(seed: int, key: tuple[int, ...], count: int) -> _Float64Array:
    """Return `count` numbers of [0, 1) with 53 random bits."""
    words = raw_words(seed, key, count)
    words >>= np.uint64(11)
    numbers = words.astype(np.float64)
    numbers *= 2.0**-53
    return numbers


@dataclass(frozen=True)
class ZipfSampler:
    """Ranks 0 to ``rows - 1`` with probability proportional to ``(rank + 1) ** -exponent``.

    Parameters
    ----------
    rows
        Number of ranks, at least 1.
    exponent
        At least 0 (0 is uniform).
    expected
        Ranks that will be drawn in all, to decide what pays to tabulate; the ranks are the same.
    """

    rows: int
    exponent: float
    expected: int = 0

    def ranks(
        self, seed: int, key: tuple[int, ...], count: int, *, first_block: int = 0
    ) -> NDArray[np.int64]:
        """Return `count` int64 ranks; the first ``m`` of them do not depend on `count`.

        Parameters
        ----------
        seed, key
            Name of the random stream.
        count
            Number of values.
        first_block
            Begin after so many blocks of ``BLOCK`` values of the stream.
        """
        result = np.zeros(count, dtype=np.int64)
        if self.rows == 1:
            return result
        cells = self._cells if self.expected > _DRAWS_PER_CELL * _FEWEST_CELLS else None
        for block, start in enumerate(range(0, count, BLOCK), first_block):
            stop = min(start + BLOCK, count)
            self._fill(result[start:stop], seed, (*key, block), cells)
        return result

    @cached_property
    def _cells(self) -> NDArray[np.int64]:
        """Return the rank of every part of the unit interval, -1 where it has several answers.

        An answer holds for an interval of random numbers, so a part whose ends agree has one answer.
        """
        number = 1 << (min(self.expected // _DRAWS_PER_CELL, _MOST_CELLS).bit_length() - 1)
        ranks, rejected = self._try(np.arange(number + 1, dtype=np.float64) / number)
        ranks[rejected] = -1
        return np.where(ranks[:-1] == ranks[1:], ranks[:-1], -1)

    def _try(self, numbers: _Float64Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Map random numbers of [0, 1) to ranks, and say at which places they are rejected."""
        low, high = self._integral(1.5) - 1.0, self._integral(self.rows + 0.5)
        certain = 2.0 - self._inverse(self._integral(2.5) - 2.0**-self.exponent)
        heights = numbers * (low - high)
        heights += high
        points = self._inverse(heights)
        nearest = np.clip(np.rint(points), 1.0, self.rows)
        doubtful = np.flatnonzero(nearest - points > certain)
        inside = self._integral(nearest[doubtful] + 0.5) - nearest[doubtful] ** -self.exponent
        return nearest.astype(np.int64) - 1, doubtful[heights[doubtful] < inside]

    def _fill(
        self, ranks: NDArray[np.int64], seed: int, key: tuple[int, ...], cells: NDArray[np.int64] | None
    ) -> None:
        # Every round has a stream of its own, so that a shorter block is a prefix of a longer one.
        numbers = uniforms(seed, (*key, 0), len(ranks))
        if cells is None:
            ranks[:], open_places = self._try(numbers)
        else:
            cells.take((numbers * len(cells)).astype(np.int64), out=ranks, mode="clip")
            unknown = np.flatnonzero(ranks < 0)
            ranks[unknown], rejected = self._try(numbers[unknown])
            open_places = unknown[rejected]
        tries = 1
        while len(open_places):
            # The rejected ones are overwritten in the next round.
            ranks[open_places], rejected = self._try(uniforms(seed, (*key, tries), len(open_places)))
            open_places = open_places[rejected]
            tries += 1

    def _integral(self, x: float | _Float64Array) -> _Float64Array:
        """Integral of t**-exponent from 1 to x."""
        slope = 1.0 - self.exponent
        logs = np.log(x)
        return np.asarray(logs if slope == 0.0 else np.expm1(slope * logs) / slope)

    def _inverse(self, height: float | _Float64Array) -> _Float64Array:
        slope = 1.0 - self.exponent
        if slope == 0.0:
            return np.asarray(np.exp(height))
        # Rounding at the far end may give infinity.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            powers = np.asarray(np.multiply(height, slope))
            if abs(slope) < _SAFE_SLOPE:
                logs = np.log1p(powers)
            else:  # faster, and what rounding 1 + x loses is not blown up by the division
                logs = np.log(powers + 1.0)
            logs /= slope
            return np.asarray(np.exp(logs))
