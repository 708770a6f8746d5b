# SPDX-License-Identifier: MIT
"""Sweeps from traces to tables: what ``heam-sim sweep`` and :func:`heam_sim.sweep` do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from heam_sim.errors import ConfigError, unknown_name
from heam_sim.experiments.comparisons import BASELINE, Results, summarise
from heam_sim.experiments.design import DEFAULT, MAIN, Design, expand, read_design
from heam_sim.experiments.executors import Executor, open_executor
from heam_sim.experiments.figures import FIGURES, Material, draw_all
from heam_sim.experiments.points import Point, thaw
from heam_sim.experiments.runner import Failure, Progress, run_on
from heam_sim.plotting import save_figure
from heam_sim.results import ResultSet, write_table
from heam_sim.results.atomic import make_folder
from heam_sim.trace import LookupTrace

__all__ = ["Sweep", "run_design", "sweep"]


@dataclass(frozen=True)
class Sweep:
    """What a sweep left.

    Attributes
    ----------
    points
        With a result, in order.
    results
        One per point.
    failures
        Points without one, and why.
    reused
        Results that an earlier, perhaps interrupted, run had left.
    figures
        Files of the figures that the study asks for.
    """

    points: tuple[Point, ...]
    results: ResultSet
    failures: tuple[Failure, ...]
    reused: int
    figures: tuple[Path, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """A row per result: the trace's name and every overridden parameter, then the result's columns."""
        frame = self.results.to_frame()
        changed = list(dict.fromkeys(key for point in self.points for key, _ in point.overrides))
        for number, key in enumerate(changed):
            frame.insert(number, key, [_shown(dict(point.overrides).get(key)) for point in self.points])
        frame.insert(0, "trace", [point.trace for point in self.points])
        return frame


def _shown(value: Any) -> Any:
    value = thaw(value)
    return str(value) if isinstance(value, dict | list) else value


def sweep(
    trace: LookupTrace | Mapping[str, LookupTrace],
    *,
    base: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Sequence[Any]]] = (),
    points: Iterable[Mapping[str, Any]] = (),
    output: str | os.PathLike[str],
    workers: int = 2,
    scheduler: str | None = None,
    check: bool = False,
    progress: Progress | None = None,
) -> Sweep:
    """Simulate a grid or a list of configurations; what is finished is never done again.

    Parameters
    ----------
    trace
        One trace, or several by name (an axis ``trace`` chooses).
    base, grid, points
        All combinations of a grid's lists, and single points, over a common base. Keys are ``system``,
        ``embedding``, ``vector_bytes``, ``scope``, ``profile``, ``trace``, and overrides such as
        ``"hbm.pim.batch_tags"``.
    output
        Folder for ``results.h5``, ``summary.csv``, ``failures.csv`` and the finished points.
    workers
        Processes of this machine; they say nothing if there is a `scheduler`.
    scheduler
        Address of a Dask scheduler, ``"tcp://host:8786"``, on whose workers the points are simulated instead
        (``pip install 'heam-sim[dask]'``). They need the same heam_sim, but none of this machine's files.
    check
        Check every command log.
    progress
        Called with points done, points in all, failures, and the last point's name.

    Returns
    -------
    Sweep
        Points with their results, and those that failed.

    Raises
    ------
    ConfigError
        A key or type is wrong. A value that only the simulation can refuse makes its point a failure, and the
        others go on.
    ClusterError
        The scheduler cannot be reached, has no workers, or has workers with another heam_sim.
    """
    traces = {MAIN: trace} if isinstance(trace, LookupTrace) else dict(trace)
    if not traces or not all(isinstance(one, LookupTrace) for one in traces.values()):
        raise ConfigError("sweep: trace needs a LookupTrace, or several by name.")
    grids = [grid] if isinstance(grid, Mapping) else grid
    planned = expand(base=base, grids=grids, points=points, traces=traces)
    with open_executor(workers, scheduler) as executor:
        return _run("sweep", traces, planned, Path(output), executor, check=check, progress=progress)


def run_design(
    design: Design | str | Path,
    output: str | os.PathLike[str],
    *,
    workers: int = 2,
    scheduler: str | None = None,
    check: bool = False,
    progress: Progress | None = None,
) -> Sweep:
    """Run a sweep that a file describes; parameters as in :func:`sweep`.

    Parameters
    ----------
    design
        The study, or its TOML file.
    output
        Folder for results and finished points.
    workers, scheduler
        As for :func:`sweep`.
    check
        Check every command log (slow).
    progress
        Called with points done, points in all, failures and the name of the last.

    Returns
    -------
    Sweep
        Points with their results, and those that failed.
    """
    if not isinstance(design, Design):
        design = read_design(design)
    for name in design.figures:
        if name not in FIGURES:
            raise unknown_name("figure", name, FIGURES, where=f"study {design.name}")
    used = {point.trace for point in design.points}
    with open_executor(workers, scheduler) as executor:
        traces = {name: one.load(design.folder) for name, one in design.traces.items() if name in used}
        done = _run(
            design.name, traces, design.points, Path(output), executor, check=check, progress=progress
        )
    return replace(done, figures=_draw(design, done, traces, Path(output)))


def _draw(design: Design, done: Sweep, traces: Mapping[str, LookupTrace], output: Path) -> tuple[Path, ...]:
    """Draw the figures that a study asks for, from the table that compares its points with the baseline."""
    if not design.figures or not done.points:
        return ()
    found = Results(dict(zip(done.points, done.results, strict=True)), design.variants)
    frame = summarise(found, {name: trace.cardinalities for name, trace in traces.items()})
    write_table(output / "study.csv", frame)
    base = Point(**{"system": BASELINE, "trace": done.points[0].trace, **_fields_of(design.base)})
    compared = dict.fromkeys(point.embedding for point in done.points if point.variant == DEFAULT)
    material = Material(frame, tuple(done.results), design.variants, base, embeddings=tuple(compared))
    return tuple(
        file
        for stem, (figure, table) in draw_all(material, design.figures).items()
        for file in save_figure(figure, output / stem, table)
    )


def _fields_of(base: Mapping[str, Any]) -> dict[str, Any]:
    """What a base says of points themselves, without overrides of systems."""
    known = {field.name for field in fields(Point)} - {"overrides", "system"}
    return {key: value for key, value in base.items() if key in known}


def _run(
    name: str,
    traces: Mapping[str, LookupTrace],
    points: tuple[Point, ...],
    output: Path,
    executor: Executor,
    *,
    check: bool,
    progress: Progress | None,
) -> Sweep:
    make_folder(output)
    files = {one: output / f"trace-{number}.h5" for number, one in enumerate(traces)}
    for one, file in files.items():
        traces[one].save(file)
    outcome = run_on(executor, points, files, store=output / "points", check=check, progress=progress)
    provenance = {"study": name, "points": len(points), "failures": len(outcome.failures)}
    results = ResultSet(outcome.results.values(), provenance=provenance)
    done = Sweep(tuple(outcome.results), results, outcome.failures, outcome.reused)
    results.save(output / "results.h5")
    tables = {"summary.csv": done.to_frame()}
    failed = output / "failures.csv"
    if done.failures:
        rows = [{"point": failure.point.label, "message": failure.message} for failure in done.failures]
        tables[failed.name] = pd.DataFrame(rows)
    else:
        failed.unlink(missing_ok=True)
    for table, frame in tables.items():
        write_table(output / table, frame)
    return done
