# SPDX-License-Identifier: MIT
"""How evenly reads are spread over channels and bank groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from heam_sim.errors import ConfigError
from heam_sim.plotting.layout import columns_of, panel_grid
from heam_sim.plotting.style import figure_style, ordered_systems

__all__ = ["imbalance_maps"]

_MAP = "cividis"  # lightness rises all along: the same to colour-blind eyes and in print
_PANEL_IN = 1.5


def imbalance_maps(table: pd.DataFrame, *, columns: int | None = None) -> tuple[Figure, pd.DataFrame]:
    """A heat map per system and tier: column reads of every bank group over their mean.

    All maps have one scale that begins at 0; titles say how many times the mean the busiest group has.

    Parameters
    ----------
    table
        Rows of ``system``, ``tier``, ``channel``, ``group``, ``level`` and ``reads_over_mean``.
    columns
        Width of the figure: 1 or 2 columns of a two-column page; None: as few as its maps need.

    Returns
    -------
    tuple of matplotlib.figure.Figure and pandas.DataFrame
        The figure, and the numbers that it shows.

    Raises
    ------
    heam_sim.errors.ConfigError
        There are no rows.
    """
    if table.empty:
        raise ConfigError("imbalance: there are no rows; give results with reads of their bank groups.")
    order = {name: number for number, name in enumerate(ordered_systems(table["system"]))}
    groups = table.groupby(["system", "tier"], sort=False)
    parts = [(str(system), str(tier), part) for (system, tier), part in groups]
    parts.sort(key=lambda item: order[item[0]])
    columns = columns_of(columns, _PANEL_IN * len(parts))
    across = min(3 if columns == 2 else 2, len(parts))
    down = -(-len(parts) // across)
    scale = Normalize(0.0, float(table["reads_over_mean"].max()))
    with figure_style():
        figure, grid = panel_grid(down, across, columns, 1.3, [], bottom_in=0.2)
        for axis, (system, tier, part) in zip(grid.flat, parts, strict=False):
            drawn = _map(axis, part, scale)
            most = float(part["reads_over_mean"].max())
            axis.set_title(f"{system}, {tier.upper()}\nmax/mean {most:.2f}")
        for axis in grid.flat[len(parts) :]:
            axis.remove()
        for row in grid:
            row[0].set_ylabel("channel")
        levels = {str(level).replace("_", " ") for level in table["level"]}
        for column in range(across):
            lowest = grid[(len(parts) - 1 - column) // across][column]
            lowest.set_xlabel(" or ".join(sorted(levels)))
        bar = figure.colorbar(drawn, ax=list(grid.flat[: len(parts)]), pad=0.02, fraction=0.03)
        bar.set_label("column reads over\nthe tier's mean")
        bar.outline.set_linewidth(0.4)
        if bar.solids is not None:  # vectors, without seams between the colours
            bar.solids.set(rasterized=False, edgecolor="face")
    return figure, table


def _map(axis: Axes, part: pd.DataFrame, scale: Normalize) -> QuadMesh:
    values = part.pivot_table(index="channel", columns="group", values="reads_over_mean")
    rows, groups = values.shape
    # Squares of their own rather than an image: sharp at every size, and vectors in the PDF.
    drawn = axis.pcolormesh(
        np.arange(groups + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        values.to_numpy(dtype=float),
        cmap=_MAP,
        norm=scale,
        edgecolors="white",
        linewidth=0.3,
    )
    axis.invert_yaxis()
    axis.grid(False)
    axis.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.tick_params(length=2)
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
    return drawn
