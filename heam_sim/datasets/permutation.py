# SPDX-License-Identifier: MIT
"""Keyed permutations of row numbers, so that popular rows are scattered as hashed ids are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.zipf import raw_words

__all__ = ["permute"]

_TABLE_ROWS = 1 << 16
_ROUNDS = 3  # double rounds of the Feistel network
_BLOCK = 1 << 15
_ODD = 0x9E3779B97F4A7C15  # golden ratio, odd

_Words = NDArray[np.uint64]


def permute(values: NDArray[np.int64], rows: int, *, seed: int, key: tuple[int, ...]) -> NDArray[np.int64]:
    """Map row numbers one to one onto row numbers.

    Up to 65,536 rows by a shuffled table; above by an alternating Feistel network on the smallest number of
    bits that holds all rows, walked until the result is a row again, so no array of the table's size is
    needed.

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
    if rows <= _TABLE_ROWS:
        table = np.argsort(raw_words(seed, key, rows), kind="stable")
        return table[values].astype(np.int64, copy=False)
    bits = (rows - 1).bit_length()
    keys = raw_words(seed, key, 2 * _ROUNDS)
    result = np.empty(values.shape, dtype=np.int64)
    for start in range(0, len(values), _BLOCK):
        block = _feistel(values[start : start + _BLOCK].astype(np.uint64), bits, keys)
        outside = np.flatnonzero(block >= np.uint64(rows))
        while len(outside):
            walked = _feistel(block[outside], bits, keys)
            block[outside] = walked
            outside = outside[walked >= np.uint64(rows)]
        result[start : start + _BLOCK] = block
    return result


def _feistel(values: _Words, bits: int, keys: _Words) -> _Words:
    high_bits = bits // 2
    low_bits = bits - high_bits
    high = values >> np.uint64(low_bits)
    low = values & np.uint64((1 << low_bits) - 1)
    for first, second in zip(keys[::2], keys[1::2], strict=True):
        high ^= _round(low, first, high_bits)
        low ^= _round(high, second, low_bits)
    return (high << np.uint64(low_bits)) | low


def _round(half: _Words, key: np.uint64, bits: int) -> _Words:
    mixed = half + key
    mixed *= np.uint64(_ODD)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(_ODD)
    mixed >>= np.uint64(64 - bits)
    return mixed
