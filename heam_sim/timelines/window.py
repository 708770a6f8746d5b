# SPDX-License-Identifier: MIT
"""Which part of a command log is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import ConfigError
from heam_sim.numbers import real_number, whole_number
from heam_sim.timelines.memories import Memories

__all__ = ["Window", "gnrs_of", "resolve"]

_KINDS = ("ns", "cycles", "gnrs", "samples")
#: What is shown if nothing is said: so long, from the middle of the log.
DEFAULT_NS = 1000


@dataclass(frozen=True)
class Window:
    """From `first` up to, but not including, `stop`.

    Parameters
    ----------
    kind
        ``"ns"``, ``"cycles"`` (of the clock of the log's first memory), ``"gnrs"`` or ``"samples"`` (the time
        from their first command to their last).
    first, stop
        In that unit.
    """

    kind: str
    first: float
    stop: float

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ConfigError(f"window: {self.kind!r} is none of {', '.join(_KINDS)}.")
        for name in ("first", "stop"):
            value, what = getattr(self, name), f"window: {name} in {self.kind}"
            if self.kind == "ns":
                value = real_number(what, value, minimum=0, below=2**62)
            else:
                value = whole_number(what, value, minimum=0, maximum=2**62)
            object.__setattr__(self, name, value)
        if self.first >= self.stop:
            raise ConfigError(
                f"window: {self.kind} {self.first} to {self.stop} is empty; end after the beginning."
            )


def resolve(
    window: Window | None,
    ticks: NDArray[np.int64],
    tags: NDArray[np.int64],
    memories: Memories,
) -> tuple[int, int]:
    """Return the window's first tick and the one that it ends before.

    Parameters
    ----------
    window
        ``None``: :data:`DEFAULT_NS` from the middle of the log.
    ticks
        int64 (commands,): when each was issued.
    tags
        int64 (commands,): their GnRs; -1 where there is none.

    Raises
    ------
    ConfigError
        The log has no command there.
    """
    if window is None:
        length = int(Fraction(DEFAULT_NS * 1000) / memories.tick_ps)
        first = max(0, (int(ticks.min()) + int(ticks.max()) - length) // 2) if ticks.size else 0
        return first, first + max(length, 1)
    if window.kind in ("ns", "cycles"):
        period = Fraction(1000) if window.kind == "ns" else memories.members[0].spec.tCK_ps
        first, stop = (
            -int(-Fraction(value) * period // memories.tick_ps) for value in (window.first, window.stop)
        )
        if not ((ticks >= first) & (ticks < stop)).any():
            last = float(int(ticks.max()) * memories.tick_ps / period) if ticks.size else 0.0
            raise ConfigError(
                f"window: there is no command from {window.first} to {window.stop} {window.kind}; the log "
                f"ends at {last:g}."
            )
        return first, stop
    return _of_gnrs(window, ticks, tags, memories.gnrs_per_sample)


def gnrs_of(window: Window, per_sample: int | None) -> tuple[int, int]:
    """Return the first GnR of a window of GnRs or samples, and the one that it ends before."""
    first, stop = int(window.first), int(window.stop)
    if window.kind == "gnrs":
        return first, stop
    if per_sample is None:
        raise ConfigError(
            "window: a command log by itself does not say where samples end; use gnrs, or simulate."
        )
    return first * per_sample, stop * per_sample


def _of_gnrs(
    window: Window, ticks: NDArray[np.int64], tags: NDArray[np.int64], per_sample: int | None
) -> tuple[int, int]:
    first, stop = gnrs_of(window, per_sample)
    inside = ticks[(tags >= first) & (tags < stop)]
    if not inside.size:
        raise ConfigError(
            f"window: no command of {window.kind} {int(window.first)} to {int(window.stop) - 1}; the log has "
            f"GnRs up to {int(tags.max(initial=-1))} (a request stream has none)."
        )
    return int(inside.min()), int(inside.max()) + 1
