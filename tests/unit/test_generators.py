# SPDX-License-Identifier: MIT
"""Distributions, shapes and recipes of generated traces."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from heam_sim.analysis import compare_traces, fit_trace, row_counts, stack_distances, write_recipe
from heam_sim.datasets import (
    HotSet,
    Pareto,
    StackDistance,
    Zipf,
    generate,
    generate_file,
    generate_fitted,
    generate_from_recipe,
    generate_meta_like,
    generate_tables,
    known_shapes,
    parse_distribution,
    read_dataset,
    shape_info,
)
from heam_sim.datasets import generators as generators_module
from heam_sim.datasets.meta_like import META_YEARS, REUSE_BINS
from heam_sim.datasets.reuse import shuffled_lookups, shuffled_values
from heam_sim.datasets.zipf import BLOCK, ZipfSampler
from heam_sim.errors import ConfigError
from heam_sim.trace import LookupTrace

DISTRIBUTIONS = ("zipf:0.8", "pareto:0.25", "hot-set:0.01:0.9", "stack:20.0:1.5:0.05")


@pytest.mark.parametrize("text", DISTRIBUTIONS)
def test_files_hold_what_the_memory_holds(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generators_module, "_PIECE_LOOKUPS", 1)
    options = {"samples": 2 * BLOCK + 77, "seed": 4, "pooling": [1, 2, 1], "distribution": text}
    monkeypatch.setattr(
        generators_module,
        "shape_info",
        lambda name: generators_module.Shape(name, (90_000, 500, 7), (1, 1, 1), "test"),
    )
    done: list[int] = []
    digest = generate_file("any", tmp_path / "t.h5", progress=done.append, **options)  # type: ignore[arg-type]
    whole = generate("any", **options)  # type: ignore[arg-type]
    stored = LookupTrace.load(tmp_path / "t.h5")
    assert stored == whole
    assert digest == whole.content_hash
    assert stored.provenance == whole.provenance
    assert done == [BLOCK, 2 * BLOCK, 2 * BLOCK + 77]
    shorter = generate("any", **{**options, "samples": 1000})  # type: ignore[arg-type]
    assert shorter == whole.samples_slice(0, 1000)


@pytest.mark.parametrize("text", DISTRIBUTIONS)
def test_labels_make_the_same_distribution(text: str) -> None:
    assert parse_distribution(text).label == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zip:1", "did you mean 'zipf'"),
        ("zipf", "has 0 numbers; write zipf:EXPONENT"),
        ("zipf:a", "are no numbers"),
        ("zipf:17", "from 0 to 16"),
        ("pareto:0", "shape"),
        ("hot-set:0.1", "has 1 numbers"),
        ("hot-set:0.1:1.5", "access_share"),
        ("stack:0:1:0", "median"),
        ("stack:5:1:nan", "new_share"),
    ],
)
def test_bad_distributions(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_distribution(text)


def test_bad_choices() -> None:
    for options, message in (
        ({"exponent": 1.0, "distribution": "zipf:1"}, "give one of them"),
        ({"distribution": 7}, "distribution must be like"),
        ({"distribution": ["zipf:1"] * 2}, "2 values for 26 tables"),
        ({"pooling": [1, 2]}, "pooling has 2 values"),
    ):
        with pytest.raises(ConfigError, match=message):
            generate("criteo-kaggle", samples=5, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cardinalities"):
        generate_tables(7, samples=5)


def test_pareto_follows_its_law() -> None:
    rows, draws, shape = 1000, 300_000, 0.5
    ranks = Pareto(shape).stream(rows, 3, (0,), draws)(draws)
    tail = np.arange(1, rows + 2, dtype=np.float64) ** -shape
    cumulative = (1 - tail[1:]) / (1 - tail[-1])
    for edge in (1, 2, 10, 100, 999):
        share = cumulative[edge - 1]
        assert abs((ranks < edge).mean() - share) < 5 * np.sqrt(share * (1 - share) / draws)
    assert (ranks.min(), ranks.max()) == (0, rows - 1)


def test_hot_sets_take_their_share() -> None:
    draws = 200_000
    ranks = HotSet(0.1, 0.7).stream(1000, 3, (0,), draws)(draws)
    assert abs((ranks < 100).mean() - 0.7) < 5 * np.sqrt(0.21 / draws)
    counts = np.bincount(ranks, minlength=1000)
    assert counts[:100].min() > 1200 and counts[100:].max() < 120
    assert HotSet(1.0, 0.0).stream(5, 1, (0,), 9)(9).max() < 5
    assert HotSet(0.0, 1.0).stream(5, 1, (0,), 9)(9).tolist() == [0] * 9


def test_stack_distances_are_those_asked_for() -> None:
    draws = 60_000
    ranks = StackDistance(50.0, 1.0, 0.1).stream(10**6, 2, (0,), draws)(draws)
    distances = stack_distances(ranks)[draws // 2 :]
    assert abs((distances < 0).mean() - 0.1) < 0.01
    reused = distances[distances >= 0]
    # Lognormal: half below the median, 84.1 % below median x e; rounding down moves less than 0.02.
    assert abs((reused < 50).mean() - 0.5) < 0.02
    assert abs((reused < 50 * np.e).mean() - 0.841) < 0.02


def test_distances_are_lognormal() -> None:
    numbers = (np.arange(1_000_000) + 0.5) / 1_000_000
    distances = StackDistance(1e6, 0.7, 0.2)._distances(numbers)
    assert (distances[:200_000] >= 2**62 - 1024).all()
    old = distances[200_000:]
    assert (np.diff(old) >= 0).all()
    below = np.array([NormalDist().cdf(np.log(distance / 1e6) / 0.7) for distance in old[::50]])
    assert abs(below - (np.arange(800_000)[::50] + 0.5) / 800_000).max() < 7e-5


def test_a_full_stack_takes_the_oldest() -> None:
    ranks = StackDistance(1e9, 0.0, 0.0).stream(5, 1, (0,), 12)(12)
    assert ranks.tolist() == [0, 1, 2, 3, 4] * 2 + [0, 1]


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.05, 3.0])
@pytest.mark.parametrize("rows", [2, 1000, 10_000_000])
def test_tabulated_ranks_are_the_same(exponent: float, rows: int) -> None:
    plain, quick = ZipfSampler(rows, exponent), ZipfSampler(rows, exponent, expected=10**6)
    np.testing.assert_array_equal(plain.ranks(5, (1,), 100_000), quick.ranks(5, (1,), 100_000))


def test_shapes() -> None:
    assert {"criteo-kaggle", "mlperf-dlrm-v2", "rm1", "rm2", "rm3"} <= set(known_shapes())
    assert sum(shape_info("mlperf-dlrm-v2").pooling) == 214
    trace = generate("rm3", samples=7)
    assert (trace.tables, trace.lookups) == (10, 7 * 10 * 20)
    mlperf = generate("mlperf-dlrm-v2", samples=3)
    assert mlperf.lookups == 3 * 214
    assert mlperf.offsets[20].tolist() == [0, 100, 200, 300]
    assert generate("rm1", samples=2, pooling=1).lookups == 16
    custom = generate_tables([5, 9], samples=4, distribution=[Zipf(1.0), "hot-set:0.5:0.5"])
    assert custom.provenance["distribution"] == ["zipf:1.0", "hot-set:0.5:0.5"]
    with pytest.raises(ConfigError, match="did you mean 'rm1'"):
        shape_info("rm11")


@pytest.mark.parametrize("year", META_YEARS)
def test_meta_like_reuse_is_the_published_one(year: int) -> None:
    trace = generate_meta_like(year, samples=40_000, tables=8)
    counts = np.concatenate([row_counts(rows) for rows in trace.indices])
    edges = [0.5, *(edge + 0.5 for edge in REUSE_BINS), np.inf]
    shares = np.histogram(counts, bins=edges, weights=counts)[0] / counts.sum()
    assert np.abs(shares - META_YEARS[year].shares).max() < 0.02
    published = META_YEARS[year].indices / META_YEARS[year].unique
    assert counts.mean() == pytest.approx(published, rel=0.05)
    assert trace == generate_meta_like(year, samples=40_000, tables=8)
    assert trace != generate_meta_like(year, samples=40_000, tables=8, seed=2)


def test_bad_meta_like() -> None:
    for arguments, message in (
        ((2020,), "unknown year"),
        ((2021, 100), "too few"),
        ((2021, 13_473), "give at least 13474 samples"),
    ):
        year, *samples = arguments
        with pytest.raises(ConfigError, match=message):
            generate_meta_like(year, **({"samples": samples[0]} if samples else {}))
    assert generate_meta_like(2021, samples=13_474).samples == 13_474


def test_shuffles_keep_the_uses() -> None:
    counts = np.array([5, 0, 3, 1])
    once = shuffled_lookups(counts, 9, 1, (0,))
    assert np.bincount(once, minlength=4).tolist() == counts.tolist()
    longer = shuffled_lookups(counts, 25, 1, (0,))
    np.testing.assert_array_equal(longer[:9], once)
    assert np.bincount(longer[9:18], minlength=4).tolist() == counts.tolist()
    assert len(shuffled_lookups(np.zeros(0, np.int64), 0, 1, (0,))) == 0
    mixed = shuffled_values(np.arange(20_000), 1, (1,))
    # A random order keeps no trend: the ranks' correlation has a standard deviation of 0.007.
    assert abs(np.corrcoef(mixed, np.arange(20_000))[0, 1]) < 0.04


# --- fitted recipes

REAL = Path(__file__).resolve().parents[3] / "shared" / "datasets"


def ragged_histories() -> LookupTrace:
    lengths = shuffled_values(np.arange(300) % 40, 1, (9,))
    rows = StackDistance(30.0, 1.0, 0.1).stream(5000, 1, (0,), int(lengths.sum()))(int(lengths.sum()))
    cuts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return LookupTrace.from_arrays([rows, rows[::-1].copy()], [cuts, cuts], cardinalities=[5000, 6000])


@pytest.mark.parametrize(
    "trace",
    [
        generate("criteo-kaggle", samples=3000),
        generate_tables([4000, 9], samples=2000, pooling=[3, 1], distribution=["pareto:0.3", "zipf:2.0"]),
        generate_tables([4000], samples=2000, distribution="hot-set:0.01:0.8"),
        ragged_histories(),
    ],
    ids=["zipf", "pareto", "hot set", "histories"],
)
def test_fitted_traces_match(trace: LookupTrace, tmp_path: Path) -> None:
    recipe = fit_trace(trace)
    write_recipe(recipe, tmp_path / "recipe.json")
    made = generate_from_recipe(tmp_path / "recipe.json")
    assert made.samples == trace.samples
    for quality in compare_traces(trace, made):
        assert quality.popularity <= 0.02
        assert quality.reuse <= 0.02
    for table in range(trace.tables):
        mine, theirs = (np.sort(np.diff(one.offsets[table])) for one in (made, trace))
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(made.cardinalities, trace.cardinalities)
    assert generate_fitted(recipe, samples=trace.samples // 2).samples == trace.samples // 2
    twice = generate_fitted(recipe, samples=2 * trace.samples)
    assert all(one.popularity <= 0.02 for one in compare_traces(trace, twice))
    assert generate_fitted(recipe, seed=5) != made


def test_real_criteo_is_matched(tmp_path: Path) -> None:
    source = REAL / "criteo_kaggle_1000.tsv"
    if not source.is_file():
        pytest.skip(f"the real excerpt {source.name} does not lie beside the repository")
    trace = read_dataset("criteo-kaggle", source)
    made = generate_fitted(fit_trace(trace))
    assert max(max(one.popularity, one.reuse) for one in compare_traces(trace, made)) <= 0.02


@pytest.mark.parametrize("name", ["movielens_100k.tsv", "taobao_userbehavior_10k.csv"])
def test_real_histories_are_matched(name: str) -> None:
    source = REAL / name
    if not source.is_file():
        pytest.skip(f"the real excerpt {name} does not lie beside the repository")
    comma = "," if source.suffix == ".csv" else "\t"
    rows = [line.split(comma)[:2] for line in source.read_text().splitlines()[1:]]
    users = np.array([int(user) for user, _ in rows])
    items = np.unique([int(item) for _, item in rows], return_inverse=True)[1]
    order = np.argsort(users, kind="stable")
    lengths = np.unique(users, return_counts=True)[1]
    trace = LookupTrace.from_arrays([items[order]], [np.concatenate([[0], np.cumsum(lengths)])])
    made = generate_fitted(fit_trace(trace))
    (quality,) = compare_traces(trace, made)
    assert max(quality.popularity, quality.reuse) <= 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": []}, "at least one table"),
        ({"tables": [{"rows": 3}]}, "must have the keys"),
        ({"samples": 0}, "samples"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"tables": [{"rows": 3, "uses": [[1, 2]], "bags": [[1, 3]]}]}, "do not add up"),
        ({"tables": [{"rows": 2, "uses": [[1, 3]], "bags": [[1, 3]]}]}, "more rows are used"),
        ({"tables": [{"rows": 3, "uses": [[1, 3]], "bags": [[3, 1]]}]}, "not every sample"),
        ({"tables": [{"rows": 3, "uses": [1, 3], "bags": [[1, 3]]}]}, "list of pairs"),
        ({"tables": [{"rows": 3, "uses": [[0, 3]], "bags": [[1, 3]]}]}, "uses"),
    ],
)
def test_bad_fitted_recipes(change: dict[str, object], message: str, tmp_path: Path) -> None:
    recipe = {**fit_trace(LookupTrace.from_arrays([[1, 2, 2]])), **change}
    with pytest.raises(ConfigError, match=message):
        generate_fitted(recipe)
    path = tmp_path / "r.json"
    path.write_text(json.dumps(recipe))
    with pytest.raises(ConfigError, match=r"r\.json"):
        generate_from_recipe(path)


def test_recipes_that_are_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    for text in ("[1]", "{", ""):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"r\.json"):
            generate_from_recipe(path)
    with pytest.raises(ConfigError, match="no samples"):
        fit_trace(LookupTrace.from_arrays([[]]))
    with pytest.raises(ConfigError, match="1 and 2 tables"):
        compare_traces(LookupTrace.from_arrays([[1]]), LookupTrace.from_arrays([[1], [1]]))
