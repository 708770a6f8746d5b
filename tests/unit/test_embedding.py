# SPDX-License-Identifier: MIT
"""Embedding schemes and the ground truth of pooling, against arithmetic written out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim.embedding import (
    QR,
    TT,
    EmbeddingScheme,
    Full,
    Hashing,
    Partitions,
    Subtable,
    check_vector_bytes,
    parse_embedding,
    reference,
)
from heam_sim.embedding.reference import pooled, row_values, weight_values
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
        Subtable(1, "table1.R", 1, "R", 4, 128, small=True),
        Subtable(2, "table1.Q", 1, "Q", 3, 128),
        Subtable(3, "table2.R", 2, "R", 4, 128, small=True),
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
        ("qr:4:concatenate:9", QR(4, "concatenate", 9)),
        ("qr:4:pool-first", QR(4, pool_first=True)),
        ("qr:4:add:9:pool-first", QR(4, "add", 9, pool_first=True)),
        ("partitions:3:pool-first", Partitions(3, pool_first=True)),
        ("partitions:3:multiply:5:9:pool-first", Partitions(3, radix=5, threshold=9, pool_first=True)),
        ("hash:0.25", Hashing(ratio=0.25)),
        ("hash:1000", Hashing(size=1000)),
        ("partitions:3", Partitions(3)),
        ("partitions:4:add:7:50", Partitions(4, "add", 7, 50)),
        ("partitions:2:multiply:5", Partitions(2, radix=5)),
        ("tt:16", TT()),
        ("tt:8:2x4x4", TT(8, (2, 4, 4))),
        ("tt:8:auto:10", TT(8, threshold=10)),
    ],
)
def test_parse(text: str, scheme: EmbeddingScheme) -> None:
    assert parse_embedding(text) == scheme
    assert parse_embedding(scheme.label) == scheme
    assert json.loads(json.dumps(scheme.to_dict())) == scheme.to_dict()


# --- every index has rows of its own


UNIQUE = [
    *(QR(c, compose) for c in (1, 3, 1000) for compose in ("multiply", "concatenate")),
    *(Partitions(k, radix=m) for k in (2, 3, 5) for m in (0, 1, 2, 7, 1000)),
    *(TT(rank) for rank in (1, 4)),
]


@given(st.sampled_from(UNIQUE), st.integers(1, 700))
def test_every_index_reads_a_tuple_of_its_own(scheme: EmbeddingScheme, rows: int) -> None:
    parts = scheme.subtables([3, rows], 64)
    operands = scheme.operands(1, np.arange(rows), parts)
    assert [o.subtable_id for o in operands] == [part.id for part in parts if part.table == 1]
    assert [parts[o.subtable_id].small for o in operands] == [True] * (len(operands) - 1) + [False]
    tuples = set(zip(*(operand.rows.tolist() for operand in operands), strict=True))
    assert len(tuples) == rows
    for operand in operands:
        count = parts[operand.subtable_id].rows
        assert operand.rows.min() >= 0 and operand.rows.max() == count - 1, "no row is never used at an end"


def test_partitions_are_digits() -> None:
    scheme = Partitions(3, radix=10)
    parts = scheme.subtables([2**62], 64)
    assert [part.rows for part in parts] == [10, 10, -(-(2**62) // 100)]
    digits = scheme.operands(0, np.array([987, 2**62 - 1]), parts)
    assert [digit.rows.tolist() for digit in digits] == [
        [7, (2**62 - 1) % 10],
        [8, (2**62 - 1) // 10 % 10],
        [9, (2**62 - 1) // 100],
    ]
    assert [part.rows for part in Partitions(3).subtables([1000, 1001, 1], 64)] == [10] * 3 + [
        11,
        11,
        9,
        1,
        1,
        1,
    ]
    assert [part.role for part in Partitions(3, threshold=9).subtables([9, 10], 64)] == [
        "W",
        "P0",
        "P1",
        "P2",
    ]


@pytest.mark.parametrize(("rows", "scheme", "kept"), [
    (10, Hashing(size=4), 4), (3, Hashing(size=4), 3), (10, Hashing(ratio=0.25), 3),
    (1, Hashing(ratio=0.01), 1), (10, Hashing(ratio=0.1), 1), (7, Hashing(ratio=1), 7),
])  # fmt: skip
def test_hashing_is_modulo(rows: int, scheme: Hashing, kept: int) -> None:
    parts = scheme.subtables([rows], 64)
    assert [(part.role, part.rows, part.small) for part in parts] == [("W", kept, False)]
    (operand,) = scheme.operands(0, np.arange(rows), parts)
    assert operand.rows.tolist() == [i % kept for i in range(rows)]


def test_concatenated_rows_are_halves() -> None:
    remainder, quotient = QR(4, "concatenate").subtables([9], 128)
    assert (remainder.row_bytes, remainder.segment_bytes) == (64, 64)
    assert (quotient.row_bytes, quotient.segment_bytes) == (64, 0)


def test_cores_of_a_tensor_train() -> None:
    """The paper's example: 32 = 2 x 4 x 4 at rank 16."""
    assert [TT().factors(size) for size in (16, 64, 128, 256, 512)] == [
        (1, 2, 2), (2, 2, 4), (2, 4, 4), (4, 4, 4), (4, 4, 8)
    ]  # fmt: skip
    parts = TT().subtables([1000], 128)
    assert [(part.role, part.rows, part.row_bytes) for part in parts] == [
        ("G1", 10, 2 * 16 * 4),
        ("G3", 10, 16 * 4 * 4),
        ("G2", 10, 16 * 4 * 16 * 4),
    ]
    # (2 x 16)(16 x 64), then (8 x 16)(16 x 4): cheaper than from the right.
    assert [part.macs for part in parts] == [0, 0, 2 * 16 * 64 + 8 * 16 * 4]
    # With G3 the largest, the chain runs in its own order.
    parts = TT(1, (1, 2, 8)).subtables([1000], 64)
    assert [(part.role, part.macs) for part in parts] == [("G1", 0), ("G2", 2), ("G3", 2 * 8)]
    digits = TT().operands(0, np.array([987]), TT().subtables([1000], 128))
    assert [digit.rows.tolist() for digit in digits] == [[9], [7], [8]]
    with pytest.raises(ConfigError, match="makes 32 elements, but vector_bytes = 64 holds 16"):
        TT(4, (2, 4, 4)).subtables([9], 64)
    with pytest.raises(ConfigError, match="three numbers"):
        TT(4, "224")  # type: ignore[arg-type]


