# SPDX-License-Identifier: MIT
"""Average and peak power of a tier, budgets, and the area of SRAM: by hand."""

from __future__ import annotations

import pytest

from heam_sim.energy import (
    HostActivity,
    TierActivity,
    compute_energy,
    load_power,
    sram_area,
    tier_power,
)
from heam_sim.errors import ConfigError

DIMM, HBM = load_power("ddr4-3200-8gb-x8"), load_power("hbm2-4gb-legacy")


def power_of(time_ns, *, acts, window, of_rank, power=DIMM, budget=None, add=0, length=1000.0):
    """Two idle ranks but for activations of 4200 pJ (DDR4) or 1818 pJ (HBM2)."""
    counts = {"act": acts, "alu_add_elements": add}
    activity = TierActivity(
        name="t",
        power=power,
        burst_bytes=64,
        counts=counts,
        ranks=2,
        rank_active_ns=0.0,
        unit_level="bank_group" if add else None,
    )
    report = compute_energy([activity], HostActivity(add_bytes=10**6), time_ns)
    return tier_power(
        report, activity, window_pJ=window, rank_window_pJ=of_rank, window_ns=length, budget_W=budget
    )


def test_the_busiest_window_and_the_average_of_everything_else():
    found = power_of(4000.0, acts=10, window=6 * 4200, of_rank=4 * 4200, add=1000)
    idle = 2 * 8 * (1.2 * 37 + 2.5 * 3) * 1e-3  # W
    rest = idle + 1000 * 0.9 / 4000 * 1e-3
    assert found.average_power_W == pytest.approx(rest + 10 * 4200 / 4000 * 1e-3)
    assert found.peak_power_W == pytest.approx(rest + 6 * 4200 / 1000 * 1e-3)
    assert found.peak_rank_power_W == pytest.approx(rest / 2 + 4 * 4200 / 1000 * 1e-3)
    assert found.peak_device_power_W == pytest.approx(found.peak_rank_power_W / 8)


def test_a_window_of_whole_cycles_has_its_own_length():
    run = {"acts": 10, "window": 6 * 4200, "of_rank": 1}
    usual, shorter = power_of(4000.0, **run), power_of(4000.0, **run, length=999.0)
    moving = 6 * 4200 * 1e-3
    assert shorter.peak_power_W - usual.peak_power_W == pytest.approx(moving / 999 - moving / 1000)


def test_a_run_shorter_than_a_window_is_its_own_peak():
    found = power_of(79.0, acts=3, window=3 * 1818, of_rank=1818, power=HBM)
    assert found.peak_power_W == pytest.approx(found.average_power_W)
    assert found.peak_device_power_W == found.peak_rank_power_W


def test_the_peak_is_not_below_the_average():
    # 1100 ns in windows of 1000: two windows of 5 activations each are less, per window, than ten in 1100 ns.
    found = power_of(1100.0, acts=10, window=5 * 4200, of_rank=5 * 4200)
    assert found.peak_power_W == found.average_power_W


def test_a_budget_is_compared_with_the_peak():
    run = {"acts": 10, "window": 6 * 4200, "of_rank": 6 * 4200}
    peak = power_of(4000.0, **run).peak_power_W
    assert not power_of(4000.0, **run).over_budget
    assert not power_of(4000.0, **run, budget=peak * 1.001).over_budget
    assert power_of(4000.0, **run, budget=peak * 0.999).over_budget


def test_no_time_no_power():
    assert power_of(0.0, acts=0, window=0, of_rank=0).peak_power_W == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 11 * 4200}, "same run"),
        ({"of_rank": 7 * 4200}, "same run"),
        ({"of_rank": -1}, "same run"),
        ({"budget": 0.0}, "above 0"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        power_of(4000.0, **({"acts": 10, "window": 6 * 4200, "of_rank": 4200} | changes))


def test_area_is_bytes_times_a_stated_density():
    area = sram_area(128 * 1024, 32)
    assert (area.low, area.value, area.high) == pytest.approx((4 * 1.5, 4 * 4.0, 4 * 8.3))
    assert sram_area(0, 32).high == 0.0
