# SPDX-License-Identifier: MIT
"""Measures of traces, held against slow and obvious ones."""

from __future__ import annotations

from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim.analysis import (
    COLD,
    access_curves,
    co_occurrence,
    hit_shares,
    popularity_distance,
    previous_uses,
    r_row_shares,
    reuse_curve,
    reuse_distance,
    reuse_histogram,
    row_counts,
    stack_distances,
    stack_histogram,
    summarise,
)
from heam_sim.datasets import generate
from heam_sim.errors import ConfigError
from heam_sim.trace import LookupTrace, TraceFile


@given(st.lists(st.integers(0, 12), max_size=120), st.integers(1, 2**50))
def test_distances_are_those_of_a_stack(items: list[int], scale: int) -> None:
    stack: list[int] = []
    distances, previous = [], []
    for place, item in enumerate(items):
        distances.append(stack.index(item) if item in stack else COLD)
        previous.append(max((i for i in range(place) if items[i] == item), default=COLD))
        if item in stack:
            stack.remove(item)
        stack.insert(0, item)
    scaled = np.array(items, dtype=np.int64) * scale
    assert stack_distances(scaled).tolist() == distances
    assert previous_uses(scaled).tolist() == previous


def naive_hits(
    trace: LookupTrace, *, size: int, block: int, collisions: int, vector: int, ways: int
) -> tuple[float, float, int]:
    sets: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(size // (block * ways))]
    hits = Counter[str]()
    accesses = 0
    for sample in range(trace.samples):
        base = 0
        for table in range(trace.tables):
            cuts = trace.offsets[table]
            for row in trace.indices[table][cuts[sample] : cuts[sample + 1]].tolist():
                for kind, number in (("R", row % collisions), ("Q", collisions + row // collisions)):
                    first = (base + number) * vector
                    for line in range(first // block, (first + vector - 1) // block + 1):
                        ways_of = sets[line % len(sets)]
                        accesses += 1
                        hits[kind] += line in ways_of
                        ways_of.pop(line, None)
                        ways_of[line] = None
                        if len(ways_of) > ways:
                            ways_of.popitem(last=False)
            base += collisions + -(-int(trace.cardinalities[table]) // collisions)
    return hits["Q"] / accesses, hits["R"] / accesses, accesses


@pytest.mark.parametrize(("block", "vector"), [(64, 64), (256, 64), (64, 256)])
def test_caches_hit_what_a_real_one_hits(block: int, vector: int) -> None:
    trace = LookupTrace.from_arrays(
        [np.arange(900) ** 2 % 457, np.arange(300) * 7 % 40],
        [np.arange(0, 901, 3), np.arange(301)],
        cardinalities=[457, 40],
    )
    found = hit_shares(
        trace, cache_bytes=(4096, 16384), block_bytes=(block,), collisions=4, vector_bytes=vector, ways=2
    )
    for row in found.itertuples():
        expected = naive_hits(trace, size=row.cache_bytes, block=block, collisions=4, vector=vector, ways=2)
        assert (row.q_hit_share, row.r_hit_share, row.accesses) == expected
    assert found["q_hit_share"].iloc[1] > found["q_hit_share"].iloc[0] > 0


@pytest.mark.parametrize(
    "options",
    [
        {"cache_bytes": (1000,)},
        {"cache_bytes": (64,)},
        {"block_bytes": (48,)},
        {"ways": 0},
        {"collisions": 0},
    ],
)
def test_bad_caches(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        hit_shares(LookupTrace.from_arrays([[1]]), **options)  # type: ignore[arg-type]


def test_summary(tmp_path: Path) -> None:
    trace = LookupTrace.from_arrays([[5, 5, 5, 1], [0, 1]], [[0, 0, 4], [0, 1, 2]], cardinalities=[10, 3])
    first, second = summarise(trace)
    assert (first.rows, first.lookups, first.bag_min, first.bag_mean, first.bag_max) == (10, 4, 0, 2.0, 4)
    assert (first.distinct, first.top_share, first.top_percent_share) == (2, 0.75, 0.75)
    assert (second.bag_min, second.bag_max, second.top_share) == (1, 1, 0.5)
    trace.save(tmp_path / "t.h5")
    with TraceFile(tmp_path / "t.h5") as stored:
        assert summarise(stored) == [first, second]
    empty = summarise(LookupTrace.from_arrays([[]]))[0]
    assert (empty.lookups, empty.bag_mean, empty.top_share) == (0, 0.0, 0.0)


def test_reuse_histogram() -> None:
    # Uses: once, twice, three times and five times.
    trace = LookupTrace.from_arrays([[1, 2, 2, 3, 3, 3], [7] * 5 + [0]], cardinalities=[9, 9])
    frame = reuse_histogram(trace)
    assert frame["up_to"].tolist()[:4] == [1, 2, 4, 8]
    np.testing.assert_allclose(frame["lookup_share"][:4], np.array([2, 2, 3, 5]) / 12)
    np.testing.assert_allclose(frame["row_share"][:4], np.array([2, 1, 1, 1]) / 5)
    curve = reuse_curve(trace, "x")
    assert curve["uses"].tolist() == [1, 2, 3, 5]
    np.testing.assert_allclose(curve["lookup_share"], np.cumsum([2, 2, 3, 5]) / 12)


def test_stack_histogram_of_a_part() -> None:
    trace = LookupTrace.from_arrays([[1, 2, 1, 1, 3, 2, 9, 9]])
    frame = stack_histogram(trace, lookups=6)
    # First uses 1, 2, 3; distances 1, 0 and 2.
    assert frame["below"].tolist()[:4] == [0, 1, 2, 4]
    np.testing.assert_allclose(frame["lookup_share"][:4], np.array([3, 1, 1, 1]) / 6)
    assert set(frame["lookups"]) == {6}


def test_curves_of_quotients_and_remainders() -> None:
    trace = LookupTrace.from_arrays([[0, 1, 1, 4, 5, 6]], cardinalities=[8])
    curves = access_curves(trace, [4])
    original = curves[curves["rows"] == "original rows"]
    np.testing.assert_allclose(original["access_share"].iloc[[0, -1]], [2 / 6, 1])
    quotients = curves[curves["rows"] == "Q rows, c = 4"]
    np.testing.assert_allclose(quotients["access_share"], [3 / 6, 1])
    shares = r_row_shares(trace, [4])
    np.testing.assert_allclose(shares["access_share"], np.array([2, 3, 1, 0]) / 6)


def test_distances_between_distributions() -> None:
    one, other = np.array([3, 1]), np.array([2, 1, 1])
    assert popularity_distance(one, one) == reuse_distance(other, other) == 0
    assert popularity_distance(one, other) == pytest.approx(0.25)
    # Lookups of rows used at most once: a quarter and a half; at most twice: a quarter and all.
    assert reuse_distance(one, other) == pytest.approx(0.75)
    nothing = np.zeros(0, np.int64)
    assert popularity_distance(nothing, nothing) == reuse_distance(nothing, nothing) == 0
    assert row_counts(np.array([4, 4, 9])).tolist() == [2, 1]


def test_co_occurrence_sees_rows_that_come_together() -> None:
    free = generate("criteo-kaggle", samples=3000, exponent=0.0)
    big = [free.indices[2], free.indices[3]]
    apart = co_occurrence(LookupTrace.from_arrays(big))
    assert apart["pair_share"] == pytest.approx(apart["independent_pair_share"], abs=0.02)
    rows = free.indices[9] % 500
    together = co_occurrence(LookupTrace.from_arrays([rows, rows]))
    assert together["pair_share"] == 1.0
    assert together["independent_pair_share"] < 0.6
    assert together["samples"] == 3000
