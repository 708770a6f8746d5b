# SPDX-License-Identifier: MIT
"""Architectures as data: descriptions, their loader, and the one host that all of them share."""

from __future__ import annotations

from heam_sim.systems.loader import known_systems, load_system, system_from_dict
from heam_sim.systems.model import Host, Pim, Placement, System, Tier

__all__ = ["Host", "Pim", "Placement", "System", "Tier", "known_systems", "load_system", "system_from_dict"]
