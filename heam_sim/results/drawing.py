# SPDX-License-Identifier: MIT
"""The way from results to figures and pages, which live above them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heam_sim.results.result import Result

__all__ = ["plot_results", "report_results"]


def plot_results(results: Iterable[Result], figure: str, **options: Any) -> Figure:
    """Draw one of the figures of ``heam-sim plot``."""
    # Found only when it is called: no simulation depends on figures, which are built on results.
    drawn: Figure = importlib.import_module("heam_sim.experiments.stored").draw_one(
        results, figure, **options
    )
    return drawn


def report_results(results: Iterable[Result], path: str | Path, *, title: str | None) -> None:
    """Write the page of ``heam-sim report``."""
    importlib.import_module("heam_sim.report").write_report(results, path, title=title)