def test_a_chain_of_products_is_the_sum_over_its_ranks() -> None:
    scheme, rng = TT(3, (2, 2, 4)), np.random.default_rng(1)
    shapes = {"G1": (2, 3), "G2": (3, 2, 3), "G3": (3, 4)}
    cores = {role: rng.integers(1, 8, (5, *shape)) for role, shape in shapes.items()}
    padded = {
        role: np.pad(core.reshape(5, -1), ((0, 0), (0, 7)), constant_values=9) for role, core in cores.items()
    }
    got = scheme.contract(padded, 64)
    for lookup in range(5):
        one, two, three = (cores[role][lookup] for role in shapes)
        wanted = [
            sum(int(one[a, r] * two[r, b, s] * three[s, c]) for r in range(3) for s in range(3))
            for a in range(2) for b in range(2) for c in range(4)
        ]  # fmt: skip
        assert got[lookup].tolist() == wanted


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
        ("qr:0", "collisions must be a whole number"),
        ("qr:4:ad", "did you mean 'add'"),
        ("qr:4:add:x", "threshold must be a whole number"),
        ("qr:pool-first", "no number of collisions"),
        ("qr:pool-first:4", "collisions must be a whole number"),
        ("qr:4:pool-first:add", "unknown composition"),
        ("qr:4:add:1:2:pool-first", "too long"),
        ("partitions:pool-first", "no number of partitions"),
        ("tt:16:pool-first", "shape must be a whole number"),
        ("full:pool-first", "too long"),
        ("hash", "incomplete"),
        ("hash:0", "either a size"),
        ("hash:1.5", "ratio must be"),
        ("hash:-1", "ratio must be"),
        ("hash:nan", "ratio must be"),
        ("hash:a", "share such as 0.25"),
        ("partitions:1", "parts must be"),
        ("partitions:3:concatenate", "unknown composition"),
        ("partitions:3:add:x", "radix must be a whole number"),
        ("tt:0", "rank must be"),
        ("tt:4:2x4", "three numbers"),
        ("tt:4:2x0x4", "shape must be"),
        ("tt:4:2xax4", "shape must be a whole number"),
        ("tensortrain:4", "unknown embedding"),
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


