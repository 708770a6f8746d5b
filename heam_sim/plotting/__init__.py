# SPDX-License-Identifier: MIT
"""Figures: tables in, matplotlib figures out; only :func:`save_figure` touches files."""

from __future__ import annotations

from heam_sim.plotting.figures import energy_stack, speedup_bars
from heam_sim.plotting.save import figure_stem, save_figure
from heam_sim.plotting.studies import (
    ablation_bars,
    access_bars,
    best_bars,
    compression_curves,
    hit_rate_bars,
    memory_bars,
    roofline,
    sensitivity_curves,
)
from heam_sim.plotting.style import figure_style
from heam_sim.plotting.tables import energy_table, speedup_table
from heam_sim.plotting.timelines import MOST_TRACKS, timeline_figure
from heam_sim.plotting.times import time_bars
from heam_sim.plotting.traces import access_figure, cache_figure, fit_figure, reuse_figure

__all__ = [
    "MOST_TRACKS",
    "ablation_bars",
    "access_bars",
    "access_figure",
    "best_bars",
    "cache_figure",
    "compression_curves",
    "energy_stack",
    "energy_table",
    "figure_stem",
    "figure_style",
    "fit_figure",
    "hit_rate_bars",
    "memory_bars",
    "reuse_figure",
    "roofline",
    "save_figure",
    "sensitivity_curves",
    "speedup_bars",
    "speedup_table",
    "time_bars",
    "timeline_figure",
]
