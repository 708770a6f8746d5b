# SPDX-License-Identifier: MIT
"""Lookups in which every row is used exactly as often as was asked for, in random order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.zipf import raw_words

__all__ = ["shuffled_lookups", "shuffled_values"]


def shuffled_values(values: NDArray[np.int64], seed: int, key: tuple[int, ...]) -> NDArray[np.int64]:
    """Return `values`, which lie in [0, 2**40), in random order.

    Random bits are put above every value and the words sorted, which is faster than swapping in place. Where
    random bits are equal the smaller value comes first: among `n` values about ``n**2 / 2**25`` pairs with 40
    bits of value, ``n**2 / 2**33`` with 32.

    Parameters
    ----------
    values
        int64 array.
    seed, key
        Name of the random stream.
    """
    if not len(values):
        return values
    bits = np.uint64(max(1, int(values.max()).bit_length()))
    words = raw_words(seed, key, len(values))
    words >>= bits
    words <<= bits
    words |= values.view(np.uint64)
    words.sort()
    words &= np.uint64((1 << int(bits)) - 1)
    return words.view(np.int64)


def shuffled_lookups(
    counts: NDArray[np.int64], lookups: int, seed: int, key: tuple[int, ...]
) -> NDArray[np.int64]:
    """Return lookups of rows 0, 1, ... of which row ``i`` occurs ``counts[i]`` times, in random order.

    Parameters
    ----------
    counts
        int64 array, the uses of every row.
    lookups
        Length of the result. After ``sum(counts)`` lookups all begins anew in another order; a shorter result
        is the beginning of a longer one.
    seed, key
        Name of the random stream.
    """
    whole = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    if not len(whole):
        return np.zeros(0, np.int64)
    rounds = -(-lookups // len(whole))
    parts = [shuffled_values(whole, seed, (*key, number)) for number in range(rounds)]
    return np.concatenate([np.zeros(0, np.int64), *parts])[:lookups]
