# SPDX-License-Identifier: MIT
"""Measures of a trace, table by table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heam_sim.analysis.distances import COLD, stack_distances
from heam_sim.datasets.reuse import shuffled_values
from heam_sim.trace import LookupTrace, TraceFile

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "STACK_LOOKUPS",
    "TableSummary",
    "access_curve",
    "co_occurrence",
    "popularity_distance",
    "power_bins",
    "reuse_distance",
    "reuse_histogram",
    "row_counts",
    "stack_histogram",
    "summarise",
]

STACK_LOOKUPS = 2_000_000  # stack distances of more lookups are taken from the first samples only
_PAIR_SAMPLES = 20_000
_PAIR_ITEMS = 32  # lookups of a sample that are paired with each other
_TOP_PAIRS = 1000

Trace = LookupTrace | TraceFile
Int64Array = NDArray[np.int64]


@dataclass(frozen=True)
class TableSummary:
    """What ``heam-sim trace info`` says about a table.

    Parameters
    ----------
    rows, lookups
        Cardinality, and lookups in all bags.
    bag_min, bag_mean, bag_max
        Lookups per bag; 0 without a sample.
    distinct
        Rows that are used.
    top_share, top_percent_share
        Share of the lookups that go to the most used row, and to the most used 1 % (at least one) of the used
        rows.
    """

    rows: int
    lookups: int
    bag_min: int
    bag_mean: float
    bag_max: int
    distinct: int
    top_share: float
    top_percent_share: float


def summarise(trace: Trace) -> list[TableSummary]:
    """Summarise every table; only one is in the memory at a time where the trace is a file.

    Parameters
    ----------
    trace
        The lookups: in the memory or in a file.

    Returns
    -------
    list of TableSummary
        One per table.
    """
    found = []
    for table in range(trace.tables):
        counts = row_counts(table_indices(trace, table))
        lengths = bag_lengths(trace, table)
        total = int(counts.sum())
        curve = access_curve(counts)
        found.append(
            TableSummary(
                rows=int(trace.cardinalities[table]),
                lookups=total,
                bag_min=int(lengths.min()) if len(lengths) else 0,
                bag_mean=total / max(trace.samples, 1),
                bag_max=int(lengths.max()) if len(lengths) else 0,
                distinct=len(counts),
                top_share=float(curve[0]) if total else 0.0,
                top_percent_share=float(curve[max(1, len(counts) // 100) - 1]) if total else 0.0,
            )
        )
    return found


def table_indices(trace: Trace, table: int) -> Int64Array:
    """Return all lookups of a table, bag after bag."""
    return trace.table_indices(table) if isinstance(trace, TraceFile) else trace.indices[table]


def bag_lengths(trace: Trace, table: int) -> Int64Array:
    """Return the lookups of every bag of a table."""
    if isinstance(trace, TraceFile):
        return trace.table_lengths(table)
    return np.diff(trace.offsets[table])


def first_samples(trace: Trace, lookups: int) -> LookupTrace:
    """Return the first samples, of about `lookups` lookups, or all if there are no more."""
    total = trace.lookups
    samples = trace.samples if total <= lookups else max(1, trace.samples * lookups // total)
    return trace.samples_slice(0, samples)


def row_counts(indices: Int64Array) -> Int64Array:
    """Return how often every used row is used, the most used first.

    Parameters
    ----------
    indices
        int64 array of shape (lookups,).

    Returns
    -------
    int64 array
        Shape (used rows,).
    """
    if not len(indices):
        return np.zeros(0, np.int64)
    counts = np.unique(indices, return_counts=True)[1].astype(np.int64)
    return np.sort(counts)[::-1]


def access_curve(counts: Int64Array) -> NDArray[np.float64]:
    """Return the share of all lookups that the most used row takes, the two most used rows, and so on.

    Parameters
    ----------
    counts
        Uses of the rows, int64, shape (used rows,), the most used first.

    Returns
    -------
    float64 array
        Shape (used rows,); the last is 1.
    """
    return np.cumsum(counts) / max(int(counts.sum()), 1)


def popularity_distance(one: Int64Array, other: Int64Array) -> float:
    """Return the largest difference between two access curves (Kolmogorov-Smirnov over the ranks).

    Parameters
    ----------
    one, other
        Uses of the rows, the most used first.

    Returns
    -------
    float
        From 0 (equal) to 1.
    """
    size = max(len(one), len(other))
    if not size:
        return 0.0
    curves = [
        np.pad(access_curve(counts), (0, size - len(counts)), mode="edge" if len(counts) else "constant")
        for counts in (one, other)
    ]
    return float(np.abs(curves[0] - curves[1]).max())


def reuse_distance(one: Int64Array, other: Int64Array) -> float:
    """Return the largest difference of the shares of lookups to rows that are used at most so often.

    Parameters
    ----------
    one, other
        Uses of the rows, in any order.

    Returns
    -------
    float
        From 0 (equal) to 1.
    """
    edges = np.unique(np.concatenate([one, other]))
    if not len(edges):
        return 0.0
    shares = []
    for counts in (one, other):
        ordered = np.sort(counts)
        sums = np.concatenate([np.zeros(1), np.cumsum(ordered)]) / max(int(ordered.sum()), 1)
        shares.append(sums[np.searchsorted(ordered, edges, side="right")])
    return float(np.abs(shares[0] - shares[1]).max())


def power_bins(largest: int) -> Int64Array:
    """Return the upper ends 0, 1, 2, 4, ... of bins up to `largest`."""
    return np.array([0, *(1 << power for power in range(max(1, largest).bit_length() + 1))], dtype=np.int64)


def reuse_histogram(trace: Trace) -> pd.DataFrame:
    """Shares of lookups and of used rows by reuse: the uses of a row in the whole trace, all tables together.

    Parameters
    ----------
    trace
        The lookups: in the memory or in a file.

    Returns
    -------
    pandas.DataFrame
        ``above`` and ``up_to`` (the bin), ``lookup_share``, ``row_share``; bins double.
    """
    import pandas as pd

    counts = np.concatenate([row_counts(table_indices(trace, table)) for table in range(trace.tables)])
    edges = power_bins(int(counts.max()) if len(counts) else 1)
    bins = np.searchsorted(edges, counts, side="left")
    rows = np.bincount(bins, minlength=len(edges))[1:]
    uses = np.bincount(bins, weights=counts, minlength=len(edges))[1:]
    return pd.DataFrame(
        {
            "above": edges[:-1],
            "up_to": edges[1:],
            "lookup_share": uses / max(float(uses.sum()), 1.0),
            "row_share": rows / max(int(rows.sum()), 1),
        }
    )


def stack_histogram(trace: Trace, *, lookups: int = STACK_LOOKUPS) -> pd.DataFrame:
    """Shares of lookups by LRU stack distance within their table, and of first uses.

    Parameters
    ----------
    trace
        The trace.
    lookups
        Take the first samples of about so many lookups.

    Returns
    -------
    pandas.DataFrame
        ``from`` and ``below`` (distances in distinct rows, doubling; -1 and 0 for first uses),
        ``lookup_share``, ``lookups`` (how many were measured).
    """
    import pandas as pd

    part = first_samples(trace, lookups)
    found = [stack_distances(indices) for indices in part.indices]
    distances = np.concatenate([*found, np.zeros(0, np.int64)])
    edges = power_bins(int(distances.max()) + 1 if len(distances) else 1)
    lows = np.concatenate([np.array([COLD]), edges[:-1]])
    bins = np.searchsorted(edges, distances, side="right")
    shares = np.bincount(bins, minlength=len(edges))[: len(edges)] / max(len(distances), 1)
    return pd.DataFrame({"from": lows, "below": edges, "lookup_share": shares, "lookups": len(distances)})


def co_occurrence(trace: Trace) -> dict[str, float]:
    """How often the same rows come together in a sample, beside the same tables without correlation.

    The first samples count (up to 20,000), and of each the first 32 lookups over all tables.

    Parameters
    ----------
    trace
        The lookups: in the memory or in a file.

    Returns
    -------
    dict
        ``pair_share``: share of all pairs that the 1,000 most frequent pairs take;
        ``independent_pair_share``: the same with every table's lookups in random order; ``samples``.
    """
    part = trace.samples_slice(0, min(trace.samples, _PAIR_SAMPLES))
    shuffled = [
        shuffled_values(np.unique(indices, return_inverse=True)[1].astype(np.int64), 1, (table,))
        for table, indices in enumerate(part.indices)
    ]
    return {
        "pair_share": _pair_share(part, part.indices),
        "independent_pair_share": _pair_share(part, shuffled),
        "samples": float(part.samples),
    }


def _pair_share(part: LookupTrace, indices: list[Int64Array] | tuple[Int64Array, ...]) -> float:
    items = np.full((part.samples, _PAIR_ITEMS), -1, dtype=np.int64)
    filled = np.zeros(part.samples, dtype=np.int64)
    base = 0
    for rows, cuts in zip(indices, part.offsets, strict=True):
        names = np.unique(rows, return_inverse=True)[1].astype(np.int64) + base
        base = int(names.max()) + 1 if len(names) else base
        lengths = np.diff(cuts)
        sample = np.repeat(np.arange(part.samples), lengths)
        place = filled[sample] + np.arange(len(rows)) - cuts[:-1][sample]
        fits = place < _PAIR_ITEMS
        items[sample[fits], place[fits]] = names[fits]
        filled += lengths
    first, second = np.triu_indices(_PAIR_ITEMS, 1)
    keys = []
    for one, other in zip(first, second, strict=True):
        both = (items[:, one] >= 0) & (items[:, other] >= 0)
        low = np.minimum(items[both, one], items[both, other])
        keys.append(low * base + np.maximum(items[both, one], items[both, other]))
    counts = row_counts(np.concatenate(keys))
    return float(counts[:_TOP_PAIRS].sum() / max(int(counts.sum()), 1))
