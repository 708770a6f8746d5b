# SPDX-License-Identifier: MIT
"""The reproduction study with very few samples: every file is there, and the tables agree with each other."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from heam_sim.cli import main
from heam_sim.datasets import read_dataset
from heam_sim.energy import COMPONENTS
from heam_sim.errors import ConfigError
from heam_sim.experiments import best, reproduction, runner
from heam_sim.experiments.claims import known_claims
from heam_sim.experiments.comparisons import Results
from heam_sim.experiments.design import Design, expand
from heam_sim.experiments.figures import FIGURES as FIGURE_KINDS
from heam_sim.experiments.measures import bandwidth_rows, measures, model_bytes
from heam_sim.experiments.points import Point
from heam_sim.experiments.reproduction import SELECTIONS, Study, reproduce, study_design
from heam_sim.experiments.stored import load_material
from heam_sim.experiments.tables import sensitivity_table
from heam_sim.results import ResultSet, merge_results, read_frame
from heam_sim.systems import known_systems, load_system
from heam_sim.trace import LookupTrace

EXCERPT = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "criteo_kaggle_1000.tsv"
SAMPLES = 100
PROFILE = 0.2
POOLING = {"one-hot": 1, "pooling-20": 20}
FIGURES = (
    *("speedup-one-hot", "speedup-pooling-20", "energy-one-hot", "energy-pooling-20"),
    *("speedup-over-full", "bank-accesses", "hit-rates", "roofline", "time-parts", "sensitivity"),
)
TABLES = (
    "summary.csv",
    "claims.csv",
    "comparisons.csv",
    "results.h5",
    "trace-one-hot.h5",
    "trace-pooling-20.h5",
)
KEYS = ["variant", "trace", "embedding", "vector_bytes"]
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
def progress() -> list[tuple[int, int, int, str]]:
    return []


@pytest.fixture(scope="module")
def study(folder: Path, progress: list[tuple[int, int, int, str]]) -> Study:
    return reproduce(
        folder, samples=SAMPLES, selection="quick", workers=1, progress=lambda *step: progress.append(step)
    )


def few(*more: dict[str, Any], selection: str = "quick") -> Design:
    """Two systems and embeddings, one size, on both traces; and an assumption of one of them."""
    whole = study_design("default")
    base = {**whole.base, "vector_bytes": 64}
    grid = {"system": ["host-dimm", "heam"], "embedding": ["full", "qr:4:multiply"]}
    points = expand(
        base=base,
        grids=[grid, {**grid, "trace": ["pooling-20"], "scope": ["bag"]}],
        points=[{"system": "heam", "variant": "no cold tier"}, *more],
        traces=whole.traces,
        variants=whole.variants,
    )
    return replace(whole, points=points, base=base)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study of few points and without figures, which take the most time."""
    monkeypatch.setattr(reproduction, "study_design", lambda selection: few(selection=selection))
    monkeypatch.setattr(reproduction, "_figures", lambda *arguments: {})


# -- what is simulated


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_system_runs_with_full_tables_and_with_qr(selection: str) -> None:
    points = study_design(selection).points
    assert len(set(points)) == len(points) <= 600
    for embedding in ("full", "qr:4:multiply"):
        found = {point.system for point in points if point.embedding == embedding}
        assert found == set(known_systems())


def test_selections_grow() -> None:
    quick, default, full = ({*study_design(name).points} for name in SELECTIONS)
    assert quick < default < full


def test_the_full_study_varies_every_factor() -> None:
    design = study_design("full")
    points = design.points
    assert {point.vector_bytes for point in points} >= {64, 128, 256, 512}
    collisions = {point.embedding for point in points if point.system == "heam"}
    assert {f"qr:{c}:multiply" for c in (4, 8, 16, 32, 64)} <= collisions
    assert {"hash:0.25", "partitions:3", "tt:16"} <= collisions
    assert {point.trace for point in points} == {"one-hot", "mlperf", "pooling-20", "pooling-80"}
    factors = {point.variant.partition(" = ")[0] for point in points if " = " in point.variant}
    assert factors == {"HBM", "DIMM", "batch", "hot share", "LUT", "GnRs in flight"}
    for name in ("HBM = HBM3", "HBM = HBM2 pseudo channels", "DIMM = DDR5-4800"):
        assert any(point.variant == name for point in points)
    used = {point.variant for point in points} - {"default"}
    assert used == set(design.variants)


