# SPDX-License-Identifier: MIT
"""The reproduction study with very few samples: every file is there, and the tables agree with each other."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heam_sim.datasets import read_dataset
from heam_sim.energy import COMPONENTS
from heam_sim.errors import ConfigError
from heam_sim.experiments import reproduction
from heam_sim.experiments.points import Point
from heam_sim.experiments.reproduction import BAG_POOLING, Study, reproduce, study_points
from heam_sim.results import ResultSet, read_frame
from heam_sim.trace import LookupTrace

EXCERPT = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "criteo_kaggle_1000.tsv"
SAMPLES = 64
PROFILE = 0.2
SYSTEMS = ("host-dimm", "host-hbm-dimm", "recnmp", "heam")
FIGURES = ("speedup-sample", "speedup-bag", "energy-sample", "energy-bag")
TABLES = ("summary.csv", "claims.csv", "results.h5", "trace.h5", "trace-multi-hot.h5")
KEYS = ["variant", "scope", "embedding", "vector_bytes"]
# The headlines that a reader of the papers' abstracts looks for.
HEADLINES = {
    ("HEAM", "speed-up", "6.2x"),
    ("HEAM", "speed-up", "6.3x"),
    ("HEAM", "energy saved", "58.9 %"),
    ("ProactivePIM", "speed-up", "4.8x"),
    ("ProactivePIM", "speed-up", "2.22x"),
    ("ProactivePIM", "speed-up", "2.15x"),
    ("SPACE", "speed-up", "3.2x"),
    ("SPACE", "energy saved", "56 %"),
    ("TRiM", "speed-up", "7.7x"),
    ("TRiM", "speed-up", "3.9x"),
    ("TRiM", "energy saved", "55 %"),
    ("TRiM", "energy saved", "50 %"),
    ("RecNMP", "speed-up", "9.8x"),
    ("RecNMP", "speed-up", "4.2x"),
    ("RecNMP", "energy saved", "45.8 %"),
    ("TensorDIMM", "speed-up", "6.2-17.6x"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study") / "made" / "on demand"


@pytest.fixture(scope="module")
def progress() -> list[tuple[int, int, str]]:
    return []


@pytest.fixture(scope="module")
def study(folder: Path, progress: list[tuple[int, int, str]]) -> Study:
    return reproduce(
        folder, samples=SAMPLES, quick=True, workers=1, progress=lambda *step: progress.append(step)
    )


def few_points(*, quick: bool = False) -> tuple[Point, ...]:
    """Two systems and embeddings, one size, in both scopes."""
    return tuple(
        Point(trace=scope, system=system, embedding=embedding, vector_bytes=64, scope=scope)
        for scope in reproduction.SCOPES
        for embedding in ("full", "qr:4:multiply")
        for system in ("host-dimm", "heam")
    )


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study of few points and without figures, which take the most time."""
    monkeypatch.setattr(reproduction, "study_points", few_points)
    monkeypatch.setattr(reproduction, "_figures", lambda summary, output: [])


# -- files


def test_every_file_is_there(study: Study, folder: Path) -> None:
    wanted = {*TABLES, *(f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "pdf", "csv"))}
    assert {path.name for path in folder.iterdir()} == wanted
    assert {path.name for path in study.files} == wanted
    assert all(path.stat().st_size > 0 for path in study.files)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_pictures(study: Study, folder: Path, name: str) -> None:
    from matplotlib.image import imread

    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF-")
    picture = imread(folder / f"{name}.png")
    height, width = picture.shape[:2]
    assert width > 600 and height > 300
    colours = {tuple(pixel) for pixel in picture[::8, ::8, :3].reshape(-1, 3).tolist()}
    assert len(colours) > 10, "an empty canvas"


def test_the_stored_traces_are_the_simulated_ones(study: Study, folder: Path) -> None:
    traces = {"sample": folder / "trace.h5", "bag": folder / "trace-multi-hot.h5"}
    loaded = {scope: LookupTrace.load(path) for scope, path in traces.items()}
    assert loaded["sample"].samples == SAMPLES
    assert loaded["bag"].samples == SAMPLES // BAG_POOLING
    assert loaded["bag"].lookups == loaded["sample"].lookups
    for result in study.results:
        assert result.provenance["trace_hash"] == loaded[result.scope].content_hash


# -- tables


