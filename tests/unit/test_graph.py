# SPDX-License-Identifier: MIT
"""Graphs, their generator, and the bags of neighbours that are drawn from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.datasets import Graph, neighbour_trace, rmat_edges, rmat_graph
from heam_sim.datasets.graph import ORDERS, vertex_order
from heam_sim.errors import ConfigError, TraceError
from heam_sim.trace import LookupTrace


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A few vertices, repeated edges and self-loops among them; some vertices without any edge."""
    vertices = draw(st.integers(1, 12))
    ends = st.integers(0, vertices - 1)
    edges = draw(st.lists(st.tuples(ends, ends), max_size=60))
    sources, targets = (np.array([edge[end] for edge in edges], np.int64) for end in (0, 1))
    weights = np.arange(len(edges)) / 8
    return Graph.from_edges(sources, targets, vertices=vertices, weights=weights)


def bags(trace: LookupTrace) -> list[list[int]]:
    return [part.tolist() for part in np.split(trace.indices[0], trace.offsets[0][1:-1])]


def rows(graph: Graph) -> list[list[int]]:
    return [part.tolist() for part in np.split(graph.sources, graph.offsets[1:-1])]


# --- graphs


@given(graphs())
def test_degrees_sum_to_the_edges(graph: Graph) -> None:
    assert graph.degrees.sum() == graph.reads.sum() == graph.edges
    assert [len(row) for row in rows(graph)] == graph.degrees.tolist()
    read = [sum(row.count(vertex) for row in rows(graph)) for vertex in range(graph.vertices)]
    assert read == graph.reads.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sources": [0], "targets": [0, 1]}, "1 sources, 2 targets; give one of each"),
        ({"sources": [0], "targets": [1], "weights": []}, "and 0 weights"),
        ({"sources": [-1], "targets": [0]}, "-1 is no vertex"),
        ({"sources": [3], "targets": [0], "vertices": 3}, "3 is no vertex of a graph of 3"),
        ({"sources": [0.5], "targets": [0]}, "1-D arrays of whole numbers"),
        ({"sources": [], "targets": []}, "vertices must be a whole number from 1"),
        ({"sources": [2**40], "targets": [0]}, "vertices must be a whole number from 1 to 2147483647"),
    ],
)
def test_what_is_no_graph(arguments: dict[str, Any], message: str) -> None:
    arrays = {
        name: np.array(value) if isinstance(value, list) else value for name, value in arguments.items()
    }
    with pytest.raises(ConfigError, match=message):
        Graph.from_edges(**arrays)


def test_rows_that_contradict_each_other() -> None:
    with pytest.raises(TraceError, match="has none of some of these numbers"):
        Graph(np.array([0, 1]), np.array([1]))
    with pytest.raises(TraceError, match="last offset"):
        Graph(np.array([0, 2]), np.array([0]))
    with pytest.raises(TraceError, match="one finite number per edge"):
        Graph(np.array([0, 1]), np.array([0]), np.array([np.inf], np.float32))


# --- orders


def breadth_first(graph: Graph) -> list[int]:
    """The search once more, vertex by vertex."""
    near: list[list[int]] = [[] for _ in range(graph.vertices)]
    for target, row in enumerate(rows(graph)):
        near[target] += row
    for target, row in enumerate(rows(graph)):
        for source in row:
            near[source].append(target)
    degree = [len(one) for one in near]
    found: list[int] = []
    for root in sorted(range(graph.vertices), key=lambda vertex: -degree[vertex]):
        if root in found or not degree[root]:
            continue
        front = [root]
        while front:
            found += front
            reached = [vertex for one in front for vertex in near[one] if vertex not in found]
            front = list(dict.fromkeys(reached))
    return found + [vertex for vertex in range(graph.vertices) if not degree[vertex]]


@given(graphs())
def test_orders(graph: Graph) -> None:
    by_degree = sorted(range(graph.vertices), key=lambda vertex: -int(graph.reads[vertex]))
    wanted = {"natural": list(range(graph.vertices)), "degree": by_degree, "bfs": breadth_first(graph)}
    for order in ORDERS:
        place = vertex_order(graph, order)
        assert np.argsort(place).tolist() == wanted[order]
        assert sorted(place.tolist()) == list(range(graph.vertices))


