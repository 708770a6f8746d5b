# SPDX-License-Identifier: MIT
"""Sweeps of points: keys, resuming, points that fail, processes that die."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from heam_sim import generate
from heam_sim.errors import ConfigError
from heam_sim.experiments import Point, PointStore, freeze, point_key, run_points, runner
from heam_sim.experiments.points import AROUND, thaw
from heam_sim.results import ResultSet
from heam_sim.simulation import simulate
from heam_sim.systems import known_systems

SYSTEMS = ("host-dimm", "heam")


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("traces") / "small.h5"
    generate("criteo-kaggle", samples=40, seed=3).save(path)
    return {"small": path}


def point(system: str = "heam", **changes: Any) -> Point:
    wanted: dict[str, Any] = {
        "trace": "small",
        "system": system,
        "embedding": "qr:4",
        "vector_bytes": 64,
        "scope": "sample",
    }
    return Point(**{**wanted, **changes})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the systems that were really simulated."""
    seen: list[str] = []

    def counted(trace: Any, **arguments: Any) -> Any:
        seen.append(arguments["system"])
        return simulate(trace, **arguments)

    monkeypatch.setattr(runner, "simulate", counted)
    return seen


# -- keys


def test_a_key_depends_on_all_that_a_result_depends_on() -> None:
    base = point_key(point(), "abc")
    others = [
        point_key(point(), "abd"),
        point_key(point(), "abc", check=True),
        point_key(point("host-dimm"), "abc"),
        point_key(point(embedding="qr:8"), "abc"),
        point_key(point(vector_bytes=128), "abc"),
        point_key(point(scope="bag"), "abc"),
        point_key(point(profile=0.3), "abc"),
        point_key(point(overrides=freeze({"host.llc_bytes": 0})), "abc"),
        point_key(point(overrides=freeze({"dimm.overrides": {"rank": 1}})), "abc"),
    ]
    assert len({base, *others}) == 1 + len(others)


def test_a_key_does_not_depend_on_names_of_traces_and_variants() -> None:
    same = [point(variant="other"), point(trace="other"), point(overrides=freeze({"hbm.pim.batch_tags": 4}))]
    assert {point_key(one, "abc") for one in same} == {point_key(point(), "abc")}


def test_a_key_changes_with_the_software(monkeypatch: pytest.MonkeyPatch) -> None:
    before = point_key(point(), "abc")
    monkeypatch.setattr("heam_sim.experiments.points.software_digest", lambda: "another")
    assert point_key(point(), "abc") != before


def test_simulations_depend_on_no_room_that_the_digest_leaves_out(root: Path) -> None:
    """Otherwise a result of older code could pass for one of newer code."""
    package = root / "heam_sim"
    rooms = "|".join(AROUND)
    foreign = re.compile(rf"^\s*(from|import) +(heam_sim\.({rooms})|heam_sim +import .*\b({rooms}))\b", re.M)
    inside = [path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in AROUND]
    assert len(inside) > 50
    # Nor does the package itself, which offers all rooms to its users: it imports them when they are used.
    assert [path for path in inside if foreign.search(path.read_text())] == []
    for line in ("from heam_sim.plotting import style", "from heam_sim import cli"):
        assert foreign.search(line)


def test_overrides_come_back_as_they_were() -> None:
    overrides = {"b": {"rank": 2, "x": [1, 2]}, "a": [1.5, "text"], "c": True}
    frozen = freeze(overrides)
    assert hash(frozen) == hash(freeze(dict(reversed(overrides.items()))))
    assert {key: thaw(value) for key, value in frozen} == overrides


# -- resuming


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_those_of_simulate(traces: dict[str, Path], tmp_path: Path, workers: int) -> None:
    points = [point(system) for system in SYSTEMS]
    outcome = run_points(points, traces, store=tmp_path, workers=workers)
    assert list(outcome.results) == points and not outcome.failures and outcome.reused == 0
    trace = runner.load_trace(traces["small"])
    for one, result in outcome.results.items():
        assert result == simulate(trace, **one.arguments())
    assert len(list(PointStore(tmp_path).keys())) == len(points)


