# SPDX-License-Identifier: MIT
"""Studies: many simulations, their tables and figures."""

from __future__ import annotations

from heam_sim.experiments.best import best_table
from heam_sim.experiments.claims import claims_table, comparisons_table
from heam_sim.experiments.comparisons import Comparison, Results, summarise
from heam_sim.experiments.design import Design, Selection, TraceSource, Variant, read_design
from heam_sim.experiments.explain import Explanation, Step, explain
from heam_sim.experiments.points import Point, PointStore, freeze, point_key
from heam_sim.experiments.reproduction import SELECTIONS, Study, reproduce, study_design
from heam_sim.experiments.runner import Failure, Outcome, run_points
from heam_sim.experiments.shipped import shipped_studies
from heam_sim.experiments.study import Sweep, run_design, sweep
from heam_sim.experiments.tune import Tuned, search_space, tune

__all__ = [
    "SELECTIONS",
    "Comparison",
    "Design",
    "Explanation",
    "Failure",
    "Outcome",
    "Point",
    "PointStore",
    "Results",
    "Selection",
    "Step",
    "Study",
    "Sweep",
    "TraceSource",
    "Tuned",
    "Variant",
    "best_table",
    "claims_table",
    "comparisons_table",
    "explain",
    "freeze",
    "point_key",
    "read_design",
    "reproduce",
    "run_design",
    "run_points",
    "search_space",
    "shipped_studies",
    "study_design",
    "summarise",
    "sweep",
    "tune",
]
