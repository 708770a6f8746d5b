# SPDX-License-Identifier: MIT
"""Homes of all rows of a model in the tiers of a system."""

from __future__ import annotations

from heam_sim.placement.dispatch import dispatch
from heam_sim.placement.layout import Located, TierLayout
from heam_sim.placement.model import ModelPlacement, place_model

__all__ = ["Located", "ModelPlacement", "TierLayout", "dispatch", "place_model"]
