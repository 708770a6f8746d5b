# SPDX-License-Identifier: MIT
"""Keyed permutations of row numbers, so that popular rows are scattered as hashed ids are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.zipf import raw_words

__all__ = ["Scatter", "permute"]

_TABLE_ROWS = 1 << 16
_ROUNDS = 3  # double rounds of the Feistel network
_BLOCK = 1 << 15
_HEAD = 1 << 16  # popular ranks are small: their images are looked up
_ODD = 0x9E3779B97F4A7C15  # golden ratio, odd

_Words = NDArray[np.uint64]


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
    return Scatter(rows, seed=seed, key=key)(values)


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
            self._keys = raw_words(seed, key, 2 * _ROUNDS)

    def __call__(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the images of an int64 array of numbers in ``[0, rows)``."""
        if self.rows <= _TABLE_ROWS:
            assert self._head is not None
            return self._head[values]
        self._seen += len(values)
        if self._head is None and self._seen > 4 * _HEAD:
            self._head = _images(np.arange(_HEAD, dtype=np.uint64), self.rows, self._keys)
        result = np.empty(values.shape, dtype=np.int64)
        for start in range(0, len(values), _BLOCK):
            self._fill(result[start : start + _BLOCK], values[start : start + _BLOCK])
        return result

    def _fill(self, target: NDArray[np.int64], block: NDArray[np.int64]) -> None:
        if self._head is None:
            target[:] = _images(block.astype(np.uint64), self.rows, self._keys)
            return
        np.take(self._head, block, out=target, mode="clip")
        tail = np.flatnonzero(block >= _HEAD)
        target[tail] = _images(block[tail].astype(np.uint64), self.rows, self._keys)


def _images(values: _Words, rows: int, keys: _Words) -> NDArray[np.int64]:
    bits = (rows - 1).bit_length()
    images = _feistel(values, bits, keys)
    outside = np.flatnonzero(images >= np.uint64(rows))
    while len(outside):
        walked = _feistel(images[outside], bits, keys)
        images[outside] = walked
        outside = outside[walked >= np.uint64(rows)]
    return images.astype(np.int64)


def _feistel(values: _Words, bits: int, keys: _Words) -> _Words:
    high_bits = bits // 2
    low_bits = bits - high_bits
    high = values >> np.uint64(low_bits)
    low = values & np.uint64((1 << low_bits) - 1)
    scratch = np.empty((2, *values.shape), dtype=np.uint64)
    for first, second in zip(keys[::2], keys[1::2], strict=True):
        high ^= _round(low, first, high_bits, scratch)
        low ^= _round(high, second, low_bits, scratch)
    high <<= np.uint64(low_bits)
    high |= low
    return high


def _round(half: _Words, key: np.uint64, bits: int, scratch: _Words) -> _Words:
    mixed: _Words = scratch[0]
    shifted: _Words = scratch[1]
    np.add(half, key, out=mixed)
    mixed *= np.uint64(_ODD)
    np.right_shift(mixed, np.uint64(29), out=shifted)
    mixed ^= shifted
    mixed *= np.uint64(_ODD)
    mixed >>= np.uint64(64 - bits)
    return mixed