def test_one_row_per_point_in_order(study: Study) -> None:
    rows = study.summary[["system", "embedding", "vector_bytes", "scope", "variant"]]
    expected = [
        (point.system, point.embedding, point.vector_bytes, point.scope, point.variant)
        for point in study_points(quick=True)
    ]
    assert list(rows.itertuples(index=False, name=None)) == expected
    assert set(rows["system"]) == set(SYSTEMS)


def test_the_whole_grid_is_complete() -> None:
    points = study_points()
    assert len(set(points)) == len(points)
    grid = {point for point in points if point.variant == "default"}
    assert {point.vector_bytes for point in grid} == {64, 128, 256, 512}
    assert {point.embedding for point in grid} == {"full", "qr:4:multiply", "qr:8:multiply"}
    assert {point.scope for point in grid} == {"sample", "bag"}
    assert len(grid) == 4 * 3 * 2 * len(SYSTEMS)
    assert set(study_points(quick=True)) <= grid


def test_progress_counts_every_point(study: Study, progress: list[tuple[int, int, str]]) -> None:
    total = len(study_points(quick=True))
    assert [step[:2] for step in progress] == [(done, total) for done in range(1, total + 1)]
    assert all(name for _, _, name in progress)


def test_rates_follow_from_times(study: Study) -> None:
    frame = study.summary
    # The profile part decides placement and is not timed: the first fifth.
    timed = {"sample": SAMPLES - math.floor(PROFILE * SAMPLES)}
    bags = SAMPLES // BAG_POOLING
    timed["bag"] = bags - math.floor(PROFILE * bags)
    assert (frame["samples"] == frame["scope"].map(timed)).all()
    pooling = frame["scope"].map({"sample": 1, "bag": BAG_POOLING})
    assert (frame["lookups"] == frame["samples"] * 26 * pooling).all()
    assert (frame["gnrs"] == frame["samples"] * frame["scope"].map({"sample": 1, "bag": 26})).all()
    seconds = frame["time_ns"] * 1e-9
    for name in ("samples", "lookups", "gnrs"):
        np.testing.assert_allclose(frame[f"{name}_per_second"], frame[name] / seconds, rtol=1e-12)


def test_speed_ups_are_ratios_of_rates(study: Study) -> None:
    frame = study.summary
    rates = frame.set_index([*KEYS, "system"])["samples_per_second"]
    for row in frame.itertuples():
        same = rates[(row.variant, row.scope, row.embedding, row.vector_bytes, "host-dimm")]
        full = rates[(row.variant, row.scope, "full", row.vector_bytes, "host-dimm")]
        assert row.speedup_over_host_dimm == pytest.approx(row.samples_per_second / same, rel=1e-12)
        assert row.speedup_over_host_dimm_full == pytest.approx(row.samples_per_second / full, rel=1e-12)
    base = frame[frame["system"] == "host-dimm"]
    assert (base["speedup_over_host_dimm"] == 1).all()
    assert frame["speedup_over_host_dimm"].nunique() > len(SYSTEMS)


def test_energy_parts_sum_to_the_total(study: Study) -> None:
    frame = study.summary
    parts = frame[[f"energy_{name}_pJ" for name in COMPONENTS]]
    assert (parts >= 0).all(axis=None)
    np.testing.assert_allclose(parts.sum(axis=1), frame["energy_pJ"], rtol=1e-9)
    np.testing.assert_allclose(
        frame["energy_per_sample_pJ"], frame["energy_pJ"] / frame["samples"], rtol=1e-12
    )
    # 1 pJ per ns is 1 mW.
    np.testing.assert_allclose(
        frame["average_power_W"], frame["energy_pJ"] / frame["time_ns"] / 1000, rtol=1e-9
    )
    assert (frame["energy_low_pJ"] <= frame["energy_pJ"]).all()
    assert (frame["energy_pJ"] <= frame["energy_high_pJ"]).all()
    lut = frame[(frame["system"] == "heam") & (frame["embedding"] != "full")]
    assert (lut["energy_lut_pJ"] > 0).all()
    assert (frame[frame["system"].str.startswith("host")]["energy_alu_pJ"] == 0).all()


def test_nothing_is_faster_than_its_ceiling(study: Study) -> None:
    assert (study.summary["achieved_fraction"] > 0).all()
    assert (study.summary["achieved_fraction"] <= 1).all()
    assert (study.summary["bound"] != "").all()


