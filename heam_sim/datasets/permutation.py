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
_HEAD = 1 << 16  # popular ranks are small: their images are looked up
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
    keys = raw_words(seed, key, 2 * _ROUNDS)
    head = _images(np.arange(_HEAD, dtype=np.uint64), rows, keys) if len(values) > 4 * _HEAD else None
    result = np.empty(values.shape, dtype=np.int64)
    for start in range(0, len(values), _BLOCK):
        block, target = values[start : start + _BLOCK], result[start : start + _BLOCK]
        if head is None:
            target[:] = _images(block.astype(np.uint64), rows, keys)
        else:
            np.take(head, block, out=target, mode="clip")
            tail = np.flatnonzero(block >= _HEAD)
            target[tail] = _images(block[tail].astype(np.uint64), rows, keys)
    return result


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
    mixed, shifted = scratch
    np.add(half, key, out=mixed)
    mixed *= np.uint64(_ODD)
    np.right_shift(mixed, np.uint64(29), out=shifted)
    mixed ^= shifted
    mixed *= np.uint64(_ODD)
    mixed >>= np.uint64(64 - bits)
    return mixed
