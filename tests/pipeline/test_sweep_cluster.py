# SPDX-License-Identifier: MIT
"""Sweeps on a real Dask cluster: worker processes of this machine, some of which are killed."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import dask
import distributed
import pandas as pd
import pytest

import heam_sim
from heam_sim.cli import main
from heam_sim.errors import ClusterError, ConfigError
from heam_sim.experiments import (
    Point,
    PointStore,
    cluster,
    freeze,
    point_key,
    reproduce,
    run_points,
    tune,
)
from heam_sim.experiments.executors import open_executor
from heam_sim.results import ResultSet
from tests.pipeline.cluster_hooks import DEADLY_BYTES, FOLDER, GO, HELD_BYTES, SECONDS
from tests.pipeline.sweeping import (
    POINTS,
    SLOW_START_SECONDS,
    check_resumed,
    stored,
    sweeping,
    wait_for_points,
)

HOOKS = Path(__file__).with_name("cluster_hooks.py")
WORKERS = 2


@contextmanager
def running_cluster(folder: Path, *, seconds: float, deaths: int) -> Iterator[Any]:
    """Two worker processes that write to `folder`; Dask gives up a job at one loss more than `deaths`."""
    with (
        # A local cluster gives up a worker whose nanny needs longer for another one, or meets a second loss.
        dask.config.set(
            {"distributed.scheduler.allowed-failures": deaths, "distributed.deploy.lost-worker-timeout": "1h"}
        ),
        distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            preload=[str(HOOKS)],
            env={FOLDER: str(folder), SECONDS: str(seconds)},
            silence_logs=50,
        ) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with running_cluster(folder, seconds=0.1, deaths=0) as found:
        yield found.scheduler_address


@pytest.fixture
def log(folder: Path) -> Path:
    """What the workers have written since the test began."""
    path = folder / "log.txt"
    path.unlink(missing_ok=True)
    return path


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("traces") / "small.h5"
    heam_sim.generate("criteo-kaggle", samples=40, seed=3).save(path)
    return {"small": path}


def points(count: int, vector_bytes: int = 64) -> list[Point]:
    """Points that differ in the size of the host's cache."""
    return [
        Point(
            trace="small",
            system="host-dimm",
            vector_bytes=vector_bytes,
            overrides=freeze({"host.llc_bytes": 65536 << number}),
        )
        for number in range(count)
    ]


def label(point: Point) -> str:
    """As the workers write it."""
    return f"{point.system} {point.vector_bytes} {dict(point.overrides)['host.llc_bytes']}"


def started(log: Path) -> Counter[str]:
    lines = log.read_text(encoding="utf-8").splitlines()
    return Counter(line.split(maxsplit=2)[2] for line in lines if line.startswith("start"))


def test_results_are_those_of_local_processes(
    address: str, log: Path, traces: dict[str, Path], tmp_path: Path
) -> None:
    wanted = [*points(6), Point(trace="small", system="heam", embedding="qr:4", scope="sample")]
    there = run_points(wanted, traces, store=tmp_path / "there", scheduler=address)
    here = run_points(wanted, traces, store=tmp_path / "here", workers=2)
    assert there == here and list(there.results) == wanted
    for name, outcome in (("there", there), ("here", here)):
        ResultSet(outcome.results.values()).write(tmp_path / f"{name}.json")
    assert (tmp_path / "there.json").read_bytes() == (tmp_path / "here.json").read_bytes()
    assert list(PointStore(tmp_path / "there").keys()) == list(PointStore(tmp_path / "here").keys())
    assert set(started(log).values()) == {1}
    # What one has stored the other takes.
    assert run_points(wanted, traces, store=tmp_path / "here", scheduler=address).reused == len(wanted)
    assert run_points(wanted, traces, store=tmp_path / "there", workers=1).reused == len(wanted)