# -- claims


def test_every_headline_is_in_the_claims(study: Study, folder: Path) -> None:
    claims = pd.read_csv(folder / "claims.csv", keep_default_na=False)
    assert len(claims) == len(study.claims)
    for paper, quantity, value in HEADLINES:
        rows = claims[claims["paper"].str.startswith(paper) & (claims["quantity"] == quantity)]
        found = rows["published"].str.contains(value, regex=False)
        assert found.any(), (paper, quantity, value)
        assert (rows["measured"] != "").all()
        assert (rows["caveat"] != "").all()
        named = rows[rows["measured"] != "not measured"]
        assert named["our_comparison"].str.contains(" over ").all()


@pytest.mark.parametrize("scope", ["sample", "bag"])
@pytest.mark.parametrize("baseline", ["host-dimm", "host-hbm-dimm", "recnmp"])
def test_measured_claims_are_what_the_summary_says(study: Study, scope: str, baseline: str) -> None:
    frame = study.summary
    part = frame[(frame["scope"] == scope) & (frame["embedding"] == "qr:4:multiply")]
    part = part[part["variant"] == "default"].set_index(["vector_bytes", "system"])
    sizes = sorted(set(part.index.get_level_values(0)))

    def ratios(column: str) -> list[float]:
        return [part.loc[(size, "heam"), column] / part.loc[(size, baseline), column] for size in sizes]

    claims = study.claims
    rows = claims[claims["paper"].str.startswith("HEAM") & (claims["scope"] == scope)]
    rows = rows[rows["our_comparison"].str.startswith(f"heam over {baseline},")].set_index("quantity")
    speed = ratios("samples_per_second")
    assert rows.loc["speed-up", "measured"] == f"{np.prod(speed) ** (1 / len(speed)):.2f}x"
    assert rows.loc["speed-up", "least"] == f"{min(speed):.2f}x"
    assert rows.loc["speed-up", "most"] == f"{max(speed):.2f}x"
    left = ratios("energy_per_sample_pJ")
    assert rows.loc["energy saved", "measured"] == f"{100 * (1 - np.prod(left) ** (1 / len(left))):.1f} %"
    assert rows.loc["energy saved", "most"] == f"{100 * (1 - min(left)):.1f} %"


# -- what is stored


def test_results_come_back_equal(study: Study, folder: Path) -> None:
    again = ResultSet.load(folder / "results.h5")
    assert again == study.results
    assert again.provenance["study"] == "reproduce"
    frame = read_frame(folder / "results.h5")
    pd.testing.assert_frame_equal(frame, study.results.to_frame())


def test_the_csv_is_the_summary(study: Study, folder: Path) -> None:
    table = pd.read_csv(folder / "summary.csv", keep_default_na=False, na_values=[""])
    assert list(table.columns) == list(study.summary.columns)
    for name in ("time_ns", "energy_pJ", "speedup_over_host_dimm", "samples"):
        assert (table[name].to_numpy() == study.summary[name].to_numpy()).all()


@pytest.mark.parametrize("scope", ["sample", "bag"])
def test_the_tables_behind_the_figures(study: Study, folder: Path, scope: str) -> None:
    main = study.summary[(study.summary["variant"] == "default") & (study.summary["scope"] == scope)].copy()
    main["vector_bytes"] = main["vector_bytes"].astype(str)
    index = ["embedding", "vector_bytes", "system"]
    main = main.set_index(index)
    table = pd.read_csv(folder / f"speedup-{scope}.csv", comment="#", dtype={"vector_bytes": str})
    speed = table[table["vector_bytes"] != "geomean"].set_index(index)
    assert set(speed.index) == set(main.index)
    against_same = speed["speedup"].to_numpy() == main.loc[speed.index, "speedup_over_host_dimm"].to_numpy()
    full = main.loc[speed.index, "speedup_over_host_dimm_full"].to_numpy()
    assert against_same.all() or (speed["speedup"].to_numpy() == full).all()
    rates = main.loc[speed.index, "samples_per_second"].to_numpy()
    np.testing.assert_allclose(speed["samples_per_second"], rates, rtol=1e-12)
    for row in table[table["vector_bytes"] == "geomean"].itertuples():
        bars = speed.loc[[key for key in speed.index if (key[0], key[2]) == (row.embedding, row.system)]]
        assert row.speedup == pytest.approx(np.exp(np.log(bars["speedup"]).mean()), rel=1e-9)
    energy = pd.read_csv(folder / f"energy-{scope}.csv", comment="#", dtype={"vector_bytes": str})
    energy = energy.set_index(index)
    assert set(energy.index) == set(main.index)
    parts = energy[[f"{name}_pJ_per_sample" for name in COMPONENTS]].sum(axis=1)
    np.testing.assert_allclose(parts, energy["total_pJ_per_sample"], rtol=1e-9)
    for key, row in energy.iterrows():
        assert row["total_pJ_per_sample"] == pytest.approx(main.loc[key, "energy_per_sample_pJ"])


