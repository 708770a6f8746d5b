# SPDX-License-Identifier: MIT
"""Studies: many simulations, their tables and figures."""

from __future__ import annotations

from heam_sim.experiments.claims import claims_table
from heam_sim.experiments.reproduction import Point, Study, reproduce, study_points

__all__ = ["Point", "Study", "claims_table", "reproduce", "study_points"]
