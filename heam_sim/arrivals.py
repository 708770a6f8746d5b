# SPDX-License-Identifier: MIT
"""When samples come (open loop): regularly, at random, or at given times.

Without arrivals the host always has work (closed loop), and a run measures throughput. With them no sample
is begun before it has come, and a run measures latencies under a load.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heam_sim.datasets.zipf import uniforms
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import real_number, whole_number

__all__ = [
    "PREFIX",
    "Arrivals",
    "GivenArrivals",
    "PoissonArrivals",
    "RegularArrivals",
    "as_arrivals",
    "split_overrides",
]

_Times = NDArray[np.float64]

#: Of the dotted keys that describe arrivals beside those of the system.
PREFIX = "arrivals."
_KEYS = ("process", "per_second", "load", "seed")
# 2^62 ticks are what the engine counts; this is far below it for every clock, and 11 days.
_LAST_NS = 1e15


class Arrivals(Protocol):
    """What a simulation needs to know of them."""

    @property
    def load(self) -> float | None:
        """Rate over the throughput of the same configuration in a closed loop; None: it is given itself."""

    def rate(self, closed_loop_per_second: float | None) -> float:
        """Samples per second that are offered; the closed loop's are needed for `load`."""

    def times_ns(self, samples: int, closed_loop_per_second: float | None = None) -> _Times:
        """When each of so many samples comes, float64 (samples,) in ns."""

    def to_dict(self) -> dict[str, Any]:
        """Return the description in plain JSON types."""


@dataclass(frozen=True, kw_only=True)
class _Rated:
    """Arrivals at a rate; the first sample comes at time 0.

    Parameters
    ----------
    per_second
        Samples per second that are offered.
    load
        Instead: over the samples per second of the same configuration in a closed loop, which is then
        simulated first. From 1 on no queue is stable.
    """

    per_second: float | None = None
    load: float | None = None

    def __post_init__(self) -> None:
        if (self.per_second is None) == (self.load is None):
            raise ConfigError("arrivals: give per_second (samples per second) or load, one of them.")
        for name in ("per_second", "load"):
            if getattr(self, name) is not None:
                number = real_number(f"arrivals.{name}", getattr(self, name), above=0)
                object.__setattr__(self, name, number)

    def rate(self, closed_loop_per_second: float | None) -> float:
        """Samples per second that are offered."""
        if self.per_second is not None:
            return self.per_second
        assert self.load is not None
        if closed_loop_per_second is None or not 0 < closed_loop_per_second < math.inf:
            raise ConfigError("arrivals.load: a closed loop without throughput has no load; use per_second.")
        return self.load * closed_loop_per_second


@dataclass(frozen=True, kw_only=True)
class RegularArrivals(_Rated):
    """Samples that come at equal distances, the first at time 0.

    Parameters
    ----------
    per_second
        Samples per second.
    load
        Instead: over the throughput of the same configuration in a closed loop, which is simulated first.

    Raises
    ------
    ConfigError
        Neither or both are given, or one is no finite number above 0.
    """

    def times_ns(self, samples: int, closed_loop_per_second: float | None = None) -> _Times:
        """See :class:`Arrivals`."""
        return _held(np.arange(samples, dtype=np.float64) * (1e9 / self.rate(closed_loop_per_second)))

    def to_dict(self) -> dict[str, Any]:
        """See :class:`Arrivals`."""
        return {"process": "regular", **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class PoissonArrivals(_Rated):
    """Samples that come independently of each other: a Poisson process, its first one at time 0.

    Parameters
    ----------
    per_second
        Samples per second in the mean.
    load
        Instead: over the throughput of the same configuration in a closed loop, which is simulated first.
    seed
        Whole number from 0 on. The same seed gives the same gaps at every rate but for their scale, so
        curves over rates are not jagged by chance.

    Raises
    ------
    ConfigError
        Neither or both rates are given, or a number is not what it can be.
    """

    seed: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "seed", whole_number("arrivals.seed", self.seed, minimum=0))

    def times_ns(self, samples: int, closed_loop_per_second: float | None = None) -> _Times:
        """See :class:`Arrivals`."""
        gaps = -np.log1p(-uniforms(self.seed, (), max(samples - 1, 0)))
        times = np.concatenate([np.zeros(min(samples, 1)), np.cumsum(gaps)])
        return _held(times * (1e9 / self.rate(closed_loop_per_second)))

    def to_dict(self) -> dict[str, Any]:
        """See :class:`Arrivals`."""
        return {"process": "poisson", **asdict(self)}