def test_every_variant_can_be_described() -> None:
    design = study_design("full")
    for name in design.variants:
        check_variant(design, name)


def check_variant(design: Design, name: str) -> None:
    """Its overrides are those of the design, and every system that has it can be built and differs."""
    points = {point.system: point for point in design.points if point.variant == name}
    for system, point in points.items():
        overrides = point.arguments()["overrides"]
        assert overrides == dict(design.variants[name].set)
        changed = load_system(system, overrides=overrides)
        for tier in changed.tiers:
            tier.spec()
        assert changed != load_system(system), name


# -- files


def test_every_file_is_there(study: Study, folder: Path) -> None:
    wanted = {*TABLES, *(f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "pdf", "csv"))}
    assert {path.name for path in folder.iterdir()} == {*wanted, "points"}
    assert {path.name for path in study.files} == wanted
    assert all(path.stat().st_size > 0 for path in study.files)
    assert study.failures == ()


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_pictures(study: Study, folder: Path, name: str) -> None:
    from matplotlib.image import imread

    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF-")
    picture = imread(folder / f"{name}.png")
    height, width = picture.shape[:2]
    assert width > 600 and height > 300
    colours = {tuple(pixel) for pixel in picture[::8, ::8, :3].reshape(-1, 3).tolist()}
    assert len(colours) > 10, "an empty canvas"
    assert len(pd.read_csv(folder / f"{name}.csv", comment="#")) > 1


def test_the_stored_traces_are_the_simulated_ones(study: Study, folder: Path) -> None:
    loaded = {name: LookupTrace.load(folder / f"trace-{name}.h5") for name in POOLING}
    assert loaded["one-hot"].samples == SAMPLES
    assert loaded["pooling-20"].samples == SAMPLES // 20
    assert study.lookups == {name: trace.lookups for name, trace in loaded.items()}
    assert loaded["pooling-20"].lookups == loaded["one-hot"].lookups
    for point, result in zip(study.points, study.results, strict=True):
        assert result.provenance["trace_hash"] == loaded[point.trace].content_hash


# -- tables


def test_one_row_per_point_in_order(study: Study) -> None:
    rows = study.summary[["system", "embedding", "vector_bytes", "scope", "variant", "trace"]]
    expected = [
        (point.system, point.embedding, point.vector_bytes, point.scope, point.variant, point.trace)
        for point in study_design("quick").points
    ]
    assert list(rows.itertuples(index=False, name=None)) == expected
    assert set(rows["system"]) == set(known_systems())


def test_progress_counts_every_point(study: Study, progress: list[tuple[int, int, int, str]]) -> None:
    total = len(study.points)
    assert [step[:3] for step in progress] == [(done, total, 0) for done in range(1, total + 1)]
    assert all(name for *_, name in progress)


