# SPDX-License-Identifier: MIT
"""The generator and the multi-hot expansion: distribution, determinism, options."""

from __future__ import annotations

import numpy as np
import pytest

from heam_sim.datasets import dataset_info, expand_multi_hot, generate
from heam_sim.datasets.permutation import permute
from heam_sim.datasets.zipf import ZipfSampler
from heam_sim.errors import ConfigError
from heam_sim.trace import LookupTrace


def exact_zipf(rows: int, exponent: float) -> np.ndarray:
    weights = np.arange(1, rows + 1, dtype=np.float64) ** -exponent
    return weights / weights.sum()


@pytest.mark.parametrize("exponent", [0.0, 0.3, 0.99, 1.0, 1.05, 2.0, 5.0])
@pytest.mark.parametrize("rows", [2, 3, 50])
def test_ranks_follow_zipf(rows: int, exponent: float) -> None:
    draws = 200_000
    counts = np.bincount(ZipfSampler(rows, exponent).ranks(11, (0,), draws), minlength=rows)
    assert len(counts) == rows
    expected = draws * exact_zipf(rows, exponent)
    # Normal approximation where it holds, six standard deviations; the stream is fixed.
    large = expected > 20
    assert (np.abs(counts - expected)[large] < 6 * np.sqrt(expected[large])).all()
    chi_square = ((counts - expected)[large] ** 2 / expected[large]).sum()
    freedom = large.sum()
    assert chi_square < freedom + 5 * np.sqrt(2 * freedom) + 5


def test_ranks_of_a_large_table_follow_zipf() -> None:
    rows, draws = 10_131_227, 400_000
    ranks = ZipfSampler(rows, 1.05).ranks(2, (0,), draws)
    cumulative = np.cumsum(exact_zipf(rows, 1.05))
    for edge in (1, 10, 1000, 100_000, 1_000_000, 9_000_000):
        share = cumulative[edge - 1]
        assert abs((ranks < edge).mean() - share) < 5 * np.sqrt(share * (1 - share) / draws)


