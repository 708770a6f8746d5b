# SPDX-License-Identifier: MIT
"""The published figures: DataFrame in, figure and the table behind it out. No files, no simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from heam_sim.energy.report import COMPONENTS
from heam_sim.errors import ConfigError
from heam_sim.plotting.layout import AXIS_IN, bar_limits, columns_of, panel_grid, panel_width_in, width_of
from heam_sim.plotting.style import (
    SMALLEST_PT,
    TWO_COLUMNS_IN,
    Look,
    component_looks,
    figure_style,
    ordered_systems,
    system_looks,
)
from heam_sim.plotting.tables import GEOMEAN, energy_table, facets, speedup_table

__all__ = ["energy_stack", "speedup_bars"]

_NUMBERS_IN = 0.35  # width of the numbers beside a panel
_BAR_IN = 0.16  # width of a bar with its name below
_LABEL_IN = 0.09  # width that a rotated number over a bar needs
_LABELS = {
    "on_die_movement": "on-die movement",
    "tsv": "TSV",
    "crossbar": "stack crossbar",
    "dram_bus": "module bus",
    "io": "host I/O",
    "alu": "ALU",
    "lut": "LUT",
    "instruction": "instructions",
    "cell": "cell access",
}
_SCALES = ((1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ"))


def speedup_bars(
    frame: pd.DataFrame,
    *,
    baseline: str = "host-dimm",
    columns: int | None = None,
    against: str | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Bars of speed-up over a baseline, grouped by vector size, one panel per embedding and pooling scope.

    Parameters
    ----------
    frame
        Rows as :meth:`heam_sim.results.Result.to_frame` makes them (see :func:`speedup_table`).
    baseline
        System whose speed is 1; drawn as the line at 1.
    columns
        Width of the figure: 1 or 2 columns of a two-column page; None: as few as its bars need.
    against
        Embedding of the baseline (``"full"``); None: that of each panel, and the baseline has no bars.

    Returns
    -------
    tuple of matplotlib.figure.Figure and pandas.DataFrame
        The figure, and the numbers that it shows.

    Raises
    ------
    heam_sim.errors.ConfigError
        The data do not allow the figure (see :func:`speedup_table`), or ``columns`` is not 1 or 2.
    """
    table = speedup_table(frame, baseline=baseline, against=against)
    ordered = ordered_systems(table["system"])
    systems = [name for name in ordered if name != baseline or against is not None] or [baseline]
    looks = system_looks(table["system"])
    panels = facets(table)
    bars = table["vector_bytes"].nunique() * len(systems) / 0.84
    columns = columns_of(columns, min(len(panels), 2) * (AXIS_IN + bars * _LABEL_IN))
    with figure_style():
        # Three panels side by side rather than a row with a hole, where the page is wide enough.
        across = 3 if columns == 2 and len(panels) % 3 == 0 else min(len(panels), columns)
        # One above the other if numbers fit over the bars only then.
        room = [(TWO_COLUMNS_IN / number - AXIS_IN) / bars for number in (across, 1)]
        if columns == 2 and room[0] < _LABEL_IN < room[1]:
            across = 1
        down = -(-len(panels) // across)
        figure, grid = panel_grid(down, across, columns, 1.55, [(name, looks[name]) for name in systems])
        for i, (title, part) in enumerate(panels):
            axis = grid[i // across][i % across]
            top = float(table.loc[table["scope"] == part["scope"].iloc[0], "speedup"].max())
            _speedup_panel(axis, part, systems, looks, top)
            axis.set_title(title)
            if i % across == 0:
                axis.set_ylabel(f"speed-up over\n{baseline}{'' if against is None else f', {against}'}")
            if i + across >= len(panels):
                axis.set_xlabel("vector size")
        for axis in grid.flat[len(panels) :]:
            axis.remove()
    return figure, table


def _speedup_panel(
    axis: Axes, part: pd.DataFrame, systems: Sequence[str], looks: Mapping[str, Look], top: float
) -> None:
    sizes = list(dict.fromkeys(part["vector_bytes"]))
    width = 0.84 / len(systems)
    values = part.set_index(["vector_bytes", "system"])["speedup"]
    labelled = panel_width_in(axis) / len(sizes) * width > _LABEL_IN
    for i, system in enumerate(systems):
        heights = np.array([values.get((size, system), np.nan) for size in sizes], dtype=float)
        at = np.arange(len(sizes)) + (i - (len(systems) - 1) / 2) * width
        look = looks[system]
        axis.bar(at, heights, width * 0.94, color=look.colour, hatch=look.hatch, edgecolor="black")
        for x, height in zip(at, heights, strict=True):
            if labelled and np.isfinite(height):
                _bar_label(axis, x, height, top)
    axis.axhline(1.0, color="black", linewidth=0.7)
    if sizes[-1] == GEOMEAN:
        axis.axvline(len(sizes) - 1.5, color="#999999", linewidth=0.6, linestyle=":")
    axis.set_xticks(range(len(sizes)), [_size_label(size) for size in sizes])
    axis.tick_params(axis="x", length=0)
    axis.set_xlim(-0.55, len(sizes) - 0.45)
    axis.set_ylim(0.0, max(1.15, top * (1.25 if labelled else 1.05)))


def _bar_label(axis: Axes, x: float, height: float, top: float) -> None:
    text = f"{height:.2f}" if height < 1 else f"{height:.1f}" if height < 100 else f"{height:.0f}"
    y = height + 0.02 * top
    label = axis.text(x, y, text, rotation=90, ha="center", va="bottom", fontsize=SMALLEST_PT)
    # A white rim, so that the line at 1 does not run through the digits.
    label.set_path_effects([withStroke(linewidth=1.6, foreground="white")])


def energy_stack(frame: pd.DataFrame, *, columns: int | None = None) -> tuple[Figure, pd.DataFrame]:
    """Stacked bars of energy per sample by component, one bar per system.

    One row of panels per embedding and pooling scope, one panel per vector size, each with a scale of its own
    (energies of 64 and 512 B differ too much to share one). Whiskers span the low and the high energy, where
    sources differ.

    Parameters
    ----------
    frame
        Rows as :meth:`heam_sim.results.Result.to_frame` makes them (see :func:`energy_table`).
    columns
        Width of the figure: 1 or 2 columns of a two-column page; None: as few as its bars need.

    Returns
    -------
    tuple of matplotlib.figure.Figure and pandas.DataFrame
        The figure, and the numbers that it shows.

    Raises
    ------
    heam_sim.errors.ConfigError
        The data do not allow the figure (see :func:`energy_table`), bars would be narrower than their names,
        or ``columns`` is not 1 or 2.
    """
    table = energy_table(frame)
    factor, unit = _scale(float(table["total_pJ_per_sample"].max()))
    used = [name for name in COMPONENTS if (table[f"{name}_pJ_per_sample"] > 0).any()]
    looks = component_looks()
    panels = facets(table)
    sizes = sorted(set(table["vector_bytes"]))
    systems = ordered_systems(table["system"])
    columns = columns_of(columns, len(sizes) * (AXIS_IN + len(systems) * _BAR_IN))
    _check_room(len(sizes), len(systems), columns)
    with figure_style():
        entries = [(_LABELS.get(name, name), looks[name]) for name in used]
        figure, grid = panel_grid(len(panels), len(sizes), columns, 1.55, entries, bottom_in=0.75)
        for i, (title, part) in enumerate(panels):
            for j, size in enumerate(sizes):
                _energy_panel(grid[i][j], part[part["vector_bytes"] == size], systems, used, factor)
                if i == 0:
                    grid[i][j].set_title(_size_label(size))
                if i < len(panels) - 1:
                    grid[i][j].set_xticklabels([])
            grid[i][0].set_ylabel(f"{title}\nenergy/sample ({unit})")
    return figure, table


def _energy_panel(
    axis: Axes, part: pd.DataFrame, systems: Sequence[str], used: Sequence[str], factor: float
) -> None:
    looks = component_looks()
    at = np.array([systems.index(name) for name in part["system"]], dtype=float)
    bottom = np.zeros(len(part))
    for name in used:
        height = part[f"{name}_pJ_per_sample"].to_numpy(dtype=float) / factor
        look = looks[name]
        axis.bar(at, height, 0.72, bottom=bottom, color=look.colour, hatch=look.hatch, edgecolor="black")
        bottom += height
    low, total, high = (
        part[f"{end}_pJ_per_sample"].to_numpy(dtype=float) / factor for end in ("low", "total", "high")
    )
    # Rounding of the sums may leave a whisker of -1e-20.
    reach = np.maximum(np.vstack((total - low, high - total)), 0.0)
    look_of: dict[str, Any] = {"fmt": "none", "ecolor": "black", "elinewidth": 0.7, "capsize": 2.0}
    axis.errorbar(at, total, yerr=reach, **look_of)
    axis.set_xticks(range(len(systems)), list(systems), rotation=90)
    axis.tick_params(axis="x", length=0, pad=2)
    axis.set_xlim(*bar_limits(axis, len(systems)))
    axis.set_ylim(0.0, float(high.max()) * 1.05 if len(part) and high.max() > 0 else 1.0)


def _scale(largest_pJ: float) -> tuple[float, str]:
    return next(((factor, unit) for factor, unit in _SCALES if largest_pJ >= factor), _SCALES[-1])


def _size_label(size: object) -> str:
    return "geo-\nmean" if size == GEOMEAN else f"{size} B"


def _check_room(panels: int, bars: int, columns: int) -> None:
    """Refuse a row of panels whose bars would be narrower than their 7 pt names."""
    if (width_of(columns) / panels - _NUMBERS_IN) / bars < SMALLEST_PT / 72:
        remedy = "give columns=2 or fewer systems" if columns == 1 else "give fewer systems or vector sizes"
        raise ConfigError(f"{panels} panels of {bars} systems do not fit on {columns} column(s); {remedy}.")
