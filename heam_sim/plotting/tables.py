# SPDX-License-Identifier: MIT
"""Tables behind the figures: what is drawn is what is written beside the figure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from heam_sim.energy.report import COMPONENTS
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.plotting.style import ordered_systems

__all__ = ["GEOMEAN", "energy_table", "facets", "speedup_table"]

GEOMEAN = "geomean"
_KEYS = ["scope", "embedding", "vector_bytes"]


def _need(frame: pd.DataFrame, columns: list[str]) -> None:
    for column in columns:
        if column not in frame.columns:
            raise unknown_name("column", column, frame.columns, where="figure data")
    if frame.empty:
        raise ConfigError("figure data: the table has no rows; give at least one result.")
    keys = ["system", *_KEYS]
    twice = frame[frame.duplicated(keys)]
    if not twice.empty:
        named = ", ".join(str(value) for value in twice.iloc[0][keys])
        raise ConfigError(f"figure data: {named} occurs twice; keep one row of each.")


def speedup_table(
    frame: pd.DataFrame, *, baseline: str = "host-dimm", against: str | None = None
) -> pd.DataFrame:
    """Speed-up of every system over a baseline in the same configuration.

    Parameters
    ----------
    frame
        Rows as :meth:`heam_sim.results.Result.to_frame` makes them; used: ``system``, ``embedding``,
        ``vector_bytes``, ``scope``, ``samples_per_second``, and ``collisions`` if there.
    baseline
        System whose speed is 1.
    against
        Embedding of the baseline; None: that of each row.

    Returns
    -------
    pandas.DataFrame
        ``scope, embedding, collisions, vector_bytes, system, samples_per_second, speedup``; after each
        configuration's sizes the geometric mean over them, with ``vector_bytes`` = ``"geomean"``, for the
        systems that have every size.

    Raises
    ------
    heam_sim.errors.ConfigError
        A column or the baseline is missing, a row occurs twice, or a speed is not positive.
    """
    _need(frame, ["system", *_KEYS, "samples_per_second"])
    if baseline not in set(frame["system"]):
        raise unknown_name("system", baseline, set(frame["system"]), where="baseline")
    table = _columns(frame, ["samples_per_second"])
    reference = table[table["system"] == baseline].set_index(_KEYS)["samples_per_second"]
    speed = table["samples_per_second"].to_numpy(dtype=float)
    wanted = table[_KEYS] if against is None else table[_KEYS].assign(embedding=against)
    base = reference.reindex(pd.MultiIndex.from_frame(wanted)).to_numpy(dtype=float)
    wrong = ~(np.isfinite(speed) & (speed > 0) & np.isfinite(base))
    if wrong.any():
        row = table[wrong].iloc[0]
        raise ConfigError(
            f"figure data: {row['system']} at {row['vector_bytes']} B ({row['embedding']}, {row['scope']}) "
            f"has no positive speed for itself or for {baseline}; run both."
        )
    table["speedup"] = speed / base
    return _with_geomean(table)


def _with_geomean(table: pd.DataFrame) -> pd.DataFrame:
    pieces = []
    for (scope, embedding), group in table.groupby(["scope", "embedding"], sort=False):
        pieces.append(group.astype({"vector_bytes": object}))
        sizes = group["vector_bytes"].nunique()
        if sizes < 2:
            continue
        rows = [
            {
                "scope": scope,
                "embedding": embedding,
                "collisions": part["collisions"].iloc[0],
                "vector_bytes": GEOMEAN,
                "system": system,
                "samples_per_second": np.nan,
                "speedup": float(np.exp(np.log(part["speedup"]).mean())),
            }
            for system, part in group.groupby("system", sort=False)
            if len(part) == sizes
        ]
        pieces.append(pd.DataFrame(rows, columns=table.columns).astype({"vector_bytes": object}))
    return pd.concat(pieces, ignore_index=True)


def energy_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Energy per sample, split by component.

    Parameters
    ----------
    frame
        Rows as :meth:`heam_sim.results.Result.to_frame` makes them; used: ``system``, ``embedding``,
        ``vector_bytes``, ``scope``, ``samples``, ``energy_<component>_pJ``, ``energy_per_sample_pJ`` and its
        low and high, and ``collisions`` if there.

    Returns
    -------
    pandas.DataFrame
        ``scope, embedding, collisions, vector_bytes, system``, then ``<component>_pJ_per_sample`` for every
        component and ``total_``, ``low_`` and ``high_pJ_per_sample``.

    Raises
    ------
    heam_sim.errors.ConfigError
        A column is missing, a row occurs twice, a run has no samples, or parts do not sum to the total.
    """
    totals = ["energy_per_sample_pJ", "energy_per_sample_low_pJ", "energy_per_sample_high_pJ"]
    parts = [f"energy_{name}_pJ" for name in COMPONENTS]
    _need(frame, ["system", *_KEYS, "samples", *totals, *parts])
    table = _columns(frame, ["samples", *totals, *parts])
    samples = table.pop("samples").to_numpy(dtype=float)
    if not (samples > 0).all():
        raise ConfigError("figure data: a run has no samples, so no energy per sample; drop that row.")
    for name in COMPONENTS:
        table[f"{name}_pJ_per_sample"] = table.pop(f"energy_{name}_pJ").to_numpy(dtype=float) / samples
    for name, column in zip(("total", "low", "high"), totals, strict=True):
        table[f"{name}_pJ_per_sample"] = table.pop(column).to_numpy(dtype=float)
    summed = table[[f"{name}_pJ_per_sample" for name in COMPONENTS]].sum(axis=1)
    if not np.allclose(summed, table["total_pJ_per_sample"], rtol=1e-6, atol=0.0):
        raise ConfigError(
            "figure data: the energy components of a row do not sum to its total; export it again."
        )
    return table


def _columns(frame: pd.DataFrame, extra: list[str]) -> pd.DataFrame:
    """Key columns first, rows in the order in which figures draw them."""
    table = frame.copy()
    if "collisions" not in table.columns:
        table["collisions"] = np.nan
    order = {name: i for i, name in enumerate(ordered_systems(table["system"]))}
    table["_system"] = table["system"].map(order)
    scopes = {name: i for i, name in enumerate(dict.fromkeys(table["scope"]))}
    table["_scope"] = table["scope"].map(scopes)
    # Full tables (no collisions) come first.
    keys = ["_scope", "collisions", "embedding", "vector_bytes", "_system"]
    table = table.sort_values(keys, kind="stable", na_position="first")
    columns = ["scope", "embedding", "collisions", "vector_bytes", "system", *extra]
    return table[columns].reset_index(drop=True)


def facets(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """One (title, rows) for every pooling scope and embedding, in table order."""
    found = []
    for (scope, embedding), part in table.groupby(["scope", "embedding"], sort=False):
        collisions = part["collisions"].iloc[0]
        same = table.loc[table["collisions"] == collisions, "embedding"].nunique() == 1
        named = f"c = {collisions:g}" if pd.notna(collisions) and same else str(embedding)
        found.append((f"{named}, scope: {scope}", part))
    return found
