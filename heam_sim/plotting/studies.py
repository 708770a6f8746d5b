# SPDX-License-Identifier: MIT
"""Figures of the reproduction study: the table of one question in, a figure of it and the same table out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from heam_sim.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    SKY,
    SMALLEST_PT,
    TWO_COLUMNS_IN,
    VERMILION,
    Look,
    figure_style,
    ordered_systems,
    system_lines,
    system_looks,
)

__all__ = [
    "ablation_bars",
    "access_bars",
    "best_bars",
    "compression_curves",
    "hit_rate_bars",
    "memory_bars",
    "roofline",
    "sensitivity_curves",
]

_Drawn = tuple[Figure, pd.DataFrame]
_LABEL_IN = 0.1  # width that a rotated number over a bar needs
_HIT_RATES = {
    "row_hit_rate": ("row buffer (bank accesses)", Look(SKY, "////")),
    "llc_hit_rate": ("host cache (lines)", Look(GREY)),
    "lut_share": ("LUT (PE operands)", Look(BLUE)),
    "pe_cache_hit_rate": ("PE cache (operands)", Look(ORANGE, "\\\\\\\\")),
    "cold_share": ("cold (lookups)", Look("#FFFFFF", "....")),
}
_STEP_LOOKS = (
    Look(LIGHT_GREY),
    Look(SKY),
    Look(SKY, "////"),
    Look(ORANGE),
    Look(ORANGE, "\\\\\\\\"),
    Look(BLUE),
    Look("#FFFFFF", "----"),
)
_SCHEMES = {
    "full": ("full tables", "#000000", "*"),
    "qr": ("QR", BLUE, "o"),
    "partitions": ("k partitions", ORANGE, "s"),
    "hash": ("hashing", GREEN, "^"),
    "tt": ("tensor train", VERMILION, "D"),
}
_SHORT_LEVELS = {"bank group": "group", "host bus": "bus", "instructions": "instr."}
_FACTORS = {
    "vector": "vector (B)",
    "c": "collisions c",
    "lookups per bag": "trace",
    "batch": "barrier after (samples)",
    "hot share": "hot share of accesses",
    "LUT": "LUT per PE",
    "GnRs in flight": "GnRs in flight per channel",
}


def access_bars(table: pd.DataFrame) -> _Drawn:
    """Vectors read from banks and rows opened per lookup, all systems, one bar per embedding.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.main_table`` makes it.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    columns = {
        "bank_vectors_per_lookup": "vectors read from\nbanks per lookup",
        "activates_per_lookup": "ACTs per lookup",
    }
    return _per_system(table, columns)


def _per_system(table: pd.DataFrame, columns: Mapping[str, str]) -> _Drawn:
    systems = ordered_systems(table["system"])
    embeddings = list(dict.fromkeys(table["embedding"]))
    looks = dict(zip(embeddings, (Look(GREY), Look(BLUE), Look(ORANGE, "////")), strict=False))
    with figure_style():
        figure, axes = _panels(1, len(columns), 2.2, list(looks.items()))
        for axis, (column, label) in zip(axes.flat, columns.items(), strict=True):
            values = table.pivot_table(index="system", columns="embedding", values=column, sort=False)
            _bars(axis, values.reindex(systems)[embeddings], looks)
            axis.set_ylabel(label)
    return figure, table


