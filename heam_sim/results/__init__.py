# SPDX-License-Identifier: MIT
"""Results: what a simulation returns, as tables and files."""

from __future__ import annotations

from heam_sim.results.atomic import write_atomically
from heam_sim.results.compare import diff_results, merge_results, statistics
from heam_sim.results.export import latex_table, write_table
from heam_sim.results.result import Result
from heam_sim.results.result_set import ResultSet, read_frame
from heam_sim.results.units import unit_of

__all__ = [
    "Result",
    "ResultSet",
    "diff_results",
    "latex_table",
    "merge_results",
    "read_frame",
    "statistics",
    "unit_of",
    "write_atomically",
    "write_table",
]
