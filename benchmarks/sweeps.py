# SPDX-License-Identifier: MIT
"""A sweep of 1,000 small points: wall time, processor time, and what a point costs besides its simulation.

The trace is one-hot in the shape of Criteo Kaggle (26 tables), 1,000 samples; the points are all systems, two
vector sizes, full and QR tables, and sizes of the host's cache. The sweep runs on two processes of this
machine and, where Dask is installed, on two worker processes of a local cluster; then once more, when all
results are there. Processor time counts children, so that other work on the machine matters little.

    python benchmarks/sweeps.py --points 1000 --output build/sweeps.md
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from systems import PARTS, timed

import heam_sim
from heam_sim.datasets import generate
from heam_sim.experiments import jobs, runner
from heam_sim.experiments.design import expand
from heam_sim.experiments.points import Point, PointStore

SIZES, EMBEDDINGS = (64, 128), ("full", "qr:4")
WORKERS = 2


def planned(count: int) -> tuple[Point, ...]:
    """So many points, the systems in turn."""
    each = len(heam_sim.known_systems()) * len(SIZES) * len(EMBEDDINGS)
    caches = [65536 * (1 + number) for number in range(-(-count // each))]
    # Any size in whole sets: the cache has 16 ways of 64 B lines.
    axes: dict[str, Any] = {"host.llc_bytes": caches, "vector_bytes": SIZES, "embedding": EMBEDDINGS}
    return expand(grids=[{**axes, "system": ["*"]}])[:count]


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def row(name: str, run: Callable[[], runner.Outcome], count: int) -> str:
    """A row of the table of whole sweeps."""
    start, used = time.monotonic(), processor_seconds()
    outcome = run()
    wall, used = time.monotonic() - start, processor_seconds() - used
    if outcome.failures or len(outcome.results) != count:
        sys.exit(f"{name}: {len(outcome.failures)} failures: {outcome.failures[:1]}")
    load = os.getloadavg()[0]
    return f"| {name} | {wall:.1f} | {used:.1f} | {1000 * used / count:.1f} | {load:.1f} |"


def sweeps(points: tuple[Point, ...], traces: dict[str, Path], folder: Path) -> Iterator[str]:
    """The table of whole sweeps."""
    yield "| sweep | wall, s | processor, s | processor per point, ms | load average |"
    yield "|---|---:|---:|---:|---:|"

    def local() -> runner.Outcome:
        return runner.run_points(points, traces, store=folder / "local", workers=WORKERS)

    yield row(f"{WORKERS} processes", local, len(points))
    yield row("the same again, all results there", local, len(points))
    if find_spec("distributed") is None:
        return

    def clustered() -> runner.Outcome:
        from distributed import LocalCluster

        # With its start and end, because only children that have ended are counted.
        with LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0") as cluster:
            address = cluster.scheduler_address
            return runner.run_points(points, traces, store=folder / "cluster", scheduler=address)

    yield row(f"Dask, {WORKERS} worker processes, their start included", clustered, len(points))


def parts(points: tuple[Point, ...], traces: dict[str, Path], folder: Path) -> Iterator[str]:
    """What a point's processor time consists of, in one process; a tenth of the points."""
    some = points[::10]
    watched: dict[str, tuple[Any, str]] = {
        **PARTS,
        "look up": (runner._Sweep, "look_up"),
        "store": (PointStore, "put"),
        "simulate": (jobs, "simulate"),
    }
    spent = dict.fromkeys(watched, 0.0)
    start = time.thread_time()
    with timed(spent, watched):
        runner.run_points(some, traces, store=folder / "parts", workers=1)
    whole = time.thread_time() - start
    inside = {name: spent[name] for name in PARTS}
    shown = {
        "resolve, key, look for a result": spent["look up"],
        **inside,
        "rest of the simulation": spent["simulate"] - sum(inside.values()),
        "store the result": spent["store"],
        "rest": whole - spent["look up"] - spent["simulate"] - spent["store"],
    }
    yield "| part of a point | processor, ms |"
    yield "|---|---:|"
    for name, seconds in shown.items():
        yield f"| {name} | {1000 * seconds / len(some):.2f} |"
    yield f"| all | {1000 * whole / len(some):.2f} |"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="Wall and processor time of a sweep of small points.")
    parser.add_argument("--points", type=int, default=1000, help="how many")
    parser.add_argument("--samples", type=int, default=1000, help="of the trace")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate("criteo-kaggle", samples=options.samples).save(folder / "trace.h5")
        traces, points = {"main": folder / "trace.h5"}, planned(options.points)
        tell(f"{len(points):,} points of {options.samples:,} samples.")
        tell("")
        for line in parts(points, traces, folder):
            tell(line)
        tell("")
        for line in sweeps(points, traces, folder):
            tell(line)
    if options.output is not None:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
