# SPDX-License-Identifier: MIT
"""A set of results as one page that needs nothing else: ``heam-sim report``."""

from __future__ import annotations

from heam_sim.report.page import report_html, write_report

__all__ = ["report_html", "write_report"]
