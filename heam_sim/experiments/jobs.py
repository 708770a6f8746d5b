# SPDX-License-Identifier: MIT
"""What a worker does: one simulation, described so that it can be done on any machine."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heam_sim.errors import HeamSimError
from heam_sim.experiments.points import PointStore
from heam_sim.results import Result
from heam_sim.simulation import simulate
from heam_sim.trace import LookupTrace

__all__ = ["Finished", "Job", "attempt", "keep", "load_trace"]

#: What became of a job: its result, why it has none, or None if its process died.
Finished = Result | HeamSimError | None


@dataclass(frozen=True, eq=False)
class Job:
    """A point that is to be simulated.

    Attributes
    ----------
    arguments
        Keywords of :func:`heam_sim.simulate`. The system is there as an object, so that no description file
        is needed where the job is done, and none can change on the way.
    trace, trace_hash
        File of the trace on the machine that runs the sweep, and the hash of its content.
    key
        Under which the result is kept.
    """

    arguments: Mapping[str, Any]
    trace: Path
    trace_hash: str
    key: str


@functools.lru_cache(maxsize=4)
def _load_once(path: str, written: int) -> LookupTrace:
    return LookupTrace.load(path)


def load_trace(path: Path) -> LookupTrace:
    """Keep a trace per process, but never an older one of the same name."""
    return _load_once(str(path), path.stat().st_mtime_ns)


def attempt(job: Job, trace: LookupTrace) -> Result | HeamSimError:
    """Simulate; an error is returned, because it is one point's and not the sweep's.

    So is one that nobody has foreseen: a bug that one point meets must not cost the others.
    """
    try:
        return simulate(trace, **job.arguments)
    except HeamSimError as error:
        return error
    except MemoryError:
        return HeamSimError("the memory does not suffice; give it more, or run fewer points at a time.")
    except Exception as error:  # noqa: BLE001  # see above
        return HeamSimError(
            f"unexpected {type(error).__name__}: {error}; this is a bug of heam_sim, please report it."
        )


def keep(store: Path | None, key: str, outcome: Result | HeamSimError) -> Result | HeamSimError:
    """Store a result; an error if that cannot be."""
    if store is None or isinstance(outcome, HeamSimError):
        return outcome
    try:
        PointStore(store).put(key, outcome)
    except HeamSimError as error:
        return error
    return outcome
