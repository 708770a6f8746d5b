# SPDX-License-Identifier: MIT
"""Operands whose rows every node has a copy of go to the node with the fewest operands so far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["dispatch"]

_Int = NDArray[np.int64]


def dispatch(home: _Int, window: _Int, nodes: int) -> _Int:
    """Choose a node for every operand.

    In each window the operands that have only one place are counted first: the whole window is known when its
    operands are sent. The others follow in program order, each to the node with the fewest operands then,
    the lowest number among equals. That is filling water into vessels of unequal bottoms, so the choice is
    computed for a window at a time.

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
    if not free.size:
        return result
    windows, first = np.unique(window[free], return_index=True)
    ends = np.append(first[1:], free.size)
    starts, stops = np.searchsorted(window, windows), np.searchsorted(window, windows, side="right")
    for a, b, start, stop in zip(first, ends, starts, stops, strict=True):
        fixed = home[start:stop]
        load = np.bincount(fixed[fixed >= 0], minlength=nodes)
        result[free[a:b]] = _fill(load, int(b - a))
    return result


def _fill(load: _Int, count: int) -> _Int:
    """The nodes that `count` operands go to, one after the other."""
    # The level that the water reaches: the first at which there is room for all of them.
    order = np.sort(load)
    room = order * np.arange(1, order.size + 1) - np.cumsum(order)  # below the level of each vessel's bottom
    vessels = int(np.searchsorted(room, count, side="left"))  # those whose bottom is below that level
    vessels = max(vessels, 1)
    level = order[vessels - 1] + -(-(count - int(room[vessels - 1])) // vessels)
    places = np.maximum(level - load, 0)
    node = np.repeat(np.arange(load.size), places)
    height = np.arange(node.size) - np.repeat(np.cumsum(places) - places, places) + load[node]
    chosen: _Int = node[np.lexsort((node, height))[:count]]
    return chosen