def test_one_worker_and_two_write_the_same_bytes(traces: dict[str, Path], tmp_path: Path) -> None:
    """Of every system that there is, in the order of the points."""
    points = [point(system, scope=scope) for system in known_systems() for scope in ("bag", "sample")]
    results = []
    for workers in (1, 2):
        outcome = run_points(points, traces, store=tmp_path / str(workers), workers=workers)
        assert not outcome.failures and len(outcome.results) == len(points)
        results.append([outcome.results[one] for one in points])
        ResultSet(results[-1]).write(tmp_path / f"{workers}.csv")
    assert results[0] == results[1]
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    keys = [sorted(PointStore(tmp_path / str(workers)).keys()) for workers in (1, 2)]
    assert keys[0] == keys[1] and len(keys[0]) == len(points)


def test_what_is_stored_is_not_simulated_again(
    traces: dict[str, Path], tmp_path: Path, calls: list[str]
) -> None:
    first = run_points([point("host-dimm")], traces, store=tmp_path, workers=1)
    second = run_points([point("heam"), point("host-dimm")], traces, store=tmp_path, workers=1)
    assert calls == ["host-dimm", "heam"]
    assert second.reused == 1
    assert list(second.results) == [point("heam"), point("host-dimm")]
    assert second.results[point("host-dimm")] == first.results[point("host-dimm")]


def test_a_damaged_result_is_made_again(traces: dict[str, Path], tmp_path: Path, calls: list[str]) -> None:
    run_points([point()], traces, store=tmp_path, workers=1)
    stored = next(tmp_path.glob("*.h5"))
    stored.write_bytes(stored.read_bytes()[:1000])
    again = run_points([point()], traces, store=tmp_path, workers=1)
    assert calls == ["heam", "heam"] and again.reused == 0
    assert run_points([point()], traces, store=tmp_path, workers=1).reused == 1


def test_equal_points_are_simulated_once(traces: dict[str, Path], calls: list[str]) -> None:
    outcome = run_points([point(), point()], traces, workers=1)
    assert calls == ["heam"] and len(outcome.results) == 1


# -- what goes wrong


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_point_does_not_stop_the_rest(traces: dict[str, Path], workers: int) -> None:
    bad = [point("no-such-system"), point(overrides=freeze({"hbm.channels": 0})), point(embedding="qr:0")]
    tiny = point("host-dimm", overrides=freeze({"dimm.memory": "native/DDR4_2Gb_x16/DDR4_3200"}))
    steps: list[tuple[int, int, int, str]] = []
    outcome = run_points(
        [*bad, tiny, point()], traces, workers=workers, progress=lambda *step: steps.append(step)
    )
    assert set(outcome.results) >= {point()}
    failed = {failure.point: failure for failure in outcome.failures}
    assert set(bad) <= set(failed)
    assert "no-such-system" in failed[bad[0]].message
    assert all(failure.error is not None for failure in failed.values())
    assert [step[0] for step in steps] == list(range(1, 6))
    assert steps[-1][1:3] == (5, len(failed))


def test_a_process_that_dies_takes_only_its_point(
    traces: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly = point(vector_bytes=128)
    others = [point(system, vector_bytes=size) for system in SYSTEMS for size in (64, 256)]

    def fatal(trace: Any, **arguments: Any) -> Any:
        if arguments["vector_bytes"] == deadly.vector_bytes:
            os._exit(9)
        return simulate(trace, **arguments)

    monkeypatch.setattr(runner, "simulate", fatal)  # worker processes are forked: they see it too
    outcome = run_points([others[0], deadly, *others[1:]], traces, store=tmp_path, workers=2)
    assert set(outcome.results) == set(others)
    assert [failure.point for failure in outcome.failures] == [deadly]
    assert outcome.failures[0].error is None and "died" in outcome.failures[0].message
    monkeypatch.undo()
    again = run_points([others[0], deadly, *others[1:]], traces, store=tmp_path, workers=1)
    assert again.reused == len(others) and not again.failures


def test_a_trace_that_nobody_named(traces: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"trace 'large'.*small"):
        run_points([point(trace="large")], traces)


def test_no_workers(traces: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="workers must be a whole number of at least 1, not 0"):
        run_points([point()], traces, workers=0)
