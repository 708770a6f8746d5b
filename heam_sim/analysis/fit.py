# SPDX-License-Identifier: MIT
"""Recipes that imitate a real trace without holding any of its ids."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.analysis.distances import COLD, stack_distances
from heam_sim.analysis.measure import (
    STACK_LOOKUPS,
    Trace,
    bag_lengths,
    co_occurrence,
    first_samples,
    popularity_distance,
    reuse_distance,
    row_counts,
    stack_histogram,
    table_indices,
)
from heam_sim.datasets.fitted import FITTED, check_fitted
from heam_sim.errors import ConfigError
from heam_sim.results.atomic import write_atomically

__all__ = ["FitQuality", "compare_traces", "fit_trace", "write_recipe"]


def fit_trace(trace: Trace, *, seed: int = 1) -> dict[str, Any]:
    """Measure a trace and return a recipe for others like it.

    Kept exactly: how many rows of every table are used once, twice, ...; how many bags have every length.
    Measured and kept for the reader, but not imitated: stack distances and co-occurrence. The recipe holds no
    row number.

    Parameters
    ----------
    trace
        The trace, with at least one sample.
    seed
        Seed of the recipe, 0 to 2**64 - 1.

    Returns
    -------
    dict
        Plain JSON types; :func:`heam_sim.datasets.generate_fitted` generates from it.

    Raises
    ------
    ConfigError
        If the trace is empty or the seed is not what it can be.
    """
    if not trace.samples:
        raise ConfigError("trace: has no samples; give one with lookups.")
    tables = [
        {
            "rows": int(trace.cardinalities[table]),
            "uses": _pairs(row_counts(table_indices(trace, table))),
            "bags": _pairs(bag_lengths(trace, table)),
        }
        for table in range(trace.tables)
    ]
    stack = stack_histogram(trace)
    recipe = {
        "generator": FITTED,
        "source": "measured on a trace",
        "measured_hash": trace.content_hash,
        "samples": trace.samples,
        "seed": seed,
        "tables": tables,
        "measured": {
            "stack_below": stack["below"].tolist(),
            "stack_share": [round(share, 6) for share in stack["lookup_share"]],
            "stack_lookups": int(stack["lookups"].iloc[0]),
            "co_occurrence": co_occurrence(trace),
        },
    }
    check_fitted(recipe, "recipe")
    return recipe


def write_recipe(recipe: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a recipe as JSON.

    Parameters
    ----------
    recipe
        As :func:`fit_trace` makes it.
    path
        The file to make or replace.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    text = json.dumps(recipe, separators=(",", ":")).replace('{"rows"', '\n{"rows"') + "\n"
    write_atomically(Path(path), lambda part: part.write_text(text, encoding="utf-8"))


@dataclass(frozen=True)
class FitQuality:
    """Kolmogorov-Smirnov distances between two tables.

    Parameters
    ----------
    table
        Number of the table.
    popularity
        Of the cumulative access share over ranks.
    reuse
        Of the share of lookups over the uses of their row.
    stack
        Of LRU stack distances, first uses counted as the longest.
    """

    table: int
    popularity: float
    reuse: float
    stack: float


def compare_traces(one: Trace, other: Trace) -> list[FitQuality]:
    """Compare two traces table by table; stack distances on the first samples of long ones.

    Parameters
    ----------
    one
        The lookups: in the memory or in a file.
    other
        Another trace with as many tables.

    Returns
    -------
    list of FitQuality
        One per table.

    Raises
    ------
    ConfigError
        If the traces have different numbers of tables.
    """
    if one.tables != other.tables:
        raise ConfigError(f"the traces have {one.tables} and {other.tables} tables; compare like with like.")
    starts = [first_samples(trace, STACK_LOOKUPS) for trace in (one, other)]
    found = []
    for table in range(one.tables):
        counts = [row_counts(table_indices(trace, table)) for trace in (one, other)]
        distances = [stack_distances(start.indices[table]) for start in starts]
        found.append(
            FitQuality(
                table,
                popularity_distance(counts[0], counts[1]),
                reuse_distance(counts[0], counts[1]),
                _distance(distances[0], distances[1]),
            )
        )
    return found


def _distance(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    far = int(np.iinfo(np.int64).max)
    sides = [np.sort(np.where(side == COLD, far, side)) for side in (one, other)]
    edges = np.unique(np.concatenate(sides))
    shares = [np.searchsorted(side, edges, side="right") / max(len(side), 1) for side in sides]
    return float(np.abs(shares[0] - shares[1]).max()) if len(edges) else 0.0


def _pairs(values: NDArray[np.int64]) -> list[list[int]]:
    """Return ``[value, how often]`` for every distinct value."""
    numbers, counts = np.unique(values, return_counts=True)
    return [[int(number), int(count)] for number, count in zip(numbers, counts, strict=True)]
