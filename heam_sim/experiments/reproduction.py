# SPDX-License-Identifier: MIT
"""The reproduction study: all systems, their tables and figures, and the published claims beside them.

What is simulated is data (``data/reproduction.toml``); what is finished is kept, as in every sweep.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from heam_sim import plotting
from heam_sim.datasets import shape_info
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.experiments.best import default_trials, read_best, search_best, write_best
from heam_sim.experiments.claims import claims_table, comparisons_table
from heam_sim.experiments.comparisons import BASELINE, Results, summarise
from heam_sim.experiments.design import Design, TraceSource, read_design
from heam_sim.experiments.executors import check_workers, open_executor
from heam_sim.experiments.figures import Material, draw_all
from heam_sim.experiments.points import Point
from heam_sim.experiments.runner import Outcome, Progress, run_on
from heam_sim.results import ResultSet, write_table
from heam_sim.results.atomic import make_folder
from heam_sim.results.export import records
from heam_sim.trace import LookupTrace

__all__ = ["SELECTIONS", "Study", "reproduce", "study_design"]

#: How much of the study is run.
SELECTIONS = ("quick", "default", "full")
# The profile part decides placement, the rest is timed: fewer samples leave one of them empty.
_FEWEST = 5


@dataclass(frozen=True)
class Study:
    """What the study left.

    Attributes
    ----------
    points, results
        What has a result, in order.
    failures
        What could not be simulated or searched, and why.
    reused
        Results that an earlier run had left.
    summary, claims, comparisons
        The tables in ``summary.csv``, ``claims.csv`` and ``comparisons.csv``.
    lookups
        Lookups of every trace.
    compared
        The results, to be held against each other.
    files
        Everything that was written, but for the finished points.
    """

    points: tuple[Point, ...]
    results: ResultSet
    failures: tuple[str, ...]
    reused: int
    summary: pd.DataFrame
    claims: pd.DataFrame
    comparisons: pd.DataFrame
    lookups: Mapping[str, int]
    compared: Results
    files: tuple[Path, ...] = ()


def study_design(selection: str = "default") -> Design:
    """Return the study as far as a selection (:data:`SELECTIONS`) wants it.

    Parameters
    ----------
    selection
        ``"quick"``, ``"default"`` or ``"full"``.

    Returns
    -------
    Design
        Ready for :func:`run_design`.

    Raises
    ------
    ConfigError
        An unknown selection.
    """
    if selection not in SELECTIONS:
        raise unknown_name("selection", selection, SELECTIONS, where="reproduce")
    with resources.as_file(resources.files("heam_sim.experiments") / "data" / "reproduction.toml") as file:
        return read_design(file, selection=selection)


def _sources(
    design: Design, *, dataset: str, path: Path | None, samples: int | None, seed: int
) -> dict[str, TraceSource]:
    """The traces that the points use, of the shape or from the file that is wanted."""
    own = TraceSource().dataset
    wanted = dict.fromkeys(point.trace for point in design.points)
    found = {}
    for name in wanted:
        source = replace(design.traces[name], seed=seed)
        if samples is not None and path is None:
            source = replace(source, lookups=samples * len(shape_info(dataset).pooling))
        if source.dataset == own:
            file = "" if path is None else str(path.resolve())
            source = replace(source, dataset=dataset, path=file, samples=samples if file else None)
        found[name] = source
    return found


def _load(sources: Mapping[str, TraceSource]) -> dict[str, LookupTrace]:
    """Generate the traces; a file is read once and expanded for each."""
    read: dict[tuple[str, str, int | None], LookupTrace] = {}
    traces = {}
    for name, source in sources.items():
        if not source.path:
            traces[name] = source.load(Path.cwd())
            continue
        key = (source.dataset, source.path, source.samples)
        if key not in read:
            read[key] = replace(source, pooling=1).load(Path.cwd())
        traces[name] = source.expanded(read[key])
    for name, trace in traces.items():
        if trace.samples < _FEWEST:
            raise ConfigError(
                f"samples: trace {name!r} of the study has {trace.samples} and needs {_FEWEST}; ask for more "
                "samples."
            )
    return traces


def reproduce(
    output: str | os.PathLike[str],
    *,
    selection: str = "default",
    dataset: str = "criteo-kaggle",
    path: str | os.PathLike[str] | None = None,
    samples: int | None = None,
    seed: int = 1,
    trials: int | None = None,
    workers: int = 2,
    scheduler: str | None = None,
    check: bool = False,
    progress: Progress | None = None,
) -> Study:
    """Run the study and write its tables and figures.

    Parameters
    ----------
    output
        Folder for ``summary.csv``, ``claims.csv``, ``comparisons.csv``, ``results.h5``, the traces, the
        figures and, in ``points``, what is finished; made if it is missing. Points that an earlier run has
        finished there are not simulated again.
    selection
        One of :data:`SELECTIONS`: how many points, and lookups of every generated trace.
    dataset, path
        A generated trace of this shape, or the real file at `path`, for all traces but those of other models
        (``mlperf``). Multi-hot traces are expanded from a file.
    samples
        One-hot samples; the other traces have as many lookups. By default what the selection says, or the
        whole file.
    seed
        Of the generators and of the multi-hot expansion.
    trials
        Settings tried per system and embedding for the table of best against best; by default those of
        :func:`tune` with the selection ``"full"`` if Optuna is installed, otherwise none. What an
        earlier search has left in ``tuned`` is shown in any case.
    workers, scheduler
        As in :func:`heam_sim.sweep`.
    check
        Check every command log (slow).
    progress
        Called with points done, points in all, failures and the name of the last.

    Returns
    -------
    Study
        Tables, results and the files that were written.

    Raises
    ------
    HeamSimError
        A trace cannot be read or has too few samples, or no point could be simulated;
        :class:`~heam_sim.errors.OutputError` for a folder that cannot be written,
        :class:`~heam_sim.errors.ClusterError` for a cluster that cannot be used.
    """
    check_workers(workers)
    design = study_design(selection)
    file = None if path is None else Path(path)
    sources = _sources(design, dataset=dataset, path=file, samples=samples, seed=seed)
    folder = Path(output)
    make_folder(folder)
    with open_executor(workers, scheduler) as executor:
        traces = _load(sources)
        files = {name: folder / f"trace-{name}.h5" for name in traces}
        for name, trace_file in files.items():
            traces[name].save(trace_file)
        outcome = run_on(
            executor, design.points, files, store=folder / "points", check=check, progress=progress
        )
    if not outcome.results:
        raise outcome.failures[0].error or ConfigError(outcome.failures[0].message)
    base = Point(system=BASELINE, **design.base)
    best, not_searched = _best(
        folder / "tuned",
        traces[base.trace],
        base,
        trials=default_trials(selection) if trials is None else trials,
        workers=workers,
        scheduler=scheduler,
        progress=progress,
    )
    provenance: dict[str, Any] = {
        "selection": selection,
        "dataset": dataset,
        "seed": seed,
        "generated": path is None,
    }
    failures = (*(f"{one.point.label}: {one.message}" for one in outcome.failures), *not_searched)
    if best is not None:
        provenance["searches"] = records(best)
    study = _tabulated(design, outcome, traces, failures, provenance)
    written = _write(folder, study, base, best)
    return replace(study, files=(*written, *files.values()))


def _tabulated(
    design: Design,
    outcome: Outcome,
    traces: Mapping[str, LookupTrace],
    failures: tuple[str, ...],
    provenance: Mapping[str, Any],
) -> Study:
    """Results and tables; nothing is written yet."""
    found = Results(outcome.results, design.variants)
    # With these all tables and figures can be made from the file of results alone.
    alone = {
        "points": [[point.trace, point.variant] for point in outcome.results],
        "cardinalities": {name: trace.cardinalities for name, trace in traces.items()},
    }
    results = ResultSet(outcome.results.values(), provenance={"study": design.name, **provenance, **alone})
    return Study(
        points=tuple(outcome.results),
        results=results,
        failures=failures,
        reused=outcome.reused,
        summary=summarise(found, {name: trace.cardinalities for name, trace in traces.items()}),
        claims=claims_table(found),
        comparisons=comparisons_table(found),
        lookups={name: trace.lookups for name, trace in traces.items()},
        compared=found,
    )


def _best(
    folder: Path,
    trace: LookupTrace,
    base: Point,
    *,
    trials: int,
    workers: int,
    scheduler: str | None,
    progress: Progress | None,
) -> tuple[pd.DataFrame | None, list[str]]:
    """Search, or take what an earlier search has left."""
    if trials < 1:
        return read_best(folder, trace, base), []
    found, failures = search_best(
        folder, trace, base, trials=trials, workers=workers, scheduler=scheduler, progress=progress
    )
    return (write_best(folder, found) if found else None), failures


def _write(folder: Path, study: Study, base: Point, best: pd.DataFrame | None) -> list[Path]:
    """Write tables, results and figures."""
    frames = {"summary.csv": study.summary, "claims.csv": study.claims, "comparisons.csv": study.comparisons}
    failed = folder / "failures.csv"
    if study.failures:
        frames[failed.name] = pd.DataFrame({"failure": study.failures})
    else:
        failed.unlink(missing_ok=True)
    for name, frame in frames.items():
        write_table(folder / name, frame)
    study.results.save(folder / "results.h5")
    files = [folder / name for name in (*frames, "results.h5")]
    for name, (figure, table) in _figures(study.compared, study.summary, base, best).items():
        files += plotting.save_figure(figure, folder / name, table)
    return files


def _figures(
    results: Results, summary: pd.DataFrame, base: Point, best: pd.DataFrame | None
) -> dict[str, tuple[Figure, pd.DataFrame]]:
    """Every figure for which the selection has points, by the name of its files."""
    return draw_all(Material(summary, tuple(results.found.values()), results.variants, base, best))
