# SPDX-License-Identifier: MIT
"""Points of a study against each other: the same trace, scope and vector, another system or embedding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heam_sim.energy import EnergyRatio, energy_ratio
from heam_sim.experiments.design import DEFAULT, Variant
from heam_sim.experiments.measures import measures, model_bytes
from heam_sim.experiments.points import Point
from heam_sim.results import Result, ResultSet

__all__ = ["BASELINE", "Comparison", "Results", "summarise"]

#: What every system is compared with, on the same memories where it has them.
BASELINE = "host-dimm"

_Key = tuple[str, str, str, str, int, str]


@dataclass(frozen=True)
class Comparison:
    """One point against another.

    Attributes
    ----------
    point, baseline
        The two; the baseline's variant may be the one that the point's is to be held against.
    speedup
        Samples per second of the point over those of the baseline.
    energy
        Energy per sample of the point over that of the baseline, with the interval of its sources.
    """

    point: Point
    baseline: Point
    speedup: float
    energy: EnergyRatio


class Results:
    """Results of a study by what their points are called.

    Parameters
    ----------
    found
        By point.
    variants
        Of the design.
    """

    def __init__(self, found: Mapping[Point, Result], variants: Mapping[str, Variant]) -> None:
        self.found = dict(found)
        self.variants = variants
        self._points: dict[_Key, Point] = {}
        for point in found:
            self._points.setdefault(_key(point, point.system, point.embedding, point.variant), point)

    @property
    def systems(self) -> tuple[str, ...]:
        """Names in the order in which they come."""
        return tuple(dict.fromkeys(point.system for point in self.found))

    def baseline(self, point: Point, system: str, embedding: str | None = None) -> Point | None:
        """The same point of another system (and embedding), in its variant or the one it is held against."""
        held = self.variants[point.variant].against if point.variant in self.variants else DEFAULT
        for variant in (point.variant, held):
            found = self._points.get(_key(point, system, embedding or point.embedding, variant))
            if found is not None:
                return found
        return None

    def compare(self, point: Point, system: str, embedding: str | None = None) -> Comparison | None:
        """Hold a point against a baseline; None if the study has no such baseline.

        Nor has an open loop any: what it serves is what is offered, and says nothing about speed.
        """
        if self.found[point].arrivals:
            return None
        other = self.baseline(point, system, embedding)
        if other is None:
            return None
        first, second = self.found[point], self.found[other]
        ratio = energy_ratio(
            first.energy, second.energy, first_work=first.samples, second_work=second.samples
        )
        return Comparison(point, other, first.samples_per_second / second.samples_per_second, ratio)


def _key(point: Point, system: str, embedding: str, variant: str) -> _Key:
    return point.trace, point.scope, system, embedding, point.vector_bytes, variant


def summarise(results: Results, cardinalities: Mapping[str, NDArray[np.int64]]) -> pd.DataFrame:
    """Return a row per simulation.

    Parameters
    ----------
    results
        Of the study.
    cardinalities
        Rows per table of every trace.

    Returns
    -------
    pandas.DataFrame
        ``trace``, ``variant``, the columns of :meth:`Result.to_frame` and of :func:`measures`,
        ``model_bytes``, and against ``host-dimm``: speed-up with the same embedding and with full tables, and
        the share of energy saved with the same embedding, with the interval that the sources leave.
        ``energy_ranking_flips`` says that they leave open which of the two takes less. NaN where the study
        has no such baseline.
    """
    frame = ResultSet(results.found.values()).to_frame()
    frame.insert(0, "variant", [point.variant for point in results.found])
    frame.insert(0, "trace", [point.trace for point in results.found])
    same = [results.compare(point, BASELINE) for point in results.found]
    full = [results.compare(point, BASELINE, "full") for point in results.found]
    at = list(frame.columns).index("time_ns") + 1
    frame.insert(at, "speedup_over_host_dimm", [_speedup(one) for one in same])
    frame.insert(at + 1, "speedup_over_host_dimm_full", [_speedup(one) for one in full])
    at = list(frame.columns).index("average_power_W")
    saved = [(math.nan,) * 3 if one is None else _saved(one.energy) for one in same]
    for number, end in enumerate(("", "_low", "_high")):
        frame.insert(at + number, f"energy_saved_over_host_dimm{end}", [row[number] for row in saved])
    frame.insert(at + 3, "energy_ranking_flips", [one is not None and one.energy.flips for one in same])
    sizes = [model_bytes(p.embedding, cardinalities[p.trace], p.vector_bytes) for p in results.found]
    derived = pd.DataFrame([measures(result) for result in results.found.values()], index=frame.index)
    derived.insert(0, "model_bytes", sizes)
    at = list(frame.columns).index("bound")
    return pd.concat([frame.iloc[:, :at], derived, frame.iloc[:, at:]], axis=1)


def _speedup(comparison: Comparison | None) -> float:
    return math.nan if comparison is None else comparison.speedup


def _saved(ratio: EnergyRatio) -> tuple[float, float, float]:
    return 1 - ratio.value, 1 - ratio.high, 1 - ratio.low
