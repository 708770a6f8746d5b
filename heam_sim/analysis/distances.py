# SPDX-License-Identifier: MIT
"""Exact reuse times and LRU stack distances of a sequence of lookups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLD", "previous_uses", "stack_distances"]

COLD = -1  # there was no earlier use

Int64Array = NDArray[np.int64]


def previous_uses(items: NDArray[np.int64]) -> Int64Array:
    """Return for every position the last earlier one with the same item, or ``COLD``.

    Parameters
    ----------
    items
        int64 array of shape (lookups,).
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
    count = np.zeros(len(values), dtype=np.int64)
    places = np.arange(len(values), dtype=np.int64)  # of the elements in this level's order
    current = values.copy()
    for bit in reversed(range(int(len(values) - 1).bit_length())):
        ones = (current >> bit) & 1
        before = np.cumsum(ones) - ones
        # All values below n exist, so a node begins where its smallest value would be sorted.
        start = (current >> (bit + 1)) << (bit + 1)
        inside = before - before[start]
        position = np.arange(len(current), dtype=np.int64)
        count[places] += np.where(ones == 0, inside, 0)
        target = np.where(ones == 1, start + (1 << bit) + inside, position - inside)
        moved, moved_places = np.empty_like(current), np.empty_like(places)
        moved[target] = current
        moved_places[target] = places
        current, places = moved, moved_places
    return count
