# SPDX-License-Identifier: MIT
"""Sums of two lookups that are often gathered together, kept as rows of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heam_sim.trace import LookupTrace

__all__ = ["Pairs", "choose_pairs", "lookup_base"]

_Int = NDArray[np.int64]
# Pairs that are held before their counts are put together: bounds memory.
_HELD = 1 << 22
# Pairs that are counted at all: a profile with more is taken as far as that goes, whole bags in order.
_MOST = 1 << 24
# A pair that the profile has only once says nothing about what follows.
_LEAST = 2


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of lookups, none of which is in two of them.

    Attributes
    ----------
    first, second
        int64 (pairs,): the lookups of each, numbered over all indices of all tables; the most frequent pair
        first.
    base
        int64 (tables + 1,): number of each table's index 0.
    first_slot
        Place of the first sum among the rows of its size in the hot tier.
    """

    first: _Int
    second: _Int
    base: _Int
    first_slot: int = 0

    @classmethod
    def none(cls, base: _Int) -> Pairs:
        """No pair at all."""
        nothing = np.empty(0, np.int64)
        return cls(nothing, nothing, base)

    @property
    def count(self) -> int:
        """How many there are."""
        return self.first.size

    def members(self) -> tuple[_Int, _Int]:
        """Return table and index of each pair's lookups: int64 (pairs, 2) both."""
        lookup = np.stack((self.first, self.second), axis=1)
        table = np.searchsorted(self.base, lookup, side="right") - 1
        return table, lookup - self.base[table]

    def match(self, lookup: _Int, gnr: _Int) -> tuple[_Int, _Int, _Int]:
        """Find the lookups of each GnR that pairs can serve, each at most once.

        The k-th occurrence of a pair's one lookup goes with the k-th of the other.

        Parameters
        ----------
        lookup
            int64 (lookups,): numbers over all indices, in program order.
        gnr
            int64 (lookups,), never decreasing.

        Returns
        -------
        tuple of numpy.ndarray
            Three of int64 (matches,): positions of the earlier and of the later lookup, and the pair.
        """
        keys = np.concatenate((self.first, self.second))
        order = np.argsort(keys)
        found = np.searchsorted(keys, lookup, sorter=order)
        found = order[np.minimum(found, keys.size - 1)] if keys.size else np.zeros(lookup.size, np.int64)
        position = np.flatnonzero(keys[found] == lookup) if keys.size else np.empty(0, np.int64)
        side, pair = np.divmod(found[position], max(self.count, 1))
        # Members of one pair in one GnR, then by side, then in program order.
        where = _dense(gnr[position], pair)
        order = np.lexsort((position, side, where))
        rank = _ordinals(where[order] * 2 + side[order])
        again = np.lexsort((side[order], rank, where[order]))
        rank, at = rank[again], order[again]
        both = np.flatnonzero((np.diff(where[at]) == 0) & (np.diff(rank) == 0))
        one, other = position[at[both]], position[at[both + 1]]
        return np.minimum(one, other), np.maximum(one, other), pair[at[both]]


def lookup_base(trace: LookupTrace) -> _Int:
    """Return the number of each table's index 0 among all indices, and that of the end."""
    return np.concatenate(([0], np.cumsum(trace.cardinalities, dtype=np.int64)))


def choose_pairs(profile: LookupTrace, scope: str, *, most: int, rows: int, first_slot: int) -> Pairs:
    """Choose the pairs that the profile gathers most often in one bag.

    The most frequent first (ties by number), each unless one of its lookups is in a pair already. Very long
    profiles are looked at until 2^24 pairs have been counted.

    Parameters
    ----------
    profile
        The part of the trace that decides; without weights.
    scope
        What is pooled: ``"bag"`` or ``"sample"``.
    most
        How many pairs there may be.
    rows
        Only pairs among so many lookups, those in most bags, are counted.
    first_slot
        Passed on.
    """
    base = lookup_base(profile)
    if most <= 0 or profile.weights is not None:
        return Pairs.none(base)
    bag, lookup = _in_bags(profile, scope, base)
    known, which, counts = np.unique(lookup, return_inverse=True, return_counts=True)
    often = np.lexsort((known, -counts))[:rows]
    often = np.sort(often[counts[often] >= _LEAST])
    number = np.full(known.size, -1, np.int64)
    number[often] = np.arange(often.size)
    number = number[which]
    bag, number = _first_bags(bag[number >= 0], number[number >= 0])
    codes = _count(bag, number, max(often.size, 1))
    one, other = np.divmod(codes, max(often.size, 1))
    kept = _disjoint(one, other, often.size)[:most]
    return Pairs(known[often[one[kept]]], known[often[other[kept]]], base, first_slot)


