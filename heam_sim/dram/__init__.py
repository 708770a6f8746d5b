# SPDX-License-Identifier: MIT
"""Memory standards as data, and the PIM commands that follow from them."""

from __future__ import annotations

from heam_sim.dram.controller import Controller
from heam_sim.dram.gaps import RELATIONS, earliest_gap
from heam_sim.dram.loader import list_presets, load_spec
from heam_sim.dram.model import KINDS, RESOURCES, Command, Constraint, Spec
from heam_sim.dram.stop_level import derive_pim

__all__ = [
    "KINDS",
    "RELATIONS",
    "RESOURCES",
    "Command",
    "Constraint",
    "Controller",
    "Spec",
    "derive_pim",
    "earliest_gap",
    "list_presets",
    "load_spec",
]
