# SPDX-License-Identifier: MIT
"""Workloads beside recommendation, from a command or a study to checked sums on every system."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import heam_sim
from heam_sim.cli import main
from heam_sim.datasets import WORKLOADS, rmat_graph
from heam_sim.errors import ConfigError
from heam_sim.experiments import TraceSource, read_design, run_design, shipped_studies
from heam_sim.systems import load_system
from heam_sim.trace import LookupTrace
from tests.functional.small import SYSTEMS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "workloads.md"
GRAPH: dict[str, Any] = {"scale": 8, "fan_out": [4, 3], "targets": 24, "batch": 8, "aggregation": "mean"}
SCAN: dict[str, Any] = {"vectors": 5000, "lists": 50, "samples": 48}


# --- sums and protocol


@pytest.mark.parametrize("system", SYSTEMS)
def test_neighbours_are_added_up(system: str) -> None:
    for order, embedding in (("natural", "full"), ("bfs", "qr:4")):
        trace = heam_sim.workload("graph", order=order, **GRAPH)
        result = heam_sim.simulate(trace, system=system, embedding=embedding, vector_bytes=128, check=True)
        assert result.gnrs == result.samples > 20


@pytest.mark.parametrize("instruction_per", ["operand", "lookup"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_distances_are_added_up(system: str, instruction_per: str) -> None:
    tier = next((tier for tier in load_system(system).tiers if tier.pim is not None), None)
    delivery = "" if tier is None or tier.pim is None else tier.pim.delivery
    overrides = {f"{tier.name}.pim.instruction_per": instruction_per} if tier is not None else {}
    trace = heam_sim.workload("scan", **SCAN)
    options: dict[str, Any] = {"embedding": "pq:4:16", "vector_bytes": 128, "profile": 0.5}
    if instruction_per == "lookup" and delivery == "broadcast":
        with pytest.raises(ConfigError, match="'lookup' does not go with delivery 'broadcast'"):
            heam_sim.simulate(trace, system=system, overrides=overrides, **options)
        return
    result = heam_sim.simulate(trace, system=system, overrides=overrides, check=True, **options)
    assert result.gnrs == result.lookups == 24


def test_an_instruction_may_stand_for_a_lookup() -> None:
    """HEAM with everything in HBM: the instructions are counted, and what they cost falls."""
    trace = heam_sim.workload("scan", **{**SCAN, "samples": 2000})
    inside = {"placement.policy": "single", "placement.tier": "hbm"}
    found = []
    for instruction_per in ("operand", "lookup"):
        overrides = {**inside, "hbm.pim.instruction_per": instruction_per}
        found.append(
            heam_sim.simulate(
                trace, system="heam", embedding="pq:8:16", vector_bytes=64, profile=0.5, overrides=overrides
            )
        )
    every, one = (result.counters["hbm"]["instructions"] for result in found)
    assert (every, one) == (9 * 1000, 1000)
    assert "shared_instructions" not in found[0].host
    assert found[1].host["shared_instructions"] == 8 * 1000
    assert found[1].time_ns < found[0].time_ns
    parts = [result.energy.components_pJ["hbm", "instruction"].value for result in found]
    assert parts[1] < parts[0]


# --- commands


def test_generate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "t.h5")
    settings = [f"--set={key}={value}".replace("'", '"') for key, value in GRAPH.items()]
    assert main(["trace", "generate", "graph", path, "--seed", "3", *settings]) == 0
    assert LookupTrace.load(path) == heam_sim.workload("graph", seed=3, **GRAPH)
    assert main(["trace", "generate", "scan", path, "--samples", "64", "--set", "vectors=100000"]) == 0
    assert LookupTrace.load(path) == heam_sim.workload("scan", vectors=100_000, samples=64)
    assert main(["trace", "info", path]) == 0


def test_generate_from_a_file(tmp_path: Path) -> None:
    edges, path = tmp_path / "g.txt", str(tmp_path / "t.h5")
    edges.write_text("# a b w\n0 1 0.5\n2 1 0.25\n1 2 4\n")
    command = ["trace", "generate", "graph", path, "--set", f"path={edges}", "--set", "aggregation=weighted"]
    assert main(command) == 0
    trace = LookupTrace.load(path)
    assert trace.indices[0].tolist() == [0, 2, 1] and trace.offsets[0].tolist() == [0, 0, 2, 3]
    assert trace.weights is not None and trace.weights[0].tolist() == [0.5, 0.25, 4.0]
    assert main(["trace", "convert", "edges", str(edges), path]) == 0
    assert LookupTrace.load(path).indices[0].tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("graph",), "needs either a path (an edge list) or a scale"),
        (("graph", "--set", "scal=4"), "did you mean 'scale'"),
        (("graph", "--set", "scale"), "write KEY=VALUE, e.g. --set scale=16"),
        (("graph", "--set", "scale=4", "--samples", "3"), "workload graph: unknown option 'samples'"),
        (("graph", "--set", "scale=4", "--pooling", "3"), "has no --rows, --pooling and --distribution"),
        (("scan", "--set", "seed=4"), "write --seed"),
        (("scan", "--set", "lists=0"), "lists must be"),
        (("scans",), "did you mean 'scan'"),
        (("rm1", "--set", "scale=4"), "--set goes with graph and scan"),
    ],
)
def test_bad_generation(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.h5"
    assert main(["trace", "generate", words[0], str(file), *words[1:]]) == 2
    assert message in capsys.readouterr().err
    assert not file.exists()


def test_unknown_workloads() -> None:
    with pytest.raises(ConfigError, match="did you mean 'graph'"):
        heam_sim.workload("grap")
    with pytest.raises(ConfigError, match="did you mean 'fan_out'"):
        heam_sim.workload("graph", fanout=3)
    for kind in WORKLOADS.values():
        assert kind.what and "seed" in kind.options


# --- studies

STUDY = """
[study]
name = "small"
figures = ["speedup", "sensitivity", "ablation"]
[traces.near]
workload = { kind = "graph", scale = 6, targets = 40 }
[traces.file]
workload = { kind = "graph", path = "edges.txt" }
[base]
trace = "near"
vector_bytes = 128
profile = 0.5
[[grid]]
system = ["host-dimm", "recnmp"]
trace = ["near", "file"]
[[grid]]
system = ["host-dimm", "recnmp"]
embedding = ["hash:0.5", "pq:4"]
"""


def test_a_study_of_workloads(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(STUDY)
    graph = rmat_graph(5, 4)
    targets = np.repeat(np.arange(graph.vertices), graph.degrees)
    (tmp_path / "edges.txt").write_text(
        "".join(f"{source} {target}\n" for source, target in zip(graph.sources, targets, strict=True))
    )
    found = run_design(tmp_path / "small.toml", tmp_path / "out", workers=1, check=True)
    assert not found.failures and len(found.results) == 8
    assert found.results[1].lookups > 0
    # A figure for which there are no points is left out.
    names = {file.name for file in found.figures}
    assert names == {
        f"{stem}.{ending}"
        for stem in ("speedup-near", "speedup-file", "sensitivity")
        for ending in ("pdf", "png", "csv")
    }
    drawn = pd.read_csv(tmp_path / "out" / "speedup-near.csv")
    assert set(drawn["embedding"]) == {"full", "hash:0.5", "pq:4"}
    study = pd.read_csv(tmp_path / "out" / "study.csv")
    assert study["speedup_over_host_dimm"].tolist()[0] == 1.0
    again = run_design(tmp_path / "small.toml", tmp_path / "out", workers=1, check=True)
    assert again.reused == 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "graph", scale', 'kind = "grap", scale', r"\[traces.near\]: .*did you mean 'graph'"),
        ("targets = 40", "target = 40", r"\[traces.near\]: .*did you mean 'targets'"),
        ('workload = { kind = "graph", scale = 6, targets = 40 }', "workload = 3", "must be a table"),
        ('figures = ["speedup"', 'figures = ["speed"', "did you mean 'speedup'"),
        ("figures = [", "figure = [", "did you mean 'figures'"),
        ('figures = ["speedup", "sensitivity", "ablation"]', "figures = 3", "a list of names"),
    ],
)
def test_bad_studies(old: str, new: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    assert old in STUDY
    file.write_text(STUDY.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        run_design(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_studies_that_come_with_the_package() -> None:
    assert list(shipped_studies()) == ["graph", "pq"]
    for name, file in shipped_studies().items():
        design = read_design(file)
        assert design.name == name and len(design.points) > 50
        systems = {point.system for point in design.points}
        assert systems == set(SYSTEMS)
        for source in design.traces.values():
            assert isinstance(source, TraceSource) and source.workload


def test_a_file_goes_before_a_study_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("graph").write_text('[base]\nsystem = "host-dimm"\n[traces.one]\nsamples = 20\n')
    assert main(["sweep", "graph", "--output", "out"]) == 0
    assert len(pd.read_csv("out/summary.csv")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["graph", "pq"])
def test_shipped_studies_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", name]) == 0
    table = pd.read_csv(tmp_path / name / "study.csv")
    assert len(table) == len(read_design(shipped_studies()[name]).points)
    assert not (tmp_path / name / "failures.csv").exists()


# --- what the page says


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert code and len(code[1].strip().splitlines()) <= 14
    exec(compile(code[1], str(DOCS), "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 4
