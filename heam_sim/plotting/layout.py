# SPDX-License-Identifier: MIT
"""How figures fill the page: one column or two, whichever their content needs, and the legend above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from heam_sim.errors import ConfigError
from heam_sim.plotting.style import ONE_COLUMN_IN, TWO_COLUMNS_IN

__all__ = ["AXIS_IN", "bar_limits", "columns_of", "log_scale", "panel_grid", "panel_width_in", "width_of"]

AXIS_IN = 0.5  # width of label and numbers beside a panel
_LEGEND_IN = 0.17  # height of a row of the legend
_HANDLE_IN, _LETTER_IN = 0.42, 0.055  # width of an entry of the legend at 7 pt
_WIDEST_BAR_IN = 0.55  # with the gap beside it


def columns_of(columns: int | None, needed_in: float) -> int:
    """Columns of the page that a figure takes: those asked for, or as few as its content needs.

    Raises
    ------
    heam_sim.errors.ConfigError
        Other than 1, 2 or None are asked for.
    """
    if columns not in (None, 1, 2):
        raise ConfigError(f"columns is {columns!r}; give 1 or 2.")
    return columns or (1 if needed_in <= ONE_COLUMN_IN else 2)


def width_of(columns: int) -> float:
    """Width of a figure in inches."""
    return ONE_COLUMN_IN if columns == 1 else TWO_COLUMNS_IN


def panel_width_in(axis: Axes) -> float:
    """Width of a panel in inches, estimated before the layout has been run."""
    figure, spec = axis.get_figure(), axis.get_subplotspec()
    assert isinstance(figure, Figure) and spec is not None
    return float(figure.get_size_inches()[0]) / spec.get_gridspec().ncols - AXIS_IN


def bar_limits(axis: Axes, bars: int) -> tuple[float, float]:
    """Limits of an axis with bars at 0, 1, 2, ...; few of them do not fill the panel."""
    missing = max(0.0, panel_width_in(axis) / _WIDEST_BAR_IN - bars)
    return -0.6 - missing / 2, bars - 0.4 + missing / 2


def _legend_columns(labels: Sequence[str], width_in: float) -> int:
    """As many columns as fit; entries fill them one after the other, each as wide as its longest."""
    for number in range(len(labels), 1, -1):
        parts = np.array_split(np.array([len(label) for label in labels]), number)
        if sum(_HANDLE_IN + _LETTER_IN * int(part.max()) for part in parts) <= width_in:
            return number
    return 1


def panel_grid(
    down: int,
    across: int,
    columns: int,
    height_in: float,
    entries: Sequence[tuple[str, Any]],
    *,
    bottom_in: float = 0.25,
    **options: Any,
) -> tuple[Figure, Any]:
    """A figure of ``down`` x ``across`` panels with the legend above, as wide as the page's columns.

    Parameters
    ----------
    entries
        Label of each entry of the legend with its :class:`~heam_sim.plotting.style.Look`, or with the
        keywords of its line.
    options
        Of :meth:`matplotlib.figure.Figure.subplots`.
    """
    width = width_of(columns)
    per_row = _legend_columns([label for label, _ in entries], width)
    legend_in = _LEGEND_IN * -(-len(entries) // per_row) + 0.08 if entries else 0.0
    figure = Figure(figsize=(width, height_in * down + legend_in + bottom_in), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, **options)
    handles: list[Any] = [
        Line2D([], [], label=label, **look)
        if isinstance(look, Mapping)
        else Patch(facecolor=look.colour, hatch=look.hatch, edgecolor="black", label=label)
        for label, look in entries
    ]
    if handles:
        figure.legend(
            handles=handles, loc="outside upper center", ncols=per_row, columnspacing=1.0, handlelength=1.6
        )
    return figure, grid


def log_scale(axis: Axes, which: Literal["x", "y"] = "y") -> None:
    """A logarithmic axis with plain numbers.

    1, 2, 5, 10 ...; over more than two decades powers of ten, over less than one some even numbers.
    """
    line = axis.yaxis if which == "y" else axis.xaxis
    (axis.set_yscale if which == "y" else axis.set_xscale)("log")
    low, high = axis.get_ylim() if which == "y" else axis.get_xlim()
    if high / low < 5:
        line.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        line.set_minor_locator(NullLocator())
    else:
        line.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 100 else (1.0,)))
    line.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    line.set_minor_formatter(NullFormatter())