def test_rates_follow_from_times(study: Study) -> None:
    frame = study.summary
    # The profile part decides placement and is not timed: the first fifth.
    samples = {name: SAMPLES // pooling for name, pooling in POOLING.items()}
    timed = {name: count - math.floor(PROFILE * count) for name, count in samples.items()}
    assert (frame["samples"] == frame["trace"].map(timed)).all()
    assert (frame["lookups"] == frame["samples"] * 26 * frame["trace"].map(POOLING)).all()
    assert (frame["gnrs"] == frame["samples"] * frame["scope"].map({"sample": 1, "bag": 26})).all()
    seconds = frame["time_ns"] * 1e-9
    for name in ("samples", "lookups", "gnrs"):
        np.testing.assert_allclose(frame[f"{name}_per_second"], frame[name] / seconds, rtol=1e-12)


def test_speed_ups_are_ratios_of_rates(study: Study) -> None:
    frame = study.summary
    rates = frame.set_index([*KEYS, "system"])["samples_per_second"]
    for row in frame.itertuples():
        same = rates[(row.variant, row.trace, row.embedding, row.vector_bytes, "host-dimm")]
        full = rates[(row.variant, row.trace, "full", row.vector_bytes, "host-dimm")]
        assert row.speedup_over_host_dimm == pytest.approx(row.samples_per_second / same, rel=1e-12)
        assert row.speedup_over_host_dimm_full == pytest.approx(row.samples_per_second / full, rel=1e-12)
    base = frame[frame["system"] == "host-dimm"]
    assert (base["speedup_over_host_dimm"] == 1).all()
    assert frame["speedup_over_host_dimm"].nunique() > len(known_systems())


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


def test_ratios_are_those_of_the_counters(study: Study) -> None:
    heam = study.results[_place(study, "heam", "qr:4:multiply")]
    found, hbm, dimm = measures(heam), heam.counters["hbm"], heam.counters["dimm"]
    assert found["column_reads_per_lookup"] == (hbm["pim_rd"] + dimm["rd"]) / heam.lookups
    # Bursts of both memories have 64 B (four beats of 128 bits, eight of 64), a vector 128.
    read = (hbm["pim_rd"] + dimm["rd"]) * 64
    assert found["bank_vectors_per_lookup"] == pytest.approx(read / heam.lookups / 128)
    assert found["activates_per_lookup"] == (hbm["act"] + dimm["act"]) / heam.lookups
    assert found["cold_share"] == heam.host["cold_lookups"] / heam.lookups
    # Q from a bank and R from the table for every hot lookup.
    assert found["lut_share"] == 0.5
    assert math.isnan(measures(study.results[_place(study, "host-dimm", "full")])["lut_share"])


def _is(point: Point, system: str, embedding: str) -> bool:
    base = study_design("quick").base
    same = all(getattr(point, name) == base[name] for name in ("trace", "scope", "vector_bytes"))
    return same and (point.system, point.embedding, point.variant) == (system, embedding, "default")


def _place(study: Study, system: str, embedding: str) -> int:
    return next(number for number, point in enumerate(study.points) if _is(point, system, embedding))


def test_no_level_carries_more_than_it_can(study: Study) -> None:
    for result in study.results:
        rows = bandwidth_rows(result)
        assert all(0 <= row["used_share"] <= 1 for row in rows), result
        assert all(row["roof_lookups_per_second"] >= result.lookups_per_second for row in rows)
    rows = {row["level"]: row for row in bandwidth_rows(study.results[_place(study, "host-dimm", "full")])}
    # Two channels of DDR4-3200 with 8 bank groups each, in which tCCD_L is two bursts.
    assert rows["host bus"]["peak_GBps"] == pytest.approx(51.2)
    assert rows["bank group"]["peak_GBps"] == pytest.approx(51.2 / 2 * 8)
    # Every level carries the same bytes for a host.
    assert len({row["used_GBps"] for row in rows.values()}) == 1


def test_the_size_of_a_model() -> None:
    assert model_bytes("full", np.array([10, 7]), 64) == 17 * 64
    # Q: 3 and 2 rows, R: 4 rows each.
    assert model_bytes("qr:4:multiply", np.array([10, 7]), 64) == (3 + 4 + 2 + 4) * 64


# -- claims


def test_every_headline_is_in_the_claims(study: Study, folder: Path) -> None:
    claims = pd.read_csv(folder / "claims.csv", keep_default_na=False)
    assert len(claims) == len(study.claims)
    for paper, quantity, value in HEADLINES:
        rows = claims[claims["paper"].str.startswith(paper) & (claims["quantity"] == quantity)]
        found = rows["published"].str.contains(value, regex=False)
        assert found.any(), (paper, quantity, value)
        assert (rows["measured"] != "").all()
        assert (rows["why"] != "").all()
        named = rows[rows["measured"] != "not measured"]
        assert named["our_comparison"].str.contains(" over ").all()
        assert named["why"].str.contains("per lookup from banks").all()


def test_claims_ask_for_what_the_study_simulates() -> None:
    design = study_design("full")
    for claim in known_claims():
        assert claim.value > 0 and claim.quantity in ("speed-up", "energy saved")
        for pairing in claim.compare:
            if pairing.system not in known_systems():
                continue
            found = [
                point
                for point in design.points
                if (point.system, point.trace, point.variant)
                == (pairing.system, pairing.trace, pairing.variant)
                and point.embedding in pairing.embeddings
            ]
            assert found, claim


@pytest.mark.parametrize("baseline", ["host-dimm", "host-hbm-dimm", "recnmp", "trim-g"])
def test_measured_claims_are_what_the_summary_says(study: Study, baseline: str) -> None:
    frame = study.summary
    part = frame[(frame["trace"] == "one-hot") & (frame["embedding"] == "qr:4:multiply")]
    part = part[part["variant"] == "default"].set_index(["vector_bytes", "system"])
    sizes = sorted(set(part.index.get_level_values(0)))

    def ratios(column: str) -> list[float]:
        return [part.loc[(size, "heam"), column] / part.loc[(size, baseline), column] for size in sizes]

    claims = study.claims
    rows = claims[claims["paper"].str.startswith("HEAM") & (claims["trace"] == "one-hot")]
    rows = rows[rows["our_comparison"] == f"heam over {baseline} with the same embedding"]
    rows = rows.set_index("quantity")
    speed = ratios("samples_per_second")
    assert rows.loc["speed-up", "measured"] == f"{np.prod(speed) ** (1 / len(speed)):.2f}x"
    assert rows.loc["speed-up", "least"] == f"{min(speed):.2f}x"
    assert rows.loc["speed-up", "most"] == f"{max(speed):.2f}x"
    left = ratios("energy_per_sample_pJ")
    assert rows.loc["energy saved", "measured"] == f"{100 * (1 - np.prod(left) ** (1 / len(left))):.1f} %"
    assert rows.loc["energy saved", "most"] == f"{100 * (1 - min(left)):.1f} %"
    assert str(rows.loc["speed-up", "reached"]).startswith("nowhere") == (max(speed) < 6.2)


def test_comparisons_say_which_headlines_they_reach(study: Study, folder: Path) -> None:
    table = pd.read_csv(folder / "comparisons.csv", keep_default_na=False)
    heam = table[table["system"] == "heam"]
    assert set(heam["baseline"]) == set(known_systems()) - {"heam"}
    assert ("full" not in set(heam["embedding"])) and "full" in set(heam["baseline_embedding"])
    saved = heam["energy_saved"].astype(float) >= 0.589
    assert (heam["reaches"].str.contains("58.9 %", regex=False) == saved).all()
    fast = heam["speedup"].astype(float) >= 6.2
    assert (heam["reaches"].str.contains("6.2x", regex=False) == fast).all()
    assert (table["energy_saved_low"] <= table["energy_saved"]).all()


def test_an_ablation_is_not_held_against_a_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = [{"system": "heam", "variant": name} for name in ("base die", "no host LLC")]
    more += [{"system": "host-dimm", "variant": "no host LLC"}, {"system": "heam", "embedding": "hash:0.25"}]
    more += [{"system": "host-dimm", "embedding": "hash:0.25"}]
    monkeypatch.setattr(reproduction, "study_design", lambda selection="default": few(*more))
    monkeypatch.setattr(reproduction, "_figures", lambda *arguments: {})
    done = reproduce(tmp_path, samples=SAMPLES, workers=1)
    row = done.claims[done.claims["our_comparison"] == "heam over host-dimm with the same embedding"].iloc[0]
    assert "no host LLC" in row["other_assumptions"] and "base die" not in row["other_assumptions"]
    table = pd.read_csv(tmp_path / "comparisons.csv")
    assert set(table["variant"]) == {"default", "no cold tier", "no host LLC"}
    assert set(table["embedding"]) == {"qr:4:multiply"}


def test_a_variant_is_held_against_what_the_design_says(short: None, tmp_path: Path) -> None:
    study = reproduce(tmp_path, samples=SAMPLES, workers=1)
    variants = study_design("default").variants
    results = Results(dict(zip(study.points, study.results, strict=True)), variants)
    point = next(point for point in study.points if point.variant == "no cold tier")
    # The host with DIMMs only has no such variant: its published form is the baseline.
    other = results.baseline(point, "host-dimm")
    assert other is not None and other.variant == "default"
    assert results.baseline(replace(point, variant="no host LLC, no cold tier"), "host-dimm") is None
    row = study.summary[study.summary["variant"] == "no cold tier"].iloc[0]
    assert row["cold_share"] == 0


def test_curves_have_the_published_setting_where_it_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("hot share = 0.5", "hot share = 0.99", "LUT = 512 KiB", "LUT = 8 KiB", "batch = 4")
    more = [{"system": "heam", "variant": name} for name in names]
    wide = {"system": "heam", "embedding": "qr:64:multiply"}
    more += [{**wide, "variant": name} for name in ("default", "LUT = 8 KiB")]
    monkeypatch.setattr(reproduction, "study_design", lambda selection="default": few(*more))
    monkeypatch.setattr(reproduction, "_figures", lambda *arguments: {})
    done = reproduce(tmp_path, samples=SAMPLES, workers=1)
    design = few(*more)
    base = Point(system="host-dimm", **design.base)
    table = sensitivity_table(done.summary, base, design.variants)
    settings = {name: list(dict.fromkeys(part["setting"])) for name, part in table.groupby("factor")}
    assert settings["hot share"] == ["0.5", "0.952", "0.99"]
    assert settings["LUT"] == ["8 KiB", "128 KiB", "512 KiB"]
    assert settings["batch"] == ["4", "none"]
    assert settings["LUT, qr:64:multiply"] == ["8 KiB", "128 KiB"]
    assert settings["lookups per bag"] == ["one-hot", "pooling-20"]
    hot = table[(table["factor"] == "hot share") & (table["embedding"] == "qr:4:multiply")]
    assert set(hot["system"]) == {"heam"}
    shares = hot.set_index("setting")["cold_share"]
    assert shares["0.5"] > shares["0.952"] > 0


# -- what is stored


def test_results_come_back_equal(study: Study, folder: Path) -> None:
    again = ResultSet.load(folder / "results.h5")
    assert again == study.results
    assert again.provenance["study"] == "reproduction"
    assert again.provenance["selection"] == "quick"
    frame = read_frame(folder / "results.h5")
    pd.testing.assert_frame_equal(frame, study.results.to_frame())


def test_the_csv_is_the_summary(study: Study, folder: Path) -> None:
    table = pd.read_csv(folder / "summary.csv", keep_default_na=False, na_values=[""])
    assert list(table.columns) == list(study.summary.columns)
    for name in ("time_ns", "energy_pJ", "speedup_over_host_dimm", "samples"):
        assert (table[name].to_numpy() == study.summary[name].to_numpy()).all()


@pytest.mark.parametrize("trace", ["one-hot", "pooling-20"])
def test_the_tables_behind_the_figures(study: Study, folder: Path, trace: str) -> None:
    main_rows = study.summary[study.summary["trace"] == trace].copy()
    main_rows["vector_bytes"] = main_rows["vector_bytes"].astype(str)
    index = ["embedding", "vector_bytes", "system"]
    main_rows = main_rows.set_index(index)
    table = pd.read_csv(folder / f"speedup-{trace}.csv", comment="#", dtype={"vector_bytes": str})
    speed = table[table["vector_bytes"] != "geomean"].set_index(index)
    assert set(speed.index) == set(main_rows.index)
    same = main_rows.loc[speed.index, "speedup_over_host_dimm"].to_numpy()
    np.testing.assert_allclose(speed["speedup"].to_numpy(), same, rtol=1e-12)
    for row in table[table["vector_bytes"] == "geomean"].itertuples():
        bars = speed.loc[[key for key in speed.index if (key[0], key[2]) == (row.embedding, row.system)]]
        assert row.speedup == pytest.approx(np.exp(np.log(bars["speedup"]).mean()), rel=1e-9)
    energy = pd.read_csv(folder / f"energy-{trace}.csv", comment="#", dtype={"vector_bytes": str})
    energy = energy.set_index(index)
    assert set(energy.index) == set(main_rows.index)
    parts = energy[[f"{name}_pJ_per_sample" for name in COMPONENTS]].sum(axis=1)
    np.testing.assert_allclose(parts, energy["total_pJ_per_sample"], rtol=1e-9)
    for key, row in energy.iterrows():
        assert row["total_pJ_per_sample"] == pytest.approx(main_rows.loc[key, "energy_per_sample_pJ"])


@pytest.mark.parametrize("stored", ["results.h5", "summary.csv"])
def test_every_figure_can_be_drawn_again_from_the_files_alone(
    study: Study, folder: Path, tmp_path: Path, stored: str
) -> None:
    copy = shutil.copy(folder / stored, tmp_path / stored)  # nothing else is there
    material = load_material(copy)
    again = {}
    for name, kind in FIGURE_KINDS.items():
        if stored == "summary.csv" and name in ("roofline", "time-parts"):
            with pytest.raises(ConfigError, match=r"give a results\.h5"):
                kind.table(material)
            continue
        table = kind.table(material)
        if not table.empty:
            again[name] = table
    names = {name for name in FIGURE_KINDS for file in FIGURES if file.startswith(name)}
    if stored == "summary.csv":
        names -= {"roofline", "time-parts"}
    assert set(again) == names
    pd.testing.assert_frame_equal(material.frame, study.summary, check_dtype=False)
    for name in ("bank-accesses", "hit-rates", "sensitivity", *(names & {"roofline", "time-parts"})):
        again[name].to_csv(tmp_path / "again.csv", index=False, lineterminator="\n")
        drawn = pd.read_csv(folder / f"{name}.csv").drop(
            columns="group", errors="ignore"
        )  # the figure adds it
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "again.csv"), drawn)


