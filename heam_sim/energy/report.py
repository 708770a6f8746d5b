# SPDX-License-Identifier: MIT
"""The energy of a run, split by tier and component."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from heam_sim.energy.interval import ZERO, Interval

__all__ = ["COMPONENTS", "EnergyReport"]

COMPONENTS: Mapping[str, str] = MappingProxyType(
    {
        "activation": "opening and closing rows",
        "cell": "column access in the bank",
        "on_die_movement": "bank-group multiplexer and global I/O wires",
        "tsv": "through-silicon vias between die and base die (HBM)",
        "crossbar": "results between the channels of a stack (HBM)",
        "dram_bus": "device pins to the module's buffer chip (DIMM)",
        "io": "PHY and interposer, or the host's memory bus",
        "refresh": "refresh above standby",
        "background": "standby, by row state",
        "alu": "arithmetic of processing elements and merge nodes",
        "lut": "look-up tables and caches of processing elements: reads, writes, look-ups",
        "instruction": "command pins, delivery and decoding of PIM instructions",
        "host": "the host's adds, products and last-level cache",
    }
)
"""Component names in the order in which figures stack them, with what they hold."""


@dataclass(frozen=True)
class EnergyReport:
    """Energy of one run.

    Parameters
    ----------
    components_pJ
        (tier, component) to energy in pJ; the host's part is ``("host", "host")``.
    time_ns
        Duration that the energy belongs to.
    """

    components_pJ: Mapping[tuple[str, str], Interval]
    time_ns: float

    @property
    def total_pJ(self) -> Interval:
        """Sum of all parts, correctly rounded."""
        return Interval.total(self.components_pJ.values())

    @property
    def average_power_W(self) -> Interval:
        """Total energy over time (pJ / ns = mW); zero for a run that took no time."""
        return self.total_pJ.scaled(1e-3 / self.time_ns) if self.time_ns > 0 else ZERO

    def by_component(self) -> dict[str, Interval]:
        """Energy in pJ of every name in ``COMPONENTS``, summed over tiers."""
        return {name: self._sum(lambda key, name=name: key[1] == name) for name in COMPONENTS}  # type: ignore[misc]

    def by_tier(self) -> dict[str, Interval]:
        """Energy in pJ of every tier, in order, the host last."""
        names = dict.fromkeys(tier for tier, _ in self.components_pJ)
        return {name: self._sum(lambda key, name=name: key[0] == name) for name in names}  # type: ignore[misc]

    def _sum(self, keep: Callable[[tuple[str, str]], bool]) -> Interval:
        return Interval.total(part for key, part in self.components_pJ.items() if keep(key))
