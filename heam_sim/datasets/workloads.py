# SPDX-License-Identifier: MIT
"""Workloads beside recommendation by name: each yields bags of rows, which is all that an engine needs."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from heam_sim.datasets.edge_lists import read_graph
from heam_sim.datasets.graph import Graph
from heam_sim.datasets.neighbours import neighbour_trace
from heam_sim.datasets.rmat import GRAPH500, GRAPH500_EDGE_FACTOR, rmat_graph
from heam_sim.datasets.scan import scan_trace
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.trace import LookupTrace

__all__ = ["WORKLOADS", "Workload", "check_workload", "graph", "workload"]


@dataclass(frozen=True)
class Workload:
    """A kind of workload.

    Attributes
    ----------
    what
        One line for people.
    make
        Makes the trace; its keywords are the options.
    """

    what: str
    make: Callable[..., LookupTrace]

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options."""
        return tuple(inspect.signature(self.make).parameters)


def graph(
    path: str | os.PathLike[str] | None = None,
    *,
    scale: int | None = None,
    edge_factor: int = GRAPH500_EDGE_FACTOR,
    shares: Sequence[float] = GRAPH500,
    graph_seed: int = 1,
    direction: str = "in",
    ids: str = "published",
    order: str = "natural",
    aggregation: str = "sum",
    fan_out: int | Sequence[int] | None = None,
    targets: int | None = None,
    batch: int = 1024,
    seed: int = 1,
) -> LookupTrace:
    """Return neighbour aggregation over a graph as a trace: a table of vertices' features, a bag per vertex.

    Parameters
    ----------
    path
        Edge list (:func:`heam_sim.datasets.read_graph`).
    scale, edge_factor, shares, graph_seed
        Instead of a file: a Kronecker graph (:func:`heam_sim.datasets.rmat_graph`).
    direction, ids
        How a file is read.
    order, aggregation, fan_out, targets, batch, seed
        See :func:`heam_sim.datasets.neighbour_trace`.

    Raises
    ------
    ConfigError
        If an option is not what it can be, or not exactly one of `path` and `scale` is given.
    DatasetError
        If the file is missing or malformed.
    """
    if (path is None) == (scale is None):
        raise ConfigError("graph: needs either a path (an edge list) or a scale (of a Kronecker graph).")
    if path is not None:
        made = read_graph(path, direction=direction, ids=ids, weighted=aggregation == "weighted")
    else:
        assert scale is not None
        made = _kronecker(scale, edge_factor, tuple(shares), graph_seed)
    return neighbour_trace(
        made,
        aggregation=aggregation,
        fan_out=fan_out,
        targets=targets,
        batch=batch,
        order=order,
        seed=seed,
    )


@lru_cache(maxsize=1)  # a study gathers from one graph in several ways
def _kronecker(scale: int, edge_factor: int, shares: tuple[float, ...], seed: int) -> Graph:
    return rmat_graph(scale, edge_factor, shares=shares, seed=seed)


#: What :func:`workload` knows.
WORKLOADS: Mapping[str, Workload] = MappingProxyType(
    {
        "graph": Workload("neighbour aggregation over a graph, read or generated", graph),
        "scan": Workload("scan of inverted lists of product-quantised vectors", scan_trace),
    }
)


def check_workload(kind: str, options: Mapping[str, Any]) -> None:
    """Check the names of a workload and of its options.

    Parameters
    ----------
    kind
        A workload.
    options
        Its keywords.

    Raises
    ------
    ConfigError
        An unknown kind or option, with the nearest known one.
    """
    if kind not in WORKLOADS:
        raise unknown_name("workload", str(kind), WORKLOADS)
    known = WORKLOADS[kind].options
    for name in options:
        if name not in known:
            raise unknown_name("option", name, known, where=f"workload {kind}")


def workload(kind: str, **options: Any) -> LookupTrace:
    """Return the trace of a workload beside recommendation.

    Parameters
    ----------
    kind
        A key of :data:`WORKLOADS`: ``"graph"`` (:func:`graph`) or ``"scan"``
        (:func:`heam_sim.datasets.scan_trace`).
    **options
        Its keywords.

    Returns
    -------
    LookupTrace
        In the memory.

    Raises
    ------
    ConfigError
        An unknown kind or option, with the nearest known one, or a value that it cannot have.
    """
    check_workload(kind, options)
    return WORKLOADS[kind].make(**options)
