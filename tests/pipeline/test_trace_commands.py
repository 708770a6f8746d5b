# SPDX-License-Identifier: MIT
"""``heam-sim trace``: from a generated trace to its figures, its imitation and other tools' files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from heam_sim.cli import main
from heam_sim.simulation import simulate
from heam_sim.trace import LookupTrace, TraceFile


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "t.h5"
    assert main(["trace", "generate", "criteo-kaggle", str(path), "--samples", "500"]) == 0
    return path


def test_generate_models_and_distributions(tmp_path: Path) -> None:
    path = str(tmp_path / "t.h5")
    assert main(["trace", "generate", "rm3", path, "--samples", "3", "--distribution", "pareto:0.25"]) == 0
    trace = LookupTrace.load(path)
    assert (trace.tables, trace.lookups) == (10, 600)
    assert trace.provenance["distribution"] == "pareto:0.25"
    assert main(["trace", "generate", "meta-2021", path, "--samples", "14000"]) == 0
    assert LookupTrace.load(path).provenance["dataset"] == "meta-2021"


def test_generate_what_a_paper_describes(tmp_path: Path) -> None:
    path = str(tmp_path / "t.h5")
    words = ["--rows", "9000,50", "--pooling", "3,1", "--distribution", "zipf:1.2,pareto:0.25"]
    assert main(["trace", "generate", "custom", path, "--samples", "40", *words]) == 0
    trace = LookupTrace.load(path)
    assert trace.cardinalities.tolist() == [9000, 50]
    assert [int(cuts[-1]) for cuts in trace.offsets] == [120, 40]
    assert trace.provenance["distribution"] == ["zipf:1.2", "pareto:0.25"]
    # The same tables as a recipe.
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        'dataset = "custom"\ncardinalities = [9000, 50]\nsamples = 40\nseed = 1\nsource = "a paper"\n'
        'pooling = [3, 1]\ndistribution = ["zipf:1.2", "pareto:0.25"]\n'
        f'content_hash = "{trace.content_hash}"\n'
    )
    assert main(["trace", "make", str(recipe), str(tmp_path / "made.h5")]) == 0
    made = LookupTrace.load(tmp_path / "made.h5")
    assert made == trace
    assert made.provenance == trace.provenance


def test_bad_generation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (("meta-2023",), "did you mean 'meta-202"),
        (("rm1", "--distribution", "zip:1"), "did you mean 'zipf'"),
        (("meta-2021", "--samples", "10"), "too few"),
        (("meta-2021", "--distribution", "zipf:1"), "a reuse of its own"),
        (("amazon",), "its tables have no published sizes"),
        (("custom",), "--rows goes with DATASET custom"),
        (("rm1", "--rows", "5"), "--rows goes with DATASET custom"),
        (("custom", "--rows", "5,0"), "cardinalities[1] is 0"),
        (("custom", "--rows", "5,x"), "one per table with commas"),
        (("custom", "--rows", "5,6", "--pooling", "1,2,3"), "pooling has 3 values for 2 tables"),
    ):
        assert main(["trace", "generate", arguments[0], str(tmp_path / "t.h5"), *arguments[1:]]) == 2
        assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_info(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "info", str(stored), "--vector-bytes", "64"]) == 0
    text = capsys.readouterr().out
    assert "500 samples, 26 tables, 13,000 lookups" in text
    assert LookupTrace.load(stored).content_hash in text.replace("\n", "")
    assert "33,762,577 rows (2.161 GB of 64 B)" in text
    assert '"seed": 1' in text


def test_plots(stored: Path, tmp_path: Path) -> None:
    assert main(["trace", "plot", str(stored), str(tmp_path), "--collisions", "4", "--published"]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        f"{stem}.{kind}" for stem in ("access", "reuse", "cache") for kind in ("pdf", "png", "csv")
    }
    caches = pd.read_csv(tmp_path / "cache.csv")
    assert caches["panel"].notna().sum() == 8
    # By itself this trace is too short to stand beside the HEAM authors' values.
    assert main(["trace", "plot", str(stored), str(tmp_path)]) == 0
    assert "panel" not in pd.read_csv(tmp_path / "cache.csv").dropna(axis=1, how="all")
    assert main(["trace", "plot", str(stored), str(tmp_path), "--collisions", "1"]) == 2
    LookupTrace.from_arrays([[]]).save(tmp_path / "empty.h5")
    assert main(["trace", "plot", str(tmp_path / "empty.h5"), str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_fit(stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, stem = tmp_path / "r.json", tmp_path / "fit"
    assert main(["trace", "fit", str(stored), "--output", str(recipe), "--plot", str(stem)]) == 0
    text = capsys.readouterr().out
    assert "popularity 0.0000, reuse 0.0000" in text
    assert {path.name for path in tmp_path.iterdir()} == {"r.json", "fit.pdf", "fit.png", "fit.csv"}
    found = json.loads(recipe.read_text())
    assert found["measured_hash"] == LookupTrace.load(stored).content_hash
    assert sum(found["measured"]["stack_share"]) == pytest.approx(1, abs=1e-4)
    assert main(["trace", "make", str(recipe), str(tmp_path / "like.h5")]) == 0
    made = LookupTrace.load(tmp_path / "like.h5")
    assert (made.samples, made.lookups) == (500, 13_000)


def test_export_and_back(stored: Path, tmp_path: Path) -> None:
    trace = LookupTrace.load(stored)
    rows = [word for rows in trace.cardinalities.tolist() for word in ("--rows", str(rows))]
    for form in ("ramulator", "dramsim3", "stl"):
        assert main(["trace", "export", str(stored), str(tmp_path / "t.txt"), "--form", form]) == 0
        assert main(["trace", "from-requests", str(tmp_path / "t.txt"), str(tmp_path / "b.h5"), *rows]) == 0
        assert LookupTrace.load(tmp_path / "b.h5") == trace
    assert main(["trace", "export", str(stored), str(tmp_path / "t.npz"), "--form", "fbgemm"]) == 0
    assert main(["trace", "from-fbgemm", str(tmp_path / "t.npz"), str(tmp_path / "c.h5")]) == 0
    assert LookupTrace.load(tmp_path / "c.h5") == trace


def test_a_stored_trace_simulates_as_in_the_memory(stored: Path) -> None:
    options = {"system": "heam", "embedding": "qr:4", "vector_bytes": 64}
    whole = simulate(LookupTrace.load(stored), **options)  # type: ignore[arg-type]
    with TraceFile(stored) as file:
        for check in (False, True):
            piecewise = simulate(file, check=check, **options)  # type: ignore[arg-type]
            assert piecewise.time_ns == whole.time_ns
            assert piecewise.provenance["trace_hash"] == whole.provenance["trace_hash"]
            assert (piecewise.samples, piecewise.lookups) == (whole.samples, whole.lookups)