@given(graphs(), st.sampled_from(ORDERS), st.sampled_from([None, 2, (2, 3)]))
def test_an_order_renames_rows_and_nothing_else(graph: Graph, order: str, fan_out: Any) -> None:
    options = {"fan_out": fan_out, "targets": 7, "batch": 3, "aggregation": "weighted"}
    natural, other = (neighbour_trace(graph, order=name, **options) for name in ("natural", order))
    place = vertex_order(graph, order)
    assert other.indices[0].tolist() == place[natural.indices[0]].tolist()
    assert other.offsets[0].tolist() == natural.offsets[0].tolist()
    assert natural.weights is not None and other.weights is not None
    assert other.weights[0].tolist() == natural.weights[0].tolist()


# --- aggregation


@given(graphs())
def test_whole_neighbourhoods_have_every_edge_once(graph: Graph) -> None:
    trace = neighbour_trace(graph)
    assert bags(trace) == rows(graph)
    assert trace.cardinalities.tolist() == [graph.vertices] and trace.weights is None
    sorted_by_degree = neighbour_trace(graph, order="degree")
    place = vertex_order(graph, "degree")
    for vertex, row in enumerate(rows(graph)):
        assert bags(sorted_by_degree)[place[vertex]] == place[row].tolist()


@settings(max_examples=200)
@given(graphs(), st.integers(1, 5), st.integers(0, 30), st.integers(1, 7), st.integers(0, 2**64 - 1))
def test_one_hop(graph: Graph, fan_out: int, targets: int, batch: int, seed: int) -> None:
    trace = neighbour_trace(graph, fan_out=fan_out, targets=targets, batch=batch, seed=seed)
    assert trace.samples == targets
    every = rows(graph)
    # Each vertex is a target once before any is twice; a bag is a part of its row, in the row's order.
    lengths = np.diff(trace.offsets[0])
    possible = np.minimum(graph.degrees, fan_out)
    whole, left = divmod(targets, graph.vertices)
    assert (
        whole * possible.sum()
        <= lengths.sum()
        <= whole * possible.sum() + np.sort(possible)[-left or None :].sum()
    )
    assert int(lengths.max(initial=0)) <= fan_out
    for bag in bags(trace) if targets else []:
        assert any(len(bag) == min(len(row), fan_out) and is_part(bag, row) for row in every)
    again = neighbour_trace(graph, fan_out=fan_out, targets=targets, batch=batch, seed=seed)
    assert again == trace


def is_part(bag: list[int], row: list[int]) -> bool:
    rest = iter(row)
    return all(one in rest for one in bag)


@given(graphs(), st.integers(1, 4), st.integers(1, 4), st.integers(1, 12))
def test_two_hops_gather_for_targets_and_drawn_neighbours(
    graph: Graph, first: int, second: int, batch: int
) -> None:
    targets = graph.vertices
    trace = neighbour_trace(graph, fan_out=(first, second), targets=targets, batch=batch)
    drawn = min(targets * (first + 1), targets + int(np.minimum(graph.degrees, first).sum()))
    assert targets <= trace.samples <= drawn
    assert int(np.diff(trace.offsets[0]).max(initial=0)) <= second
    if batch >= targets:  # in one batch nobody has two bags
        assert trace.samples <= graph.vertices
        assert trace.lookups == int(np.minimum(graph.degrees, second).sum())


def test_draws_are_without_replacement_and_even() -> None:
    graph = Graph.from_edges(np.arange(20), np.zeros(20, int))
    counts = np.zeros(20, int)
    for seed in range(400):
        bag = neighbour_trace(graph, fan_out=5, targets=20, batch=20, seed=seed).indices[0]
        assert len(set(bag.tolist())) == 5
        counts[bag] += 1
    # 400 draws of 5 of 20: 100 each, standard deviation 8.7.
    assert counts.sum() == 2000 and counts.min() > 65 and counts.max() < 135


def test_every_batch_draws_anew() -> None:
    graph = Graph.from_edges(np.arange(50), np.zeros(50, int))
    trace = neighbour_trace(graph, fan_out=5, targets=500, batch=50)
    drawn = {tuple(bag) for bag in bags(trace) if bag}
    assert len(drawn) == 10


