# SPDX-License-Identifier: MIT
"""Where the jobs of a sweep are done: in this process, in processes of this machine, or on a cluster.

All do the same to a job (:func:`~heam_sim.experiments.jobs.attempt`) and say what became of it. They differ
in how a job gets to its worker and in how they see that a worker was lost.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Protocol, Self

from heam_sim.errors import ConfigError, HeamSimError
from heam_sim.experiments.jobs import Finished, Job, attempt, keep, load_trace
from heam_sim.numbers import whole_number
from heam_sim.results import Result

__all__ = ["Executor", "Here", "Processes", "check_workers", "open_executor"]

# Held while a worker process writes a result, so that one that is told to end leaves no half of it.
_WRITING = threading.Lock()


class Executor(Protocol):
    """Where jobs are done. A context manager: leaving it by an error stops what is running."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None: ...

    def run(self, jobs: Sequence[Job], store: Path | None) -> Iterator[tuple[Job, Finished]]:
        """Do jobs, and say of each what became of it, in the order in which that is known.

        Parameters
        ----------
        jobs
            What is to be done.
        store
            Folder of a :class:`~heam_sim.experiments.points.PointStore`: a result is there before it is
            told. None: it is not kept.

        Yields
        ------
        tuple
            A job with its result or error; with None if its process died, be it by this job or by another
            one that ran there. Whoever is alone in a call is the culprit.
        """
        ...


def check_workers(workers: int) -> None:
    """Refuse a number of processes below 1."""
    whole_number("workers", workers, minimum=1)


def open_executor(workers: int, scheduler: str | None = None) -> Executor:
    """Return processes of this machine, or the Dask cluster of a scheduler.

    Raises
    ------
    ConfigError
        `workers` is below 1, or Dask is not installed.
    ClusterError
        There is no such scheduler, it has no workers, or they have another version of heam_sim.
    """
    check_workers(workers)
    if scheduler is not None:
        return _cluster(scheduler)
    return Here() if workers == 1 else Processes(workers)


def _cluster(scheduler: str) -> Executor:
    try:
        from heam_sim.experiments.cluster import Cluster
    except ImportError:
        raise ConfigError("scheduler: needs Dask; install it with `pip install 'heam-sim[dask]'`.") from None
    return Cluster(scheduler)


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Let Ctrl-C have its effect at the end of the block, in which processes are forked.

    What comes during a fork would be raised in one of Python's hooks around it, from which no exception gets
    out: the interrupt would be lost.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # nothing is raised here
        return
    came: list[FrameType | None] = []
    signal.signal(signal.SIGINT, lambda _, frame: came.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            before(signal.SIGINT, came[0])


class Here:
    """This process, one job after the other."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run(self, jobs: Sequence[Job], store: Path | None) -> Iterator[tuple[Job, Finished]]:
        """See :class:`Executor`."""
        for job in jobs:
            yield job, keep(store, job.key, attempt(job, load_trace(job.trace)))


def _do(job: Job, store: Path | None) -> Result | HeamSimError:
    """Do a job in a worker process, and keep the result there, so that a lost parent loses nothing."""
    outcome = attempt(job, load_trace(job.trace))
    with _WRITING:
        return keep(store, job.key, outcome)


class Processes:
    """Processes of this machine, which end with this one however it ends.

    Parameters
    ----------
    workers
        How many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._stop, self._stopped = multiprocessing.Pipe(duplex=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            # Nobody wants any more what is running, and it may take minutes.
            self._stopped.send_bytes(b"stop")
        self._end_pool()
        self._stop.close()
        self._stopped.close()

    def run(self, jobs: Sequence[Job], store: Path | None) -> Iterator[tuple[Job, Finished]]:
        """See :class:`Executor`; a pool whose process died is replaced."""
        left = dict.fromkeys(jobs)
        while left:
            try:
                for job, outcome in self._drain(list(left), store):
                    del left[job]
                    yield job, outcome
            except BrokenProcessPool:
                self._end_pool()
                # Jobs start in order, so these are the ones that may have been running.
                for job in list(left)[: self.workers]:
                    del left[job]
                    yield job, None

    def _drain(self, jobs: Sequence[Job], store: Path | None) -> Iterator[tuple[Job, Result | HeamSimError]]:
        """Say what came of the jobs; raises in the end if a process died before all were done."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers, initializer=_end_with_parent, initargs=(self._stop,)
            )
        running: dict[Future[Result | HeamSimError], Job] = {}
        broken = False
        try:
            with interrupts_later():
                for job in jobs:
                    running[self._pool.submit(_do, job, store)] = job
        except BrokenProcessPool:
            broken = True
        # If the pool breaks all are over at once, and some may have come to their end before.
        for one in as_completed(running):
            if isinstance(one.exception(), BrokenProcessPool):
                broken = True
            else:
                yield running[one], one.result()
        if broken:
            raise BrokenProcessPool

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _end_with_parent(stop: Connection) -> None:
    """Prepare a worker process: it ends when it is told to, and when its parent is no more.

    Otherwise a killed parent would leave processes that wait for jobs for ever. Ctrl-C, which a terminal
    sends to all, is the parent's business.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    watched: list[Connection | int] = [stop] if parent is None else [stop, parent.sentinel]

    def watch() -> None:
        wait(watched)
        with _WRITING:  # a result that is about to be there is worth the moment
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
