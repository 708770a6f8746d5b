# SPDX-License-Identifier: MIT
"""Embedding schemes and the ground truth of pooling, against arithmetic written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim.embedding import QR, Full, Subtable, check_vector_bytes, parse_embedding, reference
from heam_sim.embedding.reference import pooled, row_values
from heam_sim.errors import ConfigError
from heam_sim.trace import LookupTrace


def test_full_subtables() -> None:
    assert Full().subtables([5, 7], 64) == (
        Subtable(0, "table0.W", 0, "W", 5, 64),
        Subtable(1, "table1.W", 1, "W", 7, 64),
    )
    assert (Full().label, Full().compose, Full().to_dict()) == ("full", None, {"scheme": "full"})


def test_qr_subtables_r_before_q_and_small_tables_whole() -> None:
    assert QR(4, threshold=3).subtables(np.array([3, 9, 8]), 128) == (
        Subtable(0, "table0.W", 0, "W", 3, 128),
        Subtable(1, "table1.R", 1, "R", 4, 128),
        Subtable(2, "table1.Q", 1, "Q", 3, 128),
        Subtable(3, "table2.R", 2, "R", 4, 128),
        Subtable(4, "table2.Q", 2, "Q", 2, 128),
    )


@pytest.mark.parametrize(
    ("rows", "collisions", "r", "q"), [(9, 1, 1, 9), (9, 9, 9, 1), (9, 100, 9, 1), (1, 4, 1, 1), (8, 4, 4, 2)]
)
def test_qr_degenerate_sizes(rows: int, collisions: int, r: int, q: int) -> None:
    scheme = QR(collisions)
    parts = scheme.subtables([rows], 64)
    assert [(part.role, part.rows) for part in parts] == [("R", r), ("Q", q)]
    indices = np.arange(rows)
    remainder, quotient = scheme.operands(0, indices, parts)
    assert remainder.rows.tolist() == [i % collisions for i in range(rows)]
    assert quotient.rows.tolist() == [i // collisions for i in range(rows)]
    assert int(remainder.rows.max()) == r - 1
    assert int(quotient.rows.max()) == q - 1


def test_threshold_is_inclusive() -> None:
    assert [part.role for part in QR(4, threshold=200).subtables([200, 201], 64)] == ["W", "R", "Q"]


def test_operands() -> None:
    indices = np.array([0, 5, 2**24 + 1, 2**62 + 3])
    parts = QR(4).subtables([10, 2**62 + 4], 64)
    remainder, quotient = QR(4).operands(1, indices, parts)
    assert (remainder.subtable_id, quotient.subtable_id) == (2, 3)
    assert remainder.rows.tolist() == [0, 1, 1, 3]
    assert quotient.rows.tolist() == [0, 1, 2**22, 2**60]  # a float32 division goes wrong here
    assert remainder.rows.dtype == quotient.rows.dtype == np.int64
    (whole,) = Full().operands(1, indices, Full().subtables([10, 2**62 + 4], 64))
    assert (whole.subtable_id, whole.rows.tolist()) == (1, indices.tolist())
    (small,) = QR(4, threshold=10).operands(0, np.array([9]), QR(4, threshold=10).subtables([10, 99], 64))
    assert (small.subtable_id, small.rows.tolist()) == (0, [9])


def test_operands_of_foreign_subtables() -> None:
    indices = np.array([0])
    with pytest.raises(ConfigError, match="no part R of table 0"):
        QR(4).operands(0, indices, Full().subtables([10], 64)[1:])
    with pytest.raises(ConfigError, match="no part W of table 0"):
        Full().operands(0, indices, QR(4).subtables([10], 64))
    with pytest.raises(ConfigError, match="int64"):
        Full().operands(0, np.array([0.0]), Full().subtables([10], 64))  # type: ignore[arg-type]


@pytest.mark.parametrize("collisions", [0, -1, 1.5, "4", True, None, 2**63])
def test_bad_collisions(collisions: object) -> None:
    with pytest.raises(ConfigError, match="collisions"):
        QR(collisions)  # type: ignore[arg-type]


@pytest.mark.parametrize("threshold", [-1, 2.0, False, "x"])
def test_bad_threshold(threshold: object) -> None:
    with pytest.raises(ConfigError, match="threshold"):
        QR(4, threshold=threshold)  # type: ignore[arg-type]


def test_bad_composition_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'multiply'"):
        QR(4, "multiplied")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 8, 15, 48, 65, 64.0, "64", None, True, -64])
def test_bad_vector_bytes(size: object) -> None:
    with pytest.raises(ConfigError, match="vector_bytes"):
        check_vector_bytes(size)
    for scheme in (Full(), QR(4)):
        with pytest.raises(ConfigError, match="vector_bytes"):
            scheme.subtables([4], size)  # type: ignore[arg-type]


@pytest.mark.parametrize("cardinalities", [[], [0], [4, -1], [4.5]])
def test_bad_cardinalities(cardinalities: list[int]) -> None:
    for scheme in (Full(), QR(4)):
        with pytest.raises(ConfigError, match="cardinalities"):
            scheme.subtables(cardinalities, 64)


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("full", Full()),
        ("qr:4", QR(4, "multiply")),
        ("qr:8:add", QR(8, "add")),
        (" QR:8:Multiply:200 ", QR(8, "multiply", 200)),
    ],
)
def test_parse(text: str, scheme: Full | QR) -> None:
    assert parse_embedding(text) == scheme
    assert parse_embedding(scheme.label) == scheme


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown embedding"),
        ("ful", "did you mean 'full'"),
        ("qr", "incomplete"),
        ("full:4", "too long"),
        ("qr:4:add:1:2", "too long"),
        ("qr:four", "collisions must be a whole number"),
        ("qr:-4", "collisions must be a whole number"),
        ("qr:", "collisions must be a whole number"),
        ("qr:²", "collisions must be a whole number"),
        ("qr:0", "collisions must be an integer"),
        ("qr:4:ad", "did you mean 'add'"),
        ("qr:4:add:x", "threshold must be a whole number"),
        ("tt:4", "unknown embedding"),
        (4, "embedding must be a text"),
    ],
)
def test_parse_errors(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_embedding(text)


# --- ground truth


def test_row_values_are_small_spread_and_distinct() -> None:
    values = row_values(3, np.arange(7000), 4)
    assert (values.shape, values.dtype) == ((7000, 4, 2), np.int64)
    counts = np.bincount(values.reshape(-1), minlength=8)
    assert counts[0] == 0
    assert len(counts) == 8
    # 8000 of each value are expected; five standard deviations are 414.
    assert np.abs(counts[1:] - 8000).max() < 414
    flat = values.reshape(7000, -1)
    # 7**8 patterns: 7000 rows collide in 4.2 pairs on average.
    assert len(np.unique(flat, axis=0)) > 6975
    assert (row_values(4, np.arange(7000), 4) != values).mean() > 0.8
    np.testing.assert_array_equal(row_values(3, np.array([6999, 5]), 4), values[[6999, 5]])


def test_row_values_depend_on_the_element_alone() -> None:
    rows = np.array([0, 1, 2**40])
    np.testing.assert_array_equal(
        row_values(1, rows, 8, lanes=2).reshape(3, -1), row_values(1, rows, 4, lanes=4).reshape(3, -1)
    )
    np.testing.assert_array_equal(row_values(1, rows, 8)[:, :3], row_values(1, rows, 3))


def slow_pooled(trace: LookupTrace, scheme: Full | QR, bursts: int, scope: str) -> list[np.ndarray]:
    """Pool with Python integers and the definition of QR, independent of the schemes' own operands."""
    gnrs = []
    for sample in range(trace.samples):
        sums = []
        for table in range(trace.tables):
            cuts = trace.offsets[table]
            bag = trace.indices[table][cuts[sample] : cuts[sample + 1]].tolist()
            sums.append(
                sum(
                    (slow_vector(trace, scheme, table, index, bursts) for index in bag),
                    np.zeros((bursts, 2), object),
                )
            )
        gnrs += sums if scope == "bag" else [sum(sums, np.zeros((bursts, 2), object))]
    return gnrs