# -- the same again


def test_two_runs_are_the_same(study: Study, short: None, tmp_path: Path) -> None:
    """Also with two processes, whose results arrive in any order, and over an existing folder."""
    first = reproduce(tmp_path, samples=SAMPLES, workers=1)
    before = {name: (tmp_path / name).read_bytes() for name in ("summary.csv", "claims.csv")}
    second = reproduce(tmp_path, samples=SAMPLES, workers=2)
    pd.testing.assert_frame_equal(first.summary, second.summary)
    pd.testing.assert_frame_equal(first.claims, second.claims)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    # And the points do not depend on which others are in the study.
    whole = study.summary.set_index([*KEYS, "system"])["time_ns"]
    some = first.summary.set_index([*KEYS, "system"])["time_ns"]
    assert (whole[some.index] == some).all()


def test_a_second_study_in_the_same_folder_reads_its_own_trace(short: None, tmp_path: Path) -> None:
    reproduce(tmp_path, samples=SAMPLES, seed=1, workers=1)
    second = reproduce(tmp_path, samples=SAMPLES, seed=2, workers=1)
    stored = LookupTrace.load(tmp_path / "trace.h5").content_hash
    hashes = {result.provenance["trace_hash"] for result in second.results if result.scope == "sample"}
    assert hashes == {stored}


def test_checked_runs_are_the_same(study: Study, short: None, tmp_path: Path) -> None:
    """Checking protocol and sums passes, and changes no number."""
    checked = reproduce(tmp_path, samples=SAMPLES, workers=1, check=True)
    whole = study.summary.set_index([*KEYS, "system"])["time_ns"]
    some = checked.summary.set_index([*KEYS, "system"])["time_ns"]
    assert (whole[some.index] == some).all()


def test_too_few_samples(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="samples"):
        reproduce(tmp_path, samples=2 * BAG_POOLING - 1, workers=1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# -- real data


def criteo_file(path: Path, count: int) -> Path:
    """Rows like Criteo's: skewed values, empty fields, some rows without their last empty fields."""
    rng = np.random.default_rng(9)
    lines = []
    for _ in range(count):
        integers = [str(value) if value % 5 else "" for value in rng.zipf(1.5, 13) % 1000]
        values = [
            f"{value * 2654435761 % 2**32:08x}" if value % 6 else "" for value in rng.zipf(1.3, 26) % 10**6
        ]
        line = "\t".join([str(int(rng.integers(2))), *integers, *values])
        lines.append(line.rstrip("\t") if rng.random() < 0.5 else line)
    path.write_text("\n".join(lines) + "\n")
    return path


def check_file_study(path: Path, folder: Path) -> None:
    study = reproduce(folder, path=path, quick=True, workers=1)
    one_hot = LookupTrace.load(folder / "trace.h5")
    assert one_hot.content_hash == read_dataset("criteo-kaggle", path).content_hash
    multi_hot = LookupTrace.load(folder / "trace-multi-hot.h5")
    assert multi_hot.samples == one_hot.samples // BAG_POOLING
    assert (multi_hot.cardinalities == one_hot.cardinalities).all()
    assert study.results.provenance["generated"] is False
    assert (study.summary["time_ns"] > 0).all()
    assert set(study.summary["system"]) == {point.system for point in few_points()}


def test_a_file_in_criteo_format(short: None, tmp_path: Path) -> None:
    path = criteo_file(tmp_path / "data.tsv", 200)
    check_file_study(path, tmp_path / "results")


@pytest.mark.skipif(not EXCERPT.is_file(), reason="the Criteo excerpt is not beside this repository")
def test_the_real_excerpt(short: None, tmp_path: Path) -> None:
    check_file_study(EXCERPT, tmp_path)
