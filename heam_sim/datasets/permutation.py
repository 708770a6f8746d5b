# SPDX-License-Identifier: MIT
"""Keyed permutations of row numbers, so that popular rows are scattered as hashed ids are."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.zipf import raw_words

__all__ = ["Scatter", "permute"]

_TABLE_ROWS = 1 << 16
_ROUNDS = 3  # double rounds of the Feistel network
_BLOCK = 1 << 15
_HEAD = 1 << 16  # popular ranks are small: their images are looked up
_TABULATED_BITS = 13
_ODD = 0x9E3779B97F4A7C15  # golden ratio, odd

_Words = NDArray[np.uint64]
_Numbers = NDArray[np.int64]


def permute(values: NDArray[np.int64], rows: int, *, seed: int, key: tuple[int, ...]) -> NDArray[np.int64]:
    """Map row numbers one to one onto row numbers.

    Parameters
    ----------
    values
        int64 array of numbers in ``[0, rows)``.
    rows
        Size of the permuted range.
    seed, key
        Name of the permutation.

    Returns
    -------
    numpy.ndarray
        int64, shape of `values`.
    """
    return _scatter(rows, seed, key)(values)


@lru_cache(maxsize=16)
def _scatter(rows: int, seed: int, key: tuple[int, ...]) -> Scatter:
    """Permutations that are asked for piece by piece: their tables (below a megabyte) are made once."""
    return Scatter(rows, seed=seed, key=key)


class Scatter:
    """A permutation of ``[0, rows)`` to be applied again and again.

    Up to 65,536 rows it is a shuffled table; above an alternating Feistel network on the smallest number of
    bits that holds all rows, walked until the result is a row again, so no array of the table's size is
    needed.

    Parameters
    ----------
    rows
        Size of the permuted range.
    seed, key
        Name of the permutation.
    """

    def __init__(self, rows: int, *, seed: int, key: tuple[int, ...]) -> None:
        self.rows = rows
        self._seen = 0
        self._head: NDArray[np.int64] | None = None
        if rows <= _TABLE_ROWS:
            self._head = np.argsort(raw_words(seed, key, rows), kind="stable").astype(np.int64, copy=False)
        else:
            self._network = _Network(rows, raw_words(seed, key, 2 * _ROUNDS))

    def __call__(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the images of an int64 array of numbers in ``[0, rows)``."""
        images = values.copy()
        self.in_place(images)
        return images

    def in_place(self, values: NDArray[np.int64]) -> None:
        """Replace the numbers of an array by their images."""
        self._seen += len(values)
        if self._head is None and self._seen > 4 * _HEAD:
            self._head = self._network.images(np.arange(_HEAD, dtype=np.int64))
        for start in range(0, len(values), _BLOCK):
            self._fill(values[start : start + _BLOCK])

    def _fill(self, block: NDArray[np.int64]) -> None:
        if self._head is None:
            block[:] = self._network.images(block)
            return
        if len(self._head) == self.rows or block.max(initial=0) < len(self._head):
            block[:] = self._head.take(block, mode="clip")
            return
        tail = np.flatnonzero(block >= len(self._head))
        images = self._network.images(block[tail]) if len(tail) else None
        block[:] = self._head.take(block, mode="clip")
        if images is not None:
            block[tail] = images


class _Network:
    """The Feistel network of one permutation."""

    def __init__(self, rows: int, keys: _Words) -> None:
        bits = (rows - 1).bit_length()
        self._rows = rows
        self._low_bits = bits - bits // 2
        # One round maps a half to as many bits as the other half has, so few bits make a small table.
        widths = [(self._low_bits, bits // 2), (bits // 2, self._low_bits)] * _ROUNDS
        self._rounds: list[Callable[[_Numbers], _Numbers]] = [
            _round(key, taken, given) for key, (taken, given) in zip(keys, widths, strict=True)
        ]

    def images(self, values: _Numbers) -> _Numbers:
        """Map rows to rows: walk until the result is one."""
        images = self._once(values)
        outside = np.flatnonzero(images >= self._rows)
        while len(outside):
            walked = self._once(images[outside])
            images[outside] = walked
            outside = outside[walked >= self._rows]
        return images

    def _once(self, values: _Numbers) -> _Numbers:
        high = values >> self._low_bits
        low = values & ((1 << self._low_bits) - 1)
        for first, second in zip(self._rounds[::2], self._rounds[1::2], strict=True):
            high ^= first(low)
            low ^= second(high)
        high <<= self._low_bits
        high |= low
        return high


def _round(key: np.uint64, taken: int, given: int) -> Callable[[_Numbers], _Numbers]:
    """Return the function of a round from `taken` to `given` bits."""
    if taken <= _TABULATED_BITS:
        table = _mix(np.arange(1 << taken, dtype=np.int64), key, given)
        return lambda half: table.take(half, mode="clip")  # nothing is clipped, but not checked either
    return lambda half: _mix(half, key, given)


def _mix(half: _Numbers, key: np.uint64, bits: int) -> _Numbers:
    mixed = half.view(np.uint64) + key
    mixed *= np.uint64(_ODD)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(_ODD)
    mixed >>= np.uint64(64 - bits)
    return mixed.view(np.int64)
