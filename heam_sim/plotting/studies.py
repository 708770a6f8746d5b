# SPDX-License-Identifier: MIT
"""Figures of the reproduction study: the table of one question in, a figure of it and the same table out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from heam_sim.plotting.layout import AXIS_IN, columns_of, log_scale, panel_grid, panel_width_in
from heam_sim.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    SKY,
    SMALLEST_PT,
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
_LETTER_IN = 0.065  # width of a letter of 7 pt, with room
_NAME_IN = 0.16  # width of a group with its name below
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
    Look(ORANGE, "...."),
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


def access_bars(table: pd.DataFrame, *, columns: int | None = None) -> _Drawn:
    """Vectors read from banks and rows opened per lookup, all systems, one bar per embedding.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.main_table`` makes it.
    columns
        Of a two-column page: 1 or 2; ``None``: as many as the content needs.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    measures = {
        "bank_vectors_per_lookup": "vectors read from\nbanks per lookup",
        "activates_per_lookup": "ACTs per lookup",
    }
    systems = ordered_systems(table["system"])
    embeddings = list(dict.fromkeys(table["embedding"]))
    looks = dict(zip(embeddings, (Look(GREY), Look(BLUE, "////"), Look(ORANGE)), strict=False))
    across = columns_of(columns, len(measures) * (AXIS_IN + _NAME_IN * len(systems)))
    with figure_style():
        figure, axes = panel_grid(
            len(measures) // across, across, across, 2.2, list(looks.items()), bottom_in=0.3
        )
        for axis, (column, label) in zip(axes.flat, measures.items(), strict=True):
            values = table.pivot_table(index="system", columns="embedding", values=column, sort=False)
            _bars(axis, values.reindex(systems)[embeddings], looks)
            axis.set_ylabel(label)
    return figure, table


def hit_rate_bars(table: pd.DataFrame, *, columns: int | None = None) -> _Drawn:
    """What the row buffers, the host's cache, LUTs and PE caches serve, and what is cold, one row each.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.main_table`` makes it.
    columns
        Of a two-column page: 1 or 2; ``None``: as many as the content needs.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    systems = ordered_systems(table["system"])
    embeddings = list(dict.fromkeys(table["embedding"]))
    looks = dict(_HIT_RATES.values())
    with figure_style():
        columns = columns_of(columns, AXIS_IN + _LABEL_IN * len(systems) * len(looks))
        figure, axes = panel_grid(
            len(embeddings), 1, columns, 1.5, list(looks.items()), bottom_in=0.6, sharex=True
        )
        for axis, embedding in zip(axes.flat, embeddings, strict=True):
            part = table[table["embedding"] == embedding].set_index("system").reindex(systems)
            values = 100 * part[list(_HIT_RATES)].rename(columns={k: v[0] for k, v in _HIT_RATES.items()})
            _bars(axis, values, looks, labelled=True, digits=0)
            axis.set_ylim(0, 125)
            axis.set_yticks(range(0, 101, 25))
            axis.set_ylabel(f"{embedding}\nshare (%)")
    return figure, table


def ablation_bars(table: pd.DataFrame, *, columns: int | None = None) -> _Drawn:
    """HEAM tier by tier: speed-up and energy over host-dimm, grouped by vector size.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.ablation_table`` makes it.
    columns
        Of a two-column page: 1 or 2; ``None``: as many as the content needs.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    steps = list(dict.fromkeys(table["step"]))
    looks = dict(zip(steps, _STEP_LOOKS, strict=False))
    shown = table.assign(size=[f"{size} B" for size in table["vector_bytes"]])
    shown["energy"] = 1 - shown["energy_saved_over_host_dimm"]
    measures = {"speedup_over_host_dimm": "speed-up over\nhost-dimm", "energy": "energy over\nhost-dimm's"}
    columns = columns_of(columns, AXIS_IN + _LABEL_IN * len(steps) * shown["size"].nunique() / 0.84)
    with figure_style():
        figure, axes = panel_grid(2, 1, columns, 1.6, list(looks.items()), bottom_in=0.3)
        for axis, (column, label) in zip(axes.flat, measures.items(), strict=True):
            values = shown.pivot_table(index="size", columns="step", values=column, sort=False)
            order = list(dict.fromkeys(shown.sort_values("vector_bytes")["size"]))
            _bars(axis, values.reindex(order)[steps], looks, labelled=True, upright=True)
            axis.axhline(1.0, color="black", linewidth=0.7)
            axis.set_ylabel(label)
        axes.flat[-1].set_xlabel("vector size")
    return figure, table


