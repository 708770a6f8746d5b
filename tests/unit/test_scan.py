# SPDX-License-Identifier: MIT
"""Scans of inverted lists, and the rows that product-quantised vectors read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim.datasets import list_sizes, scan_trace
from heam_sim.embedding import PQ, parse_embedding, reference
from heam_sim.errors import ConfigError
from heam_sim.trace import LookupTrace

# --- lists


@given(st.integers(1, 60), st.integers(0, 1000), st.floats(1, 50), st.integers(0, 2**64 - 1))
def test_lists_have_all_vectors(lists: int, more: int, imbalance: float, seed: int) -> None:
    sizes = list_sizes(lists + more, lists, imbalance=imbalance, seed=seed)
    assert len(sizes) == lists and sizes.min() >= 1 and sizes.sum() == lists + more


@pytest.mark.parametrize("imbalance", [1.0, 1.5, 3.0])
def test_lists_are_as_uneven_as_asked(imbalance: float) -> None:
    sizes = list_sizes(100_000_000, 65_536, imbalance=imbalance)
    assert len(sizes) * float((sizes.astype(float) ** 2).sum()) / 1e16 == pytest.approx(imbalance, rel=0.05)


def lists_of(trace: LookupTrace, sizes: np.ndarray[Any, Any]) -> list[int]:
    """The list of every visited vector."""
    found: list[int] = np.searchsorted(np.cumsum(sizes), trace.indices[0], side="right").tolist()
    return found


@given(st.integers(1, 20), st.integers(0, 300), st.integers(1, 4), st.floats(0, 3), st.integers(0, 2**64 - 1))
def test_a_batch_scans_lists_one_after_the_other(
    lists: int, more: int, batches: int, exponent: float, seed: int
) -> None:
    vectors = lists + more
    each = min(vectors, 70)
    options = {"lists": lists, "imbalance": 2.0, "seed": seed}
    trace = scan_trace(vectors, **options, samples=each * batches, batches=batches, exponent=exponent)
    assert trace.samples == trace.lookups == each * batches
    assert trace.cardinalities.tolist() == [vectors]
    sizes = list_sizes(vectors, lists, imbalance=2.0, seed=seed)
    starts = np.cumsum(sizes) - sizes
    for batch in range(batches):
        part = trace.samples_slice(batch * each, (batch + 1) * each)
        probed = list(dict.fromkeys(lists_of(part, sizes)))
        assert len(probed) == trace.provenance["lists_probed"][batch]
        wanted = np.concatenate([np.arange(starts[one], starts[one] + sizes[one]) for one in probed])
        assert part.indices[0].tolist() == wanted[:each].tolist()  # no list twice, only the last one cut


def test_queries_are_where_vectors_are_or_where_they_are_wanted() -> None:
    sizes = list_sizes(40_000, 200, imbalance=2.0)
    options: dict[str, Any] = {"lists": 200, "imbalance": 2.0, "samples": 200 * 50, "batches": 200}
    for exponent in (0.0, 1.0):
        trace = scan_trace(40_000, exponent=exponent, **options)
        first = np.array(lists_of(trace, sizes))[::50]  # where each batch begins
        likely = sizes * np.arange(1, 201) ** -exponent
        expected = float((likely * sizes).sum() / likely.sum())
        spread = float(np.sqrt((likely * sizes**2).sum() / likely.sum() - expected**2) / np.sqrt(200))
        assert abs(sizes[first].mean() - expected) < 5 * spread
        head = likely[:10].sum() / likely.sum()
        assert abs((first < 10).mean() - head) < 5 * np.sqrt(head * (1 - head) / 200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vectors": 10, "lists": 11}, "vectors must be a whole number from 11"),
        ({"lists": 0}, "lists must be"),
        ({"imbalance": 0.5}, "imbalance must be a number from 1 to 1000"),
        ({"exponent": -1}, "exponent must be a number from 0 to 16"),
        ({"samples": 3, "batches": 2}, "no equal share"),
        ({"batches": 0}, "batches must be"),
        ({"vectors": 100, "lists": 10, "samples": 202}, "visits 101 vectors, but there are 100"),
        ({"seed": 2**64}, "seed must be"),
    ],
)
def test_bad_scans(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        scan_trace(**options)


def test_no_scan_at_all() -> None:
    trace = scan_trace(100, lists=4, samples=0)
    assert trace.samples == 0 and trace.provenance["lists_probed"] == [0, 0]


# --- vectors


@pytest.mark.parametrize("text", ["pq:8", "pq:16:16", "pq:64", "pq:2:65536"])
def test_labels(text: str) -> None:
    scheme = parse_embedding(text)
    assert isinstance(scheme, PQ) and scheme.label == text
    assert scheme.to_dict()["scheme"] == "pq"


def test_tables_and_codes() -> None:
    scheme = PQ(4, 16)  # codes of two bytes, 32 in a row
    parts = scheme.subtables([100, 5], 256)
    assert [part.name for part in parts[:5]] == [
        "table0.T0",
        "table0.T1",
        "table0.T2",
        "table0.T3",
        "table0.C",
    ]
    assert [(part.rows, part.row_bytes, part.small) for part in parts[:5]] == [(16, 256, True)] * 4 + [
        (4, 64, False)
    ]
    assert parts[9].rows == 1
    vectors = np.array([0, 31, 32, 99])
    operands = scheme.operands(0, vectors, parts)
    assert [operand.subtable_id for operand in operands] == [0, 1, 2, 3, 4]  # the main row last
    assert operands[4].rows.tolist() == [0, 0, 1, 3]
    for number, operand in enumerate(operands[:4]):
        assert operand.rows.tolist() == scheme.code(vectors, number).tolist()


def test_codes_are_even_and_independent() -> None:
    scheme, vectors = PQ(8, 256), np.arange(256 * 256)
    codes = [scheme.code(vectors, number) for number in range(8)]
    for one in codes:
        counts = np.bincount(one, minlength=256)
        assert len(counts) == 256 and counts.min() > 180 and counts.max() < 340  # 256, five deviations of 16
    for other in codes[1:]:
        both = np.bincount(codes[0] * 16 // 256 * 16 + other * 16 // 256, minlength=256)
        assert both.min() > 180 and both.max() < 340


def test_a_distance_is_the_sum_of_entries() -> None:
    """Lookup by lookup, with Python's integers."""
    scheme = PQ(3, 8)
    trace = LookupTrace.from_arrays([np.array([5, 900, 5])], cardinalities=[1000])
    found = reference.pooled(trace, scheme, 256, 64, "bag")
    parts = scheme.subtables([1000], 256)
    for sample, vector in enumerate((5, 900, 5)):
        for burst in range(4):
            for lane in range(2):
                expected = 0
                for part in parts:
                    row = vector // scheme.codes_per_row
                    if part.role != "C":
                        row = int(scheme.code(np.array([vector]), int(part.role[1:]))[0])
                    elif burst > 0:
                        continue  # a row of codes is one burst of 64 bytes
                    values = reference.row_values(part.id, np.array([row]), part.row_bytes // 64)
                    expected += int(values[0, burst, lane])
                assert found[sample, burst, lane] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pq", "incomplete or too long"),
        ("pq:8:256:1", "incomplete or too long"),
        ("pq:1", "subspaces must be a whole number from 2"),
        ("pq:8:1", "centroids must be a whole number from 2"),
        ("pq:64:512", "a code of 72 bytes, more than the 64"),
        ("pq:eight", "subspaces must be a whole number"),
    ],
)
def test_bad_schemes(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_embedding(text)
