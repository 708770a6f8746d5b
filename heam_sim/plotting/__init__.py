# SPDX-License-Identifier: MIT
"""Figures: tables in, matplotlib figures out; only :func:`save_figure` touches files."""

from __future__ import annotations

from heam_sim.plotting.figures import energy_stack, speedup_bars
from heam_sim.plotting.save import save_figure
from heam_sim.plotting.style import figure_style
from heam_sim.plotting.tables import energy_table, speedup_table

__all__ = ["energy_stack", "energy_table", "figure_style", "save_figure", "speedup_bars", "speedup_table"]