@given(graphs(), st.sampled_from([None, 3]))
def test_means_weigh_a_bag_as_one(graph: Graph, fan_out: int | None) -> None:
    trace = neighbour_trace(graph, aggregation="mean", fan_out=fan_out)
    assert trace.weights is not None
    for weights in np.split(trace.weights[0], trace.offsets[0][1:-1]):
        assert not len(weights) or weights.tolist() == [np.float32(1 / len(weights))] * len(weights)


@given(graphs())
def test_weights_stay_with_their_edges(graph: Graph) -> None:
    trace = neighbour_trace(graph, aggregation="weighted", fan_out=2, targets=graph.vertices)
    assert trace.weights is not None and graph.weights is not None
    known = dict(zip(graph.weights.tolist(), graph.sources.tolist(), strict=True))
    for index, weight in zip(trace.indices[0].tolist(), trace.weights[0].tolist(), strict=True):
        assert known[weight] == index


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"aggregation": "median"}, "did you mean 'mean'"),
        ({"aggregation": "weighted"}, "the graph has no weights"),
        ({"fan_out": 0}, "fan_out must be a whole number of at least 1"),
        ({"fan_out": [1] * 5}, "fan_out has 5 hops; give from 1 to 4"),
        ({"fan_out": []}, "fan_out has 0 hops"),
        ({"batch": 0, "fan_out": 2}, "batch must be"),
        ({"targets": -1}, "targets must be"),
        ({"order": "dfs"}, "did you mean 'bfs'"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        neighbour_trace(Graph.from_edges(np.array([0]), np.array([1])), **options)


# --- the generator


def test_quarters_have_their_shares() -> None:
    sources, targets = rmat_edges(10, 64, seed=3)
    assert len(sources) == len(targets) == 64 << 10
    for bit in range(10):  # every bit is drawn on its own
        quarter = (sources >> bit & 1) * 2 + (targets >> bit & 1)
        shares = np.bincount(quarter, minlength=4) / len(sources)
        assert np.abs(shares - (0.57, 0.19, 0.19, 0.05)).max() < 0.008  # four standard deviations


def test_degrees_are_those_of_the_closed_form() -> None:
    """A vertex with z zero bits is a target with probability (a + c)^z (b + d)^(bits - z)."""
    scale, factor = 8, 1024
    _, targets = rmat_edges(scale, factor, seed=5)
    degrees = np.bincount(targets, minlength=1 << scale)
    zeros = np.array([scale - vertex.bit_count() for vertex in range(1 << scale)])
    likely = 0.76**zeros * 0.24 ** (scale - zeros)
    edges = factor << scale
    spread = np.sqrt(edges * likely * (1 - likely))
    assert np.isclose(likely.sum(), 1)
    assert (np.abs(degrees - edges * likely) < 5 * spread + 1).all()


def test_a_graph_is_the_edges_under_other_numbers() -> None:
    graph = rmat_graph(9, 8, seed=2)
    sources, targets = rmat_edges(9, 8, seed=2)
    assert (graph.vertices, graph.edges) == (512, 4096)
    for made, drawn in ((graph.degrees, targets), (graph.reads, sources)):
        assert sorted(made.tolist()) == sorted(np.bincount(drawn, minlength=512).tolist())
        assert made.tolist() != np.bincount(drawn, minlength=512).tolist()
    assert np.count_nonzero(sources == targets) == sum(row.count(v) for v, row in enumerate(rows(graph)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0}, "scale must be"),
        ({"scale": 29}, "scale must be"),
        ({"scale": 4, "edge_factor": 0}, "edge_factor must be"),
        ({"scale": 4, "shares": (0.5, 0.5, 0.1, 0.0)}, "sum to 1"),
        ({"scale": 4, "shares": (1.5, -0.5, 0.0, 0.0)}, "of at least 0"),
        ({"scale": 4, "shares": (1.0,)}, "four numbers"),
        ({"scale": 4, "seed": -1}, "seed must be"),
    ],
)
def test_bad_graphs(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        rmat_graph(**arguments)
