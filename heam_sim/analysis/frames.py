# SPDX-License-Identifier: MIT
"""The tables behind the figures of a trace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heam_sim.analysis.caches import PUBLISHED_BLOCKS, PUBLISHED_SIZES
from heam_sim.analysis.measure import Trace, access_curve, row_counts, table_indices

__all__ = ["access_curve_of", "access_curves", "published_hits", "r_row_shares", "reuse_curve"]

_POINTS = 400  # of a curve


def access_curves(trace: Trace, collisions: Sequence[int]) -> pd.DataFrame:
    """Cumulative access share of original rows and of Q rows, all tables together, on a logarithmic grid.

    Parameters
    ----------
    trace
        The lookups: in the memory or in a file.
    collisions
        Indices that share a row of Q, one curve each.

    Returns
    -------
    pandas.DataFrame
        ``rows`` (``"original rows"``, ``"Q rows, c = 4"``, ...), ``rank``, ``access_share``.
    """
    parts = []
    for divisor in (1, *collisions):
        label = "original rows" if divisor == 1 else f"Q rows, c = {divisor}"
        parts.append(_curve(_all_counts(trace, divisor), label))
    return pd.concat(parts, ignore_index=True)


def reuse_curve(trace: Trace, label: str) -> pd.DataFrame:
    """Share of the lookups that go to rows used at most so often, all tables together.

    Parameters
    ----------
    trace
        The lookups: in the memory or in a file.
    label
        Name of the curve.

    Returns
    -------
    pandas.DataFrame
        ``rows`` (the label), ``uses``, ``lookup_share``.
    """
    counts = _all_counts(trace, 1)[::-1]
    uses, first = np.unique(counts[::-1], return_index=True)
    below = np.cumsum(counts)[len(counts) - 1 - first] if len(counts) else np.zeros(0)
    return pd.DataFrame({"rows": label, "uses": uses, "lookup_share": below / max(int(counts.sum()), 1)})


def access_curve_of(trace: Trace, label: str) -> pd.DataFrame:
    """One curve as in :func:`access_curves`, under a label of its own.

    Parameters
    ----------
    trace
        The lookups: in the memory or in a file.
    label
        Name of the curve.

    Returns
    -------
    pandas.DataFrame
        ``rows`` (the label), ``rank``, ``access_share``.
    """
    return _curve(_all_counts(trace, 1), label)


def r_row_shares(trace: Trace, collisions: Sequence[int]) -> pd.DataFrame:
    """Share of the accesses to R that go to every R row, all tables together.

    Parameters
    ----------
    trace
        The lookups: in the memory or in a file.
    collisions
        Indices that share a row of Q, which is the number of rows of R.

    Returns
    -------
    pandas.DataFrame
        ``collisions``, ``r_row``, ``access_share``.
    """
    parts = []
    for divisor in collisions:
        counts = np.zeros(divisor, dtype=np.int64)
        for table in range(trace.tables):
            counts += np.bincount(table_indices(trace, table) % divisor, minlength=divisor)
        parts.append(
            pd.DataFrame(
                {
                    "collisions": divisor,
                    "r_row": np.arange(divisor),
                    "access_share": counts / max(int(counts.sum()), 1),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def published_hits() -> pd.DataFrame:
    """The HEAM authors' hit shares, for :func:`heam_sim.plotting.cache_figure`.

    Returns
    -------
    pandas.DataFrame
        ``panel`` (``"size"`` or ``"block"``), ``at`` (bytes), ``q_hit_share``, ``r_hit_share``.
    """
    rows = [
        {"panel": panel, "at": at, "q_hit_share": q / 100, "r_hit_share": r / 100}
        for panel, values in (("size", PUBLISHED_SIZES), ("block", PUBLISHED_BLOCKS))
        for at, (q, r) in values.items()
    ]
    return pd.DataFrame(rows, columns=["panel", "at", "q_hit_share", "r_hit_share"])


def _all_counts(trace: Trace, divisor: int) -> NDArray[np.int64]:
    parts = [row_counts(table_indices(trace, table) // divisor) for table in range(trace.tables)]
    return np.sort(np.concatenate(parts))[::-1]


def _curve(counts: NDArray[np.int64], label: str) -> pd.DataFrame:
    curve = access_curve(counts)
    ranks = np.unique(np.geomspace(1, max(len(curve), 1), _POINTS).astype(np.int64))[: len(curve)]
    return pd.DataFrame({"rows": label, "rank": ranks, "access_share": curve[ranks - 1]})