def hit_rate_bars(table: pd.DataFrame) -> _Drawn:
    """What the row buffers, the host's cache, LUTs and PE caches serve, and what is cold, one row each.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.main_table`` makes it.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    systems = ordered_systems(table["system"])
    embeddings = list(dict.fromkeys(table["embedding"]))
    looks = dict(_HIT_RATES.values())
    with figure_style():
        figure, axes = _panels(len(embeddings), 1, 1.5, list(looks.items()), bottom_in=0.6)
        for number, (axis, embedding) in enumerate(zip(axes.flat, embeddings, strict=True)):
            part = table[table["embedding"] == embedding].set_index("system").reindex(systems)
            values = 100 * part[list(_HIT_RATES)].rename(columns={k: v[0] for k, v in _HIT_RATES.items()})
            _bars(axis, values, looks, labelled=True, digits=0)
            axis.set_ylim(0, 125)
            axis.set_yticks(range(0, 101, 25))
            axis.set_ylabel(f"{embedding}\nshare (%)")
            if number < len(embeddings) - 1:
                axis.set_xticklabels([])
    return figure, table


def ablation_bars(table: pd.DataFrame) -> _Drawn:
    """HEAM tier by tier: speed-up and energy over host-dimm, grouped by vector size.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.ablation_table`` makes it.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    steps = list(dict.fromkeys(table["step"]))
    looks = dict(zip(steps, _STEP_LOOKS, strict=False))
    shown = table.assign(size=[f"{size} B" for size in table["vector_bytes"]])
    shown["energy"] = 1 - shown["energy_saved_over_host_dimm"]
    columns = {"speedup_over_host_dimm": "speed-up over\nhost-dimm", "energy": "energy over\nhost-dimm's"}
    with figure_style():
        figure, axes = _panels(2, 1, 1.6, list(looks.items()), entry_in=2.2)
        for axis, (column, label) in zip(axes.flat, columns.items(), strict=True):
            values = shown.pivot_table(index="size", columns="step", values=column, sort=False)
            order = list(dict.fromkeys(shown.sort_values("vector_bytes")["size"]))
            _bars(axis, values.reindex(order)[steps], looks, labelled=True, upright=True)
            axis.axhline(1.0, color="black", linewidth=0.7)
            axis.set_ylabel(label)
        axes.flat[-1].set_xlabel("vector size")
    return figure, table


def memory_bars(table: pd.DataFrame) -> _Drawn:
    """Speed-up over host-dimm on the same memories: a group per memory, the systems that ran on it.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.memories_table`` makes it.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    variants = list(dict.fromkeys(table["variant"]))
    systems = ordered_systems(table["system"])
    looks = system_looks(systems)
    shown = table[table["system"] != "host-dimm"]
    with figure_style():
        figure, axes = _panels(1, 1, 2.3, [(name, looks[name]) for name in systems if name != "host-dimm"])
        values = shown.pivot_table(
            index="variant", columns="system", values="speedup_over_host_dimm", sort=False
        )
        columns = [name for name in systems if name in values.columns]
        values = values.reindex([name for name in variants if name in values.index])[columns]
        values.index = [_memory_name(name) for name in values.index]
        axis = axes.flat[0]
        _bars(axis, values, looks, labelled=True, upright=True)
        axis.axhline(1.0, color="black", linewidth=0.7)
        axis.set_ylabel("speed-up over host-dimm\non the same memories")
    return figure, table


def _memory_name(variant: str) -> str:
    name = variant.partition(" = ")[2]
    return name.replace(", ", ",\n").replace("HBM2 ", "HBM2\n") if name else "HBM2 legacy,\nDDR4-3200"


def best_bars(table: pd.DataFrame) -> _Drawn:
    """Speed-up over host-dimm at published settings of both, and at the best that was found for both.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.best_table`` makes it.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    looks = {"published against published": Look(LIGHT_GREY), "best against best": Look(BLUE)}
    systems = ordered_systems(table["system"])
    embeddings = list(dict.fromkeys(table["embedding"]))
    with figure_style():
        figure, axes = _panels(1, len(embeddings), 2.2, list(looks.items()), entry_in=2.2)
        for axis, embedding in zip(axes.flat, embeddings, strict=True):
            part = table[table["embedding"] == embedding].set_index("system").reindex(systems)
            values = part[["published_speedup", "best_speedup"]].set_axis(list(looks), axis=1)
            _bars(axis, values, looks, labelled=True)
            axis.axhline(1.0, color="black", linewidth=0.7)
            axis.set_title(embedding)
        axes.flat[0].set_ylabel("speed-up over host-dimm")
    return figure, table


