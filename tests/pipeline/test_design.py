# SPDX-License-Identifier: MIT
"""Sweeps described in TOML or in Python: what becomes of grids, what is refused, what is left behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import heam_sim
from heam_sim import LookupTrace, generate, simulate
from heam_sim.cli import main
from heam_sim.errors import ConfigError, DatasetError
from heam_sim.experiments import Point, freeze, read_design, run_design
from heam_sim.experiments.design import TraceSource, expand
from heam_sim.results import ResultSet
from heam_sim.systems import known_systems, load_system

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
    assert main(["sweep", str(path), "--workers", "1"]) == 1
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


# -- variants, selections, stars

SELECTED = """
[selections.small]
lookups = 260
[selections.large]
lookups = 2600
why = "more"
[traces.one-hot]
[traces.bags]
pooling = 4
[traces.fixed]
samples = 3
[traces.model]
dataset = "mlperf-dlrm-v2"
pooling = 0
[variants."no cache"]
why = "as papers do"
set = { "host.llc_bytes" = 0 }
[variants."no cache, one rank"]
set = { "host.llc_bytes" = 0, "dimm.overrides" = { rank = 1 } }
against = "no cache"
[base]
vector_bytes = 64
[[grid]]
system = ["host-dimm", "*/hbm.pim"]
[[grid]]
in = ["large"]
system = ["*"]
variant = ["no cache"]
[[point]]
in = ["small"]
system = "recnmp"
variant = "no cache, one rank"
"host.window_gnrs" = 8
"""


def test_stars_are_the_systems_of_the_registry(tmp_path: Path) -> None:
    def systems(*names: str) -> list[str]:
        return [point.system for point in expand(grids=[{"system": list(names)}])]

    known = list(known_systems())
    assert systems("*") == known
    with_hbm = [name for name in known if any(tier.name == "hbm" for tier in load_system(name).tiers)]
    assert systems("*/hbm") == with_hbm and "host-hbm-dimm" in with_hbm and "recnmp" not in with_hbm
    assert "heam" in systems("*/hbm.pim") and "host-hbm-dimm" not in systems("*/hbm.pim")
    with pytest.raises(ConfigError, match="tape"):
        systems("*/tape")


def test_a_selection_takes_its_grids_and_sizes(tmp_path: Path) -> None:
    path = write(tmp_path, SELECTED)
    small, large, whole = (read_design(path, selection=name) for name in ("small", "large", None))
    assert {point.variant for point in small.points} == {"default", "no cache, one rank"}
    assert {point.system for point in large.points if point.variant == "no cache"} == set(known_systems())
    assert set(whole.points) == {*small.points, *large.points}
    assert small.base == {"vector_bytes": 64}
    sizes = {name: source.load(tmp_path).samples for name, source in small.traces.items()}
    # 26 tables; the model has 214 lookups in a sample.
    assert sizes == {"one-hot": 10, "bags": 2, "fixed": 3, "model": 1}
    assert large.traces["one-hot"].load(tmp_path).samples == 100


def test_a_variant_sets_what_it_says(tmp_path: Path) -> None:
    design = read_design(write(tmp_path, SELECTED), selection="small")
    point = design.points[-1]
    overrides = {"host.llc_bytes": 0, "dimm.overrides": {"rank": 1}, "host.window_gnrs": 8}
    assert point.arguments()["overrides"] == overrides
    assert design.variants[point.variant].against == "no cache"
    assert design.variants["no cache"].against == "default"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('in = ["large"]', 'in = ["lage"]', "large"),
        ('variant = ["no cache"]', 'variant = ["no cash"]', "no cache"),
        ('against = "no cache"', 'against = "no cash"', "no cache"),
        ("lookups = 260\n", 'lookups = "260"\n', "a whole number"),
        ('why = "more"', "wy = 1", "why"),
        ('why = "as papers do"', "why = 1", "text"),
        ('set = { "host.llc_bytes" = 0 }', "set = 0", "a table"),
    ],
)
def test_what_is_wrong_with_a_study_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SELECTED
    with pytest.raises(ConfigError, match=message):
        read_design(write(tmp_path, SELECTED.replace(old, new, 1)))


def test_a_selection_on_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path, SELECTED.replace('["host-dimm", "*/hbm.pim"]', '["host-dimm"]'))
    assert (
        main(["sweep", str(path), "--select", "small", "--workers", "1", "--output", str(tmp_path / "o")])
        == 0
    )
    table = pd.read_csv(tmp_path / "o" / "summary.csv")
    assert list(table["system"]) == ["host-dimm", "recnmp"]


def test_an_unknown_selection(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="small"):
        read_design(write(tmp_path, SELECTED), selection="smal")


def test_a_one_hot_file_is_expanded_to_as_many_lookups(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X_cat=np.arange(30).reshape(10, 3))
    source = TraceSource(dataset="npz", path="data.npz", pooling=5)
    loaded = source.load(tmp_path)
    assert loaded.samples == 2 and loaded.lookups == 30
    assert replace(source, pooling=1).load(tmp_path).samples == 10
