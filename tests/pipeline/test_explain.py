# SPDX-License-Identifier: MIT
"""From one configuration to another: every step is a simulation, the factors multiply to the whole."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from heam_sim import LookupTrace, generate, simulate
from heam_sim.cli import main
from heam_sim.errors import ConfigError
from heam_sim.experiments import explain
from heam_sim.systems import known_systems, load_system, system_from_dict

WORK: dict[str, Any] = {"embedding": "qr:4", "vector_bytes": 64, "scope": "sample"}


@pytest.fixture(scope="module")
def trace() -> LookupTrace:
    return generate("criteo-kaggle", samples=40, seed=1)


@pytest.mark.parametrize("name", known_systems())
def test_a_description_comes_back_from_its_dictionary(name: str) -> None:
    assert system_from_dict(load_system(name).to_dict()) == load_system(name)


def test_what_is_no_description() -> None:
    with pytest.raises(ConfigError, match="list"):
        system_from_dict([])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least one"):
        system_from_dict({"name": "x"})


@pytest.mark.parametrize("pair", list(itertools.permutations(known_systems(), 2)), ids="-".join)
def test_any_system_can_be_reached_from_any_other(trace: LookupTrace, pair: tuple[str, str]) -> None:
    first, second = ({"system": name, **WORK} for name in pair)
    found = explain(trace, first, second)
    assert found.steps[0].result == simulate(trace, **first)
    last, wanted = found.steps[-1].result, simulate(trace, **second)
    assert last.time_ns == wanted.time_ns and last.energy == wanted.energy and last.system == pair[1]
    frame = found.to_frame()
    assert frame["speedup"].prod() == pytest.approx(found.speedup, rel=1e-9)
    assert found.speedup == pytest.approx(
        wanted.samples_per_second / found.steps[0].result.samples_per_second
    )
    assert all(step.changes for step in found.steps[1:])
    keys = [change.partition(":")[0] for step in found.steps for change in step.changes]
    assert len(keys) >= len(set(keys)) - 1


def test_single_parameters_are_single_steps(trace: LookupTrace) -> None:
    overrides = {"host.llc_bytes": 0, "hbm.pim.batch_tags": 8, "hbm.pim.queue_depth": 4}
    found = explain(
        trace,
        {"system": "heam", **WORK},
        {"system": "heam", **WORK, "embedding": "qr:8", "overrides": overrides},
    )
    assert [step.changes for step in found.steps] == [
        (),
        ("embedding: qr:4 -> qr:8",),
        ("host.llc_bytes: 8388608 -> 0",),
        ("hbm.pim.queue_depth: 16 -> 4",),
        ("hbm.pim.batch_tags: 4 -> 8",),
    ]
    half = simulate(trace, system="heam", **{**WORK, "embedding": "qr:8"}, overrides={"host.llc_bytes": 0})
    assert found.steps[2].result == half


def test_the_same_is_one_step(trace: LookupTrace) -> None:
    found = explain(trace, {"system": "heam", **WORK}, {"system": "heam", **WORK})
    assert len(found.steps) == 1 and found.speedup == 1


def test_a_memory_is_seen_without_its_units_first(trace: LookupTrace) -> None:
    found = explain(trace, {"system": "host-dimm", **WORK}, {"system": "heam", **WORK})
    between = simulate(trace, system="host-hbm-dimm", **WORK)
    times = [step.result.time_ns for step in found.steps]
    assert between.time_ns in times[1:-1]
    np.testing.assert_array_equal(found.steps[-1].changes[0], "hbm.pim: none -> present")


def test_changes_that_cannot_be_alone_go_together(trace: LookupTrace) -> None:
    """Longer vectors do not fit the smaller memory, which then gets more channels."""
    small = {"dimm.memory": "native/DDR4_2Gb_x16/DDR4_3200", "dimm.channels": 2}
    large = {"dimm.memory": "native/DDR4_2Gb_x16/DDR4_3200", "dimm.channels": 32}
    found = explain(
        trace,
        {"system": "host-dimm", **WORK, "overrides": small},
        {"system": "host-dimm", **WORK, "vector_bytes": 512, "overrides": large},
    )
    assert [step.changes for step in found.steps[1:]] == [
        ("vector_bytes: 64 -> 512", "dimm.channels: 2 -> 32"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sistem": "heam"}, "system"),
        ({}, "names no system"),
        ({"system": "heam", "scope": "bags"}, "bag"),
        ({"system": "heam", "overrides": {"host.llc": 0}}, "unknown key 'llc'"),
    ],
)
def test_wrong_configurations(trace: LookupTrace, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        explain(trace, {"system": "heam", **WORK}, changes)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "explain host-dimm heam --samples 40 --scope sample --vector-bytes 64 --second embedding=qr:4 "
    words += "--set host.llc_bytes=0 --output"
    assert main([*words.split(), str(tmp_path / "way.csv")]) == 0
    out = capsys.readouterr().out
    assert "From host-dimm to heam" in out
    table = pd.read_csv(tmp_path / "way.csv")
    assert table["changes"][0] == "start" and table["changes"][1] == "embedding: full -> qr:4"
    assert main(["plot", "waterfall", str(tmp_path / "way.csv"), "--columns", "1"]) == 0
    drawn = pd.read_csv(tmp_path / "waterfall.csv")
    assert list(drawn["step"]) == list(table["changes"])
    np.testing.assert_allclose(drawn["speedup"], table["speedup"])
    np.testing.assert_allclose(drawn["total_energy_ratio"].iloc[-1], table["energy_ratio"].prod())


def test_the_way_is_drawn(trace: LookupTrace) -> None:
    found = explain(trace, {"system": "host-dimm", **WORK}, {"system": "heam", **WORK})
    figure = found.plot(columns=1)
    (axis,) = figure.axes
    total = axis.patches[-1]
    ends = sorted((total.get_x(), total.get_x() + total.get_width()))
    assert ends == pytest.approx(sorted((1.0, found.speedup)))
    assert len(axis.patches) == len(found.steps)
