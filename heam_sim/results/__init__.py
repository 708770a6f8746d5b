# SPDX-License-Identifier: MIT
"""Results: what a simulation returns, as tables and files."""

from __future__ import annotations

from heam_sim.results.atomic import write_atomically
from heam_sim.results.result import Result
from heam_sim.results.result_set import ResultSet, read_frame

__all__ = ["Result", "ResultSet", "read_frame", "write_atomically"]
