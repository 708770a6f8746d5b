# SPDX-License-Identifier: MIT
"""A streaming dictionary from 64-bit keys to dense ids in order of first appearance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["IdMap"]


class IdMap:
    """Give every distinct key the next free id.

    Sorted runs that are merged when they have grown alike: 16 bytes per key where a Python dict needs more
    than 100, and whole blocks are looked up at once. Keys must be below ``2**40`` and blocks below ``2**23``
    entries.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def ids(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the ids of `keys`, shape like `keys`; new keys are numbered on in their order."""
        if not len(keys):
            return np.zeros(0, dtype=np.int64)
        # Key and position in one word: sorting words is many times faster than a stable argsort.
        bits = np.uint64(max(1, (len(keys) - 1).bit_length()))
        words = (keys << bits) | np.arange(len(keys), dtype=np.uint64)
        words.sort()
        order = (words & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
        ordered = words >> bits
        is_first = np.ones(len(keys), dtype=bool)
        np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
        distinct_ids = self._distinct_ids(ordered[is_first], order[is_first])
        result = np.empty(len(keys), dtype=np.int64)
        result[order] = distinct_ids[np.cumsum(is_first) - 1]
        return result

    def _distinct_ids(self, keys: NDArray[np.uint64], first_seen: NDArray[np.int64]) -> NDArray[np.int64]:
        ids = np.full(len(keys), -1, dtype=np.int64)
        for run_keys, run_ids in self._runs:
            at = np.minimum(np.searchsorted(run_keys, keys), len(run_keys) - 1)
            known = run_keys[at] == keys
            ids[known] = run_ids[at[known]]
        fresh = np.flatnonzero(ids < 0)
        if len(fresh):
            by_appearance = fresh[np.argsort(first_seen[fresh])]
            ids[by_appearance] = np.arange(self._count, self._count + len(fresh))
            self._count += len(fresh)
            self._runs.append((keys[fresh], ids[fresh]))
            self._merge_runs()
        return ids

    def _merge_runs(self) -> None:
        while len(self._runs) > 1 and 2 * len(self._runs[-1][0]) >= len(self._runs[-2][0]):
            keys, ids = (np.concatenate(parts) for parts in zip(*self._runs[-2:], strict=True))
            order = np.argsort(keys, kind="stable")
            self._runs[-2:] = [(keys[order], ids[order])]