def memory_bars(table: pd.DataFrame, *, columns: int | None = None) -> _Drawn:
    """Speed-up over host-dimm on the same memories: a group per memory, the systems that ran on it.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.memories_table`` makes it.
    columns
        Of a two-column page: 1 or 2; ``None``: as many as the content needs.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    variants = list(dict.fromkeys(table["variant"]))
    systems = ordered_systems(table["system"])
    looks = system_looks(systems)
    shown = table[table["system"] != "host-dimm"]
    values = shown.pivot_table(index="variant", columns="system", values="speedup_over_host_dimm", sort=False)
    present = [name for name in systems if name in values.columns]
    columns = columns_of(columns, AXIS_IN + _LABEL_IN * len(present) * len(values) / 0.84)
    with figure_style():
        entries = [(name, looks[name]) for name in systems if name != "host-dimm"]
        figure, axes = panel_grid(1, 1, columns, 2.3, entries, bottom_in=0.3)
        values = values.reindex([name for name in variants if name in values.index])[present]
        values.index = [_memory_name(name) for name in values.index]
        axis = axes.flat[0]
        _bars(axis, values, looks, labelled=True, upright=columns == 2)
        axis.axhline(1.0, color="black", linewidth=0.7)
        axis.set_ylabel("speed-up over host-dimm\non the same memories")
    return figure, table


def _memory_name(variant: str) -> str:
    name = variant.partition(" = ")[2]
    return name.replace(", ", ",\n").replace("HBM2 ", "HBM2\n") if name else "HBM2 legacy,\nDDR4-3200"


def best_bars(table: pd.DataFrame, *, columns: int | None = None) -> _Drawn:
    """Speed-up over host-dimm at published settings of both, and at the best that was found for both.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.best_table`` makes it.
    columns
        Of a two-column page: 1 or 2; ``None``: as many as the content needs.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    looks = {"published against published": Look(LIGHT_GREY), "best against best": Look(BLUE, "////")}
    systems = ordered_systems(table["system"])
    embeddings = list(dict.fromkeys(table["embedding"]))
    needed = len(embeddings) * (AXIS_IN + _LABEL_IN * 2 * len(systems) / 0.84)
    columns = columns_of(columns, needed)
    across = len(embeddings) if columns == 2 else 1
    with figure_style():
        down = len(embeddings) // across
        figure, axes = panel_grid(down, across, columns, 2.2, list(looks.items()), bottom_in=0.3)
        for axis, embedding in zip(axes.flat, embeddings, strict=True):
            part = table[table["embedding"] == embedding].set_index("system").reindex(systems)
            values = part[["published_speedup", "best_speedup"]].set_axis(list(looks), axis=1)
            _bars(axis, values, looks, labelled=True)
            axis.axhline(1.0, color="black", linewidth=0.7)
            axis.set_title(embedding)
        for row in axes:
            row[0].set_ylabel("speed-up over host-dimm")
    return figure, table


