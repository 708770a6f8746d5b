# SPDX-License-Identifier: MIT
"""Neighbour aggregation as lookups: a graph's vertices gather the feature rows of their neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.graph import Graph, positions, vertex_order
from heam_sim.datasets.options import MAX_SEED
from heam_sim.datasets.permutation import Scatter
from heam_sim.datasets.words import mixed
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number
from heam_sim.trace import LookupTrace

__all__ = ["AGGREGATIONS", "neighbour_trace"]

#: What is added up: rows as they are, rows over their number, rows times the weights of their edges.
AGGREGATIONS = ("sum", "mean", "weighted")
_MOST_HOPS = 4
_ALL_AT_ONCE = 1 << 14  # targets of a step where nothing is drawn and batches do not matter
_TARGETS = 2  # stream of a seed; 0 and 1 are the graph's

_Int = NDArray[np.int64]


def neighbour_trace(
    graph: Graph,
    *,
    aggregation: str = "sum",
    fan_out: int | Sequence[int] | None = None,
    targets: int | None = None,
    batch: int = 1024,
    order: str = "natural",
    seed: int = 1,
) -> LookupTrace:
    """Return the bags of feature rows that the first layer of a graph neural network gathers.

    One table with a row per vertex; every sample is one vertex's bag. Without `fan_out` that is one layer
    over whole neighbourhoods. With it, batches of targets draw neighbours as GraphSAGE does (Hamilton et al.,
    arXiv 1706.02216, algorithm 2): with fan-outs ``(25, 10)`` every target draws 25 neighbours, and each
    distinct vertex among targets and drawn ones then draws the 10 neighbours whose rows are its bag. What
    later layers gather are activations, not rows of this table, and is left out.

    Parameters
    ----------
    graph
        Row ``v`` has what the bag of ``v`` may hold.
    aggregation
        One of :data:`AGGREGATIONS`. The weights of lookups are 1 over the length of the bag, or those of the
        edges.
    fan_out
        Neighbours to draw per hop, the targets' first; all of them where a vertex has no more. Drawn without
        replacement, anew for every batch.
    targets
        How many vertices are targets, in a random order, each once before any comes again. ``None``: all of
        them, in the order of their numbers if nothing is drawn.
    batch
        Targets that draw together; only distinct vertices of a batch have bags.
    order
        Of the rows in the feature table (``heam_sim.datasets.graph.vertex_order``), and of the targets if
        they are all vertices and nothing is drawn. Draws do not depend on it.
    seed
        Of targets and draws, 0 to 2**64 - 1.

    Returns
    -------
    LookupTrace
        One table, a sample per bag.

    Raises
    ------
    ConfigError
        If a parameter is not what it can be, or weights are asked for that the graph does not have.
    """
    if aggregation not in AGGREGATIONS:
        raise unknown_name("aggregation", str(aggregation), AGGREGATIONS, where="graph")
    if aggregation == "weighted" and graph.weights is None:
        raise ConfigError("aggregation='weighted': the graph has no weights; give them, or use 'mean'.")
    fans = _fan_outs(fan_out)
    whole_number("seed", seed, minimum=0, maximum=MAX_SEED)
    step = whole_number("batch", batch, minimum=1) if fans else _ALL_AT_ONCE
    place = vertex_order(graph, order)
    edges, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number, vertices in enumerate(_batches(place, targets, step, seed, drawn=bool(fans))):
        for hop, fan in enumerate(fans[:-1]):
            reached, _ = _draw(graph, vertices, fan, seed, number * _MOST_HOPS + hop)
            vertices = _distinct(np.concatenate((vertices, graph.sources[reached].astype(np.int64))))
        last = fans[-1] if fans else None
        found, counts = _draw(graph, vertices, last, seed, number * _MOST_HOPS + len(fans) - 1)
        edges.append(found)
        lengths.append(counts)
    chosen, bags = np.concatenate(edges), np.concatenate(lengths)
    weights = _weights(graph, aggregation, chosen, bags)
    return LookupTrace.from_arrays(
        [place[graph.sources[chosen]]],
        [np.concatenate((np.zeros(1, np.int64), np.cumsum(bags)))],
        cardinalities=[graph.vertices],
        weights=None if weights is None else [weights],
        provenance={
            "source": "graph",
            **graph.provenance,
            "vertices": graph.vertices,
            "edges": graph.edges,
            "order": order,
            "aggregation": aggregation,
            "fan_out": list(fans) or "all neighbours",
            "targets": graph.vertices if targets is None else targets,
            **({"batch": batch} if fans else {}),
            "seed": seed,
        },
    )


def _fan_outs(given: int | Sequence[int] | None) -> tuple[int, ...]:
    if given is None:
        return ()
    several: Any = given if isinstance(given, (list, tuple)) else [given]
    if not 1 <= len(several) <= _MOST_HOPS:
        raise ConfigError(f"fan_out has {len(several)} hops; give from 1 to {_MOST_HOPS} numbers.")
    return tuple(whole_number("fan_out", fan, minimum=1) for fan in several)


def _batches(place: _Int, targets: int | None, step: int, seed: int, *, drawn: bool) -> Iterator[_Int]:
    """Yield the targets."""
    vertices = len(place)
    if targets is None and not drawn:
        every = np.argsort(place)
    else:
        count = vertices if targets is None else whole_number("targets", targets, minimum=0)
        rounds = []
        for epoch, start in enumerate(range(0, count, vertices)):
            some = np.arange(min(vertices, count - start))
            rounds.append(Scatter(vertices, seed=seed, key=(_TARGETS, epoch))(some))
        every = np.concatenate(rounds) if rounds else np.zeros(0, np.int64)
    for start in range(0, len(every), step):
        yield every[start : start + step]


def _distinct(vertices: _Int) -> _Int:
    """Each vertex once, in the order of first appearance."""
    _, first = np.unique(vertices, return_index=True)
    return vertices[np.sort(first)]


def _draw(graph: Graph, vertices: _Int, fan: int | None, seed: int, stream: int) -> tuple[_Int, _Int]:
    """Draw edges into vertices: their numbers, vertex by vertex, and how many each has."""
    counts = graph.offsets[vertices + 1] - graph.offsets[vertices]
    edges = positions(graph.offsets[vertices], counts)
    if fan is None or not len(counts) or int(counts.max()) <= fan:
        return edges, counts
    # Every edge gets a random key; the smallest of a vertex are the sample.
    salt = mixed(mixed(np.array([seed], np.uint64)) ^ np.uint64(stream))
    keys = mixed(edges.astype(np.uint64) ^ salt)
    owner = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((keys, owner))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return edges[np.sort(order[rank < fan])], np.minimum(counts, fan)


def _weights(graph: Graph, aggregation: str, chosen: _Int, bags: _Int) -> NDArray[np.float32] | None:
    if aggregation == "sum":
        return None
    if aggregation == "weighted":
        assert graph.weights is not None
        return graph.weights[chosen]
    return np.repeat((1.0 / np.maximum(bags, 1)).astype(np.float32), bags)
