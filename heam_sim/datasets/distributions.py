# SPDX-License-Identifier: MIT
"""How the lookups of one generated table are distributed over its rows, and in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import RowStack
from heam_sim.datasets.zipf import BLOCK, ZipfSampler, uniforms
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import real_number

__all__ = [
    "Distribution",
    "HotSet",
    "Pareto",
    "RankStream",
    "StackDistance",
    "Zipf",
    "parse_distribution",
]

MAX_EXPONENT = 16.0

Key = tuple[int, ...]
Ranks = NDArray[np.int64]
RankStream = Callable[[int], Ranks]  # the next so many ranks; a multiple of BLOCK, except the last time


class Distribution(Protocol):
    """What a generator needs of a distribution."""

    @property
    def label(self) -> str:
        """Text from which :func:`parse_distribution` makes it again."""

    def stream(self, rows: int, seed: int, key: Key, total: int) -> RankStream:
        """Return a source of ranks: rank 0 is the most popular row, or the first one seen."""


@dataclass(frozen=True)
class Zipf:
    """Rank ``k`` of 1 to `rows` with probability proportional to ``k ** -exponent``, independent in time.

    Parameters
    ----------
    exponent
        0 (uniform) to 16.
    """

    exponent: float

    def __post_init__(self) -> None:
        real_number("exponent", self.exponent, minimum=0.0, maximum=MAX_EXPONENT)

    @property
    def label(self) -> str:
        """``zipf:EXPONENT``."""
        return f"zipf:{self.exponent!r}"

    def stream(self, rows: int, seed: int, key: Key, total: int) -> RankStream:
        """See :class:`Distribution`."""
        sampler = ZipfSampler(rows, self.exponent, expected=total)
        return _blocks(lambda block, count: sampler.ranks(seed, key, count, first_block=block))


@dataclass(frozen=True)
class Pareto:
    """Bounded Pareto ranks, independent in time: ``P(rank >= k) ~ k ** -shape``, 1 to `rows`.

    Parameters
    ----------
    shape
        0.001 to 16; the smaller, the flatter.
    """

    shape: float

    def __post_init__(self) -> None:
        real_number("shape", self.shape, minimum=0.001, maximum=MAX_EXPONENT)

    @property
    def label(self) -> str:
        """``pareto:SHAPE``."""
        return f"pareto:{self.shape!r}"

    def stream(self, rows: int, seed: int, key: Key, total: int) -> RankStream:
        """See :class:`Distribution`."""
        # Inverse of the distribution function of the continuous variable on [1, rows + 1).
        reach = -np.expm1(-self.shape * math.log1p(rows))

        def draw(block: int, numbers: NDArray[np.float64]) -> Ranks:
            np.multiply(numbers, -reach, out=numbers)
            numbers += 1.0
            np.log(numbers, out=numbers)
            numbers /= -self.shape
            np.exp(numbers, out=numbers)
            return np.minimum(numbers.astype(np.int64), rows) - 1

        return _uniform_blocks(seed, key, draw)


@dataclass(frozen=True)
class HotSet:
    """A share of the rows takes a share of the lookups, both evenly, independent in time.

    Parameters
    ----------
    rows_share, access_share
        Shares of the rows that are hot and of the lookups that they take, 0 to 1.
    """

    rows_share: float
    access_share: float

    def __post_init__(self) -> None:
        real_number("rows_share", self.rows_share, minimum=0.0, maximum=1.0)
        real_number("access_share", self.access_share, minimum=0.0, maximum=1.0)

    @property
    def label(self) -> str:
        """``hot-set:ROWS:ACCESSES``."""
        return f"hot-set:{self.rows_share!r}:{self.access_share!r}"

    def stream(self, rows: int, seed: int, key: Key, total: int) -> RankStream:
        """See :class:`Distribution`."""
        hot = min(rows, max(1, round(self.rows_share * rows)))
        share = 1.0 if hot == rows else self.access_share

        def draw(block: int, numbers: NDArray[np.float64]) -> Ranks:
            # One number decides both: what is left of it is again uniform.
            cold = numbers >= share
            inside = np.where(
                cold,
                hot + (numbers - share) * ((rows - hot) / max(1.0 - share, 2.0**-60)),
                numbers * (hot / max(share, 2.0**-60)),
            )
            found: Ranks = np.minimum(inside.astype(np.int64), np.where(cold, rows, hot) - 1)
            return found

        return _uniform_blocks(seed, key, draw)


@dataclass(frozen=True)
class StackDistance:
    """Locality in time: a lookup takes the row that is so many distinct rows back, or a new one.

    The distances are lognormal (their distribution function to 6e-5), rounded down; where the stack is not
    that deep the row is new, or, when all rows have been seen, the one that was not used for longest. The
    stack is kept exactly, step by step, which slows down with the distances.

    Parameters
    ----------
    median
        Median distance in rows, above 0.
    spread
        Standard deviation of its natural logarithm, 0 to 20.
    new_share
        Share of lookups that take a row never seen before, 0 to 1.
    """

    median: float
    spread: float
    new_share: float

    def __post_init__(self) -> None:
        real_number("median", self.median, minimum=1e-3, maximum=2.0**62)
        real_number("spread", self.spread, minimum=0.0, maximum=20.0)
        real_number("new_share", self.new_share, minimum=0.0, maximum=1.0)

    @property
    def label(self) -> str:
        """``stack:MEDIAN:SPREAD:NEW``."""
        return f"stack:{self.median!r}:{self.spread!r}:{self.new_share!r}"

    def stream(self, rows: int, seed: int, key: Key, total: int) -> RankStream:
        """See :class:`Distribution`."""
        stack = RowStack(rows)

        def draw(block: int, numbers: NDArray[np.float64]) -> Ranks:
            return stack.take(self._distances(numbers))

        return _uniform_blocks(seed, key, draw)

    def _distances(self, numbers: NDArray[np.float64]) -> Ranks:
        """Distances that belong to numbers of [0, 1): new rows first, then in rising order."""
        new = numbers < self.new_share
        rest = np.maximum(numbers - self.new_share, 0.0)
        rest *= _CELLS / max(1.0 - self.new_share, 2.0**-60)
        cell = np.minimum(rest, _CELLS - 1).astype(np.int64)
        rest -= cell
        ends = _normal_quantiles()
        distance = np.diff(ends).take(cell)
        distance *= rest
        distance += ends.take(cell)
        distance *= self.spread
        distance += math.log(self.median)
        np.minimum(distance, 62 * math.log(2.0), out=distance)
        np.exp(distance, out=distance)
        distance[new] = _NEVER
        return distance.astype(np.int64)


_CELLS = 1 << 14
_NEVER = 2.0**62  # deeper than any stack


@cache
def _normal_quantiles() -> NDArray[np.float64]:
    """Ends of cells of equal probability; between them a normal number is taken as uniform.

    So the distribution function is exact at every end and nowhere off by more than a cell, 6e-5; the
    outermost cells end where half of one would be beyond.
    """
    inner = [NormalDist().inv_cdf(number / _CELLS) for number in range(1, _CELLS)]
    outer = NormalDist().inv_cdf(0.5 / _CELLS)
    return np.array([2 * outer - inner[0], *inner, inner[0] - 2 * outer])


def parse_distribution(text: str) -> Distribution:
    """Read ``zipf:1.05``, ``pareto:0.25``, ``hot-set:0.01:0.9`` or ``stack:100:2:0.05``.

    Parameters
    ----------
    text
        Name and numbers, with colons between them.

    Returns
    -------
    Distribution
        What ranks are drawn from.

    Raises
    ------
    ConfigError
        If the text is none of these or a number is out of its range.
    """
    name, *words = text.split(":")
    if name not in _KINDS:
        raise unknown_name("distribution", name, _KINDS)
    build, wanted = _KINDS[name]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise ConfigError(f"{text!r}: {':'.join(words)!r} are no numbers; write {wanted}.") from None
    if len(numbers) != wanted.count(":"):
        raise ConfigError(f"{text!r} has {len(numbers)} numbers; write {wanted}.")
    return build(*numbers)


_KINDS: Mapping[str, tuple[Callable[..., Distribution], str]] = MappingProxyType(
    {
        "zipf": (Zipf, "zipf:EXPONENT"),
        "pareto": (Pareto, "pareto:SHAPE"),
        "hot-set": (HotSet, "hot-set:ROWS:ACCESSES"),
        "stack": (StackDistance, "stack:MEDIAN:SPREAD:NEW"),
    }
)


def _blocks(draw: Callable[[int, int], Ranks]) -> RankStream:
    """Make a stream of ``draw(first block, count)``."""
    done = 0

    def take(count: int) -> Ranks:
        nonlocal done
        assert done % BLOCK == 0, "only the last piece may end inside a block"
        first = done // BLOCK
        done += count
        return draw(first, count)

    return take


def _by_block(draw: Callable[[int, int], Ranks], first: int, count: int) -> Ranks:
    result = np.empty(count, dtype=np.int64)
    for block, start in enumerate(range(0, count, BLOCK), first):
        size = min(BLOCK, count - start)
        result[start : start + size] = draw(block, size)
    return result


def _uniform_blocks(seed: int, key: Key, draw: Callable[[int, NDArray[np.float64]], Ranks]) -> RankStream:
    def one(block: int, count: int) -> Ranks:
        return draw(block, uniforms(seed, (*key, block), count))

    return _blocks(lambda first, count: _by_block(one, first, count))
