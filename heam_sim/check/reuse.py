# SPDX-License-Identifier: MIT
"""Rows that a PE did not read again: from its cache, or from the read of an identical operand.

The log says which row an operand took (by the address of its first burst), never from where. The checker
keeps its own account of what every PE has read, and asks whether the row can have been there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["CacheRules", "Part", "Reuse", "reuse"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CacheRules:
    """What the PEs' caches can hold.

    Attributes
    ----------
    sets, ways, slack
        By channel; `slack` bounds how many rows the order in the log may differ by from that in which the
        cache saw them (operands queued at a PE when a row goes in, and when it comes out).
    line, kept
        int64 and bool, one per entry of the homes: the row's line number (the set is that modulo the sets),
        and whether it may be kept.
    """

    sets: Mapping[int, int]
    ways: Mapping[int, int]
    slack: Mapping[int, int]
    line: IntArray
    kept: npt.NDArray[np.bool_]


#: A part of a row at a PE: channel * 65536 + unit, number of the row, first granule.
Part = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Reuse:
    """What PE_HIT and MERGED records stand for.

    Attributes
    ----------
    granules
        int64, like the records: granules that each of them brings; 0 where the row cannot have been there.
    stale, unread
        Positions of records whose row must have left the cache, and of those whose row was never there.
    """

    granules: IntArray
    stale: IntArray
    unread: IntArray


def reuse(
    reads: tuple[IntArray, ...],
    takes: tuple[IntArray, ...],
    is_hit: npt.NDArray[np.bool_],
    rules: CacheRules | None,
) -> Reuse:
    """Look up every record that takes a row without reading it.

    Parameters
    ----------
    reads
        Of every PIM_RD: moment, place, number of the row, first granule, granules, operand (a number for what
        is read as one), entry of the homes. In the order of the log.
    takes
        Of every PE_HIT and MERGED: moment, place, number of the row, first granule, entry of the homes.
    is_hit
        Which of them are PE_HIT.
    rules
        ``None``: there is no cache, and every PE_HIT is wrong.
    """
    episodes = _episodes(reads)
    granules = np.zeros(len(is_hit), dtype=np.int64)
    stale, unread = [], []
    last: dict[Part, int] = {}  # moment at which a part was last used at a PE
    length: dict[Part, int] = {}
    touched: dict[tuple[int, int], dict[int, int]] = {}  # (place, set) -> line -> moment
    moment, place, number, first, entry = takes
    at = 0
    order = np.argsort(moment, kind="stable")
    for i in order.tolist():
        while at < len(episodes) and episodes[at][0] < moment[i]:
            when, part, size, home = episodes[at]
            last[part], length[part] = when, size
            _touch(touched, part[0], home, when, rules)
            at += 1
        part = (int(place[i]), int(number[i]), int(first[i]))
        if part not in last or (is_hit[i] and rules is None):
            unread.append(i)
            continue
        granules[i] = length[part]
        if is_hit[i] and rules is not None and _gone(touched, part[0], int(entry[i]), last[part], rules):
            stale.append(i)
        last[part] = int(moment[i])
        _touch(touched, part[0], int(entry[i]), int(moment[i]), rules)
    return Reuse(granules, np.array(stale, dtype=np.int64), np.array(unread, dtype=np.int64))


def _episodes(reads: tuple[IntArray, ...]) -> list[tuple[int, Part, int, int]]:
    """Parts that were read as one: moment of the last burst, part, granules, entry of the homes; in order."""
    moment, place, number, first, count, operand, entry = reads
    order = np.lexsort((first, number, place, operand))
    found: list[tuple[int, Part, int, int]] = []
    key, end = None, -1
    for i in order.tolist():
        this = (int(operand[i]), int(place[i]), int(number[i]))
        if this == key and int(first[i]) == end:
            when, part, size, home = found[-1]
            found[-1] = (max(when, int(moment[i])), part, size + int(count[i]), home)
        else:
            part = (int(place[i]), int(number[i]), int(first[i]))
            found.append((int(moment[i]), part, int(count[i]), int(entry[i])))
        key, end = this, int(first[i]) + int(count[i])
    return sorted(found)


def _touch(
    touched: dict[tuple[int, int], dict[int, int]],
    place: int,
    entry: int,
    when: int,
    rules: CacheRules | None,
) -> None:
    if rules is None or not rules.kept[entry] or not rules.sets.get(place >> 16):
        return
    line = int(rules.line[entry])
    touched.setdefault((place, line % rules.sets[place >> 16]), {})[line] = when


def _gone(
    touched: dict[tuple[int, int], dict[int, int]], place: int, entry: int, since: int, rules: CacheRules
) -> bool:
    """Whether so many other rows of the set were used since then that the row must have left the cache."""
    channel = place >> 16
    if not rules.sets.get(channel) or not rules.kept[entry]:
        return True
    line = int(rules.line[entry])
    of_set = touched.get((place, line % rules.sets[channel]), {})
    younger = sum(1 for other, when in of_set.items() if when > since and other != line)
    return younger >= rules.ways[channel] + rules.slack[channel]