def slow_vector(trace: LookupTrace, scheme: Full | QR, table: int, index: int, bursts: int) -> np.ndarray:
    def values(subtable: int, row: int) -> np.ndarray:
        return row_values(subtable, np.array([row]), bursts)[0].astype(object)

    if isinstance(scheme, Full):
        return values(table, index)
    whole = [int(rows) <= scheme.threshold for rows in trace.cardinalities]
    subtable = sum(1 if small else 2 for small in whole[:table])
    if whole[table]:
        return values(subtable, index)
    quotient, remainder = divmod(index, scheme.collisions)
    r, q = values(subtable, remainder), values(subtable + 1, quotient)
    return r * q if scheme.compose == "multiply" else r + q


SCHEMES = [Full(), QR(4), QR(3, "add"), QR(4, threshold=20), QR(1), QR(1000, "add")]


@given(
    st.lists(st.lists(st.lists(st.integers(0, 49), max_size=3), min_size=3, max_size=3), max_size=5),
    st.sampled_from(SCHEMES),
    st.sampled_from(["bag", "sample"]),
    st.sampled_from([64, 32, 128]),
)
def test_pooled_is_the_definition(
    bags: list[list[list[int]]], scheme: Full | QR, scope: str, burst_bytes: int
) -> None:
    rows = [9, 20, 50]
    indices = [[index % rows[table] for sample in bags for index in sample[table]] for table in range(3)]
    offsets = [np.cumsum([0, *(len(sample[table]) for sample in bags)]) for table in range(3)]
    trace = LookupTrace.from_arrays(indices, offsets, cardinalities=rows)
    bursts = -(-64 // burst_bytes)
    result = pooled(trace, scheme, 64, burst_bytes, scope)
    assert result.shape == (len(bags) * (3 if scope == "bag" else 1), bursts, 2)
    assert result.dtype == np.int64
    expected = slow_pooled(trace, scheme, bursts, scope)
    assert result.tolist() == [gnr.tolist() for gnr in expected]


def test_pooled_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 9, 200)
    lengths[17] = 100  # one bag longer than a block
    trace = LookupTrace.from_arrays(
        [rng.integers(0, 50, lengths.sum())], [np.cumsum([0, *lengths])], cardinalities=[50]
    )
    whole = pooled(trace, QR(4), 128, 64, "bag")
    monkeypatch.setattr(reference, "_BLOCK", 32)
    np.testing.assert_array_equal(pooled(trace, QR(4), 128, 64, "bag"), whole)


def test_pooled_of_nothing() -> None:
    assert pooled(LookupTrace.from_arrays([[], []]), Full(), 64, 64, "bag").shape == (0, 1, 2)
    empty = LookupTrace.from_arrays([[], []], [[0, 0, 0], [0, 0, 0]])
    assert pooled(empty, QR(4), 64, 32, "bag").tolist() == [[[0, 0], [0, 0]]] * 4
    assert pooled(empty, QR(4), 64, 32, "sample").tolist() == [[[0, 0], [0, 0]]] * 2


def test_pooled_options() -> None:
    trace = LookupTrace.from_arrays([[1]])
    with pytest.raises(ConfigError, match="did you mean 'sample'"):
        pooled(trace, Full(), 64, 64, "samples")
    with pytest.raises(ConfigError, match="burst_bytes"):
        pooled(trace, Full(), 64, 0, "bag")
    with pytest.raises(ConfigError, match="vector_bytes"):
        pooled(trace, Full(), 60, 64, "bag")
    with pytest.raises(ConfigError, match="bursts"):
        row_values(0, np.array([1]), 0)
