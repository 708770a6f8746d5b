# SPDX-License-Identifier: MIT
"""Jobs on the workers of a Dask scheduler.

Workers see none of the files of the machine that runs the sweep: a system comes with its job, and a trace
once to every worker, which keeps it. Results come back and are stored here.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import queue
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Self

import distributed

from heam_sim._version import __version__
from heam_sim.errors import ClusterError, HeamSimError
from heam_sim.experiments.jobs import Finished, Job, attempt, keep
from heam_sim.experiments.points import software_digest
from heam_sim.results import Result
from heam_sim.trace import LookupTrace

__all__ = ["Cluster", "SentTrace", "do_there", "software"]

# A scheduler that is there answers at once, also when it is busy.
_CONNECT_SECONDS = 5
# Workers that a batch system or a nanny has yet to start.
_WORKERS_SECONDS = 60
# How often it is asked which workers there are.
_LOOK_SECONDS = 1.0
# A finished result that cannot be fetched in this time has been lost with its worker.
_FETCH_SECONDS = 120
# Besides what runs, so that no worker waits for the next job. What a worker has when it dies is suspected.
_AHEAD = 1


def software() -> tuple[str, str]:
    """Return the version of heam_sim, and the digest of the files that a result depends on."""
    return __version__, software_digest()


@dataclass(frozen=True)
class SentTrace:
    """A trace on its way to a worker: its file, which is far smaller than the trace in the memory.

    Attributes
    ----------
    content_hash
        What it is recognised by.
    data
        The bytes of its file.
    """

    content_hash: str
    data: bytes = field(compare=False, repr=False)


@functools.lru_cache(maxsize=4)
def _unpacked(sent: SentTrace) -> LookupTrace:
    """Read a trace once per worker."""
    with tempfile.TemporaryDirectory(prefix="heam-sim-") as folder:
        file = Path(folder) / "trace.h5"
        file.write_bytes(sent.data)
        return LookupTrace.load(file)


def do_there(job: Job, sent: SentTrace, wanted: tuple[str, str]) -> Result | HeamSimError:
    """Do a job in a worker; with other software the result could be another."""
    found = software()
    if found != wanted:
        return _other_software(distributed.get_worker().address, found, wanted)
    try:
        trace = _unpacked(sent)
    except (HeamSimError, OSError) as error:
        return ClusterError(f"worker {distributed.get_worker().address}: cannot unpack the trace: {error}")
    return attempt(job, trace)


def _other_software(worker: str, found: tuple[str, str], wanted: tuple[str, str]) -> ClusterError:
    there, here = (f"{version} (files {digest[:12]})" for version, digest in (found, wanted))
    return ClusterError(
        f"worker {worker}: has heam_sim {there}, but the sweep has {here}; install the same wheel on all "
        "machines and start the workers again."
    )


def _probe() -> Callable[[], tuple[str, str] | str]:
    """Make a function that goes to workers as it stands, because they may not have this module."""

    def probe() -> tuple[str, str] | str:
        try:
            from heam_sim.experiments.cluster import software
        except ImportError as error:
            return str(error)
        return software()

    return probe


class _TraceLost(Exception):
    """The last worker that had the trace is gone, and with it all jobs that were to use it."""


class _Client(distributed.Client):  # type: ignore[misc]  # Dask has no types
    """A client that is closed at once if nobody answers.

    What is left of it would otherwise be closed by its finalizer, at any later moment: also while the next
    client holds the lock that this needs, and then both wait for ever.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        try:
            super().__init__(*arguments, **options)
        except BaseException:
            with contextlib.suppress(Exception):  # it may have failed before there was anything to close
                self.close(timeout=_CONNECT_SECONDS)
            self.status = "closed"
            raise