def sensitivity_curves(table: pd.DataFrame, *, columns: int | None = None) -> _Drawn:
    """Lookups per second of every system while one factor changes, a panel per factor and embedding.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.sensitivity_table`` makes it.
    columns
        Of a two-column page: 1 or 2; ``None``: as many as the content needs.

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
    columns = columns_of(columns, 2.2 * len(factors))
    across = min(3 if columns == 2 else 2, len(factors))
    down = -(-len(factors) // across)
    with figure_style():
        entries = [(name, lines[name]) for name in systems]
        figure, axes = panel_grid(down, across, columns, 1.9, entries, bottom_in=0.3)
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
            log_scale(axis)
            axis.set_xticks(range(len(settings)), settings, rotation=_turned(axis, settings))
            axis.set_xlim(-0.3, max(len(settings) - 0.7, 0.3))
            name, _, other = factor.partition(", ")
            axis.set_xlabel(", ".join(filter(None, (_FACTORS.get(name, name), other))))
        for axis in axes.flat[len(factors) :]:
            axis.remove()
        for row in axes:
            row[0].set_ylabel("million lookups/s")
    return figure, table


def _turned(axis: Axes, settings: Sequence[str]) -> float:
    """By how much names below an axis must be turned to stand beside each other."""
    needed = sum(len(name) + 1 for name in settings) * _LETTER_IN
    room = panel_width_in(axis)
    return 0.0 if needed < room else 30.0 if needed < 1.4 * room else 90.0


def compression_curves(table: pd.DataFrame, *, columns: int = 2) -> _Drawn:
    """Memory of the model against time, energy and accesses to banks: a row per system.

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.compression_table`` makes it.
    columns
        Of a two-column page: 1 or 2.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    systems = ordered_systems(table["system"])
    measures = {
        "time_ns_per_sample": "ns/sample",
        "energy_per_sample_pJ": "nJ/sample",
        "bank_vectors_per_lookup": "bank vectors/lookup",
    }
    handles = [
        (name, {"color": c, "marker": m, "markersize": 3.5, "linewidth": 1.0})
        for name, c, m in _SCHEMES.values()
    ]
    columns = columns_of(columns, 0.0)
    with figure_style():
        figure, axes = panel_grid(len(systems), 3, columns, 1.25, handles, bottom_in=0.3, sharex=True)
        for row, system in zip(axes, systems, strict=True):
            for axis, column in zip(row, measures, strict=True):
                scale = 1e-3 if column.endswith("pJ") else 1.0
                _scheme_lines(axis, table[table["system"] == system], column, scale)
            row[0].set_ylabel(system)
        for axis, label in zip(axes[0], measures.values(), strict=True):
            axis.set_title(label if columns == 2 else label.replace("/", "/\n"))
        for axis in axes.flat:
            log_scale(axis, "x")
        axes[-1][1].set_xlabel("memory over full tables'")
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
    log_scale(axis)
    axis.grid(True, axis="both")


def roofline(table: pd.DataFrame, *, columns: int | None = None) -> _Drawn:
    """The rate at which each level alone would be full (bars), and the rate that was reached (line).

    Parameters
    ----------
    table
        As ``heam_sim.experiments.tables.roofline_table`` makes it.
    columns
        Of a two-column page: 1 or 2; ``None``: as many as the content needs.

    Returns
    -------
    tuple of Figure and pandas.DataFrame
        The figure, and the table behind it.
    """
    systems = ordered_systems(table["system"])
    levels = list(dict.fromkeys(table["level"]))
    tiers = list(dict.fromkeys(table["tier"]))
    looks = dict(zip(tiers, (Look(LIGHT_GREY), Look(SKY, "////"), Look(ORANGE)), strict=False))
    columns = columns_of(columns, 2.4 * len(systems))
    across = min(3 if columns == 2 else 2, len(systems))
    down = -(-len(systems) // across)
    finite = table[np.isfinite(table["roof_lookups_per_second"])]
    low = float(min(finite["roof_lookups_per_second"].min(), table["lookups_per_second"].min())) / 1e6
    high = float(finite["roof_lookups_per_second"].max()) / 1e6
    with figure_style():
        entries: list[tuple[str, Any]] = [
            (f"roof of the {name.upper()} tier", look) for name, look in looks.items()
        ]
        entries.append(("reached", {"color": "black", "linewidth": 1.0}))
        upright = columns == 2 or across == 1
        figure, axes = panel_grid(down, across, columns, 1.45 if upright else 1.65, entries, bottom_in=0.1)
        for number, (axis, system) in enumerate(zip(axes.flat, systems, strict=False)):
            part = table[table["system"] == system]
            values = part.pivot_table(index="level", columns="tier", values="roof_lookups_per_second")
            values = values.replace(np.inf, np.nan).reindex(levels).reindex(columns=tiers) / 1e6
            _bars(axis, values.rename(index=_SHORT_LEVELS), looks, upright=upright, bottom=low / 2)
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
    room = panel_width_in(axis) / max(len(values), 1) * width > _LABEL_IN
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
