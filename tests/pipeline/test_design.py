# SPDX-License-Identifier: MIT
"""Sweeps described in TOML or in Python: what becomes of grids, what is refused, what is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import heam_sim
from heam_sim import LookupTrace, generate, simulate
from heam_sim.cli import main
from heam_sim.errors import ConfigError, DatasetError
from heam_sim.experiments import Point, freeze, read_design, run_design
from heam_sim.experiments.design import expand
from heam_sim.results import ResultSet

STUDY = """
[study]
name = "tags"
[traces.small]
samples = 40
[traces.bags]
samples = 8
pooling = 4
[base]
system = "heam"
embedding = "qr:4"
vector_bytes = 64
"host.llc_bytes" = 0
[grid]
trace = ["small", "bags"]
"hbm.pim.batch_tags" = [4, 16]
[[point]]
system = "host-dimm"
scope = "sample"
"""


@pytest.fixture(scope="module")
def trace() -> LookupTrace:
    return generate("criteo-kaggle", samples=40, seed=1)


def write(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


# -- expansion


def test_a_grid_is_all_combinations_the_last_key_fastest() -> None:
    points = expand(base={"system": "heam"}, grids=[{"vector_bytes": [64, 128], "host.llc_bytes": [0, 1]}])
    found = [(point.vector_bytes, dict(point.overrides)["host.llc_bytes"]) for point in points]
    assert found == [(64, 0), (64, 1), (128, 0), (128, 1)]


def test_grids_and_points_add_up_without_repetitions() -> None:
    grids = [{"system": ["heam", "recnmp"]}, {"system": ["recnmp"]}]
    points = expand(grids=grids, points=[{"system": "heam"}, {"system": "host-dimm", "profile": 0.5}])
    assert [point.system for point in points] == ["heam", "recnmp", "host-dimm"]
    assert points[2] == Point(trace="main", system="host-dimm", profile=0.5)


def test_a_base_alone_is_one_point() -> None:
    points = expand(base={"system": "heam", "host.llc_bytes": 0})
    assert points == (Point(trace="main", system="heam", overrides=freeze({"host.llc_bytes": 0})),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "names no system"),
        ({"base": {"system": "heam", "vector_byte": 64}}, "vector_bytes"),
        ({"base": {"system": 7}}, "system is 7; it must be text"),
        (
            {"base": {"system": "heam", "vector_bytes": "64"}},
            "vector_bytes is '64'; it must be a whole number",
        ),
        ({"base": {"system": "heam", "profile": True}}, "profile is True; it must be a number"),
        ({"base": {"system": "heam", "trace": "mian"}}, "main"),
        ({"grids": [{"system": "heam"}]}, "grid 0: system is 'heam'; give a list"),
        ({"grids": [{"system": ["heam"], "vector_bytes": []}]}, "at least one value"),
    ],
)
def test_what_cannot_be_expanded(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        expand(**arguments)


# -- files


def test_a_file_is_read_as_it_stands(tmp_path: Path) -> None:
    design = read_design(write(tmp_path, STUDY))
    assert design.name == "tags" and set(design.traces) == {"small", "bags"}
    assert [(point.trace, point.system) for point in design.points] == [
        ("small", "heam"),
        ("small", "heam"),
        ("bags", "heam"),
        ("bags", "heam"),
        ("small", "host-dimm"),
    ]
    assert all(dict(point.overrides)["host.llc_bytes"] == 0 for point in design.points)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[grids]\nsystem = ['heam']", "grid"),
        ("[traces.a]\nsample = 3", "samples"),
        ("[traces.a]\nsamples = '3'", "samples is '3'; it must be a whole number"),
        ("traces = {a = 3}", r"\[traces.a\]: is 3"),
        ("[base\n", "no TOML"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_design(write(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.toml"):
        read_design(tmp_path / "none.toml")


def test_running_a_file_twice_simulates_nothing_the_second_time(tmp_path: Path) -> None:
    path = write(tmp_path, STUDY)
    first = run_design(path, tmp_path / "out", workers=1)
    assert not first.failures and first.reused == 0 and len(first.results) == 5
    second = run_design(path, tmp_path / "out", workers=1)
    assert second.reused == 5 and second.results == first.results
    table = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert list(table["trace"]) == ["small", "small", "bags", "bags", "small"]
    assert list(table["hbm.pim.batch_tags"].fillna(0)) == [4, 16, 4, 16, 0]
    assert ResultSet.load(tmp_path / "out" / "results.h5") == first.results
    assert not (tmp_path / "out" / "failures.csv").exists()


def test_on_the_command_line_failures_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, STUDY.replace("[4, 16]", "[4, 0]").replace('["small", "bags"]', '["small"]'))
    assert main(["sweep", str(path), "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "2 results" in out and "1 failures" in out and "batch_tags" in out
    assert len(pd.read_csv(tmp_path / "study" / "failures.csv")) == 1
    write(tmp_path, STUDY.replace("[4, 16]", "[4, 8]").replace('["small", "bags"]', '["small"]'))
    assert main(["sweep", str(path), "--workers", "1"]) == 0
    assert "3 results (2 were there), 0 failures" in capsys.readouterr().out
    assert not (tmp_path / "study" / "failures.csv").exists()


# -- from Python


def test_from_python(trace: LookupTrace, tmp_path: Path) -> None:
    done = heam_sim.sweep(
        trace,
        base={"embedding": "qr:4", "vector_bytes": 64, "scope": "sample"},
        grid={"system": ["heam", "host-dimm"]},
        output=tmp_path,
        workers=1,
    )
    for point, result in zip(done.points, done.results, strict=True):
        assert result == simulate(trace, **point.arguments())
    assert list(done.to_frame()["system"]) == ["heam", "host-dimm"]


def test_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LookupTrace"):
        heam_sim.sweep({}, base={"system": "heam"}, output=tmp_path)