class Cluster:
    """The workers of a Dask scheduler.

    Parameters
    ----------
    address
        Of the scheduler, ``"tcp://host:8786"``.

    Raises
    ------
    ClusterError
        Nobody answers there, there are no workers, or one of them has another version of heam_sim.
    """

    def __init__(self, address: str) -> None:
        self.address = address if "://" in address else f"tcp://{address}"
        self._software = software()
        self._traces: dict[str, distributed.Future] = {}
        self._names = (f"{uuid.uuid4().hex[:12]}-{number}" for number in itertools.count())
        self._slots, self._looked, self._seen = 0, 0.0, time.monotonic()
        try:
            self._client = _Client(
                self.address, timeout=_CONNECT_SECONDS, set_as_default=False, name="heam-sim"
            )
        except (OSError, ValueError, TypeError, AssertionError, RuntimeError) as error:
            raise ClusterError(
                f"scheduler {address}: cannot be reached ({error}); start `dask scheduler` and give the "
                "address that it prints, e.g. tcp://host:8786."
            ) from None
        try:
            self._check_workers()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        self._traces.clear()
        self._client.close(timeout=_CONNECT_SECONDS)

    def _check_workers(self) -> None:
        """Ask all workers for their software, before anything is sent to them."""
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS_SECONDS)
        except TimeoutError:
            self._no_workers()
        for worker, found in self._client.run(_probe(), on_error="return").items():
            if isinstance(found, str):
                raise ClusterError(f"worker {worker}: has no heam_sim ({found}); install it there.")
            if isinstance(found, tuple) and found != self._software:
                raise _other_software(worker, found, self._software)

    def _no_workers(self) -> NoReturn:
        raise ClusterError(
            f"scheduler {self.address}: has had no workers for {_WORKERS_SECONDS} s; start some with "
            f"`dask worker {self.address}`. What had finished is kept."
        )

    def _lost(self) -> NoReturn:
        raise ClusterError(
            f"scheduler {self.address}: the connection was lost; start the cluster again and repeat the "
            "command. What had finished is kept."
        )

    def run(self, jobs: Sequence[Job], store: Path | None) -> Iterator[tuple[Job, Finished]]:
        """See :class:`~heam_sim.experiments.executors.Executor`.

        Few jobs are sent ahead of what runs. So it is known which a lost worker may have been at, and other
        users of the cluster get their turns.
        """
        waiting, running = deque(jobs), dict[str, tuple[distributed.Future, Job]]()
        done: queue.SimpleQueue[distributed.Future] = queue.SimpleQueue()
        again: set[Job] = set()
        try:
            while waiting or running:
                room = self._room()
                while waiting and len(running) < room:
                    job = waiting.popleft()
                    future = self._submit(job)
                    running[future.key] = (future, job)
                    future.add_done_callback(done.put)
                try:
                    ready = done.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    continue
                future, job = running.pop(ready.key)
                try:
                    outcome = self._outcome(future)
                except _TraceLost:
                    if job not in again:  # it may never have begun
                        again.add(job)
                        waiting.appendleft(job)
                        continue
                    outcome = None
                yield job, outcome if outcome is None else keep(store, job.key, outcome)
        finally:
            if running and self._client.status == "running":
                self._client.cancel([future for future, _ in running.values()])

    def _room(self) -> int:
        """How many jobs may be there at a time; asks the scheduler now and then."""
        if self._client.status != "running":
            self._lost()
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            try:
                threads = self._client.nthreads().values()
            except (OSError, ValueError):
                self._lost()
            self._looked, self._slots = now, sum(threads) + _AHEAD * len(threads)
            if threads:
                self._seen = now
            elif now - self._seen > _WORKERS_SECONDS:
                self._no_workers()
        return max(self._slots, 1)

    def _submit(self, job: Job) -> distributed.Future:
        name = f"heam_sim-point-{job.key[:32]}-{next(self._names)}"
        sent = self._sent(job)
        return self._client.submit(do_there, job, sent, self._software, key=name, pure=False)

    def _sent(self, job: Job) -> distributed.Future:
        """The job's trace in the cluster; workers that come later get it from another worker.

        It is sent again when all workers that had it are gone.
        """
        kept = self._traces.get(job.trace_hash)
        if kept is None or kept.status != "finished":
            whole = SentTrace(job.trace_hash, job.trace.read_bytes())
            try:
                (sent,) = self._client.scatter([whole], broadcast=True, hash=False, timeout=_WORKERS_SECONDS)
            except TimeoutError:
                self._no_workers()
            except (OSError, distributed.CancelledError):
                self._lost()
            self._traces[job.trace_hash] = sent
        return self._traces[job.trace_hash]

    def _outcome(self, future: distributed.Future) -> Finished:
        """What became of a job; raises what concerns all of them."""
        try:
            outcome: Finished = future.result(timeout=_FETCH_SECONDS)
        except (distributed.KilledWorker, TimeoutError):
            return None
        except distributed.CancelledError:
            if self._client.status != "running":
                self._lost()
            raise _TraceLost from None
        except Exception as error:  # not of the simulation, whose errors are values
            why = f"{type(error).__name__}: {error}"
            raise ClusterError(
                f"scheduler {self.address}: a worker could not take a point ({why}); "
                "install the same heam_sim and Dask on all machines. What had finished is kept."
            ) from error
        if isinstance(outcome, ClusterError):
            raise outcome
        return outcome