def test_a_merge_of_two_selections_is_a_study(study: Study, folder: Path) -> None:
    whole = ResultSet.load(folder / "results.h5")
    said = whole.provenance
    parts = {
        name: ResultSet(list(whole)[piece], provenance={**said, "points": said["points"][piece]})
        for name, piece in (("a", slice(0, 30)), ("b", slice(20, None)))
    }
    merged = merge_results(parts)
    assert merged.provenance == said and list(merged) == list(whole)


def test_speed_up_over_full_tables_is_drawn_too(study: Study, folder: Path) -> None:
    index = ["embedding", "vector_bytes", "system"]
    rows = study.summary[study.summary["trace"] == "one-hot"].astype({"vector_bytes": str}).set_index(index)
    table = pd.read_csv(folder / "speedup-over-full.csv", comment="#", dtype={"vector_bytes": str})
    drawn = table[table["vector_bytes"] != "geomean"].set_index(index)
    assert set(drawn.index) == set(rows.index)
    expected = rows.loc[drawn.index, "speedup_over_host_dimm_full"]
    np.testing.assert_allclose(drawn["speedup"], expected, rtol=1e-12)


# -- the same again


def test_two_runs_are_the_same_and_the_second_simulates_nothing(
    study: Study, short: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reproduce(tmp_path, samples=SAMPLES, workers=2)
    assert first.reused == 0
    before = {name: (tmp_path / name).read_bytes() for name in ("summary.csv", "claims.csv")}

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("simulated again")

    monkeypatch.setattr(runner, "simulate", refuse)
    second = reproduce(tmp_path, samples=SAMPLES, workers=1)
    assert second.reused == len(second.points) == len(first.points)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    # And the points do not depend on which others are in the study.
    main_rows = first.summary[first.summary["variant"] == "default"]
    whole = study.summary.set_index([*KEYS, "system"])["time_ns"]
    some = main_rows.set_index([*KEYS, "system"])["time_ns"]
    some = some[some.index.isin(whole.index)]
    assert len(some) == 4 and (whole[some.index] == some).all()


def test_an_interrupted_study_goes_on(short: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, *_: Any) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce(tmp_path, samples=SAMPLES, workers=1, progress=stop)
    assert not (tmp_path / "summary.csv").exists()
    done = reproduce(tmp_path, samples=SAMPLES, workers=1)
    assert done.reused == 3 and len(done.points) == 9


def test_a_second_study_in_the_same_folder_reads_its_own_trace(short: None, tmp_path: Path) -> None:
    reproduce(tmp_path, samples=SAMPLES, seed=1, workers=1)
    second = reproduce(tmp_path, samples=SAMPLES, seed=2, workers=1)
    stored = LookupTrace.load(tmp_path / "trace-one-hot.h5").content_hash
    hashes = {result.provenance["trace_hash"] for result in second.results if result.scope == "sample"}
    assert hashes == {stored} and second.reused == 0


def test_checked_runs_are_the_same(short: None, tmp_path: Path) -> None:
    """Checking protocol and sums passes, and changes no number."""
    plain = reproduce(tmp_path, samples=SAMPLES, workers=1)
    checked = reproduce(tmp_path, samples=SAMPLES, workers=1, check=True)
    assert checked.reused == 0
    assert (checked.summary["time_ns"] == plain.summary["time_ns"]).all()


def test_a_point_that_cannot_be_stops_nothing_but_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {"system": "tensordimm", "embedding": "tt:16"}
    monkeypatch.setattr(reproduction, "study_design", lambda selection="default": few(bad))
    monkeypatch.setattr(reproduction, "_figures", lambda *arguments: {})
    out = tmp_path / "out"
    words = f"reproduce --samples {SAMPLES} --workers 1 --output"
    assert main([*words.split(), str(out)]) == 1
    assert "tensordimm tt:16" in capsys.readouterr().out
    failures = pd.read_csv(out / "failures.csv")["failure"]
    assert len(failures) == 1 and "vertical" in failures[0]
    assert len(pd.read_csv(out / "summary.csv")) == 9
    monkeypatch.setattr(reproduction, "study_design", lambda selection="default": few())
    capsys.readouterr()
    assert main([*words.split(), str(out), "--json"]) == 0
    assert not (out / "failures.csv").exists()
    printed = json.loads(capsys.readouterr().out)  # progress and remarks go elsewhere
    assert len(printed["summary"]) == 9 and printed["claims"]


def test_too_few_samples(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="samples"):
        reproduce(tmp_path, samples=4 * 20, selection="quick", workers=1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_selection_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="quick"):
        reproduce(tmp_path, selection="quik")
    assert main(["reproduce", "--quick", "--full", "--output", str(tmp_path)]) == 2


# -- best against best


def test_a_search_is_made_kept_and_shown(
    short: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best, "known_systems", lambda: ("host-dimm", "heam"))
    shown: list[pd.DataFrame | None] = []

    def figures(results: Any, summary: Any, base: Any, table: pd.DataFrame | None) -> dict[str, Any]:
        shown.append(table)
        return {}

    monkeypatch.setattr(reproduction, "_figures", figures)
    reproduce(tmp_path, samples=SAMPLES, workers=1, trials=2)
    reproduce(tmp_path, samples=SAMPLES, workers=1)
    reproduce(tmp_path, samples=SAMPLES, seed=2, workers=1)
    first, second, other = shown
    assert other is None, "a search on another trace was shown"
    assert first is not None and second is not None
    pd.testing.assert_frame_equal(first, second)
    assert list(first["system"]) == ["host-dimm", "heam"] * 2
    assert list(first["embedding"]) == ["full"] * 2 + ["qr:4:multiply"] * 2
    hosts, heams = first[::2].reset_index(), first[1::2].reset_index()
    for end in ("published", "best"):
        ratio = hosts[f"{end}_ns_per_sample"] / heams[f"{end}_ns_per_sample"]
        np.testing.assert_allclose(heams[f"{end}_speedup"], ratio, rtol=1e-12)
        assert (hosts[f"{end}_speedup"] == 1).all()


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
    study = reproduce(folder, path=path, selection="quick", workers=1)
    one_hot = LookupTrace.load(folder / "trace-one-hot.h5")
    assert one_hot.content_hash == read_dataset("criteo-kaggle", path).content_hash
    multi_hot = LookupTrace.load(folder / "trace-pooling-20.h5")
    assert multi_hot.samples == one_hot.samples // 20
    assert (multi_hot.cardinalities == one_hot.cardinalities).all()
    assert study.results.provenance["generated"] is False
    assert (study.summary["time_ns"] > 0).all()
    assert set(study.summary["system"]) == {"host-dimm", "heam"}


def test_a_file_in_criteo_format(short: None, tmp_path: Path) -> None:
    path = criteo_file(tmp_path / "data.tsv", 200)
    check_file_study(path, tmp_path / "results")


@pytest.mark.skipif(not EXCERPT.is_file(), reason="the Criteo excerpt is not beside this repository")
def test_the_real_excerpt(short: None, tmp_path: Path) -> None:
    check_file_study(EXCERPT, tmp_path)
