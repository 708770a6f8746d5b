# SPDX-License-Identifier: MIT
"""From lookups to the engine's work arrays."""

from __future__ import annotations

from heam_sim.lowering.arithmetic import Work
from heam_sim.lowering.gather import LookupReader, Scope
from heam_sim.lowering.lower import Lowered, lower
from heam_sim.lowering.packets import bags_in_order
from heam_sim.lowering.prefetch import with_prefetch

__all__ = ["LookupReader", "Lowered", "Scope", "Work", "bags_in_order", "lower", "with_prefetch"]