def _in_bags(profile: LookupTrace, scope: str, base: _Int) -> tuple[_Int, _Int]:
    """Bags and the different lookups in each, sorted."""
    keys = []
    for table in range(profile.tables):
        sample = np.repeat(np.arange(profile.samples, dtype=np.int64), np.diff(profile.offsets[table]))
        bag = sample * profile.tables + table if scope == "bag" else sample
        keys.append(bag * int(base[-1]) + profile.indices[table] + base[table])
    bag, lookup = np.divmod(np.unique(np.concatenate(keys)), max(int(base[-1]), 1))
    return bag, lookup


def _first_bags(bag: _Int, number: _Int) -> tuple[_Int, _Int]:
    """As many of the first bags as have not more than so many pairs together, but one at least."""
    _, sizes = np.unique(bag, return_counts=True)
    pairs = np.cumsum(sizes * (sizes - 1) // 2)
    kept = int(sizes[: max(int(np.searchsorted(pairs, _MOST, side="right")), 1)].sum())
    return bag[:kept], number[:kept]


def _count(bag: _Int, number: _Int, size: int) -> _Int:
    """Pairs (lesser number * size + greater one) that are in two bags or more, the most frequent first."""
    codes, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    held: list[_Int] = []
    distance = 1
    while True:
        same = np.flatnonzero(bag[distance:] == bag[: max(bag.size - distance, 0)])
        held.append(number[same] * size + number[same + distance])  # numbers grow in a bag
        if not same.size or sum(part.size for part in held) > _HELD:
            new, times = np.unique(np.concatenate(held), return_counts=True)
            codes, where = np.unique(np.concatenate((codes, new)), return_inverse=True)
            counts = np.bincount(where, np.concatenate((counts, times))).astype(np.int64)
            held = []
        if not same.size:
            break
        distance += 1
    often = np.flatnonzero(counts >= _LEAST)
    return codes[often[np.lexsort((codes[often], -counts[often]))]]


def _disjoint(one: _Int, other: _Int, size: int) -> _Int:
    """Positions of the pairs that are taken, in order, if each is unless a member has been taken before."""
    left = np.arange(one.size)
    taken: list[_Int] = []
    used = np.zeros(size, bool)
    while left.size:
        # A pair that is the first of the rest for both its members is taken in any order.
        best = np.full(size, one.size, np.int64)
        np.minimum.at(best, one[left], left)
        np.minimum.at(best, other[left], left)
        now = left[(best[one[left]] == left) & (best[other[left]] == left)]
        taken.append(now)
        used[one[now]] = used[other[now]] = True
        left = left[~used[one[left]] & ~used[other[left]]]
    return np.sort(np.concatenate(taken)) if taken else np.empty(0, np.int64)


def _dense(*keys: _Int) -> _Int:
    """Number equal combinations of keys alike, in their order."""
    if not keys[0].size:
        return np.empty(0, np.int64)
    order = np.lexsort(keys[::-1])
    new = np.zeros(order.size, np.int64)
    for key in keys:
        new[1:] |= key[order][1:] != key[order][:-1]
    number = np.empty(order.size, np.int64)
    number[order] = np.cumsum(new)
    return number


def _ordinals(groups: _Int) -> _Int:
    """Count from 0 in every run of equal values."""
    start = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    ordinals: _Int = np.arange(groups.size) - np.repeat(start, np.diff(np.append(start, groups.size)))
    return ordinals
