# SPDX-License-Identifier: MIT
"""Runs many points in processes: resumable, and one bad point does not stop the rest."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from heam_sim.errors import HeamSimError
from heam_sim.experiments.points import Point, PointStore, check_traces, point_key
from heam_sim.numbers import whole_number
from heam_sim.results import Result
from heam_sim.simulation import simulate
from heam_sim.trace import LookupTrace

__all__ = ["Failure", "Outcome", "Progress", "check_workers", "run_points"]

#: Points done, points in all, failures so far, and the name of the last point.
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
        Points without a result.
    reused
        How many results were already in the store.
    """

    results: dict[Point, Result]
    failures: tuple[Failure, ...]
    reused: int


@functools.lru_cache(maxsize=4)
def _load_once(path: str, written: int) -> LookupTrace:
    return LookupTrace.load(path)


def load_trace(path: Path) -> LookupTrace:
    """Keep a trace per process, but never an older one of the same name."""
    return _load_once(str(path), path.stat().st_mtime_ns)


def check_workers(workers: int) -> None:
    """Refuse a number of processes below 1."""
    whole_number("workers", workers, minimum=1)


def _job(point: Point, path: Path, key: str, folder: Path | None, check: bool) -> Result:
    """Simulate in a worker; the result is stored by it, so that a lost parent loses nothing."""
    result = simulate(load_trace(path), check=check, **point.arguments())
    if folder is not None:
        PointStore(folder).put(key, result)
    return result


def run_points(
    points: Sequence[Point],
    traces: Mapping[str, Path],
    *,
    store: Path | None = None,
    workers: int = 2,
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
        Processes; 1 simulates in this one.
    check
        Check every command log.
    progress
        Called after every point.

    Returns
    -------
    Outcome
        Results and failures. A point with a wrong parameter, or whose process died twice, is a failure; the
        others go on.

    Raises
    ------
    ConfigError
        A trace is missing, or `workers` is below 1.
    TraceError, DatasetError
        A trace cannot be read.
    """
    check_workers(workers)
    wanted = tuple(dict.fromkeys(points))
    check_traces(wanted, traces)
    hashes = {name: load_trace(traces[name]).content_hash for name in {point.trace for point in wanted}}
    sweep = _Sweep(traces, store, check, len(wanted), progress)
    for point in wanted:
        sweep.look_up(point, hashes[point.trace])
    if workers == 1:
        sweep.run_here()
    else:
        sweep.run_in_processes(workers)
    results = {point: sweep.results[point] for point in wanted if point in sweep.results}
    return Outcome(results, tuple(sweep.failures), sweep.reused)


class _Sweep:
    """The state of one call of :func:`run_points`."""

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
        self.failures: list[Failure] = []
        self.reused = 0
        self.keys: dict[Point, str] = {}

    def look_up(self, point: Point, trace_hash: str) -> None:
        """Take a stored result, or note what is to be done."""
        try:
            key = point_key(point, trace_hash, check=self.check)
        except HeamSimError as error:
            self._fail(point, error)
            return
        kept = None if self.store is None else self.store.get(key)
        if kept is None:
            self.keys[point] = key
        else:
            self.reused += 1
            self._done(point, kept)

    def _arguments(self, point: Point) -> tuple[Point, Path, str, Path | None, bool]:
        folder = None if self.store is None else self.store.folder
        return point, self.traces[point.trace], self.keys[point], folder, self.check

    def run_here(self) -> None:
        """Simulate one point after the other in this process."""
        for point in self.keys:
            try:
                self._done(point, _job(*self._arguments(point)))
            except HeamSimError as error:
                self._fail(point, error)

    def run_in_processes(self, workers: int) -> None:
        """Simulate in worker processes; a pool whose worker died is replaced.

        Nobody can tell which point took the process with it, so those that may have been running are tried
        once more, each alone in its process: who dies there is the culprit.
        """
        left, suspects = dict.fromkeys(self.keys), dict[Point, None]()
        while left:
            alone = bool(suspects)
            batch = list(suspects or left)
            pool = ProcessPoolExecutor(max_workers=1 if alone else workers)
            try:
                self._drain(pool, batch, left)
                suspects.clear()
            except BrokenProcessPool:
                pending = [point for point in batch if point in left]
                if alone:
                    del left[pending[0]]
                    self._fail(pending.pop(0), None)
                suspects = dict.fromkeys(pending[:workers] if not alone else pending)
            finally:
                # An error or Ctrl-C must not wait for points that nobody wants any more.
                pool.shutdown(wait=True, cancel_futures=True)

    def _drain(self, pool: ProcessPoolExecutor, batch: Sequence[Point], left: dict[Point, None]) -> None:
        """Take results as they come; those that are in are no longer `left`."""
        jobs: dict[Future[Result], Point] = {
            pool.submit(_job, *self._arguments(point)): point for point in batch
        }
        waiting = set(jobs)
        while waiting:
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            broken: BrokenProcessPool | None = None
            for job in ready:
                try:
                    result = job.result()
                except BrokenProcessPool as error:
                    broken = error  # other jobs of this round may have come to their end before
                    continue
                except HeamSimError as error:
                    self._fail(jobs[job], error)
                else:
                    self._done(jobs[job], result)
                del left[jobs[job]]
            if broken is not None:
                raise broken

    def _done(self, point: Point, result: Result) -> None:
        self.results[point] = result
        self._tell(point)

    def _fail(self, point: Point, error: HeamSimError | None) -> None:
        message = "its process died; give it more memory" if error is None else str(error)
        self.failures.append(Failure(point, message, error))
        self._tell(point)

    def _tell(self, point: Point) -> None:
        if self.progress is not None:
            failed = len(self.failures)
            self.progress(len(self.results) + failed, self.total, failed, point.label)
