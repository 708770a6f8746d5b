# SPDX-License-Identifier: MIT
"""Power of a tier: on average, in its busiest window, against a budget; and the area of its SRAM."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from heam_sim.energy.activity import TierActivity
from heam_sim.energy.interval import Interval
from heam_sim.energy.model import MEMORY_COMPONENTS
from heam_sim.energy.power import PowerFile, load_power
from heam_sim.energy.report import EnergyReport
from heam_sim.errors import ConfigError
from heam_sim.numbers import real_number

__all__ = ["WINDOW_NS", "TierPower", "sram_area", "tier_power"]

#: Length of the windows of the peak.
WINDOW_NS = 1000.0

_MIB = 1 << 20


@dataclass(frozen=True)
class TierPower:
    """Power of one tier in one run, nominal values.

    Attributes
    ----------
    tier
        Its name.
    average_power_W
        Energy of the tier over the time of the run.
    peak_power_W
        At most this in any window: the channels' busiest windows are taken together, though they need not be
        the same one.
    peak_rank_power_W
        In the busiest window of any rank (pseudo channel).
    peak_device_power_W
        The same per device of a rank; of HBM the pseudo channel's or channel's, of which a die has several.
    budget_W
        What the tier may draw; ``None``: nothing is stated.
    over_budget
        Whether its peak exceeds that.
    """

    tier: str
    average_power_W: float
    peak_power_W: float
    peak_rank_power_W: float
    peak_device_power_W: float
    budget_W: float | None
    over_budget: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def tier_power(
    report: EnergyReport,
    activity: TierActivity,
    *,
    window_pJ: float,
    rank_window_pJ: float,
    window_ns: float = WINDOW_NS,
    budget_W: float | None = None,
) -> TierPower:
    """Average and peak power of a tier.

    The peak is what the memory's own commands (``MEMORY_COMPONENTS``) took in the busiest window, over its
    length, plus the average of everything else: standby, arithmetic, SRAM, instructions. It is not below the
    average.

    Parameters
    ----------
    report
        Energy of the run.
    activity
        The tier's part of what it was made from.
    window_pJ
        Energy of the commands in the busiest window, summed over channels.
    rank_window_pJ
        The same of the busiest rank.
    window_ns
        Length of a window: ``WINDOW_NS``, rounded to whole cycles.
    budget_W
        Power that the tier may draw.

    Returns
    -------
    TierPower
        In watts.

    Raises
    ------
    heam_sim.errors.ConfigError
        More energy in a window than in the whole run, or a budget that is not positive.
    """
    if budget_W is not None:
        real_number(f"tier {activity.name}: power_budget_W", budget_W, above=0)
    parts = {name: part.value for (tier, name), part in report.components_pJ.items() if tier == activity.name}
    commands = sum(value for name, value in parts.items() if name in MEMORY_COMPONENTS)
    # The windows are of whole femtojoules.
    if not 0 <= rank_window_pJ <= window_pJ <= commands * (1 + 1e-6) + 1e-3:
        raise ConfigError(
            f"tier {activity.name}: windows of {rank_window_pJ} (rank) and {window_pJ} pJ do not go with "
            f"commands of {commands} pJ; take the windows of the same run and power file."
        )
    time_ns = report.time_ns
    if time_ns <= 0:
        return TierPower(activity.name, 0.0, 0.0, 0.0, 0.0, budget_W, False)
    rest = sum(parts.values()) - commands
    average = sum(parts.values()) / time_ns * 1e-3
    span = min(window_ns, time_ns)
    peak = max((window_pJ / span + rest / time_ns) * 1e-3, average)
    of_rank = (rank_window_pJ / span + rest / time_ns / activity.ranks) * 1e-3
    devices = activity.power["devices_per_rank"].value if activity.power.kind == "dimm" else 1.0
    over = budget_W is not None and peak > budget_W
    return TierPower(activity.name, average, peak, of_rank, of_rank / devices, budget_W, over)


def sram_area(bytes_per_element: int, elements: int, *, logic: PowerFile | None = None) -> Interval:
    """Area of the look-up tables and caches of all elements, data arrays only.

    Parameters
    ----------
    bytes_per_element
        Capacity of one element, over all devices that it is made of.
    elements
        How many there are.
    logic
        Power file of kind ``"logic"``; ``None`` takes the package's.

    Returns
    -------
    Interval
        In mm2.
    """
    logic = load_power("logic") if logic is None else logic
    return logic["sram_mm2_per_MiB"].scaled(bytes_per_element * elements / _MIB)
