# SPDX-License-Identifier: MIT
"""The way from results to figures and pages, which live above them."""

from __future__ import annotations

import functools
import importlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heam_sim.results.result import Result

__all__ = ["plot_results", "report_results"]

# About as wide as a notebook's text for a figure of two columns.
_NOTEBOOK_DPI = 110


def plot_results(results: Iterable[Result], figure: str, **options: Any) -> Figure:
    """Draw one of the figures of ``heam-sim plot``."""
    # Found only when it is called: no simulation depends on figures, which are built on results.
    drawn: Figure = importlib.import_module("heam_sim.experiments.stored").draw_one(
        results, figure, **options
    )
    # A Figure shows itself only where pyplot has been imported with a notebook's backend.
    drawn._repr_png_ = functools.partial(_png, drawn)  # type: ignore[attr-defined]
    return drawn


def report_results(results: Iterable[Result], path: str | Path, *, title: str | None) -> None:
    """Write the page of ``heam-sim report``."""
    importlib.import_module("heam_sim.report").write_report(results, path, title=title)


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=_NOTEBOOK_DPI)
    return data.getvalue()
