# SPDX-License-Identifier: MIT
"""What the time of runs went to, as stacked bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heam_sim.errors import ConfigError
from heam_sim.plotting.layout import AXIS_IN, bar_limits, columns_of, panel_grid
from heam_sim.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_GREY,
    ONE_COLUMN_IN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    Look,
    figure_style,
    ordered_systems,
)

__all__ = ["time_bars"]

_BAR_IN = 0.16  # width of a bar with its name below
# From the cells outwards; resources of one group are one part of a bar.
_GROUPS: Mapping[str, tuple[tuple[str, ...], Look]] = MappingProxyType(
    {
        "activation": (("activation power",), Look(BLUE)),
        "bank": (("bank", "state"), Look(SKY)),
        "group, rank I/O": (("bank group io", "rank io"), Look(SKY, "////")),
        "buses": (("dram bus", "host bus", "merge path", "stack crossbar"), Look(GREEN)),
        "data latency": (("data latency",), Look(LIGHT_GREY)),
        "refresh": (("refresh",), Look(GREY, "....")),
        "ALU, LUT, adder": (
            ("ALU", "LUT or cache port", "merge node", "stack node"),
            Look(VERMILION, "\\\\\\\\"),
        ),
        "instructions": (("instruction path", "command slot"), Look(YELLOW, "....")),
        "order, tags": (
            ("order of operands", "batch tags", "accumulators of the stack", "window or barrier"),
            Look(PURPLE, "xxxx"),
        ),
        "host": (("host issue", "host adder"), Look("#FFFFFF")),
        "arrivals": (("arrivals",), Look("#FFFFFF", "....")),
        "DIMM tier": ((), Look(ORANGE, "----")),
        "other": ((), Look("#FFFFFF", "++")),
    }
)
_GROUP_OF = {resource: group for group, (resources, _) in _GROUPS.items() for resource in resources}


def time_bars(table: pd.DataFrame, *, columns: int | None = None) -> tuple[Figure, pd.DataFrame]:
    """Stacked bars of what the time went to, one bar per system, one panel per embedding.

    Parameters
    ----------
    table
        Rows of ``system``, ``embedding``, ``vector_bytes``, ``scope``, ``tier``, ``resource`` and ``share``
        (of the run's time, 0 to 1); the shares of a run sum to 1. Resources of like kind are one part; a
        system's second memory is one part.
    columns
        Width of the figure: 1 or 2 columns of a two-column page; None: as few as its bars need.

    Returns
    -------
    tuple of matplotlib.figure.Figure and pandas.DataFrame
        The figure, and the table with the column ``group`` (the part of the bar).

    Raises
    ------
    heam_sim.errors.ConfigError
        There are no rows.
    """
    if table.empty:
        raise ConfigError("time_bars: there are no rows; give results that say what their time went to.")
    tiers = table.groupby(["system", "embedding"])["tier"]
    two_memories = tiers.transform(lambda names: {"hbm", "dimm"} <= set(names))
    group = table["resource"].map(_GROUP_OF).fillna("other")
    table = table.assign(group=group.where(~(two_memories & (table["tier"] == "dimm")), "DIMM tier"))
    parts = table.groupby(["embedding", "system", "group"], sort=False)["share"].sum()
    embeddings = list(dict.fromkeys(table["embedding"]))
    used = [name for name in _GROUPS if name in set(table["group"])]
    with figure_style():
        entries = [(name, _GROUPS[name][1]) for name in used]
        panels, bars = len(embeddings), table["system"].nunique()
        columns = columns_of(columns, panels * (AXIS_IN + bars * _BAR_IN))
        across = panels if columns == 2 or panels * (AXIS_IN + bars * _BAR_IN) < ONE_COLUMN_IN else 1
        # Panels one above the other have their names each.
        height, bottom = (1.9, 0.75) if across == panels else (2.6, 0.1)
        figure, grid = panel_grid(panels // across, across, columns, height, entries, bottom_in=bottom)
        for axis, embedding in zip(grid.flat, embeddings, strict=True):
            _panel(axis, parts[embedding], used)
            axis.set_title(embedding)
        for row in grid:
            row[0].set_ylabel("share of the time")
    return figure, table


def _panel(axis: Axes, parts: pd.Series, used: Sequence[str]) -> None:
    systems = ordered_systems(parts.index.get_level_values("system"))
    bottom = np.zeros(len(systems))
    for name in used:
        height = np.array([float(parts.get((system, name), 0.0)) for system in systems])
        look = _GROUPS[name][1]
        axis.bar(systems, height, 0.72, bottom=bottom, color=look.colour, hatch=look.hatch, edgecolor="black")
        bottom += height
    axis.set_xticks(range(len(systems)), systems, rotation=90)
    axis.tick_params(axis="x", length=0, pad=2)
    axis.set_xlim(*bar_limits(axis, len(systems)))
    axis.set_ylim(0.0, 1.0)