@dataclass(frozen=True, eq=False)
class GivenArrivals:
    """Samples that come at given times.

    Parameters
    ----------
    times
        Times in ns, one per simulated sample (those behind the profile part), never falling, from 0 on.

    Raises
    ------
    ConfigError
        They are not what they can be.
    """

    times: _Times

    def __post_init__(self) -> None:
        try:
            times = np.array(self.times, dtype=np.float64)
        except (TypeError, ValueError):
            raise ConfigError("arrivals: needs times in ns, one number per simulated sample.") from None
        if times.ndim != 1:
            raise ConfigError(f"arrivals: times have {times.ndim} dimensions; give one number per sample.")
        wrong = np.flatnonzero(~(times >= 0) | (np.diff(times, prepend=0.0) < 0))
        if wrong.size:
            at = int(wrong[0])
            raise ConfigError(
                f"arrivals: sample {at} comes at {times[at]} ns; times in ns start at 0 and never fall."
            )
        times.flags.writeable = False
        object.__setattr__(self, "times", _held(times))

    @property
    def load(self) -> None:
        """See :class:`Arrivals`."""
        return None

    def rate(self, closed_loop_per_second: float | None) -> float:
        """Samples per second between the first and the last; NaN for fewer than two, or for a crowd."""
        span = float(self.times[-1] - self.times[0]) if self.times.size > 1 else 0.0
        return (self.times.size - 1) / span * 1e9 if span > 0 else math.nan

    def times_ns(self, samples: int, closed_loop_per_second: float | None = None) -> _Times:
        """See :class:`Arrivals`."""
        if samples != self.times.size:
            raise ConfigError(
                f"arrivals: there are {self.times.size} times, but {samples} samples are simulated (those "
                "behind the profile part); give as many."
            )
        return self.times

    def to_dict(self) -> dict[str, Any]:
        """See :class:`Arrivals`: the times by their digest."""
        digest = hashlib.sha256(self.times.astype("<f8").tobytes()).hexdigest()
        return {"process": "given", "samples": int(self.times.size), "sha256": digest}


def _held(times: _Times) -> _Times:
    if times.size and not times[-1] <= _LAST_NS:
        raise ConfigError(
            f"arrivals: the last sample comes at {times[-1]:.4g} ns, later than {_LAST_NS:.0e} ns can be "
            "simulated; give a higher rate."
        )
    return times


def as_arrivals(value: Any) -> Arrivals | None:
    """Turn what :func:`heam_sim.simulate` takes as ``arrivals`` into arrivals.

    Parameters
    ----------
    value
        None, arrivals, a number (samples per second, at equal distances), or times in ns.

    Raises
    ------
    ConfigError
        It is none of these.
    """
    if value is None or isinstance(value, RegularArrivals | PoissonArrivals | GivenArrivals):
        return value
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return RegularArrivals(per_second=float(value))
    if isinstance(value, np.ndarray | list | tuple):
        return GivenArrivals(value)  # type: ignore[arg-type]  # it makes an array of them
    raise ConfigError(
        f"arrivals: {type(value).__name__} says nothing about times; give PoissonArrivals, RegularArrivals, "
        "samples per second, or times in ns."
    )


def split_overrides(overrides: Mapping[str, Any] | None) -> tuple[Arrivals | None, Mapping[str, Any] | None]:
    """Take the dotted keys ``arrivals.*`` out of overrides.

    ``arrivals.per_second`` or ``arrivals.load``; ``arrivals.process`` (``"poisson"``, the default, or
    ``"regular"``) and ``arrivals.seed`` of a Poisson process.

    Returns
    -------
    tuple
        Arrivals, or None without such keys, and the overrides of the system.

    Raises
    ------
    ConfigError
        An unknown key or process, or a number that cannot be.
    """
    if not isinstance(overrides, Mapping):
        return None, overrides
    found = {key.removeprefix(PREFIX): overrides[key] for key in overrides if str(key).startswith(PREFIX)}
    if not found:
        return None, overrides
    for key in found:
        if key not in _KEYS:
            raise unknown_name("key", PREFIX + key, [PREFIX + name for name in _KEYS], where="overrides")
    rest = {key: value for key, value in overrides.items() if not str(key).startswith(PREFIX)}
    process = found.pop("process", "poisson")
    if process == "poisson":
        return PoissonArrivals(**found), rest
    if process != "regular":
        raise unknown_name("process", process, ("poisson", "regular"), where="arrivals.process")
    if "seed" in found:
        raise ConfigError("arrivals.seed: regular arrivals have no seed; leave it out.")
    return RegularArrivals(**found), rest