def slow_pooled(trace: LookupTrace, scheme: EmbeddingScheme, burst: int, scope: str) -> list[list[int]]:
    """Pool with Python integers and the definitions, independent of the schemes' own operands."""
    gnrs = []
    for sample in range(trace.samples):
        sums = []
        for table in range(trace.tables):
            total = np.zeros(64 // burst * lanes(scheme, burst), object)
            for position in range(*trace.offsets[table][sample : sample + 2].tolist()):
                vector = slow_vector(trace, scheme, table, int(trace.indices[table][position]), burst)
                if trace.weights is not None:
                    vector = vector * int(weight_values(trace.weights[table][position : position + 1])[0])
                total = total + vector
            sums.append(total)
        gnrs += sums if scope == "bag" else [sum(sums)]
    return [gnr.tolist() for gnr in gnrs]


def lanes(scheme: EmbeddingScheme, burst: int) -> int:
    return burst // 4 if isinstance(scheme, TT) else 2


def slow_vector(
    trace: LookupTrace, scheme: EmbeddingScheme, table: int, index: int, burst: int
) -> np.ndarray:
    cardinalities = [int(rows) for rows in trace.cardinalities]
    parts = {part.role: part for part in scheme.subtables(cardinalities, 64) if part.table == table}

    def values(role: str, row: int) -> np.ndarray:
        bursts = -(-parts[role].row_bytes // burst)
        found = row_values(parts[role].id, np.array([row]), bursts, lanes(scheme, burst))
        return found[0].astype(object).reshape(-1)

    if "W" in parts:
        return values(
            "W", index % scheme._kept(cardinalities[table]) if isinstance(scheme, Hashing) else index
        )
    if isinstance(scheme, QR):
        quotient, remainder = divmod(index, scheme.collisions)
        r, q = values("R", remainder), values("Q", quotient)
        if scheme.compose == "concatenate":
            return np.concatenate((q, r))
        return r * q if scheme.compose == "multiply" else r + q
    if isinstance(scheme, Partitions):
        assert scheme.radix
        first, second = values("P0", index % scheme.radix), values("P1", index // scheme.radix % scheme.radix)
        third = values("P2", index // scheme.radix**2)
        return first * second * third if scheme.compose == "multiply" else first + second + third
    assert isinstance(scheme, TT)
    digit = next(m for m in range(1, 99) if m**3 >= cardinalities[table])
    one = values("G1", index // digit**2)[: 2 * scheme.rank].reshape(2, scheme.rank)
    two = values("G2", index // digit % digit)[: 2 * scheme.rank**2].reshape(scheme.rank, 2 * scheme.rank)
    three = values("G3", index % digit)[: 4 * scheme.rank].reshape(scheme.rank, 4)
    return (one.dot(two).reshape(4, scheme.rank).dot(three)).reshape(-1)


SCHEMES = [
    Full(), QR(4), QR(3, "add"), QR(4, threshold=20), QR(1), QR(1000, "add"), QR(4, "concatenate", 9),
    Hashing(size=6), Hashing(ratio=0.3), Partitions(3, radix=3), Partitions(3, "add", 2, 9), TT(2),
    TT(5, (2, 2, 4), 9),
]  # fmt: skip


@given(
    st.lists(st.lists(st.lists(st.integers(0, 49), max_size=3), min_size=3, max_size=3), max_size=5),
    st.sampled_from(SCHEMES),
    st.sampled_from(["bag", "sample"]),
    st.sampled_from([64, 32]),
    st.booleans(),
)
def test_pooled_is_the_definition(
    bags: list[list[list[int]]], scheme: EmbeddingScheme, scope: str, burst_bytes: int, weighted: bool
) -> None:
    rows = [9, 20, 50]
    indices = [[index % rows[table] for sample in bags for index in sample[table]] for table in range(3)]
    offsets = [np.cumsum([0, *(len(sample[table]) for sample in bags)]) for table in range(3)]
    weights = [np.arange(len(one)) / 8 for one in indices] if weighted else None
    trace = LookupTrace.from_arrays(indices, offsets, cardinalities=rows, weights=weights)
    shape = (len(bags) * (3 if scope == "bag" else 1), 64 // burst_bytes, lanes(scheme, burst_bytes))
    result = pooled(trace, scheme, 64, burst_bytes, scope)
    assert result.shape == shape
    assert result.dtype == np.int64
    assert [gnr.reshape(-1).tolist() for gnr in result] == slow_pooled(trace, scheme, burst_bytes, scope)


def test_weights_are_small_integers_that_follow_from_the_value() -> None:
    values = weight_values(np.arange(7000, dtype=np.float32))
    counts = np.bincount(values, minlength=8)
    assert counts[0] == 0 and len(counts) == 8
    assert np.abs(counts[1:] - 1000).max() < 150  # five standard deviations
    assert (
        weight_values(np.float32([0.5, 2, 0.5])).tolist()[::2]
        == weight_values(np.float32([0.5])).tolist() * 2
    )


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