def test_one_row() -> None:
    assert ZipfSampler(1, 1.05).ranks(1, (0,), 3).tolist() == [0, 0, 0]
    assert permute(np.zeros(3, np.int64), 1, seed=1, key=(0,)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("rows", [1000, 1_000_000])
def test_permutations_scatter(rows: int) -> None:
    first = permute(np.arange(1000), rows, seed=1, key=(0, 1))
    assert len(set(first.tolist())) == 1000
    # Neighbours land far apart (a third of the range on average), and everywhere.
    assert 0.28 < np.abs(np.diff(first)).mean() / rows < 0.39
    assert np.bincount(first * 10 // rows, minlength=10).min() > 60
    for other in (
        permute(np.arange(1000), rows, seed=2, key=(0, 1)),
        permute(np.arange(1000), rows, seed=1, key=(1, 1)),
    ):
        assert (first == other).mean() < 0.01


def test_shape_and_determinism() -> None:
    trace = generate("criteo-kaggle", samples=500, seed=9)
    assert (trace.tables, trace.samples, trace.lookups) == (26, 500, 13_000)
    assert tuple(trace.cardinalities.tolist()) == dataset_info("criteo-kaggle").cardinalities
    assert trace == generate("criteo-kaggle", samples=500, seed=9)
    assert trace != generate("criteo-kaggle", samples=500, seed=10)
    assert trace.provenance["seed"] == 9
    assert trace.provenance["exponent"] == 1.05
    assert generate("criteo-kaggle", samples=0).samples == 0


def test_tables_are_independent() -> None:
    trace = generate("criteo-kaggle", samples=2000, exponent=0)
    big = [table for table, rows in enumerate(trace.cardinalities) if rows > 100_000]
    scaled = np.array([trace.indices[table] / trace.cardinalities[table] for table in big])
    correlation = np.corrcoef(scaled) - np.eye(len(big))
    assert np.abs(correlation).max() < 0.1


def test_popularity_of_every_table() -> None:
    trace = generate("criteo-kaggle", samples=20_000)
    for rows, ids in zip(trace.cardinalities, trace.indices, strict=True):
        share = exact_zipf(int(rows), 1.05)[0]
        top = np.unique(ids, return_counts=True)[1].max() / 20_000
        assert abs(top - share) < 5 * np.sqrt(share / 20_000)


def test_pooling() -> None:
    trace = generate("criteo-kaggle", samples=100, pooling=7)
    assert trace.lookups == 26 * 700
    assert all(cuts.tolist() == list(range(0, 701, 7)) for cuts in trace.offsets)
    assert (
        len(np.unique(trace.indices[2].reshape(100, 7)[:, 1])) > 30
    )  # later lookups are skewed draws, not copies


def test_one_exponent_per_table() -> None:
    exponents = [1.05] * 25 + [0.0]
    trace = generate("criteo-kaggle", samples=1000, exponent=exponents)
    base = generate("criteo-kaggle", samples=1000)
    np.testing.assert_array_equal(trace.indices[0], base.indices[0])
    assert len(np.unique(trace.indices[25])) > len(np.unique(base.indices[25])) + 200
    assert trace.provenance["exponent"] == exponents
    assert generate("criteo-kaggle", samples=5, exponent=np.array(exponents)) == trace.samples_slice(0, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": -1}, "samples"),
        ({"samples": 1.0}, "samples"),
        ({"samples": "10"}, "samples"),
        ({"samples": True}, "samples"),
        ({"samples": 2**62}, "does not fit the memory"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"seed": None}, "seed"),
        ({"pooling": 0}, "pooling"),
        ({"pooling": 1.5}, "pooling"),
        ({"exponent": -0.1}, "exponent"),
        ({"exponent": float("nan")}, "exponent"),
        ({"exponent": float("inf")}, "exponent"),
        ({"exponent": "1.05"}, "exponent"),
        ({"exponent": True}, "exponent"),
        ({"exponent": [1.0, 1.0]}, "2 values for 26 tables"),
        ({"exponent": [1.0] * 25 + ["x"]}, "exponent"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        generate("criteo-kaggle", **{"samples": 10, **options})  # type: ignore[arg-type]


def test_unknown_dataset() -> None:
    with pytest.raises(ConfigError, match="did you mean 'criteo-kaggle'"):
        generate("criteo", samples=10)


def test_expansion() -> None:
    trace = generate("criteo-kaggle", samples=400)
    wide = expand_multi_hot(trace, pooling=5, seed=3)
    assert wide == expand_multi_hot(trace, pooling=5, seed=3)
    assert wide != expand_multi_hot(trace, pooling=5, seed=4)
    assert wide.lookups == 5 * trace.lookups
    np.testing.assert_array_equal(wide.cardinalities, trace.cardinalities)
    assert wide.provenance["multi_hot"]["pooling"] == 5
    assert wide.provenance["dataset"] == "criteo-kaggle"
    assert expand_multi_hot(trace, pooling=1) == trace
    assert expand_multi_hot(LookupTrace.from_arrays([[]]), pooling=3).samples == 0


def test_expansion_keeps_the_skew() -> None:
    rows = np.repeat(np.arange(4), [4000, 3000, 2000, 1000])
    wide = expand_multi_hot(LookupTrace.from_arrays([rows]), pooling=11)
    drawn = np.bincount(wide.indices[0].reshape(-1, 11)[:, 1:].reshape(-1), minlength=4) / 100_000
    assert np.abs(drawn - [0.4, 0.3, 0.2, 0.1]).max() < 0.01


@pytest.mark.parametrize(
    "options", [{"pooling": 0}, {"pooling": 2.0}, {"pooling": 2, "seed": -1}, {"pooling": 2, "seed": "a"}]
)
def test_bad_expansion_options(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"pooling|seed"):
        expand_multi_hot(LookupTrace.from_arrays([[1]]), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("offsets", [[0, 2], [0, 0, 2], [0, 1, 1, 2]])
def test_expansion_needs_one_hot(offsets: list[int]) -> None:
    trace = LookupTrace.from_arrays([[1, 2]], [offsets])
    with pytest.raises(ConfigError, match="table 0 is not one-hot"):
        expand_multi_hot(trace, pooling=2)
