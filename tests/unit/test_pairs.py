# SPDX-License-Identifier: MIT
"""Sums of pairs: which are chosen, and which lookups they serve, against the plainest possible code."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heam_sim.errors import ConfigError
from heam_sim.placement import pairs as module
from heam_sim.placement.pairs import Pairs, choose_pairs
from heam_sim.planning import plan
from heam_sim.simulation import simulate
from heam_sim.systems import load_system
from heam_sim.trace import LookupTrace
from tests.functional.small import mixed_trace, trace_of

BAGS = st.lists(
    st.tuples(st.lists(st.integers(0, 3), max_size=5), st.lists(st.integers(0, 4), max_size=5)), max_size=12
)


def _trace(bags: list[tuple[list[int], list[int]]]) -> LookupTrace:
    return trace_of([[bag[t] for bag in bags] for t in range(2)], cardinalities=[4, 5])


def _lookups(bags: list[tuple[list[int], list[int]]], scope: str) -> list[list[int]]:
    """The bags with lookups numbered over both tables."""
    parts = [(list(one), [4 + index for index in other]) for one, other in bags]
    return [a + b for a, b in parts] if scope == "sample" else [bag for pair in parts for bag in pair]


def _chosen(bags: list[list[int]], most: int, rows: int) -> list[tuple[int, int]]:
    reads = Counter(one for bag in bags for one in set(bag))
    often = sorted((one for one in reads if reads[one] > 1), key=lambda one: (-reads[one], one))[:rows]
    counts = Counter(pair for bag in bags for pair in combinations(sorted(set(bag) & set(often)), 2))
    taken: list[tuple[int, int]] = []
    for pair, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if count > 1 and not any(set(pair) & set(other) for other in taken) and len(taken) < most:
            taken.append(pair)
    return taken


@given(BAGS, st.sampled_from(["bag", "sample"]), st.integers(0, 4), st.sampled_from([1, 3, 100]))
@settings(max_examples=150)
def test_the_most_frequent_pairs_without_a_common_lookup(
    bags: list[tuple[list[int], list[int]]], scope: str, most: int, rows: int
) -> None:
    found = choose_pairs(_trace(bags), scope, most=most, rows=rows, first_slot=0)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == _chosen(
        _lookups(bags, scope), most, rows
    )


def test_counts_are_put_together_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = mixed_trace(samples=60, longest=9, cardinalities=(20, 30))
    whole = choose_pairs(trace, "sample", most=50, rows=100, first_slot=0)
    monkeypatch.setattr(module, "_HELD", 1)
    again = choose_pairs(trace, "sample", most=50, rows=100, first_slot=0)
    assert whole.count > 5
    assert (whole.first == again.first).all() and (whole.second == again.second).all()


def test_counting_ends_with_whole_bags(monkeypatch: pytest.MonkeyPatch) -> None:
    """(0, 1) is in the first two bags, (2, 3) in the three behind them."""
    bags = [[0, 1], [0, 1], [2, 3], [2, 3], [2, 3]]
    trace = trace_of([bags], cardinalities=[4])
    for most, expected in ((5, [2, 0]), (4, [0, 2]), (3, [0]), (1, []), (0, [])):
        monkeypatch.setattr(module, "_MOST", most)
        found = choose_pairs(trace, "bag", most=9, rows=9, first_slot=0)
        assert found.first.tolist() == expected, most


@given(st.lists(st.lists(st.integers(0, 9), max_size=9), max_size=6))
def test_each_lookup_is_served_once(bags: list[list[int]]) -> None:
    pairs = Pairs(np.array([7, 0, 3]), np.array([8, 5, 4]), np.array([0, 10]))
    lookup = np.array([one for bag in bags for one in bag], np.int64)
    gnr = np.repeat(np.arange(len(bags)), [len(bag) for bag in bags])
    first, second, pair = pairs.match(lookup, gnr)
    expected = []
    for number, bag in enumerate(bags):
        start = sum(map(len, bags[:number]))
        for which, (one, other) in enumerate(((7, 8), (0, 5), (3, 4))):
            ones = [start + at for at, index in enumerate(bag) if index == one]
            others = [start + at for at, index in enumerate(bag) if index == other]
            expected += [(min(p), max(p), which) for p in zip(ones, others, strict=False)]
    assert sorted(zip(first.tolist(), second.tolist(), pair.tolist(), strict=True)) == sorted(expected)


def test_members_by_table_and_index() -> None:
    pairs = Pairs(np.array([0, 3]), np.array([4, 9]), np.array([0, 4, 10]))
    table, index = pairs.members()
    assert table.tolist() == [[0, 1], [0, 1]] and index.tolist() == [[0, 0], [3, 5]]


def test_no_more_than_fit_into_what_is_left() -> None:
    """The stack holds so many vectors; a share of what the hot rows leave is for pairs."""
    trace = mixed_trace(samples=80, longest=8, cardinalities=(40,))
    spread = {"hbm.overrides": {"rows": 1}, "hbm.page_bytes": 128, "placement.hot_share": 0.5}
    options: dict[str, Any] = {"system": "space", "vector_bytes": 128, "profile": 0.8}
    planned = [
        plan(trace, **options, overrides={**spread, "placement.pair_share": share})
        for share in (0.0, 1e-3, 1.0)
    ]
    few = planned[1].placement
    assert few.hot_layout is not None
    left = few.hot_layout.capacity_bytes - few.hot.rows.size * 128
    assert planned[0].placement.pairs.count == 0
    assert few.pairs.count == min(int(left * 1e-3) // 128, planned[2].placement.pairs.count) > 0
    assert few.pairs.count < planned[2].placement.pairs.count
    assert few.pairs.first_slot == few.hot.rows.size


def test_weighted_lookups_take_no_part() -> None:
    trace = mixed_trace(samples=40, longest=8, cardinalities=(20,))
    weighted = LookupTrace.from_arrays(
        trace.indices,
        trace.offsets,
        cardinalities=trace.cardinalities,
        weights=[np.ones(one.size) for one in trace.indices],
    )
    options: dict[str, Any] = {"system": "space", "vector_bytes": 64, "profile": 0.5}
    assert simulate(trace, **options).host["pair_reads"] > 0
    result = simulate(weighted, **options)
    assert result.host["pair_reads"] == 0
    assert any("none for weighted lookups" in note for note in result.notes)


def test_what_makes_no_sense_is_refused() -> None:
    for system, key, value in (
        ("recnmp", "placement.pair_share", 0.5),
        ("space", "placement.pair_share", 2),
        ("space", "placement.pair_rows", 0),
        ("heam", "hbm.pim.stack_bytes_per_cycle", -1),
        ("heam", "hbm.pim.stack_tags", 0),
        ("heam", "hbm.pim.xmov_cycles", 0),
    ):
        with pytest.raises(ConfigError, match=key.rsplit(".", maxsplit=1)[-1]):
            load_system(system, overrides={key: value})
    off = {"hbm.pim.stack_bytes_per_cycle": 64, "hbm.pim.merge_level": ""}
    with pytest.raises(ConfigError, match="set merge_level = 'channel'"):
        load_system("heam", overrides=off)
