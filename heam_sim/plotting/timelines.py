# SPDX-License-Identifier: MIT
"""The commands of a window as rows of coloured slices."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from heam_sim.errors import ConfigError
from heam_sim.plotting.figures import panel_grid
from heam_sim.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_GREY,
    ONE_COLUMN_IN,
    ORANGE,
    PURPLE,
    SKY,
    SMALLEST_PT,
    TWO_COLUMNS_IN,
    VERMILION,
    YELLOW,
    Look,
    figure_style,
)

__all__ = ["MOST_TRACKS", "timeline_figure"]

#: Rows that a page has room for.
MOST_TRACKS = 64
_MOST_SLICES = 50_000
_ROW_IN = 0.125
# Heights in a row: an open row is behind what happens in it.
_ROW_OPEN, _SLICE = 0.92, 0.62
# An edge around a slice that is narrower than this would hide its colour.
_EDGED_PT = 2.5

_LOOKS: Mapping[str, tuple[tuple[str, ...], Look]] = MappingProxyType(
    {
        "row open": ((), Look("#EDEDED")),
        "ACT": (("ACT",), Look(VERMILION)),
        "PRE": (("PREpb", "PREab", "PRE", "PREA"), Look(GREY, "....")),
        "REF": (("REFab", "REFpb", "REFsb", "REF", "RFMab", "RFMpb"), Look("#000000")),
        "RD": (("RD", "RDA"), Look(SKY)),
        "WR": (("WR", "WRA"), Look(ORANGE, "////")),
        "PIM_RD": (("PIM_RD",), Look(BLUE)),
        "PIM_LUT, PE_HIT": (("PIM_LUT", "PE_HIT"), Look(PURPLE)),
        "PIM_MOV, PIM_XMOV": (("PIM_MOV", "PIM_XMOV"), Look(GREEN, "////")),
        "PIM_RDRES": (("PIM_RDRES",), Look(YELLOW, "xxxx")),
        "PIM_WRLUT, PIM_WRIMM": (("PIM_WRLUT", "PIM_WRIMM"), Look(ORANGE)),
        "LLC_HIT, MERGED": (("LLC_HIT", "MERGED"), Look("#FFFFFF", "----")),
        "other": ((), Look(LIGHT_GREY, "++++")),
    }
)
_LOOK_OF = {command: name for name, (commands, _) in _LOOKS.items() for command in commands}


def timeline_figure(
    table: pd.DataFrame, *, first_ns: float, stop_ns: float, columns: int = 2
) -> tuple[Figure, pd.DataFrame]:
    """Slices of commands, a row per track, from the host inwards.

    Parameters
    ----------
    table
        Rows of ``process``, ``track``, ``kind`` (``"row"`` for open rows), ``command``, ``start_ns`` and
        ``duration_ns``, tracks in order.
    first_ns, stop_ns
        The window.
    columns
        1 or 2: width on a two-column page.

    Returns
    -------
    tuple of matplotlib.figure.Figure and pandas.DataFrame
        The figure and the slices that are in it.

    Raises
    ------
    heam_sim.errors.ConfigError
        No slices, too many, or more than :data:`MOST_TRACKS` tracks.
    """
    if columns not in (1, 2):
        raise ConfigError(f"columns: {columns!r} is not 1 or 2.")
    shown = table[(table["start_ns"] < stop_ns) & (table["start_ns"] + table["duration_ns"] >= first_ns)]
    tracks = list(dict.fromkeys(zip(shown["process"], shown["track"], strict=True)))
    if not tracks or len(tracks) > MOST_TRACKS or len(shown) > _MOST_SLICES:
        raise ConfigError(
            f"timeline figure: {len(tracks)} tracks with {len(shown):,} slices; a page has room for 1 to "
            f"{MOST_TRACKS} tracks and {_MOST_SLICES:,} slices: choose channels or a shorter window."
        )
    looks = shown["command"].map(_LOOK_OF).fillna("other").where(shown["kind"] != "row", "row open")
    used = [name for name in _LOOKS if (looks == name).any()]
    with figure_style():
        rows = _rows(tracks)
        height = _ROW_IN * (max(rows.values()) + 1) + 0.15
        entries = [(name, _LOOKS[name][1]) for name in used]
        figure, grid = panel_grid(1, 1, columns, height, entries, bottom_in=0.35)
        axis = grid.flat[0]
        # What the tracks' names leave of the width.
        width_pt = (ONE_COLUMN_IN - 1.3 if columns == 1 else TWO_COLUMNS_IN - 1.3) * 72
        _draw(axis, shown, looks, rows, edged_ns=(stop_ns - first_ns) * _EDGED_PT / width_pt)
        axis.set_xlim(first_ns, stop_ns)
        axis.set_xlabel("time (ns)")
        _label(axis, rows)
    return figure, shown


def _draw(
    axis: Axes,
    shown: pd.DataFrame,
    looks: pd.Series,
    rows: Mapping[tuple[str, str], int],
    *,
    edged_ns: float,
) -> None:
    row = np.array([rows[track] for track in zip(shown["process"], shown["track"], strict=True)])
    start = shown["start_ns"].to_numpy()
    stop = start + shown["duration_ns"].to_numpy()
    for name in dict.fromkeys(("row open", *_LOOKS)):
        here = (looks == name).to_numpy()
        if not here.any():
            continue
        look, half = _LOOKS[name][1], (_ROW_OPEN if name == "row open" else _SLICE) / 2
        left, right, at = start[here], stop[here], row[here]
        corners: Any = np.stack(
            [
                np.stack([left, at - half], axis=-1),
                np.stack([right, at - half], axis=-1),
                np.stack([right, at + half], axis=-1),
                np.stack([left, at + half], axis=-1),
            ],
            axis=1,
        )
        edge = "#9A9A9A" if name == "row open" else "black"
        # White cannot be seen without an edge.
        narrow = edge if look.colour == "#FFFFFF" else look.colour
        axis.add_collection(
            PolyCollection(
                corners,
                facecolors=look.colour,
                edgecolors=np.where(right - left >= edged_ns, edge, narrow).tolist(),
                hatch=look.hatch or None,
                linewidths=0.2,
                zorder=1 if name == "row open" else 2,
            )
        )
    axis.set_ylim(max(rows.values()) + 0.6, -0.6)


def _label(axis: Axes, rows: Mapping[tuple[str, str], int]) -> None:
    """Names of tracks beside their rows, those of processes in rows of their own, lines between them."""
    axis.set_yticks(list(rows.values()), [name for _, name in rows])
    axis.tick_params(axis="y", length=0, pad=2)
    axis.grid(visible=False, axis="y")
    axis.grid(visible=True, axis="x")
    seen: set[str] = set()
    for (process, _), row in rows.items():
        if process in seen:
            continue
        axis.text(
            0.004,
            row - 1,
            process,
            transform=axis.get_yaxis_transform(),
            va="center_baseline",
            ha="left",
            fontsize=SMALLEST_PT,
            fontweight="bold",
        )
        if seen:
            axis.axhline(row - 1.5, color="black", linewidth=0.5)
        seen.add(process)


def _rows(tracks: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The row of each track, below one for the name of its process."""
    found = {}
    last, row = None, -1
    for process, name in tracks:
        row += 1 if process == last else 2
        last = process
        found[process, name] = row
    return found