def sensitivity_curves(table: pd.DataFrame) -> _Drawn:
    """Lookups per second of every system while one factor changes, a panel per factor and embedding.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.sensitivity_table`` makes it.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    systems = ordered_systems(table["system"])
    lines = system_lines(systems)
    embeddings = list(dict.fromkeys(table["embedding"]))
    compressed = [name for name in embeddings if name != "full"] or embeddings
    factors = list(dict.fromkeys(table["factor"]))
    across = 3
    down = -(-len(factors) // across)
    with figure_style():
        figure, axes = _panels(down, across, 1.9, [(name, lines[name]) for name in systems], entry_in=1.15)
        for axis, factor in zip(axes.flat, factors, strict=False):
            part = table[(table["factor"] == factor) & table["embedding"].isin(compressed)]
            settings = list(dict.fromkeys(part["setting"]))
            for system in systems:
                rows = part[(part["system"] == system)]
                if factor != "c" and compressed[0] in set(rows["embedding"]):
                    rows = rows[rows["embedding"] == compressed[0]]
                found = rows.drop_duplicates("setting").set_index("setting")["lookups_per_second"]
                at = [settings.index(name) for name in settings if name in found.index]
                values = [found[name] / 1e6 for name in settings if name in found.index]
                axis.plot(at, values, label=system, **lines[system])
            _log_scale(axis)
            axis.set_xticks(range(len(settings)), settings, rotation=30 if _long(settings) else 0)
            axis.set_xlim(-0.3, max(len(settings) - 0.7, 0.3))
            name, _, other = factor.partition(", ")
            axis.set_xlabel(", ".join(filter(None, (_FACTORS.get(name, name), other))))
        for axis in axes.flat[len(factors) :]:
            axis.remove()
        for row in axes:
            row[0].set_ylabel("million lookups/s")
    return figure, table


def _long(settings: Sequence[str]) -> bool:
    return sum(len(name) for name in settings) > 24


def compression_curves(table: pd.DataFrame) -> _Drawn:
    """Memory of the model against time, energy and accesses to banks: a row per system.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.compression_table`` makes it.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    systems = ordered_systems(table["system"])
    columns = {
        "time_ns_per_sample": "ns per sample",
        "energy_per_sample_pJ": "nJ per sample",
        "bank_vectors_per_lookup": "vectors from banks\nper lookup",
    }
    handles = [(name, {"color": c, "marker": m, "linewidth": 1.0}) for name, c, m in _SCHEMES.values()]
    with figure_style():
        figure, axes = _panels(len(systems), 3, 1.25, handles)
        for row, system in zip(axes, systems, strict=True):
            for axis, (column, label) in zip(row, columns.items(), strict=True):
                scale = 1e-3 if column.endswith("pJ") else 1.0
                _scheme_lines(axis, table[table["system"] == system], column, scale)
                axis.set_ylabel(label)
            row[0].set_title(system, loc="left")
        for axis in axes[-1]:
            axis.set_xlabel("memory over full tables'")
    return figure, table


def _scheme_lines(axis: Axes, part: pd.DataFrame, column: str, scale: float) -> None:
    for scheme, (_, colour, marker) in _SCHEMES.items():
        rows = part[part["scheme"] == scheme].sort_values("memory_share")
        axis.plot(
            rows["memory_share"],
            rows[column] * scale,
            color=colour,
            marker=marker,
            markersize=3.5,
            linewidth=1.0,
        )
    axis.set_xscale("log")
    _log_scale(axis)
    axis.grid(True, axis="both")


