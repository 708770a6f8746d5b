# SPDX-License-Identifier: MIT
"""A number with the range that its sources leave open."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from heam_sim.errors import ConfigError

__all__ = ["ZERO", "Interval"]


@dataclass(frozen=True)
class Interval:
    """A nominal value between a low and a high one.

    Sums add lows to lows and highs to highs, so the range of a sum is its widest: all parts low, or all high.

    Parameters
    ----------
    low, value, high
        ``low <= value <= high``, finite, all in the same unit.

    Raises
    ------
    heam_sim.errors.ConfigError
        The three numbers are not finite or not in order.
    """

    low: float
    value: float
    high: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(x) for x in (self.low, self.value, self.high)):
            raise ConfigError(
                f"interval ({self.low}, {self.value}, {self.high}) is not finite; check its inputs."
            )
        if not self.low <= self.value <= self.high:
            raise ConfigError(
                f"interval ({self.low}, {self.value}, {self.high}) is unordered; give low <= value <= high."
            )

    @classmethod
    def exact(cls, value: float) -> Interval:
        """An interval of no width."""
        return cls(value, value, value)

    @classmethod
    def total(cls, parts: Iterable[Interval]) -> Interval:
        """Sum of intervals, each end correctly rounded (``math.fsum``)."""
        items = list(parts)
        return cls(*(math.fsum(getattr(part, end) for part in items) for end in ("low", "value", "high")))

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.value + other.value, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.low - other.high, self.value - other.value, self.high - other.low)

    def __mul__(self, other: Interval) -> Interval:
        """Product of two intervals whose values are not negative."""
        if self.low < 0 or other.low < 0:
            raise ConfigError(
                f"cannot multiply {self} by {other}: an energy factor is negative; check its inputs."
            )
        return Interval(self.low * other.low, self.value * other.value, self.high * other.high)

    def scaled(self, factor: float) -> Interval:
        """The interval times a number that is not negative."""
        if factor < 0:
            raise ConfigError(f"cannot scale {self} by the negative factor {factor}; check its inputs.")
        return Interval(self.low * factor, self.value * factor, self.high * factor)


ZERO = Interval.exact(0.0)
