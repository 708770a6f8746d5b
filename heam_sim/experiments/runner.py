# SPDX-License-Identifier: MIT
"""Runs many points on an executor: resumable, and one bad point does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heam_sim.errors import HeamSimError
from heam_sim.experiments.executors import Executor, open_executor
from heam_sim.experiments.jobs import Finished, Job, load_trace
from heam_sim.experiments.points import Point, PointStore, arguments_key, check_traces
from heam_sim.results import Result

__all__ = ["Failure", "Outcome", "Progress", "run_on", "run_points"]

#: Points done (those that were there count), points in all, failures so far, and the name of the last point.
Progress = Callable[[int, int, int, str], None]


@dataclass(frozen=True)
class Failure:
    """A point that gave no result.

    Attributes
    ----------
    point
        Which.
    message
        Why, in one sentence.
    error
        What was raised; None if its process died.
    """

    point: Point
    message: str
    error: HeamSimError | None = None


@dataclass(frozen=True)
class Outcome:
    """What a sweep left.

    Attributes
    ----------
    results
        By point, in the order of the points; without those that failed.
    failures
        Points without a result, in the order of the points.
    reused
        How many results were already in the store.
    """

    results: dict[Point, Result]
    failures: tuple[Failure, ...]
    reused: int


def run_points(
    points: Sequence[Point],
    traces: Mapping[str, Path],
    *,
    store: Path | None = None,
    workers: int = 2,
    scheduler: str | None = None,
    check: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Simulate every point that has no result yet.

    Parameters
    ----------
    points
        What to simulate; equal ones are simulated once.
    traces
        Stored trace of every name that the points use.
    store
        Folder in which results are kept under a key of input, resolved configuration and software. A sweep
        that was interrupted, however, finds there what had finished. None: nothing is kept.
    workers
        Processes of this machine; 1 simulates in this one.
    scheduler
        Address of a Dask scheduler, whose workers simulate instead.
    check
        Check every command log.
    progress
        Called after every point that had no result yet.

    Returns
    -------
    Outcome
        Results and failures. A point with a wrong parameter, or whose process died twice, is a failure; the
        others go on.

    Raises
    ------
    ConfigError
        A trace is missing, `workers` is below 1, or Dask is not installed.
    TraceError, DatasetError
        A trace cannot be read.
    ClusterError
        The cluster cannot be reached or used; what had finished is kept.
    """
    with open_executor(workers, scheduler) as executor:
        return run_on(executor, points, traces, store=store, check=check, progress=progress)


def run_on(
    executor: Executor,
    points: Sequence[Point],
    traces: Mapping[str, Path],
    *,
    store: Path | None = None,
    check: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Do what :func:`run_points` does on an executor that is open already."""
    wanted = tuple(dict.fromkeys(points))
    check_traces(wanted, traces)
    hashes = {name: load_trace(traces[name]).content_hash for name in {point.trace for point in wanted}}
    sweep = _Sweep(traces, store, check, len(wanted), progress)
    for point in wanted:
        sweep.look_up(point, hashes[point.trace])
    sweep.run(executor)
    return Outcome(
        {point: sweep.results[point] for point in wanted if point in sweep.results},
        tuple(sweep.failures[point] for point in wanted if point in sweep.failures),
        sweep.reused,
    )


class _Sweep:
    """The state of one call of :func:`run_on`."""

    def __init__(
        self,
        traces: Mapping[str, Path],
        store: Path | None,
        check: bool,
        total: int,
        progress: Progress | None,
    ) -> None:
        self.traces = traces
        self.store = None if store is None else PointStore(store)
        self.check = check
        self.total = total
        self.progress = progress
        self.results: dict[Point, Result] = {}
        self.failures: dict[Point, Failure] = {}
        self.reused = 0
        #: Points with the same key are one job.
        self.jobs: dict[Job, list[Point]] = {}
        self._by_key: dict[str, Job] = {}

    def look_up(self, point: Point, trace_hash: str) -> None:
        """Take a stored result, or note what is to be done."""
        try:
            arguments = point.resolved()
            key = arguments_key(arguments, trace_hash, check=self.check)
        except HeamSimError as error:
            self._finish(point, error)
            return
        kept = None if self.store is None else self.store.get(key)
        if kept is not None:
            self.reused += 1
            self.results[point] = kept
        else:
            job = Job({**arguments, "check": self.check}, self.traces[point.trace], trace_hash, key)
            self.jobs.setdefault(self._by_key.setdefault(key, job), []).append(point)

    def run(self, executor: Executor) -> None:
        """Do the jobs.

        Nobody can tell which of the points that were running took their process with them, so those are
        tried once more, each alone: who loses its process then is the culprit.
        """
        folder = None
        if self.store is not None:
            folder = self.store.folder
            self.store.clean()
        suspects = []
        for job, outcome in executor.run(list(self.jobs), folder):
            if outcome is None:
                suspects.append(job)
            else:
                self._done(job, outcome)
        for suspect in suspects:
            for job, outcome in executor.run([suspect], folder):
                self._done(job, outcome)

    def _done(self, job: Job, outcome: Finished) -> None:
        for point in self.jobs[job]:
            self._finish(point, outcome)

    def _finish(self, point: Point, outcome: Finished) -> None:
        if isinstance(outcome, Result):
            self.results[point] = outcome
        else:
            message = "its process died; give it more memory" if outcome is None else str(outcome)
            self.failures[point] = Failure(point, message, outcome)
        if self.progress is not None:
            failed = len(self.failures)
            self.progress(len(self.results) + failed, self.total, failed, point.label)
