# SPDX-License-Identifier: MIT
"""Energy: power files, and a pure function from counters and times to joules.

See ``docs/energy.md`` for the model and for every number that is assumed.
"""

from __future__ import annotations

from heam_sim.energy.activity import COUNTS, HostActivity, TierActivity
from heam_sim.energy.commands import commands_activity, commands_energy
from heam_sim.energy.compare import EnergyRatio, energy_ratio
from heam_sim.energy.events import EventEnergies, event_energies
from heam_sim.energy.interval import Interval
from heam_sim.energy.model import MEMORY_COMPONENTS, command_energies, compute_energy
from heam_sim.energy.peak import WINDOW_NS, TierPower, sram_area, tier_power
from heam_sim.energy.power import PowerFile, PowerValue, load_power, power_names
from heam_sim.energy.report import COMPONENTS, EnergyReport

__all__ = [
    "COMPONENTS",
    "COUNTS",
    "MEMORY_COMPONENTS",
    "WINDOW_NS",
    "EnergyRatio",
    "EnergyReport",
    "EventEnergies",
    "HostActivity",
    "Interval",
    "PowerFile",
    "PowerValue",
    "TierActivity",
    "TierPower",
    "command_energies",
    "commands_activity",
    "commands_energy",
    "compute_energy",
    "energy_ratio",
    "event_energies",
    "load_power",
    "power_names",
    "sram_area",
    "tier_power",
]
