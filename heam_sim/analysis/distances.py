# SPDX-License-Identifier: MIT
"""Exact reuse times and LRU stack distances of a sequence of lookups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLD", "previous_uses", "stack_distances"]

#: In the place of a distance: there was no earlier use.
COLD = -1

Int64Array = NDArray[np.int64]


def previous_uses(items: NDArray[np.int64]) -> Int64Array:
    """Return for every position the last earlier one with the same item, or ``COLD``.

    Parameters
    ----------
    items
        int64 array of shape (lookups,).

    Returns
    -------
    int64 array
        Shape (lookups,).
    """
    order = np.argsort(items, kind="stable")
    ordered = items[order]
    previous = np.full(len(items), COLD, dtype=np.int64)
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    previous[order[same + 1]] = order[same]
    return previous


def stack_distances(items: NDArray[np.int64]) -> Int64Array:
    """Return the number of distinct other items since the last use of the same item, or ``COLD``.

    A cache of ``n`` lines with LRU replacement hits exactly the lookups with a distance below ``n``. Exact,
    in ``n log n``.

    Parameters
    ----------
    items
        int64 array of shape (lookups,).

    Returns
    -------
    int64 array
        Shape (lookups,).
    """
    previous = previous_uses(items)
    again = np.flatnonzero(previous != COLD)
    distances = np.full(len(items), COLD, dtype=np.int64)
    if len(again):
        last = previous[again]
        # Between the last use and now, all lookups count but those whose own last use lies in between: they
        # are the earlier ones of `again` with a later `last`.
        distances[again] = again - last - 1 - _larger_before(_ranks(last, len(items)))
    return distances


def _ranks(values: Int64Array, bound: int) -> Int64Array:
    """Replace distinct values below `bound` by 0, 1, ... in the same order."""
    present = np.zeros(bound, dtype=np.int64)
    present[values] = 1
    np.cumsum(present, out=present)
    return present[values] - 1


def _larger_before(values: Int64Array) -> Int64Array:
    """Count for every element of a permutation of 0 to n - 1 the larger ones before it.

    The elements are sorted by one bit after the other from the highest, keeping their order in time: of two
    elements the first bit in which they differ decides, and there the one with a 0 counts the ones before it.
    """
    code: Any = np.int32 if len(values) <= int(np.iinfo(np.int32).max) else np.int64
    current: NDArray[Any] = values.astype(code)
    places: NDArray[Any] = np.arange(len(values), dtype=code)  # of the elements in this level's order
    position = places.copy()
    count: NDArray[Any] = np.zeros(len(values), dtype=code)
    moved, moved_places = np.empty_like(current), np.empty_like(places)
    for bit in reversed(range(int(len(values) - 1).bit_length())):
        one = (current & code(1 << bit)) != 0
        inside: NDArray[Any] = np.cumsum(one, dtype=code)
        inside -= one
        # All values below n exist, so a node begins where its smallest value would be sorted.
        start = current & code(-(1 << (bit + 1)))
        inside -= inside[start]
        zero = ~one
        count[places[zero]] += inside[zero]
        target = np.where(one, start + code(1 << bit) + inside, position - inside)
        moved[target] = current
        moved_places[target] = places
        current, moved = moved, current
        places, moved_places = moved_places, places
    return count.astype(np.int64)
