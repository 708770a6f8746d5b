# SPDX-License-Identifier: MIT
"""Ratios of energies over all ends of their intervals, against trying every combination."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heam_sim.energy import EnergyReport, energy_ratio
from heam_sim.energy.interval import Interval
from heam_sim.errors import ConfigError

NAMES = (("hbm", "activation"), ("hbm", "io"), ("dimm", "io"), ("host", "host"))


def report(parts: dict[tuple[str, str], tuple[float, float, float]]) -> EnergyReport:
    return EnergyReport({name: Interval(*ends) for name, ends in parts.items()}, 100.0)


intervals = st.lists(st.floats(0.01, 1000), min_size=3, max_size=3).map(lambda ends: tuple(sorted(ends)))
reports = st.dictionaries(st.sampled_from(NAMES), intervals, min_size=1).map(report)


@given(reports, reports, st.integers(1, 50), st.integers(1, 50))
def test_ratio_is_that_of_every_combination(
    first: EnergyReport, second: EnergyReport, work: int, other: int
) -> None:
    names = sorted(set(first.components_pJ) | set(second.components_pJ))
    found = []
    for ends in itertools.product(("low", "value", "high"), repeat=len(names)):
        sums = [
            sum(
                getattr(run.components_pJ[name], end)
                for name, end in zip(names, ends, strict=True)
                if name in run.components_pJ
            )
            for run in (first, second)
        ]
        found.append(sums[0] / work / (sums[1] / other))
    ratio = energy_ratio(first, second, first_work=work, second_work=other)
    assert ratio.low == pytest.approx(min(found), rel=1e-9)
    assert ratio.high == pytest.approx(max(found), rel=1e-9)
    assert ratio.value == pytest.approx(
        first.total_pJ.value / work / (second.total_pJ.value / other), rel=1e-9
    )
    assert ratio.low <= ratio.value * (1 + 1e-9) and ratio.value <= ratio.high * (1 + 1e-9)


def test_shared_parts_move_together() -> None:
    """Twice as many activations cost twice as much, whatever one of them costs."""
    one = report({("hbm", "activation"): (10, 20, 40)})
    two = report({("hbm", "activation"): (20, 40, 80)})
    ratio = energy_ratio(one, two)
    assert (ratio.low, ratio.value, ratio.high) == (0.5, 0.5, 0.5) and not ratio.flips


def test_a_ranking_that_flips() -> None:
    """More of the bus here, more of the ALU there: which is less depends on what a bit on the bus costs."""
    bus = report({("dimm", "io"): (10, 20, 60), ("dimm", "alu"): (1, 1, 1)})
    alu = report({("dimm", "io"): (5, 10, 30), ("dimm", "alu"): (20, 20, 20)})
    ratio = energy_ratio(bus, alu)
    assert ratio.low == 11 / 25 and ratio.high == 61 / 50
    assert ratio.value == 21 / 30 and ratio.flips
    assert not energy_ratio(alu, alu).flips


def test_what_cannot_be_compared() -> None:
    some, none = report({("hbm", "io"): (1, 1, 1)}), report({("hbm", "io"): (0, 1, 1)})
    with pytest.raises(ConfigError, match="no energy"):
        energy_ratio(some, none)
    with pytest.raises(ConfigError, match="positive"):
        energy_ratio(some, some, first_work=0)
