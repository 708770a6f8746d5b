# SPDX-License-Identifier: MIT
"""Distribution of the read latencies of a replay."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import latency_edges
from heam_sim.errors import ConfigError

__all__ = ["Latency"]


@cache
def _edges() -> NDArray[np.uint64]:
    edges = latency_edges()
    edges.flags.writeable = False
    return edges


@dataclass(frozen=True, eq=False, repr=False)
class Latency:
    """A histogram of read latencies (completion minus arrival) in cycles.

    Below 4,096 cycles every latency has a bin of its own; above, 64 bins divide every doubling evenly. So
    percentiles and the maximum are exact below 4,096 cycles, and at most 1/64 too large above. Count, sum
    and mean are always exact.

    Attributes
    ----------
    counts
        uint64, one per bin: reads with ``edges[i] <= latency < edges[i + 1]``.
    total_cycles
        Sum of all latencies.
    """

    counts: NDArray[np.uint64]
    total_cycles: int

    def __post_init__(self) -> None:
        self.counts.flags.writeable = False

    def __repr__(self) -> str:
        if self.count == 0:
            return "<Latency of no reads>"
        return (
            f"<Latency of {self.count} reads in cycles: mean {self.mean:.2f}, p50 {self.percentile(50)}, "
            f"p99 {self.percentile(99)}, max {self.max}>"
        )

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Add distributions up, of several channels or runs."""
        counts, cycles = np.zeros(_edges().size - 1, np.uint64), 0
        for part in parts:
            counts += part.counts
            cycles += part.total_cycles
        return cls(counts, cycles)

    @property
    def edges(self) -> NDArray[np.uint64]:
        """Edges of the bins in cycles (uint64, one more than `counts`)."""
        return _edges()

    @property
    def count(self) -> int:
        """Completed reads."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean in cycles; NaN without reads."""
        count = self.count
        return self.total_cycles / count if count else float("nan")

    @property
    def max(self) -> int:
        """The largest latency in cycles (see above); 0 without reads."""
        return self.percentile(100) if self.count else 0

    def percentile(self, percent: float) -> int:
        """Return the least latency in cycles that so many per cent of the reads do not exceed.

        Parameters
        ----------
        percent
            Above 0, up to 100.

        Raises
        ------
        ConfigError
            Another percentage, or no reads to ask about.
        """
        if not 0 < percent <= 100:
            raise ConfigError(f"percent: {percent!r} is not above 0 and up to 100.")
        count = self.count
        if count == 0:
            raise ConfigError("latency: no read has completed, so there is no percentile.")
        rank = max(math.ceil(count * percent / 100), 1)
        place = int(np.searchsorted(np.cumsum(self.counts), np.uint64(rank)))
        return int(self.edges[place + 1]) - 1
