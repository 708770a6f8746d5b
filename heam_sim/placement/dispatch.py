# SPDX-License-Identifier: MIT
"""Operands whose rows every node has a copy of go to the node with the fewest operands so far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["dispatch"]

_Int = NDArray[np.int64]
#: Windows times nodes at a time: bounds memory.
_VESSELS = 1 << 18


def dispatch(home: _Int, window: _Int, nodes: int) -> _Int:
    """Choose a node for every operand.

    In each window the operands that have only one place are counted first: the whole window is known when its
    operands are sent. The others follow in program order, each to the node with the fewest operands then,
    the lowest number among equals. That is filling water into vessels of unequal bottoms, so the choice is
    computed for many windows at once.

    Parameters
    ----------
    home
        int64: the only node of an operand, -1 if every node has its row.
    window
        int64, never decreasing: the window of every operand.
    nodes
        How many nodes there are.

    Returns
    -------
    numpy.ndarray
        int64, like `home`: a node from 0 to `nodes` - 1.
    """
    result = home.copy()
    free = np.flatnonzero(home < 0)
    windows, counts = np.unique(window[free], return_counts=True)
    ends = np.cumsum(counts)
    step = max(1, _VESSELS // nodes)
    for first in range(0, windows.size, step):
        some, count = windows[first : first + step], counts[first : first + step]
        # All that stands in these windows and those between them.
        a, b = np.searchsorted(window, some[0]), np.searchsorted(window, some[-1], side="right")
        fixed, place = home[a:b], np.searchsorted(some, window[a:b])
        counted = (fixed >= 0) & (some[place] == window[a:b])
        load = np.bincount(place[counted] * nodes + fixed[counted], minlength=some.size * nodes)
        start = ends[first] - counts[first]
        result[free[start : start + count.sum()]] = _fill(load.reshape(some.size, nodes), count)
    return result


def _fill(load: _Int, count: _Int) -> _Int:
    """The nodes that the operands of each window go to, one after the other; `load` is (windows, nodes)."""
    windows, nodes = load.shape
    # The level that the water reaches: the first at which there is room for all of them.
    order = np.sort(load, axis=1)
    room = order * np.arange(1, nodes + 1) - np.cumsum(order, axis=1)  # below the level of a vessel's bottom
    vessels = np.maximum((room < count[:, None]).sum(axis=1), 1)  # those whose bottom is below that level
    last = np.arange(windows), vessels - 1
    level = order[last] - (room[last] - count) // vessels
    places = np.maximum(level[:, None] - load, 0).ravel()
    # Every place that the water takes, by window, height and node; a window's last ones may be too many.
    vessel = np.repeat(np.arange(places.size), places)
    height = np.arange(vessel.size) - np.repeat(np.cumsum(places) - places, places) + load.ravel()[vessel]
    window, node = np.divmod(vessel, nodes)
    key = np.sort((window * (int(level.max()) + 1) + height) * nodes + node)
    taken = places.reshape(windows, nodes).sum(axis=1)
    ordinal = np.arange(key.size) - np.repeat(np.cumsum(taken) - taken, taken)
    chosen: _Int = key[ordinal < np.repeat(count, taken)] % nodes
    return chosen
