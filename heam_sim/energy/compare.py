# SPDX-License-Identifier: MIT
"""Two runs' energies against each other, when each part is known as an interval only.

A part that both runs have under one name (tier and component) rests on the same source, so its ends move
together: both runs take the low value of the activation energy, or both the high one. Parts of different
names move independently. The ratio of the two energies then has a least and a greatest value over all
combinations of ends, and a ranking that turns round in between is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from heam_sim.energy.report import EnergyReport
from heam_sim.errors import ConfigError

__all__ = ["EnergyRatio", "energy_ratio"]

_ENDS = ("low", "value", "high")
# The iteration ends when the choice of ends repeats; every step improves it, so a handful is plenty.
_STEPS = 64


@dataclass(frozen=True)
class EnergyRatio:
    """Energy of one run over that of another.

    Attributes
    ----------
    low, value, high
        Least, nominal and greatest ratio that the sources allow.
    """

    low: float
    value: float
    high: float

    @property
    def flips(self) -> bool:
        """Whether the sources leave open which run takes less energy."""
        return self.low < 1 < self.high


def energy_ratio(
    first: EnergyReport, second: EnergyReport, *, first_work: float = 1.0, second_work: float = 1.0
) -> EnergyRatio:
    """Energy of `first` over that of `second`, per unit of work.

    Parameters
    ----------
    first, second
        Reports of two runs.
    first_work, second_work
        What each did, e.g. samples, if they did not do the same.

    Returns
    -------
    EnergyRatio
        Without a unit.

    Raises
    ------
    heam_sim.errors.ConfigError
        Work that is not positive, or a second run whose energy may be zero.
    """
    if first_work <= 0 or second_work <= 0:
        raise ConfigError(f"energy_ratio: work is {first_work} and {second_work}; give two positive numbers.")
    names = sorted(set(first.components_pJ) | set(second.components_pJ))
    parts = [
        tuple((_end(first, name, end) / first_work, _end(second, name, end) / second_work) for end in _ENDS)
        for name in names
    ]
    if sum(min(below for _, below in ends) for ends in parts) <= 0:
        raise ConfigError(
            "energy_ratio: the second run may have taken no energy; nothing can be a share of it."
        )
    nominal = _ratio([ends[1] for ends in parts])
    return EnergyRatio(_extreme(parts, min, nominal), nominal, _extreme(parts, max, nominal))


def _end(report: EnergyReport, name: tuple[str, str], end: str) -> float:
    part = report.components_pJ.get(name)
    return 0.0 if part is None else float(getattr(part, end))


def _ratio(chosen: list[tuple[float, float]]) -> float:
    return sum(above for above, _ in chosen) / sum(below for _, below in chosen)


def _extreme(
    parts: list[tuple[tuple[float, float], ...]],
    pick: Callable[..., tuple[float, float]],
    start: float,
) -> float:
    """Least or greatest ratio: for a ratio r every part takes the end with the extreme above - r x below."""
    ratio = start
    for _ in range(_STEPS):
        better = _ratio([pick(ends, key=lambda end, r=ratio: end[0] - r * end[1]) for ends in parts])
        if better == ratio:
            break
        ratio = better
    return ratio
