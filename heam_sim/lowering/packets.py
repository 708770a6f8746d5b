# SPDX-License-Identifier: MIT
"""Packets: the bags of one table of several samples are sent one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bags_in_order"]

_Int = NDArray[np.int64]


def bags_in_order(positions: _Int, *, samples: int, tables: int, packet_samples: int) -> _Int:
    """Return which bags stand at some positions of the order in which bags are sent.

    Every `packet_samples` samples of the trace (fewer at its end) are sent table by table, in a table sample
    by sample. So every bag is sent once, and none before one of an earlier group of samples.

    Parameters
    ----------
    positions
        int64: places in the order, 0 up to ``samples * tables - 1``.
    samples, tables
        Size of the trace, or of a piece of it that begins with a packet.
    packet_samples
        At least 1; 1 is the order of the trace.

    Returns
    -------
    numpy.ndarray
        int64 like `positions`: bags by number, ``sample * tables + table``.
    """
    group, inside = np.divmod(positions, packet_samples * tables)
    # The last packet may be a short one.
    width = np.minimum(packet_samples, samples - group * packet_samples)
    table, sample = np.divmod(inside, width)
    bags: _Int = (group * packet_samples + sample) * tables + table
    return bags
