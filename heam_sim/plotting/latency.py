# SPDX-License-Identifier: MIT
"""Latency against throughput: what a sample waits under a load, up to saturation."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heam_sim.errors import ConfigError, unknown_name
from heam_sim.plotting.layout import columns_of, log_scale, panel_grid
from heam_sim.plotting.style import figure_style, ordered_systems, system_lines

__all__ = ["latency_curves", "latency_table"]

_STATISTICS = ("mean", "p50", "p95", "p99")
_KEYS = ["system", "embedding", "vector_bytes", "scope"]
_RATES = ["offered_samples_per_second", "samples_per_second"]
_PANEL_IN = 1.7


def latency_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The open-loop rows of a table of results.

    Parameters
    ----------
    frame
        Rows as :meth:`heam_sim.results.Result.to_frame` makes them.

    Returns
    -------
    pandas.DataFrame
        ``system, embedding, vector_bytes, scope, offered_load, offered_samples_per_second,
        samples_per_second`` (served), ``sample_latency_mean_ns`` and ``_p50_``, ``_p95_``, ``_p99_``, and
        ``closed_loop_samples_per_second`` (NaN where the rate was not given as a load); a curve's points
        follow each other in order of their rates. No rows: there is no open loop among them.
    """
    latencies = [f"sample_latency_{name}_ns" for name in _STATISTICS]
    columns = [*_KEYS, "offered_load", *_RATES, *latencies]
    if not set(columns) <= set(frame.columns):
        return pd.DataFrame(columns=columns)
    table = frame.loc[frame["offered_samples_per_second"].notna(), columns]
    table = table.assign(
        closed_loop_samples_per_second=table["offered_samples_per_second"] / table["offered_load"]
    )
    return table.sort_values(["system", *_RATES], kind="stable").reset_index(drop=True)


def latency_curves(
    table: pd.DataFrame, *, columns: int | None = None, statistic: str | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Latency of a sample against samples served per second, a curve per system.

    A dotted line is the throughput of a system in a closed loop.

    Parameters
    ----------
    table
        As :func:`latency_table` makes it, of one embedding, vector size and pooling scope.
    columns
        Width of the figure: 1 or 2 columns of a two-column page; None: as few as its panels need.
    statistic
        ``"mean"``, ``"p50"``, ``"p95"`` or ``"p99"``; None: a panel for each.

    Returns
    -------
    tuple of matplotlib.figure.Figure and pandas.DataFrame
        The figure, and the numbers that it shows.

    Raises
    ------
    heam_sim.errors.ConfigError
        An unknown statistic, no rows, or two points of a system at one rate.
    """
    if statistic not in (None, *_STATISTICS):
        raise unknown_name("statistic", statistic, _STATISTICS, where="latency")
    if table.empty:
        raise ConfigError("latency: there are no rows; give results of an open loop (arrivals).")
    _check_one_each(table)
    shown = _STATISTICS if statistic is None else (statistic,)
    systems = ordered_systems(table["system"])
    lines = system_lines(systems)
    columns = columns_of(columns, _PANEL_IN * len(shown) if len(shown) > 1 else 0.0)
    across = min(len(shown), 2 * columns)
    with figure_style():
        entries = [(name, lines[name]) for name in systems]
        figure, grid = panel_grid(
            len(shown) // across, across, columns, 1.9, entries, sharex=True, sharey=True
        )
        for axis, name in zip(grid.flat, shown, strict=True):
            for system in systems:
                part = table[table["system"] == system]
                _curve(axis, part, name, lines[system])
            axis.set_title({"mean": "mean", "p50": "median"}.get(name, f"{name[1:]}th percentile"))
            axis.grid(True, axis="both")
        grid[0][0].set_xlim(left=0.0)
        log_scale(grid[0][0])
        for row in grid:
            row[0].set_ylabel("latency of a\nsample (µs)")
        for axis in grid[-1]:
            axis.set_xlabel("million samples/s")
    return figure, table


def _check_one_each(table: pd.DataFrame) -> None:
    for key in ("embedding", "vector_bytes", "scope"):
        found = list(dict.fromkeys(table[key]))
        if len(found) > 1:
            raise ConfigError(
                f"latency: rows differ in {key} ({', '.join(map(str, found))}); choose rows, e.g. "
                f"--only {key}={found[0]}."
            )
    twice = table[table.duplicated(["system", "offered_samples_per_second"])]
    if not twice.empty:
        row = twice.iloc[0]
        raise ConfigError(
            f"latency: {row['system']} has two points at {row['offered_samples_per_second']:.4g} samples/s; "
            "keep one of each rate."
        )


def _curve(axis: Axes, part: pd.DataFrame, name: str, look: dict[str, object]) -> None:
    style: dict[str, object] = {**look}
    axis.plot(
        part["samples_per_second"] / 1e6,
        part[f"sample_latency_{name}_ns"] / 1e3,
        **style,  # type: ignore[arg-type]  # keywords of a line
    )
    closed = part["closed_loop_samples_per_second"].to_numpy(dtype=float)
    if np.isfinite(closed).any():
        at = float(closed[np.isfinite(closed)][0]) / 1e6
        axis.axvline(at, color=str(look["color"]), linestyle=":", linewidth=0.7)
