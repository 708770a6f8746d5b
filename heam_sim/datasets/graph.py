# SPDX-License-Identifier: MIT
"""Directed graphs in memory: for every vertex the vertices whose rows its bag gathers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError, TraceError, unknown_name
from heam_sim.numbers import whole_number
from heam_sim.trace.checks import check_bags

__all__ = ["MAX_VERTICES", "ORDERS", "Graph", "positions", "vertex_order"]

MAX_VERTICES = 2**31 - 1
#: Orders of the feature rows: as vertices are numbered, by falling degree, by breadth-first search.
ORDERS = ("natural", "degree", "bfs")

_Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph as compressed rows; row ``v`` has the sources of the edges into vertex ``v``.

    It takes 4 bytes per edge (8 with weights) and 8 per vertex; making it from edges takes some 24 bytes per
    edge for a while.

    Parameters
    ----------
    offsets
        int64 (vertices + 1,): where the rows begin, first 0, last the number of edges.
    sources
        int32 (edges,): vertices from 0, row after row.
    weights
        float32 (edges,), or ``None``.
    provenance
        Where it comes from, in plain JSON types.

    Raises
    ------
    TraceError
        If offsets or sources contradict each other.
    ConfigError
        If there is no vertex, or there are too many.
    """

    offsets: _Int
    sources: NDArray[np.int32]
    weights: NDArray[np.float32] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        offsets = np.asarray(self.offsets, dtype=np.int64)
        vertices = whole_number("vertices", len(offsets) - 1, minimum=1, maximum=MAX_VERTICES)
        sources = np.asarray(self.sources)
        check_bags(0, offsets, len(sources))
        if len(sources) and not 0 <= int(sources.min()) <= int(sources.max()) < vertices:
            raise TraceError(f"sources: a graph of {vertices} vertices has none of some of these numbers.")
        weights = self.weights
        if weights is not None:
            weights = np.asarray(weights, dtype=np.float32)
            if weights.shape != sources.shape or not np.isfinite(weights).all():
                raise TraceError("weights: give one finite number per edge.")
        arrays = {"offsets": offsets, "sources": sources.astype(np.int32, copy=False), "weights": weights}
        for name, array in arrays.items():
            object.__setattr__(self, name, array)

    @property
    def vertices(self) -> int:
        """Number of vertices, which is the number of rows of the feature table."""
        return len(self.offsets) - 1

    @property
    def edges(self) -> int:
        """Number of edges, repeated ones and self-loops included."""
        return len(self.sources)

    @property
    def degrees(self) -> _Int:
        """Edges into every vertex, int64 (vertices,): the lengths of the bags."""
        return np.diff(self.offsets)

    @property
    def reads(self) -> _Int:
        """Edges out of every vertex, int64 (vertices,): how many bags have its row."""
        return np.bincount(self.sources, minlength=self.vertices)

    @classmethod
    def from_edges(
        cls,
        sources: NDArray[Any],
        targets: NDArray[Any],
        *,
        vertices: int | None = None,
        weights: NDArray[Any] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Graph:
        """Sort edges by their target; edges of one target keep their order.

        Parameters
        ----------
        sources, targets
            Whole numbers from 0, shape (edges,).
        vertices
            Number of vertices; by default the largest number that occurs, plus one.
        weights
            One number per edge.
        provenance
            See the class.

        Raises
        ------
        ConfigError
            If the arrays differ in length, or a number is none of a vertex.
        """
        ends = np.asarray(sources), np.asarray(targets)
        if any(one.ndim != 1 or (one.size and one.dtype.kind not in "iu") for one in ends):
            raise ConfigError("edges: sources and targets must be 1-D arrays of whole numbers.")
        if len(ends[0]) != len(ends[1]) or (weights is not None and len(weights) != len(ends[0])):
            raise ConfigError(
                f"edges: {len(ends[0])} sources, {len(ends[1])} targets"
                f"{'' if weights is None else f' and {len(weights)} weights'}; give one of each per edge."
            )
        lowest = min((int(one.min()) for one in ends if one.size), default=0)
        highest = max((int(one.max()) for one in ends if one.size), default=-1)
        count = highest + 1 if vertices is None else whole_number("vertices", vertices, minimum=1)
        if lowest < 0 or highest >= count:
            wrong = lowest if lowest < 0 else highest
            raise ConfigError(f"edges: {wrong} is no vertex of a graph of {count}; number them from 0.")
        whole_number("vertices", count, minimum=1, maximum=MAX_VERTICES)
        order = np.argsort(ends[1], kind="stable")
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(ends[1].astype(np.int64, copy=False), minlength=count), out=offsets[1:])
        return cls(
            offsets,
            ends[0].astype(np.int32, copy=False)[order],
            None if weights is None else np.asarray(weights)[order],
            dict(provenance or {}),
        )


def positions(starts: _Int, counts: _Int) -> _Int:
    """Return ``starts[i], starts[i] + 1, ...``, ``counts[i]`` of them, for every ``i`` in turn."""
    shift = starts - (np.cumsum(counts) - counts)
    found: _Int = np.repeat(shift, counts)
    found += np.arange(found.size)
    return found


def vertex_order(graph: Graph, order: str) -> _Int:
    """Return the row of every vertex in the feature table, int64 (vertices,).

    ``"degree"``: the vertices in most bags first, equals as they were. ``"bfs"``: breadth-first over the
    edges in both directions, from the vertex with most edges, then from the one with most among those left;
    vertices of one distance in the order in which they are reached.

    Raises
    ------
    ConfigError
        An unknown order.
    """
    if order not in ORDERS:
        raise unknown_name("order", str(order), ORDERS, where="vertices")
    if order == "natural":
        return np.arange(graph.vertices)
    found = np.argsort(-graph.reads, kind="stable") if order == "degree" else _breadth_first(graph)
    place = np.empty_like(found)
    place[found] = np.arange(graph.vertices)
    return place


def _breadth_first(graph: Graph) -> _Int:
    """Vertices in the order of the search."""
    offsets, neighbours = _both_ways(graph)
    degrees = np.diff(offsets)
    seen = degrees == 0  # vertices without edges come last, as they were
    parts, alone = [np.zeros(0, np.int64)], np.flatnonzero(seen)
    for root in np.argsort(-degrees, kind="stable").tolist():
        if seen[root]:
            continue
        front = np.array([root], np.int64)
        while front.size:
            seen[front] = True
            parts.append(front)
            reached = neighbours[positions(offsets[front], degrees[front])]
            reached = reached[~seen[reached]]
            _, first = np.unique(reached, return_index=True)
            front = reached[np.sort(first)]
    return np.concatenate((*parts, alone))


def _both_ways(graph: Graph) -> tuple[_Int, _Int]:
    """The graph with every edge in both directions, as offsets and neighbours."""
    into = np.repeat(np.arange(graph.vertices), graph.degrees)
    ends = np.concatenate((into, graph.sources)), np.concatenate((graph.sources, into))
    order = np.argsort(ends[0], kind="stable")
    offsets = np.zeros(graph.vertices + 1, np.int64)
    np.cumsum(np.bincount(ends[0], minlength=graph.vertices), out=offsets[1:])
    return offsets, ends[1][order].astype(np.int64)
