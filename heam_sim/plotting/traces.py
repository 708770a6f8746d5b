# SPDX-License-Identifier: MIT
"""Figures of traces: who is accessed how often, how soon again, and what a cache would catch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from heam_sim.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    PURPLE,
    SKY,
    TWO_COLUMNS_IN,
    VERMILION,
    figure_style,
)

__all__ = ["access_figure", "cache_figure", "fit_figure", "reuse_figure"]

_HEIGHT_IN = 2.5
# Colour and dashes together, so that curves can be told apart without colour.
_LINES = (
    ("black", "-"),
    (BLUE, "--"),
    (VERMILION, "-."),
    (GREEN, ":"),
    (PURPLE, (0, (5, 1, 1, 1, 1, 1))),
    (ORANGE, (0, (1, 1))),
)


def access_figure(curves: pd.DataFrame, shares: pd.DataFrame) -> Figure:
    """Cumulative access share of original and of Q rows, and the access share of every R row.

    Parameters
    ----------
    curves
        ``rows`` (label of the curve), ``rank``, ``access_share``.
    shares
        ``collisions``, ``r_row``, ``access_share`` (of all accesses to R, all tables together).

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure`.
    """
    with figure_style():
        figure, (left, right) = _panels(2)
        for (label, part), (colour, dashes) in zip(curves.groupby("rows", sort=False), _LINES, strict=False):
            left.plot(
                part["rank"],
                100 * part["access_share"],
                label=str(label),
                color=colour,
                linestyle=dashes,
                marker="o" if len(part) == 1 else None,  # a single point is no line
            )
        left.set_xscale("log")
        left.set_xlabel("most accessed rows (number, all tables)")
        left.set_ylabel("cumulative access share (%)")
        left.set_ylim(0, 102)
        left.legend(loc="upper left", bbox_to_anchor=(0.0, 1.0))
        for (collisions, part), (colour, dashes) in zip(
            shares.groupby("collisions", sort=True), _LINES[1:], strict=False
        ):
            right.plot(
                part["r_row"],
                100 * part["access_share"],
                label=f"c = {collisions}",
                color=colour,
                linestyle=dashes,
                marker="o",
                markersize=2.5,
            )
        right.set_xlabel("R row (index mod c)")
        right.set_ylabel("share of accesses to R (%)")
        right.set_ylim(0, 100 * float(shares["access_share"].max()) * 1.3)
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        right.legend(loc="upper right", ncols=2)
    return figure


def reuse_figure(reuse: pd.DataFrame, stack: pd.DataFrame, *, note: str = "") -> Figure:
    """Histograms of reuse (uses of a row in the trace) and of LRU stack distance.

    Parameters
    ----------
    reuse
        As :func:`heam_sim.analysis.reuse_histogram` makes it.
    stack
        As :func:`heam_sim.analysis.stack_histogram` makes it.
    note
        What the distances were measured on, if not the whole trace.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure`.
    """
    with figure_style():
        figure, (left, right) = _panels(2)
        at = np.arange(len(reuse), dtype=float)
        for shift, column, colour, hatch, label in (
            (-0.2, "lookup_share", BLUE, "", "lookups"),
            (0.2, "row_share", ORANGE, "////", "used rows"),
        ):
            left.bar(
                at + shift,
                100 * reuse[column],
                0.4,
                color=colour,
                hatch=hatch,
                edgecolor="black",
                label=label,
            )
        _power_ticks(left, [int(edge) for edge in reuse["up_to"]])
        left.set_xlabel("uses of the row in the trace, up to")
        left.set_ylabel("share (%)")
        left.legend(loc="upper right")
        places = np.arange(len(stack), dtype=float)
        right.bar(places[1:], 100 * stack["lookup_share"][1:], 0.8, color=SKY, edgecolor="black")
        right.bar(
            places[:1],
            100 * stack["lookup_share"][:1],
            0.8,
            color=LIGHT_GREY,
            hatch="....",
            edgecolor="black",
        )
        _power_ticks(right, [int(edge) for edge in stack["below"]], first="first\nuse")
        right.set_xlabel("LRU stack distance below (rows of the table)")
        right.set_ylabel("share of lookups (%)")
        if note:
            right.set_title(note)
    return figure


def cache_figure(
    sizes: pd.DataFrame, blocks: pd.DataFrame, published: pd.DataFrame, *, note: str = ""
) -> Figure:
    """Hit share of Q and R rows against cache size and against block size.

    Parameters
    ----------
    sizes, blocks
        As :func:`heam_sim.analysis.hit_shares` makes them, over cache sizes and over block sizes.
    published
        ``panel`` (``"size"`` or ``"block"``), ``at`` (bytes), ``q_hit_share``, ``r_hit_share``; may be empty.
    note
        Title: what was simulated.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure`.
    """
    with figure_style():
        figure, axes = _panels(2)
        for axis, frame, column, panel in (
            (axes[0], sizes, "cache_bytes", "size"),
            (axes[1], blocks, "block_bytes", "block"),
        ):
            theirs = published[published["panel"] == panel]
            _hit_panel(axis, frame, column, theirs)
        axes[0].set_xlabel("cache size")
        axes[1].set_xlabel("block size")
        axes[0].set_ylabel("hits (% of all accesses)")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), title=note or None)
    return figure


def _hit_panel(axis: Axes, frame: pd.DataFrame, column: str, theirs: pd.DataFrame) -> None:
    places = {int(size): number for number, size in enumerate(sorted(frame[column]))}
    for name, colour, dashes, mark in (("r", ORANGE, "--", "s"), ("q", BLUE, "-", "o")):
        at = [places[int(size)] for size in frame[column]]
        label = f"{name.upper()}, this trace"
        axis.plot(
            at,
            100 * frame[f"{name}_hit_share"],
            color=colour,
            linestyle=dashes,
            marker=mark,
            markersize=4,
            label=label,
        )
        shown = theirs[theirs["at"].isin(list(places))]
        if len(shown):
            axis.plot(
                [places[int(size)] for size in shown["at"]],
                100 * shown[f"{name}_hit_share"],
                color=colour,
                linestyle="none",
                marker=mark,
                markersize=7,
                markerfacecolor="none",
                label=f"{name.upper()}, published",
            )
    axis.set_xticks(list(places.values()), [_bytes(size) for size in places])
    axis.set_ylim(0, 55)


def fit_figure(curves: pd.DataFrame, reuse: pd.DataFrame, *, note: str) -> Figure:
    """Popularity and reuse of a measured trace and of the one generated from its recipe.

    Parameters
    ----------
    curves
        ``rows`` (label of the curve), ``rank``, ``access_share``.
    reuse
        ``rows``, ``uses``, ``lookup_share`` (lookups to rows used at most so often).
    note
        The distances between them.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure`.
    """
    with figure_style():
        figure, (left, right) = _panels(2)
        looks: Sequence[tuple[str, str, float]] = ((GREY, "-", 3.0), (VERMILION, "--", 1.2))
        for axis, frame, x, y in (
            (left, curves, "rank", "access_share"),
            (right, reuse, "uses", "lookup_share"),
        ):
            for (label, part), (colour, dashes, width) in zip(
                frame.groupby("rows", sort=False), looks, strict=False
            ):
                style = "default" if axis is left else "steps-post"
                axis.plot(
                    part[x],
                    100 * part[y],
                    color=colour,
                    linestyle=dashes,
                    linewidth=width,
                    label=str(label),
                    drawstyle=style,
                )
            axis.set_xscale("log")
            axis.set_ylim(0, 102)
        left.set_xlabel("most accessed rows (number, all tables)")
        left.set_ylabel("cumulative access share (%)")
        right.set_xlabel("uses of the row in the trace, at most")
        right.set_ylabel("share of lookups (%)")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2, title=note)
    return figure


def _panels(across: int) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(TWO_COLUMNS_IN, _HEIGHT_IN), layout="constrained")
    axes: Sequence[Axes] = figure.subplots(1, across)
    return figure, axes


def _power_ticks(axis: Axes, edges: Sequence[int], *, first: str | None = None) -> None:
    step = -(-len(edges) // 9)
    shown = list(range(1 if first else 0, len(edges), step))
    labels = [_count(edges[place]) for place in shown]
    if first:
        # The next label would touch that of the first uses.
        shown, labels = [0, *shown[1:]], [first, *labels[1:]]
    axis.set_xticks(shown, labels)
    axis.tick_params(axis="x", length=0)


def _count(number: int) -> str:
    for factor, unit in ((1 << 20, "M"), (1 << 10, "k")):
        if number >= factor:
            return f"{number // factor}{unit}"
    return str(number)


def _bytes(size: int) -> str:
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} B"