def roofline(table: pd.DataFrame) -> _Drawn:
    """The rate at which each level alone would be full (bars), and the rate that was reached (line).

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.roofline_table`` makes it.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    systems = ordered_systems(table["system"])
    levels = list(dict.fromkeys(table["level"]))
    tiers = list(dict.fromkeys(table["tier"]))
    looks = dict(zip(tiers, (Look(LIGHT_GREY), Look(SKY, "////"), Look(ORANGE)), strict=False))
    across = min(3, len(systems))
    down = -(-len(systems) // across)
    finite = table[np.isfinite(table["roof_lookups_per_second"])]
    low = float(min(finite["roof_lookups_per_second"].min(), table["lookups_per_second"].min())) / 1e6
    high = float(finite["roof_lookups_per_second"].max()) / 1e6
    with figure_style():
        entries: list[tuple[str, Any]] = [
            (f"roof of the {name.upper()} tier", look) for name, look in looks.items()
        ]
        entries.append(("reached", {"color": "black", "linewidth": 1.0}))
        figure, axes = _panels(down, across, 1.45, entries, bottom_in=0.1, entry_in=2.0)
        for number, (axis, system) in enumerate(zip(axes.flat, systems, strict=False)):
            part = table[table["system"] == system]
            values = part.pivot_table(index="level", columns="tier", values="roof_lookups_per_second")
            values = values.replace(np.inf, np.nan).reindex(levels).reindex(columns=tiers) / 1e6
            _bars(axis, values.rename(index=_SHORT_LEVELS), looks, upright=True, bottom=low / 2)
            axis.axhline(float(part["lookups_per_second"].iloc[0]) / 1e6, color="black", linewidth=1.0)
            axis.set_yscale("log")
            axis.set_ylim(low / 2, high * 1.5)
            axis.set_title(system)
            if number % across == 0:
                axis.set_ylabel("million lookups/s")
        for axis in axes.flat[len(systems) :]:
            axis.remove()
    return figure, table


def _bars(
    axis: Axes,
    values: pd.DataFrame,
    looks: Mapping[str, Look],
    *,
    labelled: bool = False,
    upright: bool = False,
    bottom: float = 0.0,
    digits: int = 2,
) -> None:
    """Groups of bars: rows are groups, columns the bars of a group."""
    width = 0.84 / len(values.columns)
    top = float(np.nanmax(values.to_numpy(dtype=float))) if values.size else 1.0
    room = _width_in(axis) / max(len(values), 1) * width > _LABEL_IN
    for number, name in enumerate(values.columns):
        at = np.arange(len(values)) + (number - (len(values.columns) - 1) / 2) * width
        heights = values[name].to_numpy(dtype=float)
        look = looks[str(name)]
        axis.bar(at, heights, width * 0.94, color=look.colour, hatch=look.hatch, edgecolor="black")
        for x, height in zip(at, heights, strict=True):
            if labelled and room and np.isfinite(height) and height > 0:
                text = _short(height, digits)
                label = axis.text(
                    x,
                    height + 0.02 * top,
                    text,
                    rotation=90,
                    ha="center",
                    va="bottom",
                    fontsize=SMALLEST_PT,
                )
                # A white rim, so that the line at 1 does not run through the digits.
                label.set_path_effects([withStroke(linewidth=1.6, foreground="white")])
    axis.set_xticks(range(len(values)), [str(name) for name in values.index], rotation=0 if upright else 90)
    axis.tick_params(axis="x", length=0)
    axis.set_xlim(-0.55, len(values) - 0.45)
    if bottom == 0.0:
        axis.set_ylim(0.0, top * (1.25 if labelled else 1.08) if top > 0 else 1.0)


def _short(value: float, digits: int) -> str:
    return f"{value:.{digits if value < 9.95 else min(digits, 1)}f}"


def _log_scale(axis: Axes) -> None:
    """A logarithmic y axis with plain numbers: 1, 2, 5, 10 ..., over more than two decades powers of ten."""
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    subs = (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
    axis.yaxis.set_major_locator(LogLocator(subs=subs))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def _width_in(axis: Axes) -> float:
    """Width of a panel in inches, estimated before the layout has been run."""
    figure, spec = axis.get_figure(), axis.get_subplotspec()
    assert isinstance(figure, Figure) and spec is not None
    return float(figure.get_size_inches()[0]) / spec.get_gridspec().ncols - 0.5


def _panels(
    down: int,
    across: int,
    height_in: float,
    entries: Sequence[tuple[str, Any]],
    *,
    bottom_in: float = 0.3,
    entry_in: float = 1.35,
) -> tuple[Figure, Any]:
    """A grid of panels with the legend above them, as wide as a page."""
    per_row = max(1, min(len(entries), int(TWO_COLUMNS_IN / entry_in)))
    legend_in = 0.17 * -(-len(entries) // per_row) + 0.08
    figure = Figure(figsize=(TWO_COLUMNS_IN, height_in * down + legend_in + bottom_in), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    handles: list[Any] = [
        Line2D([], [], label=name, **look)
        if isinstance(look, Mapping)
        else Patch(facecolor=look.colour, hatch=look.hatch, edgecolor="black", label=name)
        for name, look in entries
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=per_row, columnspacing=1.0, handlelength=1.8
    )
    return figure, grid