def test_workers_need_no_file_of_the_client(
    address: str, log: Path, traces: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Description and trace are gone before the first job is sent; the trace was sent once for all."""
    text = (resources.files("heam_sim.systems") / "data" / "host-dimm.toml").read_text(encoding="utf-8")
    description, trace = tmp_path / "mine.toml", tmp_path / "mine.h5"
    description.write_text(text.replace('name = "host-dimm"', 'name = "mine"'))
    heam_sim.generate("criteo-kaggle", samples=30, seed=77).save(trace)
    sent: list[str] = []
    send = cluster.Cluster._sent

    def sent_and_removed(self: Any, job: Any) -> Any:
        found = send(self, job)
        sent.append(found.key)
        description.unlink(missing_ok=True)
        trace.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(cluster.Cluster, "_sent", sent_and_removed)
    wanted = [
        Point(trace="mine", system=str(description), overrides=freeze({"host.llc_bytes": size}))
        for size in (0, 65536, 131072, 262144)
    ]
    with distributed.Client(address, set_as_default=False) as client:
        before = client.run(lambda: cluster._unpacked.cache_info().misses)
        outcome = run_points(wanted, {"mine": trace}, scheduler=address)
        after = client.run(lambda: cluster._unpacked.cache_info().misses)
    assert not outcome.failures and len(outcome.results) == len(wanted)
    assert {result.system for result in outcome.results.values()} == {"mine"}
    assert len(sent) == len(wanted) and len(set(sent)) == 1
    unpacked = [after[worker] - before[worker] for worker in after]
    # Once, however many points a worker gets; a quick one may leave none to the other.
    assert max(unpacked) == 1


def test_a_worker_is_killed(
    address: str, folder: Path, log: Path, traces: dict[str, Path], tmp_path: Path
) -> None:
    """In mid-run, at a point: every point finishes, and none that had finished is simulated again."""
    held, *others = wanted = [*points(1, HELD_BYTES), *points(9)]
    store = PointStore(tmp_path / "points")
    told: list[int] = []
    finished: set[str] = set()

    def kill(done: int, total: int, failed: int, name: str) -> None:
        told.append(done)
        if done == 3:
            finished.update(store.keys())
            lines = [line.split(maxsplit=2) for line in log.read_text(encoding="utf-8").splitlines()]
            (process,) = (int(number) for what, number, point in lines if point == label(held))
            os.kill(process, signal.SIGKILL)
            (folder / GO).touch()

    outcome = run_points(wanted, traces, store=store.folder, scheduler=address, progress=kill)
    (folder / GO).unlink()
    assert not outcome.failures and list(outcome.results) == wanted
    assert told == list(range(1, len(wanted) + 1))
    assert run_points(wanted, traces, workers=2).results == outcome.results
    starts = started(log)
    assert set(starts) == {label(point) for point in wanted} and starts[label(held)] == 2
    trace_hash = heam_sim.LookupTrace.load(traces["small"]).content_hash
    keys = {label(point): store.path(point_key(point, trace_hash)).stem for point in others}
    assert len(finished) == 3 and finished <= set(keys.values())
    assert all(starts[name] == 1 for name, key in keys.items() if key in finished)
    # What the lost worker was to do next, or had done without having handed it over, may have begun twice.
    assert sum(starts.values()) <= len(wanted) + 3


def test_a_point_that_kills_its_workers(
    address: str, log: Path, traces: dict[str, Path], tmp_path: Path
) -> None:
    deadly = points(1, DEADLY_BYTES)[0]
    others = points(6)
    wanted = [*others[:2], deadly, *others[2:]]
    outcome = run_points(wanted, traces, store=tmp_path, scheduler=address)
    assert [failure.point for failure in outcome.failures] == [deadly]
    assert outcome.failures[0].error is None and "died" in outcome.failures[0].message
    assert list(outcome.results) == others
    assert started(log)[label(deadly)] == 2, "once with others, once alone"
    again = run_points(wanted, traces, store=tmp_path, workers=1)
    assert again.reused == len(others) and not again.failures


@pytest.mark.slow
def test_a_point_that_kills_its_workers_as_dask_is_configured(
    traces: dict[str, Path], tmp_path: Path
) -> None:
    """Dask itself tries a point on several workers; the others still finish."""
    deadly = points(1, DEADLY_BYTES)[0]
    wanted = [deadly, *points(12)]
    with running_cluster(tmp_path, seconds=0.3, deaths=3) as found:
        outcome = run_points(wanted, traces, store=tmp_path, scheduler=found.scheduler_address)
    assert [failure.point for failure in outcome.failures] == [deadly]
    assert list(outcome.results) == wanted[1:]
    assert started(tmp_path / "log.txt")[label(deadly)] > 2


@pytest.mark.slow
def test_all_workers_are_lost_and_come_back(
    address: str, log: Path, traces: dict[str, Path], tmp_path: Path
) -> None:
    """With them the trace is lost, which is sent again."""

    def kill(done: int, total: int, failed: int, name: str) -> None:
        if done == 2:
            for process in client.run(os.getpid).values():
                os.kill(process, signal.SIGKILL)

    wanted = points(6)
    with distributed.Client(address, set_as_default=False) as client:
        outcome = run_points(wanted, traces, store=tmp_path, scheduler=address, progress=kill)
    assert not outcome.failures and list(outcome.results) == wanted


def test_bad_points_do_not_stop_the_rest(
    address: str, log: Path, traces: dict[str, Path], tmp_path: Path
) -> None:
    bad = [
        Point(trace="small", system="no-such-system"),
        Point(trace="small", system="host-dimm", embedding="qr:0"),
        Point(trace="small", system="host-dimm", vector_bytes=7),
    ]
    good = points(3)
    outcome = run_points([*bad, *good], traces, store=tmp_path, scheduler=address)
    assert [failure.point for failure in outcome.failures] == bad
    assert list(outcome.results) == good
    here = run_points(bad, traces, workers=1)
    assert [(one.point, one.message) for one in outcome.failures] == [
        (one.point, one.message) for one in here.failures
    ]


@pytest.mark.slow
def test_a_search_on_a_cluster_finds_what_a_local_one_finds(address: str, log: Path, tmp_path: Path) -> None:
    trace = heam_sim.generate("criteo-kaggle", samples=40, seed=1)
    options: dict[str, Any] = {"vector_bytes": 64, "trials": 6, "lookups": 500}
    there = tune("heam", trace, folder=tmp_path / "there", scheduler=address, **options)
    here = tune("heam", trace, folder=tmp_path / "here", **options)
    pd.testing.assert_frame_equal(there.trials, here.trials)
    assert (there.best, there.overrides) == (here.best, here.overrides)


@pytest.mark.slow
def test_the_study_on_a_cluster_is_the_local_one(address: str, log: Path, tmp_path: Path) -> None:
    for name, where in (("there", {"scheduler": address}), ("here", {})):
        reproduce(tmp_path / name, selection="quick", samples=120, **where)  # type: ignore[arg-type]
    for table in ("summary.csv", "claims.csv", "comparisons.csv"):
        assert (tmp_path / "there" / table).read_bytes() == (tmp_path / "here" / table).read_bytes()


@pytest.mark.slow
def test_workers_with_several_threads(traces: dict[str, Path], tmp_path: Path) -> None:
    wanted = [
        Point(trace="small", system=name, embedding="qr:4", vector_bytes=64, scope=scope)
        for name in heam_sim.known_systems()
        for scope in ("bag", "sample")
    ]
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=4, processes=True, dashboard_address=":0"
    ) as found:
        there = run_points(wanted, traces, store=tmp_path, scheduler=found.scheduler_address)
    assert there.results == run_points(wanted, traces, workers=2).results


# -- what cannot be


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "127.0.0.1:{port}", "nonsense", "x://y:1"])
def test_no_scheduler(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.3)
    with pytest.raises(ClusterError, match=r"cannot be reached .*dask scheduler"):
        open_executor(2, address.format(port=free_port()))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "nonsense", "x://y:1"])
def test_a_client_without_a_scheduler_leaves_nothing_to_a_finalizer(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.3)
    closed: list[str] = []
    monkeypatch.setattr(distributed.Client, "__del__", lambda self: closed.append(self.status))
    with pytest.raises(ClusterError):
        open_executor(2, address.format(port=free_port()))
    gc.collect()
    assert closed and set(closed) == {"closed"}


def test_no_scheduler_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.3)
    (tmp_path / "study.toml").write_text('[base]\nsystem = "heam"\n')
    words = ["sweep", str(tmp_path / "study.toml"), "--scheduler", f"tcp://127.0.0.1:{free_port()}"]
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: scheduler tcp://127.0.0.1") and "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]
    assert main([*words, "--workers", "2"]) == 2
    assert "--workers and --scheduler" in capsys.readouterr().err


def test_no_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "heam_sim.experiments.cluster", None)
    with pytest.raises(ConfigError, match=r"heam-sim\[dask\]"):
        open_executor(2, "tcp://127.0.0.1:1")


@contextmanager
def scheduler_alone() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=0, processes=True, dashboard_address=":0", silence_logs=50
    ) as found:
        yield found.scheduler_address


def worker(address: str, path: Path, **more: str) -> subprocess.Popen[str]:
    """A worker as it is started by hand, with the packages in `path` before all others."""
    command = [sys.executable, "-m", "dask", "worker", address, "--nthreads", "1", "--no-nanny"]
    return subprocess.Popen(
        [*command, "--no-dashboard", "--local-directory", str(path)],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(path), **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    process.kill()
    return process.communicate()[1]


def wait_for_workers(address: str, process: subprocess.Popen[str]) -> None:
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=SLOW_START_SECONDS)
    assert process.poll() is None


@pytest.mark.slow
def test_no_workers_and_workers_with_other_software(
    tmp_path: Path, traces: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of another version is refused before it gets a point, and so is one without heam_sim."""
    package = Path(heam_sim.__file__).parent
    other, none = tmp_path / "other", tmp_path / "none"
    shutil.copytree(package, other / "heam_sim", ignore=shutil.ignore_patterns("__pycache__"))
    (other / "heam_sim" / "_version.py").write_text('__version__ = "9.8.7"\n')
    (none / "heam_sim").mkdir(parents=True)
    (none / "heam_sim" / "__init__.py").write_text("raise ImportError('none here')\n")
    with scheduler_alone() as address:
        with monkeypatch.context() as short:
            short.setattr(cluster, "_WORKERS_SECONDS", 0.2)
            with pytest.raises(ClusterError, match=r"no workers for .*dask worker"):
                run_points(points(1), traces, scheduler=address)
        for folder, message in (
            (other, rf"worker tcp://.*: has heam_sim 9\.8\.7 .* the sweep has {heam_sim.__version__} "),
            (none, r"worker tcp://.*: has no heam_sim \(none here\); install it"),
        ):
            process = worker(address, folder)
            try:
                wait_for_workers(address, process)
                with pytest.raises(ClusterError, match=message):
                    run_points(points(1), traces, scheduler=address)
            finally:
                ended(process)


def test_a_worker_that_comes_later_is_asked_too(
    address: str, log: Path, traces: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.Cluster, "_check_workers", lambda self: None)
    monkeypatch.setattr(cluster, "software", lambda: ("9.8.7", "0" * 64))
    with pytest.raises(
        ClusterError, match=r"worker tcp://.*, but the sweep has 9\.8\.7 \(files 000000000000\)"
    ):
        run_points(points(2), traces, store=tmp_path, scheduler=address)
    assert not log.exists() and not list(tmp_path.iterdir())


def test_a_worker_that_does_not_know_what_to_do(
    address: str, log: Path, traces: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any) -> None:
        raise AttributeError("no such function")

    monkeypatch.setattr(cluster, "do_there", unknown)
    with pytest.raises(ClusterError, match=r"could not take a point \(AttributeError: no such function\)"):
        run_points(points(2), traces, scheduler=address)


# -- interrupted


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_client_is_interrupted(address: str, log: Path, tmp_path: Path, how: signal.Signals) -> None:
    process = sweeping(tmp_path, "--scheduler", address)
    wait_for_points(tmp_path, 3, process)
    process.send_signal(how)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in err and (how == signal.SIGKILL or "interrupted" in err)
    before = stored(tmp_path)
    assert 3 <= len(before) < POINTS
    check_resumed(tmp_path, before, "--scheduler", address)


@pytest.mark.slow
def test_the_scheduler_is_lost(traces: dict[str, Path], tmp_path: Path) -> None:
    found = running_cluster(tmp_path, seconds=0.1, deaths=3)
    running = found.__enter__()

    def stop(done: int, total: int, failed: int, name: str) -> None:
        if done == 2:
            found.__exit__(None, None, None)

    with pytest.raises(ClusterError, match="connection was lost"):
        run_points(points(8), traces, store=tmp_path, scheduler=running.scheduler_address, progress=stop)
    assert len(list(PointStore(tmp_path).keys())) >= 2
