# SPDX-License-Identifier: MIT
"""Waterfalls: from one configuration to another, the factor of each step."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from heam_sim.errors import ConfigError
from heam_sim.plotting.layout import columns_of, log_scale, panel_grid, width_of
from heam_sim.plotting.style import BLUE, GREY, LIGHT_GREY, SMALLEST_PT, VERMILION, Look, figure_style

__all__ = ["walk_table", "waterfall"]

_LINE_IN = 0.13  # height of a line of text
_LETTER_IN = 0.06  # width of a letter
_FACTOR_IN = 0.4  # room for a factor beside a bar
_MOST_LINES = 3
_BETTER, _WORSE, _TOTAL = Look(BLUE), Look(VERMILION, "////"), Look(LIGHT_GREY)


def walk_table(steps: pd.DataFrame) -> pd.DataFrame:
    """From the state after each step to factors.

    Parameters
    ----------
    steps
        ``step`` (what changed; the first row is the start), ``samples_per_second`` and
        ``energy_per_sample_pJ`` after it.

    Returns
    -------
    pandas.DataFrame
        Also ``speedup`` and ``energy_ratio`` (factor of the step alone, 1 for the start), and
        ``total_speedup`` and ``total_energy_ratio`` (over the start).
    """
    table = steps.reset_index(drop=True)
    for column, name in (("samples_per_second", "speedup"), ("energy_per_sample_pJ", "energy_ratio")):
        values = table[column].astype(float)
        table[name] = (values / values.shift()).fillna(1.0)
        table[f"total_{name}"] = values / values.iloc[0] if len(values) else values
    return table


def waterfall(table: pd.DataFrame, *, columns: int = 2) -> tuple[Figure, pd.DataFrame]:
    """Bars that step from the start to the end, on logarithmic axes: equal factors are equally long.

    Parameters
    ----------
    table
        ``step``, ``total_speedup`` and ``total_energy_ratio`` (:func:`walk_table`), a row per step, the
        start first.
    columns
        Width of the figure: 2 columns of a two-column page show speed-up and energy, 1 speed-up alone.

    Returns
    -------
    tuple of matplotlib.figure.Figure and pandas.DataFrame
        The figure, and the numbers that it shows.

    Raises
    ------
    heam_sim.errors.ConfigError
        There is no step, or a value is not positive.
    """
    columns = columns_of(columns, 0.0)
    if len(table) < 2:
        raise ConfigError("waterfall: there is no step; give two configurations that differ.")
    panels = {"total_speedup": "speed-up over the start", "total_energy_ratio": "energy over the start's"}
    for column in panels:
        values = table[column].to_numpy(dtype=float)
        if not (np.isfinite(values) & (values > 0)).all():
            raise ConfigError(f"waterfall: {column} is not positive in every row; simulate them again.")
    names = [_wrapped(str(step), 26 if columns == 1 else 40) for step in table["step"]]
    lines = sum(max(1.6, name.count("\n") + 1.5) for name in names) + 1.6
    with figure_style():
        entries = [("faster, or less energy", _BETTER), ("slower, or more energy", _WORSE)]
        figure, grid = panel_grid(1, columns, columns, lines * _LINE_IN, entries, bottom_in=0.4, sharey=True)
        places = _places(names)
        text_in = _LETTER_IN * max(len(line) for name in names for line in name.split("\n"))
        bars_in = (width_of(columns) - text_in) / columns - 0.3
        for axis, (column, label) in zip(grid[0], panels.items(), strict=False):
            totals = table[column].to_numpy(dtype=float)
            _steps(axis, totals, places, bars_in, more_is_better=column == "total_speedup")
            axis.set_xlabel(label)
            axis.tick_params(axis="y", length=0)
        axis = grid[0][0]
        axis.set_yticks(places, [*names, "total"])
        axis.set_ylim(places[-1] + 0.8, -0.8)
    return figure, table


def _wrapped(text: str, width: int) -> str:
    found = textwrap.wrap(text, width, max_lines=_MOST_LINES, placeholder=" ...")
    return "\n".join(found) or text


def _places(names: list[str]) -> list[float]:
    """Heights at which the rows stand, the total last; names of several lines have more room."""
    room = [max(1.0, 0.62 * (name.count("\n") + 1) + 0.2) for name in [*names, ""]]
    ends = np.cumsum(room)
    middle: list[float] = (ends - np.array(room) / 2 - room[0] / 2).tolist()
    return middle


def _steps(
    axis: Axes, totals: np.ndarray, places: list[float], width_in: float, *, more_is_better: bool
) -> None:
    low, high = min(1.0, float(totals.min())), max(1.0, float(totals.max()))
    reach = max(high / low, 1.2)
    room = _FACTOR_IN / max(width_in - 2 * _FACTOR_IN, _FACTOR_IN)
    axis.set_xlim(low / reach**room, high * reach**room)
    before = 1.0
    for number, (place, total) in enumerate(zip(places, totals, strict=False)):
        if number > 0:
            good = (total >= before) == more_is_better
            _bar(axis, place, before, float(total), _BETTER if good else _WORSE)
        axis.plot([total, total], [place, places[number + 1]], color=GREY, linewidth=0.6, zorder=0.5)
        before = float(total)
    _bar(axis, places[-1], 1.0, before, _TOTAL)
    axis.axvline(1.0, color="black", linewidth=0.7)
    log_scale(axis, "x")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, axis="x")
    axis.grid(False, axis="y")


def _bar(axis: Axes, place: float, start: float, end: float, look: Look) -> None:
    axis.barh(
        place,
        abs(end - start),
        0.62,
        left=min(start, end),
        color=look.colour,
        hatch=look.hatch,
        edgecolor="black",
    )
    factor = end / start
    text = f"\N{MULTIPLICATION SIGN}{factor:.2f}" if factor < 100 else f"\N{MULTIPLICATION SIGN}{factor:.0f}"
    offset = 3 if end >= start else -3
    axis.annotate(
        text,
        (end, place),
        (offset, 0),
        textcoords="offset points",
        ha="left" if end >= start else "right",
        va="center",
        fontsize=SMALLEST_PT,
    )
