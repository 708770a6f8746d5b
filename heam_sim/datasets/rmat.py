# SPDX-License-Identifier: MIT
"""Kronecker (R-MAT) graphs with the published parameters of the Graph500 benchmark."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.graph import Graph
from heam_sim.datasets.options import MAX_SEED
from heam_sim.datasets.permutation import Scatter
from heam_sim.datasets.zipf import BLOCK, uniforms
from heam_sim.errors import ConfigError
from heam_sim.numbers import whole_number

__all__ = ["GRAPH500", "GRAPH500_EDGE_FACTOR", "rmat_edges", "rmat_graph"]

#: Shares of a square's quarters, a, b, c and d: Graph500 specification 2.0, section 3; the generator is R-MAT
#: (Chakrabarti, Zhan and Faloutsos, SDM 2004).
GRAPH500 = (0.57, 0.19, 0.19, 0.05)
GRAPH500_EDGE_FACTOR = 16
_MAX_SCALE = 28
_BITS, _LABELS = 0, 1  # streams of a seed


def rmat_edges(
    scale: int,
    edge_factor: int = GRAPH500_EDGE_FACTOR,
    *,
    shares: Sequence[float] = GRAPH500,
    seed: int = 1,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the edges of a Kronecker graph.

    For every bit of its two ends, the highest first, an edge falls into one of four quarters: (0, 0) with
    the share a, (0, 1) with b, (1, 0) with c, (1, 1) with d. So an end has vertex ``v`` with probability
    ``(a + b) ** zeros * (c + d) ** ones`` over the bits of ``v`` as a source, and with a + c and b + d as a
    target.

    Parameters
    ----------
    scale
        Binary logarithm of the number of vertices, 1 to 28.
    edge_factor
        Edges per vertex, 1 to 1024.
    shares
        a, b, c, d; together 1.
    seed
        0 to 2**64 - 1.

    Returns
    -------
    tuple of numpy.ndarray
        Sources and targets, int64 (edge_factor * 2**scale,). Self-loops and repeated edges stay in, as in
        Graph500's edge list.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be.
    """
    bits = whole_number("scale", scale, minimum=1, maximum=_MAX_SCALE)
    edges = whole_number("edge_factor", edge_factor, minimum=1, maximum=1024) << bits
    whole_number("seed", seed, minimum=0, maximum=MAX_SEED)
    if len(shares) != 4 or min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-9):
        raise ConfigError(f"shares must be four numbers of at least 0 that sum to 1, not {shares!r}.")
    limits = np.cumsum(shares[:3])
    ends = np.zeros((2, edges), np.int64)
    for block, start in enumerate(range(0, edges, BLOCK)):
        piece = ends[:, start : start + BLOCK]
        drawn = uniforms(seed, (_BITS, block), bits * piece.shape[1]).reshape(bits, -1)
        for numbers in drawn:
            quarter = np.searchsorted(limits, numbers, side="right")
            piece <<= 1
            piece[0] |= quarter >> 1
            piece[1] |= quarter & 1
    return ends[0], ends[1]


def rmat_graph(
    scale: int,
    edge_factor: int = GRAPH500_EDGE_FACTOR,
    *,
    shares: Sequence[float] = GRAPH500,
    seed: int = 1,
) -> Graph:
    """Return a Kronecker graph whose vertices are numbered at random, as Graph500 demands.

    Parameters and errors as for :func:`rmat_edges`. The numbers of the vertices say nothing about their
    degrees, which is the usual case of a graph from elsewhere (assumed).

    Parameters
    ----------
    scale
        As for :func:`rmat_edges`.
    edge_factor
        As for :func:`rmat_edges`.
    shares
        As for :func:`rmat_edges`.
    seed
        As for :func:`rmat_edges`.

    Returns
    -------
    Graph
        With 2**scale vertices.
    """
    sources, targets = rmat_edges(scale, edge_factor, shares=shares, seed=seed)
    scatter = Scatter(1 << scale, seed=seed, key=(_LABELS,))
    for ends in (sources, targets):
        scatter.in_place(ends)
    return Graph.from_edges(
        sources,
        targets,
        vertices=1 << scale,
        provenance={
            "graph": "rmat",
            "scale": scale,
            "edge_factor": edge_factor,
            "shares": list(shares),
            "graph_seed": seed,
        },
    )
