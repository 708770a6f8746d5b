# SPDX-License-Identifier: MIT
"""Where rows live: tiers, address maps, pages, hot and cold, replicas."""

from __future__ import annotations

from heam_sim.placement.model import Located, ModelPlacement, TierLayout, place_model

__all__ = ["Located", "ModelPlacement", "TierLayout", "place_model"]
