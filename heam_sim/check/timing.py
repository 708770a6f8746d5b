# SPDX-License-Identifier: MIT
"""Constraint rows of a standard over a sorted command log, one vectorised pass per row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heam_sim.check.events import ConstraintLike, Events, Tree
from heam_sim.check.report import Findings
from heam_sim.errors import SpecError

__all__ = ["check_rows", "row_label"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def row_label(row: ConstraintLike) -> str:
    """Name a constraint row, e.g. ``"rank RD->WR 10 (rank_io)"``."""
    kind = " sibling" if row.sibling else ""
    window = f" window {row.window}" if row.window > 1 else ""
    resource = f" ({row.resource})" if row.resource else ""
    pair = f"{'/'.join(row.preceding)}->{'/'.join(row.following)}"
    return f"{row.level}{kind} {pair} {row.cycles}{window}{resource}"


@dataclass(frozen=True)
class _Sorted:
    """Events grouped by the nodes of one level; inside a node they keep their order."""

    order: IntArray
    node: IntArray
    command: IntArray
    clock: IntArray

    @classmethod
    def by_level(cls, events: Events, tree: Tree, depth: int) -> _Sorted:
        event, node = tree.places(events, np.arange(len(events), dtype=np.int64), depth)
        node = events.channel[event] * tree.nodes(depth) + node
        order = np.argsort(node, kind="stable")
        event = event[order]
        return cls(event, node[order], events.command[event], events.clock[event])

    def take(self, mask: BoolArray) -> _Sorted:
        return _Sorted(self.order[mask], self.node[mask], self.command[mask], self.clock[mask])


def _nth_last(before: BoolArray, group: IntArray, window: int) -> IntArray:
    """For each position, the ``window``-th last earlier one with ``before`` in its group; -1 if none."""
    places = np.flatnonzero(before)
    result = np.full(len(before), -1, dtype=np.int64)
    rank = np.cumsum(before, dtype=np.int64) - before.astype(np.int64) - window
    inside = np.flatnonzero(rank >= 0)
    candidate = places[rank[inside]]
    same = group[candidate] == group[inside]
    result[inside[same]] = candidate[same]
    return result


def _last_at_sibling(before: BoolArray, node: IntArray, parent: IntArray) -> IntArray:
    """For each position, the last earlier one with ``before`` at another node of the same parent; or -1."""
    nearest = _nth_last(before, parent, 1)
    places = np.flatnonzero(before)
    if len(places) == 0:
        return nearest
    # Preceding commands in a row at one node form a run; what came before the run is at another node.
    starts = np.ones(len(places), dtype=np.bool_)
    starts[1:] = (node[places][1:] != node[places][:-1]) | (parent[places][1:] != parent[places][:-1])
    run_start = np.maximum.accumulate(np.where(starts, np.arange(len(places)), 0))
    foregoing = np.where(run_start > 0, places[np.maximum(run_start - 1, 0)], -1)
    foregoing[(foregoing >= 0) & (parent[foregoing] != parent[places])] = -1
    before_run = np.full(len(before), -1, dtype=np.int64)
    before_run[places] = foregoing
    own = (nearest >= 0) & (node[nearest] == node)
    return np.where(own, before_run[nearest], nearest)


def _named(events: Events, names: tuple[str, ...], depth: int, label: str) -> BoolArray:
    """Table over the spec's commands: is it one of ``names``, and does it reach down to this depth?"""
    table = np.zeros(len(events.names), dtype=np.bool_)
    for name in names:
        if name not in events.names:
            raise SpecError(
                f"row {label!r} names command {name!r}, which the spec does not have; correct the row."
            )
        code = events.names.index(name)
        # A row below the scope of a command has no single node for it: by contract it does not bind.
        table[code] = events.depths[code] >= depth
    return table


def _pairs(
    part: _Sorted, before: BoolArray, after: BoolArray, window: int, parents: IntArray | None
) -> tuple[IntArray, IntArray]:
    """Positions (first, second) in ``part`` that the row binds together."""
    if parents is not None:
        last = _last_at_sibling(before[part.command], part.node, parents)
    elif window == 1:
        last = _nth_last(before[part.command], part.node, 1)
    else:
        # The w-th last of each preceding command for itself; the latest of these decides.
        last = np.full(len(part.order), -1, dtype=np.int64)
        for code in np.flatnonzero(before):
            last = np.maximum(last, _nth_last(part.command == code, part.node, window))
    second = np.flatnonzero(after[part.command] & (last >= 0))
    return last[second], second


def _check_row(
    events: Events, tree: Tree, row: ConstraintLike, levels: dict[int, _Sorted], findings: Findings
) -> None:
    depth, label = tree.depth(row.level), row_label(row)
    before = _named(events, tuple(row.preceding), depth, label)
    after = _named(events, tuple(row.following), depth, label)
    if row.window < 1 or (row.sibling and row.window > 1):
        raise SpecError(
            f"row {label!r} has window {row.window}; use 1 or more, and exactly 1 for a sibling row."
        )
    if row.sibling and depth == 0:
        return  # a channel has no siblings inside its own log
    if row.sibling and any(events.kinds[code] == "REFSB" for code in np.flatnonzero(before | after)):
        raise SpecError(f"row {label!r}: kind REFSB stands at several nodes; no sibling row may name it.")
    # Sibling rows need the order across all nodes of one parent, so they walk events grouped by the parent.
    grouping = depth - 1 if row.sibling else depth
    if grouping not in levels:
        levels[grouping] = _Sorted.by_level(events, tree, grouping)
    whole = levels[grouping]
    part = whole.take((before | after)[whole.command])
    parents = None
    if row.sibling:
        parents = part.node
        node = events.channel * tree.nodes(depth) + events.bank // tree.banks_per_node[depth]
        part = _Sorted(part.order, node[part.order], part.command, part.clock)
    first, second = _pairs(part, before, after, row.window, parents)
    broken = part.clock[second] - part.clock[first] < row.cycles
    _record(events, row, label, part.order[first[broken]], part.order[second[broken]], findings)


def _record(
    events: Events, row: ConstraintLike, label: str, first: IntArray, second: IntArray, findings: Findings
) -> None:
    def message(i: int) -> str:
        a, b = int(first[i]), int(second[i])
        start, end = int(events.clock[a]), int(events.clock[b])
        return (
            f"row {label!r} broken: {events.name_of(a)} at {start} then {events.name_of(b)} at {end}, "
            f"{end - start} < {row.cycles} cycles"
        )

    pairs = events.index[first], events.index[second]
    findings.add("row", label, pairs, (events.clock[first], events.clock[second]), message)


def check_rows(events: Events, tree: Tree, rows: tuple[ConstraintLike, ...], findings: Findings) -> None:
    """Hold every pair of commands that a row binds against the row's cycles."""
    levels: dict[int, _Sorted] = {}
    for row in rows:
        _check_row(events, tree, row, levels, findings)
