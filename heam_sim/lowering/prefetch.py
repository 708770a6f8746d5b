# SPDX-License-Identifier: MIT
"""Operands that bring the next GnR's small rows into the PEs' caches while a GnR is computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import FLAG_CACHE, ITEM_PIM_READ, ROLE_FILL
from heam_sim.lowering.lower import Lowered

__all__ = ["with_prefetch"]

_COPIED = ("channel", "bank", "row", "column", "bursts", "unit", "slot", "line")


def with_prefetch(work: Lowered, following: Lowered | None) -> Lowered:
    """List, behind each GnR's operands, FILLs of the rows that the next GnR may find in a cache.

    Each (PE, row) once per GnR, in program order. Those of the first GnR of all are listed nowhere: nothing
    runs before it.

    Parameters
    ----------
    work
        Work arrays of some bags.
    following
        Those of the samples behind them, of which the first GnR counts; ``None`` at the end of the trace.
    """
    items, offsets = work.items, work.offsets.astype(np.int64)
    gnrs = offsets.size - 1
    if gnrs < 1:
        return work
    gnr = np.repeat(np.arange(gnrs), np.diff(offsets))
    found = {name: [items[name]] for name in items}
    owner = [gnr]
    sources = [(items, gnr - 1)]
    if following is not None:
        first = int(following.offsets[1])
        ahead = {name: values[:first] for name, values in following.items.items()}
        sources.append((ahead, np.full(first, gnrs - 1)))
    for source, before in sources:
        wanted = _wanted(source, before)
        owner.append(before[wanted])
        for name in found:
            values = source[name][wanted] if name in _COPIED else np.zeros(wanted.size, items[name].dtype)
            found[name].append(values)
        found["kind"][-1][:] = ITEM_PIM_READ
        found["role"][-1][:] = ROLE_FILL
        found["flags"][-1][:] = FLAG_CACHE
    order = np.argsort(np.concatenate(owner), kind="stable")
    counts = np.bincount(np.concatenate(owner), minlength=gnrs)
    return replace(
        work,
        items={name: np.concatenate(parts)[order] for name, parts in found.items()},
        offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.uint64),
    )


def _wanted(items: dict[str, NDArray[np.generic]], before: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first operand of every (GnR, PE, row) whose row may be kept."""
    flags = items["flags"].astype(np.int64)
    read = items["kind"] == ITEM_PIM_READ
    kept = np.flatnonzero(read & (flags & FLAG_CACHE > 0) & (before >= 0))
    keys = [before[kept], *(items[name][kept].astype(np.int64) for name in ("channel", "unit", "line"))]
    order = np.lexsort(keys)
    new = np.ones(order.size, bool)
    if order.size:
        new[1:] = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
    chosen: NDArray[np.int64] = np.sort(kept[order[new]])
    return chosen
