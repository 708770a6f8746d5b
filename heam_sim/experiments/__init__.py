# SPDX-License-Identifier: MIT
"""Studies: many simulations, their tables and figures."""

from __future__ import annotations

from heam_sim.experiments.claims import claims_table
from heam_sim.experiments.points import Point, PointStore, freeze, point_key
from heam_sim.experiments.reproduction import Study, reproduce, study_points
from heam_sim.experiments.sweep import Failure, Outcome, run_points
from heam_sim.experiments.tune import Tuned, search_space, tune

__all__ = [
    "Failure",
    "Outcome",
    "Point",
    "PointStore",
    "Study",
    "Tuned",
    "claims_table",
    "freeze",
    "point_key",
    "reproduce",
    "run_points",
    "search_space",
    "study_points",
    "tune",
]
